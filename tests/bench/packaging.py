"""The rows about packages, and their part of the report: 20 packages of two files each from a server far away.

The server is this computer's own behind a relay of ours that lets everything pass 50 ms late in each direction, the
first byte of a connection 100 ms later still, as the hands of TCP are shaken over such a line.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.fixtures.make_index import IndexBuilder, serve
from upytool.device.device import Device
from upytool.transport.registry import open_transport

from .cases import MPREMOTE, UPYTOOL, Bench
from .measure import Failed, Figure, compare

TITLE = "## Packages"
HEAD = ("what", "upytool", "mpremote 1.29", "target", "reached", "met", "runs")
DELAY = 0.05  # seconds each way
PACKAGES = 20
TIMES, WARM, PINNED = 5.0, 1.0, 0.7


@dataclass(frozen=True)
class Line:
    """One line of the table."""

    cells: tuple[str, ...]
    ok: bool


def lines(folder: Path, runs: int) -> Iterator[Line]:
    """Measure the installs, each onto a board without packages."""
    work = folder / "packages"
    work.mkdir()
    bench = Bench(work, runs)
    try:
        with serve(_index(work / "index")) as near, far(near) as address:
            yield from _installs(bench, work, address)
    finally:
        bench.close()


def _installs(bench: Bench, work: Path, address: str) -> Iterator[Line]:
    names = [f"far{number:02d}" for number in range(PACKAGES)]
    cache = work / "cache"
    os.environ["UPYTOOL_CACHE_DIR"] = str(cache)
    lock = str(work / "mip.lock")

    def ours(*words: str) -> Callable[[], Sequence[str]]:
        return lambda: [UPYTOOL, "-d", bench.port, *words]

    def fresh(tool: str) -> None:
        bench.clean()
        if tool == "cold":
            shutil.rmtree(cache, ignore_errors=True)

    def whole(tool: str) -> None:
        with Device(open_transport(bench.port)) as board:
            count = board.eval("len([n for n in __import__('os').listdir('/lib') if n.startswith('far')])")
        if tool != "connect" and count != PACKAGES:
            raise Failed(f"{count} of {PACKAGES} packages are on the board")

    install = ("mip", "install", "--index", address)
    compare({"lock": ours("mip", "lock", "--index", address, "--lock", lock, *names)}, runs=1)
    figures = compare(
        {
            "mpremote": lambda: [MPREMOTE, "connect", bench.port, *install, *names],
            "cold": ours(*install, *names),
            "warm": ours(*install, *names),
            "offline": ours("--offline", *install, *names),
            "locked": ours("mip", "install", "--locked", "--lock", lock),
            "connect": ours("exec", "pass"),
        },
        runs=bench.runs,
        before=fresh,
        after=lambda tool: None if tool == "connect" else whole(tool),
    )
    times = figures["mpremote"].wall / figures["cold"].wall if figures["cold"].wall else 0.0
    yield _line(
        "cold: nothing in the cache", figures, "cold", f"{TIMES:g} x mpremote", f"{times:.1f} x", times >= TIMES
    )
    warm = figures["warm"].wall
    yield _line("all in the cache", figures, "warm", f"{WARM:g} s", f"{warm:.2f} s", warm <= WARM)
    for case in ("offline", "locked"):
        beyond = figures[case].wall - figures["connect"].wall
        yield _line(
            f"`--{case}`", figures, case, f"{PINNED:g} s beyond connecting", f"{beyond:.2f} s", beyond <= PINNED
        )


def _line(what: str, figures: dict[str, Figure], case: str, target: str, reached: str, ok: bool) -> Line:
    ours, theirs = figures[case], figures["mpremote"]
    shown = f"failed: {ours.failed}" if ours.failed else f"{ours.wall:.2f} s"
    peer = "-" if case != "cold" else theirs.failed or f"{theirs.wall:.2f} s"
    good = ok and not ours.failed and not theirs.failed
    return Line((what, shown, peer, target, reached, "yes" if good else "NO", str(ours.runs)), good)


def _index(folder: Path) -> Path:
    builder = IndexBuilder(folder)
    for number in range(PACKAGES):
        name = f"far{number:02d}"
        part = f"def part():\n    return {number}\n".encode() * 8
        builder.add(name, "1.0", {f"{name}/__init__.py": b"from .part import part\n", f"{name}/part.py": part})
    return folder


@contextmanager
def far(address: str) -> Iterator[str]:
    """The address of a relay to `address` that is `DELAY` seconds away."""
    host, _, port = address.removeprefix("http://").partition(":")
    ready, found = threading.Event(), []

    async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        later = asyncio.get_running_loop().call_later
        while data := await source.read(65536):
            later(DELAY, sink.write, data)
        later(DELAY, sink.close)

    async def serve_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(2 * DELAY)
        there, back = await asyncio.open_connection(host, int(port))
        await asyncio.gather(pump(reader, back), pump(there, writer), return_exceptions=True)

    async def run() -> None:
        server = await asyncio.start_server(serve_one, "127.0.0.1", 0)
        stop = asyncio.Event()
        found.append((server.sockets[0].getsockname()[1], asyncio.get_running_loop(), stop))
        ready.set()
        await stop.wait()

    thread = threading.Thread(target=lambda: asyncio.run(run()), daemon=True)
    thread.start()
    ready.wait(10)
    number, loop, stop = found[0]
    try:
        yield f"http://127.0.0.1:{number}"
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(5)


def document(found: list[Line]) -> str:
    """The part of the report."""
    return "\n".join(
        [
            TITLE,
            "",
            f"Whole commands that install {PACKAGES} packages of two files each, from an index whose server is",
            f"{DELAY * 1000:.0f} ms away in each direction, connecting included, onto a simulated board without",
            "packages. `all in the cache`: the server is still asked whether the newest versions are the same.",
            "",
            "| " + " | ".join(HEAD) + " |",
            "|" + "---|" * len(HEAD),
            *("| " + " | ".join(line.cells) + " |" for line in found),
            "",
        ]
    )
