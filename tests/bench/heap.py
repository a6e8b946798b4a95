"""How much heap the transfer program holds on the emulated RP2040: what is taken while it waits, garbage collected.

The names that MicroPython keeps until the next reset are among it, so every figure is that of a first transfer.
"""

from __future__ import annotations

from unittest import mock

from upytool.device.device import Device
from upytool.device.local import opener
from upytool.device.mover import PutItem
from upytool.device.retry import Capabilities
from upytool.device.transfer import StreamMover
from upytool.transport import drive

from .chip import Chip, ChipTransport, tell

HEAP = 16_000
# title: the bytes of Python source that go over, None for what does not shrink
LOADS = {
    "it only looks what is there": 0,
    "20 kB that do not shrink": None,
    "8 kB of .py": 8_000,
    "20 kB of .py": 20_000,
    "40 kB of .py": 40_000,
}
_TAKEN = "gc.collect();tell(82,repr(gc.mem_alloc()).encode())"


def held(chip: Chip, content: bytes) -> int:
    """Bytes of heap that the program holds once it has written `content`, from a board that has nothing."""
    chip.blank()
    before = int(tell(chip, "import gc;gc.collect();print(gc.mem_alloc())"))
    transport = ChipTransport(chip)
    with mock.patch.object(drive.drive, "__defaults__", (transport.clock, transport.sleep)):
        board = Device(transport)
        mover = StreamMover(board.session, Capabilities())
        board.drive(mover.survey([("/x", -1)]))
        if content:
            board.drive(mover.put([], [PutItem("/x", len(content), opener(content))]))
        server = mover._server
        assert server is not None
        board.drive(server.say(_TAKEN, flush=True))
        taken = int(board.drive(server.answer()).payload)
        board.drive(mover.close())
    return taken - before


def content_of(load: int | None) -> bytes:
    """What goes over: so many bytes of source, or 20 kB of what does not shrink."""
    import random

    from .cases import source_text

    return random.Random(9).randbytes(20_000) if load is None else source_text(load)


def rows(chip: Chip) -> dict[str, int]:
    """title -> bytes."""
    return {title: held(chip, content_of(load)) for title, load in LOADS.items()}


def met(rows: dict[str, int]) -> bool:
    """Whether it holds at most HEAP bytes by default."""
    return rows["8 kB of .py"] <= HEAP


def document(rows: dict[str, int]) -> list[str]:
    """The table of the report."""
    return [
        "### The transfer program's heap",
        "",
        "What it holds on that chip while it waits, garbage collected, with the names that MicroPython keeps of it.",
        "The window for unpacking follows what is sent: from 8 kB of content that shrinks on it is larger where the",
        "board has six times as much free. Half a window costs 3 to 5 % more bytes, 2 KiB for 100 kB of Python 25 %.",
        "",
        "| after | bytes |",
        "|---|---|",
        *(f"| {title} | {taken:,} |" for title, taken in rows.items()),
    ]


def main() -> int:
    found = rows(Chip())
    print("\n".join(document(found)))
    return 0 if met(found) else 1


if __name__ == "__main__":
    raise SystemExit(main())
