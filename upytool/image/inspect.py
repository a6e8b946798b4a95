"""What is in a firmware file: one value with a face for people and one for programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from ..errors import ImageError
from . import romfs
from .base import Check, FirmwareImage, require_valid
from .chips import family
from .dfuse import DfuFile
from .esp import EspFirmware
from .esp_partitions import ROMFS, Partition
from .identity import from_file_name
from .memory import Memory
from .rp2_binary_info import BinaryInfo
from .uf2 import TAG_NAMES, Uf2File

MAX_RANGES = 64


@dataclass(frozen=True, slots=True)
class Region:
    """A part of flash. `content` is "" where the file holds nothing of it, else what lies there."""

    name: str
    address: int
    size: int
    content: str = ""

    @property
    def end(self) -> int:
        return self.address + self.size

    def data(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "address": self.address,
            "size": self.size,
            "content": self.content or None,
        }


@dataclass(frozen=True)
class Inspection:
    """What `inspect` found; texts that are not known are "", regions None, lists empty.

    Attributes:
        ranges: (start, end) of each run of bytes that the file writes.
        build: BOARD or BOARD-VARIANT; build_source says where it was found: "firmware" or "file name".
        free: (of what, bytes): room that is left, for frozen modules for instance.
        facts: further (name, text) pairs of the format.
        warnings: sentences about what will go wrong or surprise.
    """

    path: str
    format: str
    file_size: int
    sha256: str
    role: str
    chip: str
    port: str
    families: tuple[int, ...]
    ranges: tuple[tuple[int, int], ...]
    size: int
    place_known: bool
    implementation: str
    version: str
    date: str
    build: str
    build_source: str
    machine: str
    mpy: tuple[int, int] | None
    capabilities: tuple[str, ...]
    frozen: tuple[str, ...]
    features: tuple[str, ...]
    filesystem: Region | None
    romfs: Region | None
    partitions: tuple[Partition, ...]
    free: tuple[tuple[str, int], ...]
    checks: tuple[Check, ...]
    facts: tuple[tuple[str, str], ...] = ()
    warnings: tuple[str, ...] = field(default=())

    @property
    def valid(self) -> bool:
        """Whether every checksum agrees."""
        return all(check.ok for check in self.checks)

    def require_valid(self) -> None:
        """Raises: ImageError where a checksum does not agree."""
        require_valid(self.path, self.checks)

    def data(self) -> dict[str, Any]:
        """The JSON face; addresses and sizes are numbers."""
        return {
            "path": self.path,
            "format": self.format,
            "file_size": self.file_size,
            "sha256": self.sha256,
            "role": self.role,
            "chip": self.chip or None,
            "port": self.port or None,
            "families": [{"id": each, "name": family(each).name} for each in self.families],
            "ranges": [{"start": start, "end": end} for start, end in self.ranges],
            "size": self.size,
            "place_known": self.place_known,
            "implementation": self.implementation or None,
            "version": self.version or None,
            "date": self.date or None,
            "board": self.build or None,
            "board_source": self.build_source or None,
            "machine": self.machine or None,
            "mpy": list(self.mpy) if self.mpy else None,
            "capabilities": list(self.capabilities),
            "frozen": list(self.frozen),
            "features": list(self.features),
            "filesystem": self.filesystem.data() if self.filesystem else None,
            "romfs": self.romfs.data() if self.romfs else None,
            "partitions": [
                {"label": row.label, "kind": row.kind, "offset": row.offset, "size": row.size}
                for row in self.partitions
            ],
            "free": [{"of": name, "bytes": count} for name, count in self.free],
            "checks": [{"name": check.name, "ok": check.ok} for check in self.checks],
            "valid": self.valid,
            "facts": dict(self.facts),
            "warnings": list(self.warnings),
        }

    def text(self, style: Any = None) -> list[str]:
        """Lines for a person."""
        pairs: list[tuple[str, str]] = [
            ("format", f"{self.format}, {_bytes(self.file_size)}"),
            ("chip", _chip(self)),
            (self.implementation or "MicroPython", _version(self)),
            ("board", _board(self)),
        ]
        shown = self.ranges[:8]
        for index, (start, end) in enumerate(shown):
            pairs.append(("" if index else "writes", f"{start:#010x}-{end:#010x}  {_bytes(end - start)}"))
        if len(self.ranges) > len(shown):
            pairs.append(("", f"and {len(self.ranges) - len(shown)} more ranges"))
        pairs.append(("file system", _region(self.filesystem)))
        pairs.append(("ROMFS", _region(self.romfs)))
        pairs += [("free", f"{_bytes(count)} {name}") for name, count in self.free]
        pairs.append(("knows", ", ".join(self.capabilities)))
        pairs.append(("features", ", ".join(self.features)))
        pairs += _wrapped("frozen", self.frozen)
        for index, row in enumerate(self.partitions):
            label = "" if index else "partitions"
            pairs.append((label, f"{row.offset:#09x}-{row.end:#09x}  {row.label:<10} {row.kind}"))
        pairs += list(self.facts)
        for check in self.checks:
            pairs.append(("check", f"{check.name} {'agrees' if check.ok else 'DOES NOT AGREE'}"))
        pairs.append(("sha256", self.sha256))
        pairs = [(name, text) for name, text in pairs if text]
        width = max(len(name) for name, _ in pairs)
        lines = [f"{name:<{width}}  {text}" for name, text in pairs]
        return lines + [f"{'warning':<{width}}  {text}" for text in self.warnings]


def inspect(image: FirmwareImage) -> Inspection:
    """Say all that a firmware file tells about itself. Nothing in the file makes this fail."""
    identity, info, detail = image.identity, image.binary_info, image.detail
    named = from_file_name(image.path)
    build, build_source = (identity.build, "firmware") if identity.build else ("", "")
    if not build and named is not None:
        build, build_source = named[0], "file name"
    warnings = list(image.notes)
    if not identity.implementation and image.role != "bootloader":
        warnings.append("there is no MicroPython in it")
    if identity.build and named is not None and named[0].upper() != identity.build.upper():
        warnings.append(f"the file's name says {named[0]}, the firmware {identity.build}")
    facts: list[tuple[str, str]] = []
    free: list[tuple[str, int]] = []
    partitions: tuple[Partition, ...] = ()
    filesystem = rom = None
    if info is not None:
        filesystem, rom = _rp2(image, info, facts, free, warnings)
    if isinstance(detail, EspFirmware):
        filesystem, rom = _esp(image, detail, facts, free, warnings)
        partitions = detail.table.rows if detail.table is not None else ()
    if isinstance(detail, Uf2File):
        _uf2(detail, facts)
    if isinstance(detail, DfuFile):
        facts.append(("USB id", f"{detail.vendor:04x}:{detail.product:04x}"))
    return Inspection(
        path=image.path,
        format=image.format_name,
        file_size=len(image.raw),
        sha256=sha256(image.raw).hexdigest(),
        role=image.role,
        chip=image.chip,
        port=image.port,
        families=image.families,
        ranges=tuple((segment.address, segment.end) for segment in image.memory.segments[:MAX_RANGES]),
        size=image.size,
        place_known=image.place_known,
        implementation=identity.implementation,
        version=identity.version or (info.version if info is not None else ""),
        date=identity.date,
        build=build,
        build_source=build_source,
        machine=identity.machine,
        mpy=identity.mpy,
        capabilities=identity.capabilities,
        frozen=info.frozen if info is not None else (),
        features=info.features if info is not None else (),
        filesystem=filesystem,
        romfs=rom,
        partitions=partitions,
        free=tuple(free),
        checks=image.checks,
        facts=tuple(facts),
        warnings=tuple(warnings),
    )


def _rp2(
    image: FirmwareImage,
    info: BinaryInfo,
    facts: list[tuple[str, str]],
    free: list[tuple[str, int]],
    warnings: list[str],
) -> tuple[Region | None, Region | None]:
    memory, end = image.memory, info.binary_end
    regions: list[Region | None] = []
    for device in (info.filesystem, info.romfs):
        if device is None:
            regions.append(None)
            continue
        regions.append(Region(device.name, device.address, device.size, _content(memory, device.address, device.size)))
    present = [region for region in regions if region is not None]
    if end is not None and present:
        first = min(present, key=lambda region: region.address)
        if end > first.address:
            warnings.append(
                f"the firmware ends at {end:#x}, inside of its own {_name(first)}: they overwrite each other"
            )
        else:
            free.append((f"between the firmware and its {_name(first)}", first.address - end))
    for label, text in (
        ("program", info.program),
        ("SDK", f"{info.sdk} ({info.board})" if info.sdk and info.board else info.sdk or info.board),
        ("boot2", info.boot2),
        ("built", ", ".join((info.date, *info.attributes)) if info.date else ""),
    ):
        if text:
            facts.append((label, text))
    return regions[0], regions[1]


def _name(region: Region) -> str:
    return "ROMFS" if region.name == "ROMFS" else "file system"


def _esp(
    image: FirmwareImage,
    file: EspFirmware,
    facts: list[tuple[str, str]],
    free: list[tuple[str, int]],
    warnings: list[str],
) -> tuple[Region | None, Region | None]:
    filesystem = rom = None
    first = file.bootloader or file.app
    size = first.flash_size if first is not None else None
    if first is not None:
        header = f"{_bytes(size)}, " if size is not None else ""
        facts.append(("flash", f"{header}{first.flash_mode}, {first.flash_freq} (as the header says)"))
    if file.app is not None and file.app.app is not None:
        facts.append(("ESP-IDF", file.app.app.idf))
        facts.append(("built", f"{file.app.app.date} {file.app.app.time}".strip()))
    if file.table is None:
        return None, None
    slot = file.table.first_app()
    if slot is not None and file.app is not None:
        if file.app.length > slot.size:
            warnings.append(f"the application has {file.app.length} bytes, its partition only {slot.size}")
        else:
            free.append((f"in the partition {slot.label}", slot.size - file.app.length))
    release = image.identity.release
    row = file.table.filesystem(size if release is not None and release >= (1, 26, 0) else None)
    if row is not None:
        filesystem = Region(row.label, row.offset, row.size, _content(image.memory, row.offset, row.size))
        if file.table.find(row.label) is None:
            warnings.append("the file system takes all that the real flash has behind the last partition")
    for row in file.table.rows:
        if row.label == "romfs" and row.subtype == ROMFS:
            rom = Region(row.label, row.offset, row.size, _content(image.memory, row.offset, row.size))
    return filesystem, rom


def _uf2(file: Uf2File, facts: list[tuple[str, str]]) -> None:
    count = sum(group.blocks for group in file.groups)
    extra = " and one for erratum RP2350-E10" if file.erratum_block else ""
    skipped = f", {file.skipped} not for the main flash" if file.skipped else ""
    facts.append(("blocks", f"{count}{extra}{skipped}"))
    for kind, value in file.tags.items():
        name = TAG_NAMES.get(kind, f"tag {kind:06x}")
        plain = value.rstrip(b"\0")
        printable = plain.isascii() and plain.decode("ascii", "replace").isprintable()
        facts.append((name, plain.decode() if plain and printable else value[:32].hex()))


def _content(memory: Memory, address: int, size: int) -> str:
    """What the file puts into a region, "" for nothing."""
    if not memory.touches(address, size):
        return ""
    head = memory.read(address, min(size, 0x2000))
    if head[:3] == romfs.MAGIC:
        try:
            segment = memory.find(address)
            whole = b"" if segment is None else segment.data[address - segment.address :][:size]
            return f"ROMFS, {len(romfs.read_romfs(whole).entries)} entries"
        except ImageError as error:
            return f"damaged ROMFS ({error.message})"
    if head[8:16] == b"littlefs" or head[4104:4112] == b"littlefs":
        return "LittleFS"
    if head[510:512] == b"\x55\xaa" and (head[54:57] == b"FAT" or head[82:87] == b"FAT32"):
        return "FAT"
    if not head.strip(b"\xff"):
        return "erased"
    return "other data"


def _bytes(count: int | None) -> str:
    if count is None:
        return ""
    for unit, name in ((1 << 20, "MiB"), (1 << 10, "KiB")):
        if count >= unit:
            return f"{count / unit:.4g} {name}" if count % unit else f"{count // unit} {name}"
    return f"{count} bytes"


def _chip(found: Inspection) -> str:
    names = ", ".join(str(family(each)) for each in found.families)
    parts = [
        found.chip or "not known",
        f"port {found.port}" if found.port else "",
        f"family {names}" if names else "",
    ]
    if found.role != "firmware":
        parts.append(f"{found.role} alone")
    return ", ".join(part for part in parts if part)


def _version(found: Inspection) -> str:
    if not found.version:
        return ""
    date = f" of {found.date}" if found.date else ""
    mpy = f", takes .mpy {found.mpy[0]}.{found.mpy[1]}" if found.mpy else ""
    return found.version + date + mpy


def _board(found: Inspection) -> str:
    build = found.build + (" (by the file's name)" if found.build_source == "file name" else "")
    return ", ".join(part for part in (build, found.machine) if part)


def _region(region: Region | None) -> str:
    if region is None:
        return ""
    text = f"{region.address:#010x}-{region.end:#010x}  {_bytes(region.size)}"
    return f"{text}, in the file: {region.content}" if region.content else text


def _wrapped(name: str, words: Sequence[str], width: int = 80) -> list[tuple[str, str]]:
    lines: list[str] = []
    for word in words:
        if lines and len(lines[-1]) + len(word) + 2 <= width:
            lines[-1] += ", " + word
        else:
            lines.append(word)
    return [("" if index else name, line) for index, line in enumerate(lines)]
