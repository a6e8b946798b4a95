"""A WebREPL connection that breaks behind each frame of a transfer, or within one; the server is a MODEL.

Each cut is made twice. Once the tool never comes back: what is on the board then is read from its flash, behind its
back, and the next run of the tool has to do the work. Once the tool may connect again: it does the work, or says that
it did not. Whatever happens, each file is the whole old or the whole new one, and a run that succeeds leaves nothing
beside them. UPYTOOL_DENSE=1 makes 10,000 cuts.
"""

from __future__ import annotations

import os
import random
import sys
import tarfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import pytest

from tests.fakes.webrepl_model import WebReplModel
from tests.rigs.air import Air, Cut
from upytool.device.connect import open_address
from upytool.device.device import Device
from upytool.device.small_mover import NEW
from upytool.errors import ConnectionLostError, TransportError
from upytool.sim.wasm import WasmBoard
from upytool.transport import webrepl as transport

DENSE = bool(os.environ.get("UPYTOOL_DENSE"))
CUTS = 10_000 if DENSE else 200
pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600 if DENSE else 120)]

Direction = Literal["up", "down"]
Files = Mapping[str, bytes]


def content(version: int, *, all_of_them: bool = False) -> Files:
    """The files of a version: of one chunk and of many, in two directories; one is in every other version alone."""
    chance = random.Random(version)
    sizes = {"main.py": 255 + version % 4, "deep/a.py": 40, "deep/b.bin": 9000 + version % 300}
    if version % 2 or all_of_them:
        sizes["extra.py"] = 700
    return {name: chance.randbytes(size) for name, size in sizes.items()}


def lay_out(place: Path, files: Files) -> None:
    """Make a directory of this computer hold `files` alone."""
    for path in place.rglob("*"):
        if path.is_file():
            path.unlink()
    for name, data in files.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(data)


@contextmanager
def connected(model: WebReplModel, url: str) -> Iterator[Device]:
    with Device(open_address(url, ask=lambda question: model.password)) as device:
        yield device


class Case:
    """To the board: `cp -r`. What is on the board is what the last transfer brought, and never laid out anew.

    Attributes: resumes (it is taken up again wherever it was cut).
    """

    resumes = True

    def __init__(self, model: WebReplModel, folder: Path) -> None:
        self.model, self.here = model, folder / "here"
        self.here.mkdir()

    def prepare(self, version: int) -> Files:
        """Make ready for the transfer of this version; returns what it brings."""
        files = content(version, all_of_them=True)
        lay_out(self.here, files)
        return files

    def transfer(self, device: Device) -> None:
        device.fs.copy(f"{self.here}/", ":/t", recursive=True)

    def found(self) -> Files:
        """What is in the transfer's place now, what it left there included."""
        return {path.removeprefix("/t/"): data for path, data in self.model.files.tree("/t").items()}


class Sync(Case):
    """To the board, and what the other version has goes: `sync --delete`. What removes files is asked for once."""

    resumes = False

    def prepare(self, version: int) -> Files:
        lay_out(self.here, content(version))
        return content(version)

    def transfer(self, device: Device) -> None:
        device.fs.sync(self.here, ":/t", delete=True)


class Fetch(Case):
    """From the board: `cp -r :t`. The board keeps its files; those here are an older version."""

    def __init__(self, model: WebReplModel, folder: Path) -> None:
        super().__init__(model, folder)
        self.files = super().prepare(1)
        with connected(model, model.url) as device:
            super().transfer(device)

    def prepare(self, version: int) -> Files:
        lay_out(self.here, content(version + 2, all_of_them=True))
        return self.files

    def transfer(self, device: Device) -> None:
        device.fs.copy(":/t/", str(self.here), recursive=True)

    def found(self) -> Files:
        paths = (path for path in self.here.rglob("*") if path.is_file())
        return {path.relative_to(self.here).as_posix(): path.read_bytes() for path in paths}


class Archive(Fetch):
    """From the board: `backup`. An archive is whole, or not there."""

    def prepare(self, version: int) -> Files:
        lay_out(self.here, {})
        return self.files

    def transfer(self, device: Device) -> None:
        device.fs.backup(self.here / "kept.tar", "/t")

    def found(self) -> Files:
        files: dict[str, bytes] = {}
        for path in self.here.iterdir():
            if path.name != "kept.tar":
                files |= {path.name: b""} if path.is_file() else {}
                continue
            with tarfile.open(path) as archive:
                for member in archive:
                    inner = archive.extractfile(member)
                    if member.name.startswith("files/t/") and inner is not None:
                        files[member.name.removeprefix("files/t/")] = inner.read()
        return files


@pytest.fixture(scope="module")
def model() -> Iterator[WebReplModel]:
    with WasmBoard(flash_size=1 << 20) as board, WebReplModel(board) as model:
        yield model


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The model notices at once that a session has ended."""
    monkeypatch.setattr(transport, "BUSY_PAUSE", 0.005)
    monkeypatch.setattr(transport, "AGAIN_PAUSE", 0.005)


def never(*_: object) -> None:
    raise ConnectionLostError("cut", hint="this one stays away")


def try_cut(case: Case, cut: Cut, version: int, *, comes_back: bool) -> tuple[bool, bool]:
    """One transfer with the cut, its promises checked; returns whether it was cut, and whether it succeeded."""
    new = case.prepare(version)
    old = case.found()
    with Air(case.model.url, cuts=[cut]) as air:
        with pytest.MonkeyPatch.context() as patch:
            if not comes_back:
                patch.setattr(transport.WebReplTransport, "reconnect", never)
            good = logged_in = False
            try:
                with connected(case.model, air.url) as device:
                    logged_in = True
                    case.transfer(device)
                good = True
            except TransportError:
                if case.resumes and comes_back and logged_in:  # connecting is tried once
                    raise
        now = case.found()
    for name, data in now.items():
        whole = (new.get(name.removesuffix(NEW)),) if name.endswith(NEW) else (old.get(name), new.get(name))
        partial = "upytool" in Path(name).name  # the temporary name; NEW, the next one, says that the content is whole
        assert partial or data in whole, f"{cut}: {len(data)} bytes of neither {name}"
    missing = (old.keys() & new.keys()) - now.keys()
    assert not missing, f"{cut}: {missing} are gone"
    if good:
        assert now == new, f"{cut}: success was claimed"
    else:
        with connected(case.model, case.model.url) as device:
            case.transfer(device)
        assert case.found() == new, f"{cut}: the next run"
    return air.cut > 0, good


def places(case: Case, direction: Direction, version: int) -> list[Cut]:
    """Behind every frame of an undisturbed transfer, and as often within one."""
    case.prepare(version)
    with Air(case.model.url) as air:
        with connected(case.model, air.url) as device:
            case.transfer(device)
        frames, size = air.passed(direction)
    chance = random.Random(version)
    hows: tuple[Literal["reset", "close"], ...] = ("reset", "close")
    found = [Cut(direction, frames=number, how=chance.choice(hows)) for number in range(frames)]
    return found + [Cut(direction, bytes=chance.randrange(size), how=chance.choice(hows)) for _ in range(frames)]


@pytest.mark.parametrize("kind", [Case, Fetch])
def test_what_is_out_of_range_for_a_while_goes_on(
    model: WebReplModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: type[Case]
) -> None:
    """Neither end hears that the connection is lost, and the board keeps the client's place until its TCP gives up."""
    monkeypatch.setattr("upytool.protocol.webrepl.FILE_SECONDS", 0.5)
    case = kind(model, tmp_path)
    new = case.prepare(2)
    # Behind the login and two thirds of the content, which comes in chunks of 256 bytes and goes in frames of 4,096.
    cut = Cut("up", bytes=9000, how="lost") if kind is Case else Cut("down", bytes=7000, how="lost")
    with Air(model.url, cuts=[cut]) as air:
        again = threading.Timer(1.5, air.forget)
        again.start()
        with connected(model, air.url) as device:
            case.transfer(device)
        again.join()
    assert air.cut == 1
    assert air.connections > 1
    assert case.found() == new


@pytest.mark.parametrize("direction", ["up", "down"])
@pytest.mark.parametrize("kind", [Case, Sync, Fetch, Archive])
def test_no_cut_leaves_a_broken_file(
    model: WebReplModel, tmp_path: Path, kind: type[Case], direction: Direction
) -> None:
    case = kind(model, tmp_path)
    goal = CUTS // 8
    version = cuts = failed = 0
    while cuts < goal:
        there = places(case, direction, version)
        random.Random(version).shuffle(there)
        for cut in there:
            for comes_back in (False, True):
                version += 1
                was_cut, good = try_cut(case, cut, version, comes_back=comes_back)
                cuts += was_cut
                failed += comes_back and not good
            if cuts >= goal:
                break
        version += 1
    print(f"{kind.__name__}, {direction}: {cuts} cuts, {failed} ended with an error", file=sys.stderr)
