"""What can be said of an Espressif flash job without a chip at hand: checks, changed sectors.

Nothing here knows esptool: the only thing asked of a chip is the MD5 of a range of its flash, through a function.

Sources: MicroPython `ports/esp32/makeimg.py` (what firmware.bin is made of), `ports/esp8266/README.md` (the header has
to state the real flash size); ESP-IDF `bootloader_support` (flash smaller than the header says, or a partition behind
the end of flash: it refuses to start).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from hashlib import md5

from ..errors import FlashError, ImageError
from ..image import esp
from ..image.base import FirmwareImage
from ..image.chips import ESP_BY_NAME
from ..image.esp import EspFirmware
from ..image.esp_partitions import DATA
from ..image.memory import Memory
from ..image.volume import volumes
from ..words import Said, flash_size
from .base import Chip, FlashOptions
from .sectors import join

SECTOR, BLOCK = 0x1000, 0x10000

Md5 = Callable[[int, int], str]
"""(address, size) -> the MD5 of that range of flash, in small hexadecimal letters."""


def parse_size(text: str) -> int | None:
    """ "4MB" or "512KB" in bytes; None for "keep" and "detect". Raises FlashError for anything else."""
    if text in ("keep", "detect"):
        return None
    number, unit = text[:-2], text[-2:].upper()
    if not number.isdecimal() or unit not in ("KB", "MB"):
        raise FlashError("flash.esp-flash-size", text=text)
    return int(number) << (20 if unit == "MB" else 10)


# -- may this image go onto this chip? ----------------------------------------------------------------------------


def why_not(image: FirmwareImage) -> str | Said:
    """Why no Espressif chip takes this file, whichever it is; "" when one might."""
    if image.format == "uf2" and (image.port in ("esp32", "esp8266") or not image.chip):
        return Said("flash.declines.esp-uf2")
    if not isinstance(image.detail, EspFirmware):
        if image.chip:
            return Said("flash.declines.esp-chip", chip=image.chip)
        return Said("flash.declines.esp-format", format=image.format_name)
    return ""


def check_image(image: FirmwareImage, chip: Chip, options: FlashOptions) -> list[str]:
    """Warnings about the image on this chip.

    Raises: ImageError when it is damaged, for another chip, too large, or an application without a slot.
    """
    reason = why_not(image)
    if reason:
        raise ImageError("image.esp-not-accepted", reason=reason)
    image.require_valid()
    firmware = image.detail
    assert isinstance(firmware, EspFirmware)
    if image.chip != chip.name:
        raise ImageError("image.esp-other-chip", chip=image.chip, board_chip=chip.name)
    if firmware.role == "app" and not options.slot:
        raise ImageError("image.esp-application-alone")
    if firmware.role != "app" and options.slot:
        raise ImageError("image.esp-not-an-application", slot=options.slot)
    warnings = [note for note in image.notes if not (firmware.role == "app" and options.slot)]
    size = chip.flash_size
    if size is None:
        warnings.append("the size of the flash is not known: whether the image fits is not checked")
        return warnings
    if firmware.role != "app":
        _fits(image.memory, size)
    if firmware.table is not None:
        beyond = [row for row in firmware.table.rows if row.end > size]
        if beyond:
            raise ImageError(
                "image.esp-partition-outside",
                partition=beyond[0].label,
                needed=_flash_for(firmware.table.end),
                size=size,
            )
    stated = firmware.bootloader.flash_size if firmware.bootloader is not None else None
    if stated is not None and stated > size and options.flash_size == "keep":
        raise ImageError("image.esp-header-flash-size", stated=stated, size=size)
    return warnings


def check_revision(image: FirmwareImage, revision: int) -> None:
    """Refuse an image for other revisions of the chip. `revision` is major * 100 + minor. Raises ImageError."""
    if not isinstance(image.detail, EspFirmware):
        return
    for part in (image.detail.bootloader, image.detail.app):
        if part is None or part.max_revision == 0:
            continue
        if not part.min_revision <= revision <= part.max_revision:
            wanted = f"v{part.min_revision // 100}.{part.min_revision % 100}"
            if part.max_revision < 0xFFFF:
                wanted += f" to v{part.max_revision // 100}.{part.max_revision % 100}"
            raise ImageError("image.esp-revision", wanted=wanted, revision=f"v{revision // 100}.{revision % 100}")


def _fits(memory: Memory, size: int) -> None:
    if memory.end > size:
        raise ImageError("image.esp-too-large", end=memory.end, size=size)


def _flash_for(end: int) -> int:
    """The smallest flash that is sold and holds `end` bytes."""
    size = 1 << 18
    while size < end:
        size *= 2
    return size


def with_options(image: FirmwareImage, chip: Chip, options: FlashOptions) -> FirmwareImage:
    """The image with the flash mode, frequency and size that the options ask for in its first header.

    The ESP8266's header is always made to state the real flash size unless a size is asked for: MicroPython finds
    its file system with it. An image that brings a file system keeps the size that it was made for.

    Raises: ImageError when that is another than the board's or than what is asked for, FlashError for a value that
        the header cannot state.
    """
    firmware = image.detail
    if not isinstance(firmware, EspFirmware) or firmware.role == "app":
        return image
    kind = ESP_BY_NAME[firmware.chip.name]
    size = parse_size(options.flash_size)
    if size is None and (options.flash_size == "detect" or kind.name == "esp8266"):
        size = chip.flash_size
    if kind.name == "esp8266" and (made_for := _made_for(image, firmware)):
        size = _kept_size(made_for, size, chip, options)
    mode = _by_name({name: value for value, name in esp.MODES.items()}, options.flash_mode, "flash mode")
    freq = _by_name({name: value for value, name in kind.freq}, options.flash_freq, "flash frequency")
    if size is None and mode is None and freq is None:
        return image
    start = esp.find_base(image.raw)
    data = esp.with_flash_params(image.raw, offset=start or 0, size=size, mode=mode, freq=freq)
    return image if data == image.raw else FirmwareImage.read(data, name=image.path or "the file")


def _made_for(image: FirmwareImage, firmware: EspFirmware) -> int | None:
    """The flash size that an ESP8266 image's file system was made for; None where it brings none."""
    first = firmware.bootloader or firmware.app
    if first is None or not any(volume.kind for volume in volumes(image)):
        return None
    return first.flash_size


def _kept_size(made_for: int, size: int | None, chip: Chip, options: FlashOptions) -> int | None:
    """The header is left alone (None): with another size MicroPython looks for a file system of another size, and
    stays in "filesystem appears to be corrupted" (esp8266/modules/_boot.py)."""
    there = chip.flash_size
    if there is not None and there < made_for:
        raise ImageError(
            "image.esp-file-system-too-large", made_for=made_for, size=there, option=flash_size(there).replace(" ", "")
        )
    if options.flash_size != "keep" and size is not None and size != made_for:
        raise ImageError("image.esp-file-system-other-size", made_for=made_for, size=size)
    return None


def _by_name(values: dict[str, int], name: str, what: str) -> int | None:
    if name == "keep":
        return None
    if name not in values:
        raise FlashError("flash.esp-setting", name=name, setting=what, values=list(values))
    return values[name]


def nvs_cleared(image: FirmwareImage) -> tuple[int, int] | None:
    """(offset, size) of the settings (NVS) that the image's filling would erase; None where it holds none."""
    firmware = image.detail
    if not isinstance(firmware, EspFirmware) or firmware.table is None:
        return None
    for row in firmware.table.rows:
        if row.type == DATA and row.subtype == 0x02:
            held = image.memory.get(row.offset, row.size)
            if held is not None and held.count(0xFF) == len(held):
                return row.offset, row.size
    return None


# -- changed sectors ----------------------------------------------------------------------------------------------


def touched_ranges(memory: Memory) -> list[tuple[int, int]]:
    """(address, size) of the sectors that writing `memory` erases, joined."""
    return _joined(sector for each in memory for sector in range(each.address // SECTOR, -(-each.end // SECTOR)))


def _joined(sectors: Iterable[int]) -> list[tuple[int, int]]:
    """Sector numbers as (address, size) of the runs."""
    return join((sector * SECTOR, SECTOR) for sector in sectors)


def partial_sectors(memory: Memory) -> list[int]:
    """Addresses of the sectors that `memory` covers in part: what else is in them is erased with the rest."""
    edges = {at // SECTOR * SECTOR for each in memory for at in (each.address, each.end - 1)}
    return sorted(at for at in edges if memory.get(at, SECTOR) is None)


def filled(memory: Memory, old: Memory) -> Memory:
    """`memory`, with the flash's own old bytes in the rest of its sectors.

    Args:
        old: the sectors of `partial_sectors`, as they are on the chip.
    """
    for each in memory:
        old = old.replaced(each.address, each.data)
    return old


def writes(memory: Memory, ranges: Iterable[tuple[int, int]]) -> list[tuple[int, bytes]]:
    """What goes into each range of sectors: FF where `memory` holds nothing (see `filled`), as an erased sector has."""
    return [(address, memory.read(address, size)) for address, size in ranges]


def find_changed(
    memory: Memory, chip_md5: Md5, *, thorough: bool = False, advance: Callable[[int], None] = lambda size: None
) -> list[tuple[int, int]]:
    """(address, size) of the sectors in which flash is not `memory`, joined; [] where all agrees.

    64 KiB at a time are compared, and those that differ are halved down to sectors. Where four blocks that are
    spread over the whole (the first one among them) all differ, it is another firmware: everything counts as changed
    at once, since looking closer would cost more than it saves.

    Args:
        thorough: look at every block anyway: after an interrupted write, and for exact answers.
        advance: told the bytes that have been compared, in steps that add up to memory.size or a little more.
    """
    blocks = _pieces(memory)
    known: dict[int, bool] = {}
    if not thorough and len(blocks) >= 4:
        for index in sorted({0, 1, len(blocks) // 2, len(blocks) - 1}):
            known[index] = _same(blocks[index], chip_md5)
        if not any(known.values()):
            advance(memory.size)
            return touched_ranges(memory)
    same = []
    for index, block in enumerate(blocks):
        same.append(known[index] if index in known else _same(block, chip_md5))
        advance(len(block[1]))
    different = [block for block, agrees in zip(blocks, same, strict=True) if not agrees]
    changed: set[int] = set()
    # Halving pays where a few sectors changed; where most blocks differ, most of their sectors do.
    close = thorough or len(different) <= max(4, len(blocks) // 2)
    for block in different:
        changed |= _halve(block, chip_md5) if close else set(_sectors(block))
    return _joined(changed)


def _pieces(memory: Memory) -> list[tuple[int, bytes]]:
    """The memory cut at multiples of 64 KiB; each piece is widened to multiples of 4 bytes with FF."""
    found = []
    for segment in memory:
        start = segment.address & ~3
        end = (segment.end + 3) & ~3
        data = b"\xff" * (segment.address - start) + segment.data + b"\xff" * (end - segment.end)
        at = start
        while at < end:
            stop = min(end, (at // BLOCK + 1) * BLOCK)
            found.append((at, data[at - start : stop - start]))
            at = stop
    return found


def _same(piece: tuple[int, bytes], chip_md5: Md5) -> bool:
    return chip_md5(piece[0], len(piece[1])) == md5(piece[1], usedforsecurity=False).hexdigest()


def _sectors(piece: tuple[int, bytes]) -> Sequence[int]:
    return range(piece[0] // SECTOR, -(-(piece[0] + len(piece[1])) // SECTOR))


def _halve(piece: tuple[int, bytes], chip_md5: Md5) -> set[int]:
    """The differing sectors of a piece that is known to differ."""
    sectors = _sectors(piece)
    if len(sectors) == 1:
        return {sectors[0]}
    cut = sectors[len(sectors) // 2] * SECTOR - piece[0]
    first, second = (piece[0], piece[1][:cut]), (piece[0] + cut, piece[1][cut:])
    if _same(first, chip_md5):
        return _halve(second, chip_md5)
    found = _halve(first, chip_md5)
    return found if _same(second, chip_md5) else found | _halve(second, chip_md5)
