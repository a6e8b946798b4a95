"""The tables of a project's file."""

from __future__ import annotations

from pathlib import Path

import pytest

from upytool.errors import ConfigError
from upytool.project.load import find_project, load_project


def test_all_of_it(tmp_path: Path) -> None:
    (tmp_path / "upytool.toml").write_text(
        '[sync]\nlocal="src"\nremote=":/app"\ndelete=true\nkeep=["*.log"]\nmpy=true\n'
        '[ignore]\npatterns=["tests/"]\ndefaults=false\n'
    )
    deep = tmp_path / "src" / "deep"
    deep.mkdir(parents=True)
    project = find_project(deep)
    assert project is not None
    assert project.local == (tmp_path / "src").resolve()
    assert (project.remote, project.delete, project.keep, project.mpy) == ("/app", True, ("*.log",), True)
    assert (project.ignore, project.default_ignores) == (("tests/",), False)


def test_pyproject_and_defaults(tmp_path: Path) -> None:
    file = tmp_path / "pyproject.toml"
    file.write_text('[tool.upytool.sync]\nlocal = "code"\n')
    project = load_project(file)
    assert (project.remote, project.delete, project.ignore) == ("/", False, ())
    assert project.local == (tmp_path / "code").resolve()


@pytest.mark.parametrize(
    "text",
    ["[sync]\nlocal=1\n", "[sync]\nnope=1\n", "[ignore]\npatterns=[1]\n", "sync=1\n", "[sync\n"],
)
def test_mistakes_name_the_file(tmp_path: Path, text: str) -> None:
    file = tmp_path / "upytool.toml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=r"upytool\.toml"):
        load_project(file)


def test_a_project_reaches_no_other_folder(tmp_path: Path) -> None:
    file = tmp_path / "upytool.toml"
    file.write_text('[sync]\nlocal = "../secrets"\n')
    with pytest.raises(ConfigError, match="leads out"):
        load_project(file)
