"""What a user may name by mistake, to every command that opens files: one error, its exit code, nothing left behind."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import Cli

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no FIFOs"),
    pytest.mark.timeout(120),
]
FILE = "named"


def _huge(path: Path) -> None:
    path.touch()
    os.truncate(path, 3 << 30)


def _socket(path: Path) -> None:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.close()


MAKERS: dict[str, Callable[[Path], object]] = {
    "directory": Path.mkdir,
    "fifo": lambda path: os.mkfifo(path),
    "socket": _socket,
    "empty": Path.touch,
    "one byte": lambda path: path.write_bytes(b"\0"),
    "not UTF-8": lambda path: path.write_bytes(b"\xff\xfe\0x"),
    "huge": _huge,
    "link to itself": lambda path: path.symlink_to(path),
    "link to nothing": lambda path: path.symlink_to("gone"),
    "missing": lambda path: None,
}
COMMANDS = [
    ("firmware", "inspect", FILE), ("image", "ls", FILE), ("image", "cat", FILE, "a"),
    ("image", "extract", FILE, "-o", "out"), ("image", "add", FILE, "good.py", "-o", "new.bin"),
    ("image", "rm", FILE, "a"), ("image", "diff", FILE, "good.img"),
    ("image", "add", "good.img", FILE, "-o", "new.img"),
    ("compile", FILE, "--version", "1.26", "--arch", "armv6m"), ("manifest", "lint", FILE),
    ("manifest", "explain", FILE), ("romfs", "ls", FILE), ("romfs", "extract", FILE, "-o", "out"),
    ("build", FILE, "--firmware", FILE), ("build", "good.py", "--firmware", FILE),
]  # fmt: skip
# These are no mistakes: a directory is a place to take files from, an empty or odd file is a file.
FINE = {
    "directory": {"image diff", "image add good.img", "manifest lint", "manifest explain", "compile"},
    "empty": {"image add good.img", "manifest lint", "manifest explain"},
    "one byte": {"image add good.img"},
    "not UTF-8": {"image add good.img"},
}


@pytest.fixture
def folder(cli: Cli) -> Path:
    Path("good.py").write_text("print(1)\n")
    assert cli("image", "mkfs", "good.img", "good.py", "--size", "64K").code == 0
    return Path.cwd()


@pytest.mark.parametrize("name", ["named", "n\udcffmed", "n\nmed"])
@pytest.mark.parametrize("maker", MAKERS)
def test_a_bad_file_is_one_error(cli: Cli, folder: Path, maker: str, name: str) -> None:
    MAKERS[maker](Path(name))
    before = sorted(os.listdir(folder))
    for command in COMMANDS:
        done = cli(*(name if word == FILE else word for word in command))
        about = (command, done.code, done.err)
        if any(" ".join(command).startswith(fine) for fine in FINE.get(maker, ())):
            assert done.code in (0, 1, 2, 6, 7, 8), about
        else:
            assert done.code in (2, 6, 7, 8), about
            assert sum(line.startswith("error:") for line in done.err.splitlines()) == 1, about
        assert "unexpected" not in done.err, about
        for new in {"new.bin", "new.img", "out"} & set(os.listdir(folder)) if done.code == 0 else ():
            os.unlink(new)
        assert sorted(os.listdir(folder)) == before, about


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_name_that_no_file_can_have(cli: Cli, folder: Path, command: tuple[str, ...]) -> None:
    for name in ("n" * 300, "d/" + "é" * 200, "x/" * 3000 + "y"):
        done = cli(*(name if word == FILE else word for word in command))
        assert done.code in (2, 6, 7, 8), (name[:9], done.err)
        assert "unexpected" not in done.err


@pytest.mark.parametrize(
    "command",
    [
        ("build", "good.py", "--board", "RPI_PICO"), ("manifest", "lint", "good.py"), ("romfs", "build", "."),
        ("sync",), ("image", "ls", "good.img"), ("image", "mkfs", "x.img", "--size", "64K"),
    ],
    ids=" ".join,
)  # fmt: skip
def test_a_removed_directory_is_one_error(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    done = cli(*command)
    assert done.code in (2, 6, 7), done.err
    assert "unexpected" not in done.err


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")
@pytest.mark.parametrize(
    "command",
    [
        ("image", "mkfs", "OUT", "good.py", "--size", "64K"), ("image", "add", "good.img", "good.py", "-o", "OUT"),
        ("compile", "good.py", "--version", "1.26", "-o", "OUT"), ("romfs", "build", "src", "-o", "OUT"),
        ("image", "extract", "good.img", "-o", "OUT"),
    ],
    ids=" ".join,
)  # fmt: skip
def test_an_output_that_cannot_be_written(cli: Cli, folder: Path, command: tuple[str, ...]) -> None:
    Path("src").mkdir()
    before = sorted(os.listdir(folder))
    for name in ("/dev/full", "good.py/x.mpy", "/proc/x.mpy"):
        done = cli(*(name if word == "OUT" else word for word in command))
        assert done.code in (2, 6), (name, done.code, done.err)
        assert "unexpected" not in done.err
        assert sorted(os.listdir(folder)) == before


def test_what_may_not_be_read_is_one_error(cli: Cli, folder: Path) -> None:
    secret = folder / "secret"
    secret.mkdir()
    (secret / "x.py").write_text("pass\n")
    secret.chmod(0)
    try:
        if os.access(secret / "x.py", os.R_OK):
            pytest.skip("this user may read everything")
        for command in COMMANDS:
            for name in ("secret/x.py", "secret"):
                done = cli(*(name if word == FILE else word for word in command))
                assert "unexpected" not in done.err, (command, done.err)
                assert done.code in (2, 6, 7, 8), (command, name, done.err)
        done = cli("image", "mkfs", "secret/new.img", "--size", "64K")
        assert (done.code, "unexpected" in done.err) == (6, False)
    finally:
        secret.chmod(0o700)
