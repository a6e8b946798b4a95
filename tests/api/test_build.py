"""Firmware without the command line, into a model of a Pico's: built, reported on, made again and compared."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.image.parts import pico_like
from upytool.api import build
from upytool.api.packages import PackageSettings
from upytool.errors import UsageError
from upytool.image.chips import RP2040
from upytool.image.memory import Memory
from upytool.image.uf2 import write_uf2


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "project"
    (home / "src").mkdir(parents=True)
    (home / "src" / "app.py").write_text("def main():\n    print(42)\n")
    (home / "base.uf2").write_bytes(write_uf2([(RP2040, Memory.of([(0x10000000, pico_like())]))], sector=4096))
    monkeypatch.chdir(home)
    return home


def settings(home: Path) -> build.BuildSettings:
    return build.BuildSettings(PackageSettings(cache=home.parent / "cache", offline=True))


def test_what_is_wished_is_enough(home: Path) -> None:
    wish = build.BuildWish(modules=("src",), firmware="base.uf2", entry="app:main", output="out.uf2")
    made = build.build(wish=wish, settings=settings(home))
    assert made.starts
    assert made.data()["output"] == str(made.built.result.output)
    assert made.built.result.output.samefile(home / "out.uf2")
    assert {each.target for each in made.built.result.report.modules} == {"app.mpy", "main.py"}
    assert build.build(wish=wish, settings=settings(home)).built.result.unchanged


def test_a_project_is_built_again_and_compared(home: Path) -> None:
    project = home / "upytool.toml"
    project.write_text('[build]\nfirmware = "base.uf2"\nmodules = ["src"]\n')
    with pytest.raises(UsageError):
        build.verify(project, settings=settings(home))  # there is no lock yet
    made = build.build(project, settings=settings(home))
    before = sorted(home.rglob("*"))
    again = build.verify(project, settings=settings(home))
    assert (again.same, again.changes, again.sha256) == (True, (), made.built.result.sha256)
    assert build.report(project, settings=settings(home)).modules == made.built.result.report.modules
    (home / "src" / "app.py").write_text("def main():\n    print(43)\n")
    assert not build.verify(project, settings=settings(home)).same
    assert sorted(home.rglob("*")) == before, "nothing of it is kept"
