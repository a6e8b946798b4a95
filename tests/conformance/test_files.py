"""Files on every real MicroPython: what goes there is there, and comes back as it was."""

from __future__ import annotations

import hashlib
import random
from pathlib import Path

import pytest

from tests.conformance.conftest import Bench
from upytool.device.device import Device
from upytool.errors import RemoteOSError


def contents(bench: Bench, size: int) -> bytes:
    """Random bytes with every control byte among them; little where the board is slow or small."""
    most = {"pico": 1500, "qemu-bare": 3000, "qemu-stock": 6000}.get(bench.name, 30000)
    return bytes(range(256))[: min(size, 256)] + random.Random(size).randbytes(max(0, min(size, most) - 256))


def spare_the_slow(bench: Bench, spare: bool = True) -> None:
    """Leave out, on the emulated Pico, what differs there from another test in nothing but the time it takes."""
    if bench.slow and spare:
        pytest.skip("an emulated Pico is too slow for this")


@pytest.mark.parametrize("size", [0, 1, 255, 256, 4096, 5000, 20000])
def test_a_file_goes_and_comes_back(bench: Bench, device: Device, home: str, size: int) -> None:
    spare_the_slow(bench, size != 5000)
    data = contents(bench, size)
    device.fs.write_bytes(f"{home}/f.bin", data)
    assert device.fs.stat(f"{home}/f.bin").size == len(data)
    assert device.fs.read_bytes(f"{home}/f.bin") == data
    assert [entry.name for entry in device.fs.ls(home)] == ["f.bin"]


def test_source_text_goes_and_comes_back(bench: Bench, device: Device, home: str) -> None:
    text = "".join(f"def f{n}(x):\n    return x * {n}  # äöü\n" for n in range(20 if bench.slow else 200))
    device.fs.write_text(f"{home}/m.py", text)
    assert device.fs.read_text(f"{home}/m.py") == text


def test_a_file_is_replaced_as_a_whole(bench: Bench, device: Device, home: str) -> None:
    path = f"{home}/x"
    for data in (b"old" * 100, b"", b"new" * 50, contents(bench, 3000))[-2 if bench.slow else 0 :]:
        device.fs.write_bytes(path, data)
        assert device.fs.read_bytes(path) == data
    assert [entry.name for entry in device.fs.ls(home)] == ["x"]


def test_names_of_all_kinds(bench: Bench, device: Device, home: str) -> None:
    names = ["a b.txt", "UPPER.Py", "with-dash_and.dots.txt", "quote's.txt"]
    if bench.name not in ("qemu", "qemu-stock", "qemu-bare", "qemu-uart"):
        names.append("ümläut.txt")
    if bench.slow:
        names = names[-2:]
    for name in names:
        device.fs.write_bytes(f"{home}/{name}", name.encode())
    assert {entry.name for entry in device.fs.ls(home)} == set(names)
    for name in names:
        assert device.fs.read_bytes(f"{home}/{name}") == name.encode()


def test_folders_and_names(device: Device, home: str) -> None:
    fs = device.fs
    fs.mkdir(f"{home}/a/b/c", parents=True)
    fs.mkdir(f"{home}/a/b", parents=True, exist_ok=True)
    fs.touch(f"{home}/a/b/c/f")
    fs.rename(f"{home}/a/b/c/f", f"{home}/a/g")
    assert fs.is_file(f"{home}/a/g")
    assert fs.move(f"{home}/a/g", f"{home}/a/b") == f"{home}/a/b/g"
    walked = {entry.name for entry in fs.walk(home)}
    assert walked == {f"{home}/a", f"{home}/a/b", f"{home}/a/b/c", f"{home}/a/b/g"}
    fs.rmdir(f"{home}/a/b/c")
    fs.remove(f"{home}/a/b/g")
    fs.rmtree(f"{home}/a")
    assert fs.ls(home) == []


@pytest.mark.parametrize(
    ("act", "number"),
    [
        (lambda fs, home: fs.stat(f"{home}/nope"), 2),
        (lambda fs, home: fs.read_bytes(f"{home}/nope"), 2),
        (lambda fs, home: fs.remove(f"{home}/nope"), 2),
        (lambda fs, home: fs.ls(f"{home}/nope"), 2),
        (lambda fs, home: fs.mkdir(home), 17),
        (lambda fs, home: fs.write_bytes(f"{home}/no/where", b"x"), 2),
        (lambda fs, home: fs.chdir(f"{home}/nope"), 2),
    ],
)
def test_a_refusal_has_its_number(device: Device, home: str, act: object, number: int) -> None:
    assert callable(act)
    with pytest.raises(RemoteOSError) as caught:
        act(device.fs, home)
    assert caught.value.errno == number
    assert device.exec("print(1)") == "1\n"


def test_hashes_are_the_boards_own(bench: Bench, device: Device, home: str) -> None:
    data = contents(bench, 2000)
    device.fs.write_bytes(f"{home}/f", data)
    if "hashlib" not in device.info.modules:
        pytest.skip("no hashlib on this board")
    assert device.fs.hash([f"{home}/f", f"{home}/nope"]) == {
        f"{home}/f": hashlib.sha256(data).hexdigest(),
        f"{home}/nope": None,
    }


def tree(folder: Path, bench: Bench) -> dict[str, bytes]:
    """A small project on disk."""
    files = {
        "main.py": b"import lib.a\n",
        "lib/__init__.py": b"",
        "lib/a.py": b"def f():\n    return 1\n" * 20,
        "data/blob.bin": contents(bench, 700),
        "data/deep/er/x.txt": b"x",
    }
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    (folder / ".git").mkdir()
    (folder / ".git" / "config").write_text("no")
    return files


def test_a_tree_goes_there_and_back(bench: Bench, device: Device, home: str, tmp_path: Path) -> None:
    source, back = tmp_path / "src", tmp_path / "back"
    source.mkdir()
    files = tree(source, bench)
    device.fs.copy([f"{source}/"], f":{home}/p", recursive=True)
    there = {entry.name.removeprefix(f"{home}/p/") for entry in device.fs.walk(f"{home}/p") if not entry.is_dir}
    assert there == set(files)
    again = device.fs.copy([f"{source}/"], f":{home}/p", recursive=True)
    if bench.name != "qemu-bare":  # which can make no checksum of any kind: it cannot know what is unchanged
        assert not again.plan.of("write")
    (source / "main.py").write_bytes(b"changed\n")
    third = device.fs.copy([f"{source}/"], f":{home}/p", recursive=True)
    written = [action.path for action in third.plan.of("write")]
    assert written == [f":{home}/p/main.py"] or bench.name == "qemu-bare"
    device.fs.copy([f":{home}/p"], str(back), recursive=True)
    got = {str(path.relative_to(back)): path.read_bytes() for path in back.rglob("*") if path.is_file()}
    assert got == {**files, "main.py": b"changed\n"}


def test_sync_removes_what_is_extra(bench: Bench, device: Device, home: str, tmp_path: Path) -> None:
    source = tmp_path / "src"
    source.mkdir()
    files = tree(source, bench)
    target = f":{home}/s"
    device.fs.sync(str(source), target)
    device.fs.write_bytes(f"{home}/s/extra.log", b"1")
    device.fs.write_bytes(f"{home}/s/keep.log", b"1")
    planned = device.fs.sync(str(source), target, delete=True, keep=["keep.log"], dry_run=True)
    assert [action.path for action in planned.plan.of("delete")] == [f":{home}/s/extra.log"]
    assert device.fs.exists(f"{home}/s/extra.log")
    device.fs.sync(str(source), target, delete=True, keep=["keep.log"])
    left = {entry.name.removeprefix(f"{home}/s/") for entry in device.fs.walk(f"{home}/s") if not entry.is_dir}
    assert left == {*files, "keep.log"}


def test_no_temporary_file_is_left(device: Device, home: str) -> None:
    for number in range(3):
        device.fs.write_bytes(f"{home}/f{number}", b"x" * 600)
    assert sorted(entry.name for entry in device.fs.walk(home)) == [f"{home}/f{number}" for number in range(3)]


def test_space_is_told(device: Device, home: str) -> None:
    mounts = device.fs.df()
    assert mounts
    assert all(mount.total >= mount.used >= 0 for mount in mounts)
