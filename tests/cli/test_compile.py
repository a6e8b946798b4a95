"""`upytool compile` and `upytool manifest`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

NATIVE = "@micropython.native\ndef f(x):\n    return x + 1\n"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "lib" / "net").mkdir(parents=True)
    (tmp_path / "lib" / "a.py").write_text("def f():\n    assert f\n    return 1\n")
    (tmp_path / "lib" / "net" / "b.py").write_text(NATIVE)
    (tmp_path / "lib" / "main.py").write_text("import a\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("UPYTOOL_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path


def test_for_a_board_that_is_not_here(cli: Any, project: Path) -> None:
    done = cli("compile", "lib", "-o", "out", "--version", "1.25", "--arch", "armv6m")
    assert done.code == 0, done.err
    assert sorted(path.relative_to("out").as_posix() for path in Path("out").rglob("*.mpy")) == ["a.mpy", "net/b.mpy"]
    made = Path("out/net/b.mpy").read_bytes()
    assert (made[1], made[2] & 3, made[2] >> 2 & 0xF) == (6, 3, 4)
    assert b"net/b.py" in made, "tracebacks name the module, not a path of this computer"
    assert str(project).encode() not in made
    assert done.err == "2 modules for .mpy 6.3 armv6m\n"
    assert ", unchanged" in cli("compile", "lib", "-o", "out", "--version", "1.25", "--arch", "armv6m").err


def test_the_version_and_architecture_of_a_board(cli: Any, project: Path) -> None:
    done = cli("compile", "lib/net/b.py", "-o", "b.mpy", "--board", "rpi_pico", "--version", "1.21", "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["result"]["mpy"] == {"version": 6, "sub_version": 1, "arch": "armv6m"}
    assert Path("b.mpy").read_bytes()[2] == 1 | 4 << 2


@pytest.mark.parametrize(
    ("line", "code", "words"),
    [
        ("compile lib/net/b.py --version 1.25", 8, "lib/net/b.py:1: SyntaxError"),
        ("compile gone.py --version 1.25", 2, "[usage.no-source]"),
        ("compile lib/main.py lib/a.py --version 1.25 --name x", 2, "--name is for one module"),
        ("compile lib/a.py --version soon", 2, "'soon' is not a version of MicroPython"),
        ("compile lib/a.py --version 1.25 --arch z80", 2, "unknown architecture z80"),
        ("compile lib/a.py --board nothing_like_it", 2, "nothing_like_it"),
        ("compile lib/a.py --version 1.4", 2, "1.9 is the first"),
        ("compile lib/a.py --version 1.25 --emitter native", 2, "--arch armv6m"),
        ("compile lib/a.py --arch armv6m --arch-flags zba", 2, "for rv32imc alone"),
        ("compile lib --version 1.25 -o lib.mpy", 2, "is one file, for one module"),
    ],
)
def test_what_is_refused(cli: Any, project: Path, line: str, code: int, words: str) -> None:
    done = cli(*line.split(), "-v")
    assert done.code == code
    assert words in done.err
    assert not list(project.rglob("*.mpy"))


def test_a_file_where_a_directory_is_due(cli: Any, project: Path) -> None:
    Path("there").write_text("a file")
    done = cli("compile", "lib/a.py", "-o", "there", "--version", "1.25")
    assert done.code == 6
    assert "there/a.mpy: file exists" in done.err
    assert "unexpected" not in done.err


def test_levels_and_emitters(cli: Any, project: Path) -> None:
    sizes = {}
    for options in ("", "-O1", "-O3", "--emitter native --arch armv7m"):
        assert cli(*f"compile lib/a.py -o a.mpy --version 1.25 {options}".split()).code == 0
        sizes[options] = Path("a.mpy").read_bytes()
    assert len(sizes["-O3"]) < len(sizes["-O1"]) < len(sizes[""])
    assert sizes["--emitter native --arch armv7m"][2] >> 2 & 0xF == 5


def test_manifest_lint_and_explain(cli: Any, project: Path) -> None:
    Path("manifest.py").write_text('package("net", base_path="lib")\nmodule("a.py", base_path="lib", opt=1)\n')
    assert cli("manifest", "lint").code == 0
    done = cli("manifest", "explain", "--json")
    assert [each["target"] for each in json.loads(done.out)["result"]["files"]] == ["a.py", "net/b.py"]
    assert "manifest.py:2" in cli("manifest", "explain", "--file", "net.b").out.replace(":1:", ":2:")
    Path("manifest.py").write_text('include("other.py")\ninclude("other.py", fast=True)\n')
    Path("other.py").write_text("")
    done = cli("manifest", "lint")
    assert done.code == 1
    assert "manifest.py:2: " in done.out
    Path("manifest.py").write_text("\nmodul('x')\n")
    done = cli("manifest", "lint")
    assert (done.code, "manifest.py:2: NameError" in done.err) == (8, True)
