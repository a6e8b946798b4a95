"""Whatever happens to names between open and use, a board reads and writes nothing outside of its folder."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from upytool.device import folder as module
from upytool.device.folder import Folder

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="symbolic links need rights on Windows")

CANARY = b"OUTSIDE" * 111  # its length is seen nowhere else
SMALL = b"inside"


class World:
    """A folder, what lies around it, and a Folder over it that keeps one descriptor at most."""

    def __init__(self, top: Path) -> None:
        top = Path(os.path.realpath(top))
        self.root, self.out = top / "root", top / "out"
        for place in (self.root / "d" / "e", self.root / "g", self.out / "e"):
            place.mkdir(parents=True)
        for name in ("f", "d/f", "d/e/f", "g/m.py"):
            (self.root / name).write_bytes(SMALL)
        for name in ("f", "e/f", "m.py", "secret"):
            (self.out / name).write_bytes(CANARY)
        links = {
            "away": self.out, "file": self.out / "f", "up": "..", "d/out": "../../out", "d/e/up": "../../../out/f",
            "home": self.root / "d", "again": "../root/d/e", "to": "d/e", "two": "home/e/up", "none": self.out / "new",
            "loop": "loop", "self": ".",
        }  # fmt: skip
        for name, target in links.items():
            (self.root / name).symlink_to(target)
        self.folder = Folder(self.root, compile=lambda source, name: b"M" + source)
        self.handles: list[int] = []
        self.outside = self.look()
        self.seen: list[object] = []

    def look(self) -> dict[str, bytes | None]:
        """All that lies beside the root; `outside` is how it was."""
        found: dict[str, bytes | None] = {}
        for place in sorted(self.root.parent.rglob("*")):
            if self.root not in (place, *place.parents):
                found[str(place)] = place.read_bytes() if place.is_file() else None
        return found

    def do(self, name: str, *arguments: object) -> None:
        """One request of a board, as MountServer makes it; refusals are all right."""
        folder = self.folder
        with contextlib.suppress(OSError):
            if name == "open":
                self.handles.append(folder.open(*arguments)[0])  # type: ignore[arg-type]
            elif name in ("read", "write", "truncate", "size"):
                handle = self.handles[int(str(arguments[0])) % len(self.handles)] if self.handles else 0
                more = {"read": (0, 4096), "write": (0, b"BOARD"), "truncate": (3,), "size": ()}[name]
                self.seen.append(getattr(folder, name)(handle, *more))
            else:
                self.seen.append(getattr(folder, name)(*arguments))

    def check(self) -> None:
        self.folder.close_all()
        assert self.look() == self.outside
        told = repr(self.seen)
        assert "OUTSIDE" not in told
        assert "secret" not in told
        assert f", {len(CANARY)}" not in told


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(module, "MAX_OPEN", 1)
    return World(tmp_path)


def test_a_link_renamed_over_a_file_whose_descriptor_was_given_up(world: World) -> None:
    folder = world.folder
    handle, _ = folder.open("/f", "r+")
    for _ in range(70):
        folder.open("/d/f", "r")
    folder.rename("/file", "/f")
    for call in (lambda: folder.write(handle, 0, b"BOARD"), lambda: folder.read(handle, 0, 10)):
        with pytest.raises(OSError):
            call()
    world.check()


def test_another_file_that_got_the_name_is_not_taken_for_it(world: World) -> None:
    folder = world.folder
    handle, _ = folder.open("/f", "r+")
    folder.open("/d/f", "r")
    folder.rename("/g/m.py", "/f")
    with pytest.raises(OSError) as caught:
        folder.write(handle, 0, b"BOARD")
    assert caught.value.errno == errno.EIO
    assert (world.root / "f").read_bytes() == SMALL


def test_a_file_follows_its_folder(world: World) -> None:
    folder = world.folder
    handle, _ = folder.open("/d/e/f", "r+")
    folder.open("/f", "r")
    folder.rename("/d", "/h")
    folder.write(handle, 0, b"BOARD")
    assert (world.root / "h" / "e" / "f").read_bytes() == b"BOARDe"


def test_links_that_stay_inside_are_followed(world: World) -> None:
    folder = world.folder
    for path in ("/home/f", "/again/f", "/to/f", "/self/self/f", "/home/e/f"):
        assert folder.stat(path)[:2] == (False, len(SMALL)), path
        assert folder.read(folder.open(path, "r")[0], 0, 9) == SMALL, path
    assert {name for name, *_ in folder.entries("/")} == {"d", "g", "f", "home", "again", "to", "self"}
    for path, number in (("/away/f", 13), ("/file", 13), ("/up/out/f", 13), ("/two", 13), ("/loop", errno.ELOOP)):
        with pytest.raises(OSError) as caught:
            folder.stat(path)
        assert caught.value.errno == number, path


NAMES = [
    "f",
    "d",
    "e",
    "g",
    "m.py",
    "m.mpy",
    "new",
    "away",
    "file",
    "up",
    "out",
    "home",
    "again",
    "to",
    "two",
    "none",
    "self",
    "..",
]
PATHS = st.lists(st.sampled_from(NAMES), max_size=4).map(lambda parts: "/" + "/".join(parts))
STEPS = st.one_of(
    st.tuples(st.just("open"), PATHS, st.sampled_from(["r", "r+", "w", "w+", "a", "a+", "x"])),
    st.tuples(st.sampled_from(["read", "write", "truncate", "size"]), st.integers(0, 9)),
    st.tuples(st.sampled_from(["stat", "entries", "directory", "mkdir", "rmdir", "remove"]), PATHS),
    st.tuples(st.just("rename"), PATHS, PATHS),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(steps=st.lists(STEPS, max_size=25))
def test_no_sequence_of_requests_leads_out(monkeypatch: pytest.MonkeyPatch, steps: list[tuple[object, ...]]) -> None:
    monkeypatch.setattr(module, "MAX_OPEN", 1)
    with tempfile.TemporaryDirectory() as top:
        world = World(Path(top))
        for name, *arguments in steps:
            world.do(str(name), *arguments)
        world.check()


# What the system is asked for during a request; between any two of these somebody else may change a name.
CALLS = [
    "open",
    "stat",
    "lstat",
    "fstat",
    "readlink",
    "scandir",
    "mkdir",
    "rmdir",
    "unlink",
    "replace",
    "read",
    "write",
    "truncate",
]
REQUESTS: list[tuple[object, ...]] = [
    *(("open", "/d/e/f", mode) for mode in ("r", "r+", "w", "a", "x")),
    *(("open", "/d/e/new", mode) for mode in ("w", "a+", "x")),
    *(("open", path, "w") for path in ("/home/e/f", "/to/f", "/self/d/e/f")),
    *((name, 0) for name in ("read", "write", "truncate", "size")),
    *((name, path) for name in ("stat", "directory", "entries") for path in ("/d/e", "/d/e/f", "/home/e")),
    *((name, path) for name in ("mkdir", "rmdir", "remove") for path in ("/d/e/new", "/d/e/f", "/d/e/empty")),
    ("rename", "/d/e/f", "/g/new"),
    ("rename", "/g/m.py", "/d/e/f"),
    ("rename", "/g/m.py", "/d/e/new"),
    ("stat", "/g/m.mpy"),
    ("open", "/g/m.mpy", "r"),
    ("open", "/g/m.py", "r"),
]
SWAPS = ("d", "d/e", "d/e/f", "d/e/new", "d/e/empty", "g", "g/m.py", "home", "to")


@pytest.mark.parametrize("request_", REQUESTS, ids=repr)
def test_a_name_that_changes_at_any_moment_of_a_request(
    request_: tuple[object, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_OPEN", 1)
    real = {name: getattr(os, name) for name in CALLS}
    for swapped in SWAPS:
        if isinstance(request_[1], str) and f"/{swapped.rpartition('/')[2]}" not in " ".join(map(str, request_)):
            continue
        moment, done = 0, False
        while not done:
            moment += 1
            with tempfile.TemporaryDirectory() as top, pytest.MonkeyPatch.context() as patch:
                world = World(Path(top))
                (world.root / "d" / "e" / "empty").mkdir()
                world.do("open", "/d/e/f", "r+")  # its descriptor is given up by the next one
                world.do("open", "/f", "r")
                done = not _swap_during(world, request_, swapped, moment, patch, real)
                world.check()


def _swap_during(
    world: World,
    request: tuple[object, ...],
    swapped: str,
    moment: int,
    patch: pytest.MonkeyPatch,
    real: dict[str, Callable[..., object]],
) -> bool:
    """Make `request`; before its call number `moment` a link that leads out takes the place of `swapped`."""
    count, place = 0, world.root / swapped
    target = world.out / {"d": "", "e": "e", "g": "", "home": "", "to": "e"}.get(place.name, place.name)
    if place.name in ("new", "empty"):
        target = world.out / "e" / place.name

    def counted(name: str) -> Callable[..., object]:
        def call(*arguments: object, **named: object) -> object:
            nonlocal count
            count += 1
            if count == moment:
                with patch.context() as plain:
                    for each, function in real.items():
                        plain.setattr(os, each, function)
                    if place.is_symlink() or place.is_file():
                        place.unlink()
                    elif place.exists():
                        place.rename(world.root / "aside")
                    place.symlink_to(target)
            return real[name](*arguments, **named)

        return call

    for name in real:
        patch.setattr(os, name, counted(name))
    world.do(str(request[0]), *request[1:])
    patch.undo()
    return count >= moment


def test_deep_paths_and_many_requests_hold_no_descriptor(world: World) -> None:
    if not os.path.isdir("/proc/self/fd"):
        pytest.skip("no /proc")
    before = len(os.listdir("/proc/self/fd"))
    for path in ("/home/e/f", "/two", "/loop", "/f/x", "/none", "/" + "self/" * 100 + "f", "/d/e/f"):
        for name in ("stat", "entries", "directory", "mkdir", "remove"):
            world.do(name, path)
    assert len(os.listdir("/proc/self/fd")) == before
    shutil.rmtree(world.root)
    world.do("stat", "/f")
    assert len(os.listdir("/proc/self/fd")) == before
