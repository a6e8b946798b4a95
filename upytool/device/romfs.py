"""ROMFS partitions of a board: what they are, what they hold, and a new image for one.

Facts: `vfs.rom_ioctl` of MicroPython 1.25 and later (docs/library/vfs.rst, extmod/vfs.h, ports/*/vfs_rom_ioctl.c):
1 the number of partitions; 2 one of them, a memoryview or a block device with a buffer (VfsRom needs one, so that every
partition can be read); 3 prepare for writing, from the start, or with four arguments any range of whole erase units;
4 write; 5 finish, which ports without anything to finish refuse; 6 the erase unit, where ranges are known (1.29).

Written laws:

1. Deploying is comparing and writing until nothing differs: the board digests what the partition holds, unit by unit,
   and only units that differ are erased and sent. A broken stream goes on where the comparison says.
2. The first bytes, by which an image is known, go first and come back last. Whenever it stops, the board has the old
   image, the new one or none, never a part of one, which its driver might search for ever.
3. Nothing is on the wire while flash is erased: some boards lose bytes then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from ..errors import FlashError, RemoteError, UsageError
from ..events import NULL, Reporter, Task, notice
from ..protocol.ops import Op
from .answers import sensible
from .fs_ops import FsOps
from .retry import Retry
from .romfs_link import DIGEST, Link, link_for
from .session import Session
from .stream import new_hash

PAGE = 256  # what flash chips program at once; whole pages suit every port
SPAN = 32768  # erased and sent at a time
TRIES = 4
MARK = b"\xd2\xcd\x31"  # the kind of an image's outer record (extmod/vfs_rom.c)


class NoRomfsError(RemoteError):
    """This board has no ROMFS partition."""

    code = "remote.no-romfs"


@dataclass(frozen=True, slots=True)
class RomPartition:
    """A partition for a ROMFS image.

    Attributes:
        number: from 0; the first one is mounted at /rom.
        size: in bytes.
        unit: bytes that are erased at once; the whole where the firmware cannot erase parts.
        block_device: it is written as one.
        head: its first 16 bytes, enough to see whether an image is there and how long it is.
    """

    number: int
    size: int
    unit: int
    block_device: bool
    head: bytes

    @property
    def by_parts(self) -> bool:
        """Whether parts of it can be erased."""
        return self.unit < self.size

    @property
    def holds_image(self) -> bool:
        """Whether it begins like an image."""
        return self.head.startswith(MARK)


@dataclass(frozen=True, slots=True)
class Deployed:
    """What `deploy` did.

    Attributes:
        size: of the image.
        written: bytes that were sent and written; 0 where the partition held the image already.
        reset: the board was soft-reset, it uses the new image.
        mounted: whether /rom is there after the reset; None where nobody looked.
    """

    partition: int
    size: int
    written: int
    reset: bool
    mounted: bool | None

    def data(self) -> dict[str, object]:
        return {
            "partition": self.partition,
            "size": self.size,
            "written": self.written,
            "reset": self.reset,
            "mounted": self.mounted,
        }


class _State(NamedTuple):
    """Attributes: loaded: modules that lie in /rom; mounted: whether /rom is there; port: `sys.platform`."""

    partitions: list[RomPartition]
    loaded: list[str]
    mounted: bool
    port: str


def query(session: Session) -> Op[list[RomPartition]]:
    """The board's ROMFS partitions, at least one. Errors: NoRomfsError."""
    return (yield from _state(session)).partitions


def partition(session: Session, number: int) -> Op[RomPartition]:
    """One partition. Errors: NoRomfsError; UsageError where there is none of that number."""
    return _pick((yield from _state(session)), number)


def read(fs: FsOps, part: RomPartition, size: int | None = None, *, reporter: Reporter = NULL) -> Op[bytes]:
    """The first `size` bytes of a partition, all where None.

    Errors: UsageError for more than it has.
    """
    size = part.size if size is None else size
    if not 0 <= size <= part.size:
        raise UsageError("usage.romfs-size", number=part.number, size=part.size, wanted=size)
    got = bytearray()
    with Task(reporter, f"ROMFS partition {part.number}", size) as task:

        def take(data: bytes) -> None:
            got.extend(data)
            task.advance(len(data))

        yield from _steadily(fs, part, lambda link: link.get(len(got), size - len(got), take), lambda: len(got))
    return bytes(got)


def deploy(fs: FsOps, image: bytes, number: int = 0, *, reset: bool = True, reporter: Reporter = NULL) -> Op[Deployed]:
    """Put `image` into a partition, compare what is there then, and soft-reset the board so that it uses it.

    Args:
        image: a whole ROMFS image; whether it is a sound one is the caller's to check.
        reset: False leaves the board as it runs; it sees the image after the next reset.

    Errors: NoRomfsError, UsageError; FlashError where the image does not fit (nothing was touched then) or the
        flash does not keep what is written.
    """
    session = fs.session
    state = yield from _state(session)
    part = _pick(state, number)
    if len(image) > part.size:
        raise FlashError("flash.romfs-full", size=len(image), excess=len(image) - part.size, number=number)
    if state.loaded and reset:
        yield from session.soft_reset()
        state = yield from _state(session)
    if state.loaded:
        names = ", ".join(state.loaded[:5])
        notice(reporter, f"the board runs code from its ROMFS ({names}): it may fail until its next reset", "warning")
    # ports/alif/vfs_rom_ioctl.c: MRAM needs no erasing, so that preparing it leaves the old image there.
    work = _Deployment(fs, part, image, state.port == "alif", reporter)
    written = yield from work.run()
    if not reset or not (written or (number == 0 and not state.mounted)):
        return Deployed(number, len(image), written, False, None)
    yield from session.soft_reset()
    mounted = (yield from _state(session)).mounted if number == 0 else None
    return Deployed(number, len(image), written, True, mounted)


class _Deployment:
    """One image on its way into one partition."""

    def __init__(self, fs: FsOps, part: RomPartition, image: bytes, blank: bool, reporter: Reporter) -> None:
        self._fs, self._part, self._blank, self._reporter = fs, part, blank, reporter
        self._image = image
        self._written = 0
        self._begun = False
        self._fewest = 1 << 30
        self._task: Task | None = None

    def run(self) -> Op[int]:
        """Returns the bytes written."""
        done = False
        try:
            yield from _steadily(self._fs, self._part, self._work, lambda: -self._fewest)
            done = True
        finally:
            if self._task is not None:
                self._task.finish(done)
            if not done and self._begun:
                text = f"ROMFS partition {self._part.number} holds no image now: deploy again"
                notice(self._reporter, text, "warning")
        return self._written

    def _work(self, link: Link) -> Op[None]:
        unit, image = self._part.unit, self._image
        for attempt in range(TRIES + 1):
            kind, found = yield from link.sums(unit, len(image))
            pairs = zip(range(0, len(image), unit), found, strict=True)
            differ = [at // unit for at, digest in pairs if digest != _digest(kind, image[at : at + unit])]
            self._fewest = min(self._fewest, len(differ))
            if not differ:
                return
            if attempt < TRIES:
                yield from self._write(link, differ)
        yield from self._erase_head(link)
        raise FlashError("flash.romfs-not-kept", number=self._part.number, offset=differ[0] * unit)

    def _erase_head(self, link: Link) -> Op[int]:
        """From here on there is no image. Returns the least that can be written."""
        part = self._part
        self._begun = True
        if part.by_parts:
            return (yield from link.erase(0, part.unit, part.unit, self._blank))
        notice(self._reporter, "erasing the whole image: this firmware erases no parts", "detail")
        return (yield from link.erase(0, _up(len(self._image), PAGE), 0, self._blank))

    def _write(self, link: Link, differ: list[int]) -> Op[None]:
        """Erase and send the units `differ`, the very first bytes last."""
        part, image = self._part, self._image
        unit, end = part.unit, len(image)
        later = [number for number in differ if number]
        if self._task is None:
            total = min(unit, end) + sum(min(unit, end - number * unit) for number in later)
            self._task = Task(self._reporter, f"ROMFS partition {part.number}", total)
        yield from link.begin()
        page = max(PAGE, (yield from self._erase_head(link)))
        for at, stop in _spans(later, unit):
            yield from link.erase(at, stop, unit, False)
            yield from self._send(link, at, min(stop, end), page)
        for at in range(page, min(unit, end), SPAN):
            yield from self._send(link, at, min(at + SPAN, unit, end), page)
        yield from self._send(link, 0, min(page, end), page)
        yield from link.finish()

    def _send(self, link: Link, at: int, stop: int, page: int) -> Op[None]:
        data = self._image[at:stop]
        data += b"\xff" * (-len(data) % page)
        self._written += stop - at
        yield from link.put(at, data, page)
        if self._task is not None:
            self._task.advance(stop - at)


def _steadily(fs: FsOps, part: RomPartition, work: Callable[[Link], Op[None]], gained: Callable[[], int]) -> Op[None]:
    """Do `work` over a link, again where the stream broke; `gained` tells whether it came on meanwhile."""
    links: list[Link] = []

    def attempt() -> Op[None]:
        links.append(link_for(fs, part.number))
        yield from work(links[-1])

    yield from Retry(fs.session, fs.can, "ROM partition").steadily(attempt, lambda: links[-1].stop(), gained)
    yield from links[-1].close()


def _state(session: Session) -> Op[_State]:
    answer = yield from session.call("romfs", again=True)
    if not isinstance(answer, tuple):
        raise NoRomfsError("remote.no-romfs.firmware")
    with sensible():
        parts, loaded, mounted, port = answer
        found = [
            RomPartition(number, entry[0], entry[1] or entry[0], bool(entry[2]), entry[3])
            for number, entry in enumerate(parts)
            if isinstance(entry, tuple) and entry[0]
        ]
    if not found:
        raise NoRomfsError("remote.no-romfs.partition")
    return _State(found, loaded, bool(mounted), port)


def _pick(state: _State, number: int) -> RomPartition:
    for part in state.partitions:
        if part.number == number:
            return part
    raise UsageError("usage.romfs-partition", number=number, numbers=[part.number for part in state.partitions])


def _digest(kind: str, data: bytes) -> bytes:
    check = new_hash(kind)
    check.update(data)
    return check.digest()[:DIGEST]


def _up(number: int, step: int) -> int:
    return -(-number // step) * step


def _spans(units: list[int], unit: int) -> Iterator[tuple[int, int]]:
    """Neighbouring units together, (from, to) in bytes, at most SPAN of them unless one alone is longer."""
    begin = end = -1
    for number in units:
        if number != end or (number + 1 - begin) * unit > SPAN:
            if end > begin:
                yield begin * unit, end * unit
            begin = number
        end = number + 1
    if end > begin:
        yield begin * unit, end * unit
