"""What a finished source build holds: sizes by module and region, read from its .elf and .map, and its output."""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path

from ..errors import BuildError
from ..image.base import FirmwareImage
from ..image.chips import RP2040, RP2350_ARM_S, RP2350_RISCV
from ..image.memory import Memory
from ..image.uf2 import write_uf2
from .base import Item, ModuleSize, RegionUse
from .freeze_manifest import FreezeManifest
from .source_board import SourceBoard

RP2_FLASH = 0x10000000
_HEAD = re.compile(r"^Memory Configuration\s*$", re.MULTILINE)
_ROW = re.compile(r"^(\w+)\s+0x([0-9a-f]+)\s+0x([0-9a-f]+)", re.MULTILINE)
_LETTERS = {"/": "slash", ".": "dot", "-": "hyphen", " ": "space", ",": "comma", "+": "plus", "=": "equals"}
_KINDS = ("fun_data_", "proto_fun_", "children_", "const_obj_table_data_", "const_qstr_table_data_", "const_obj_",
          "frozen_module_")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Symbol:
    name: str
    size: int


@dataclass(frozen=True, slots=True)
class Load:
    """A part of an .elf that is loaded: `place` in flash, `address` where it runs."""

    address: int
    place: int
    file_size: int
    size: int


class Elf:
    """The symbols and loads of a little-endian .elf file of 32 or 64 bits (System V ABI, "Object Files")."""

    def __init__(self, data: bytes) -> None:
        if len(data) < 64 or data[:4] != b"\x7fELF" or data[5] != 1 or data[4] not in (1, 2):
            raise BuildError("build.not-elf")
        self.data, self.wide = data, data[4] == 2

    def loads(self) -> list[Load]:
        start = self._number(32 if self.wide else 28, "<Q" if self.wide else "<I")
        size, count = struct.unpack_from("<HH", self.data, 54 if self.wide else 42)
        found = []
        for index in range(count):
            at = start + index * size
            if self.wide:
                kind, _, _, address, place, stored, length, _ = struct.unpack_from("<IIQQQQQQ", self.data, at)
            else:
                kind, _, address, place, stored, length, _, _ = struct.unpack_from("<8I", self.data, at)
            if kind == 1 and length:
                found.append(Load(address, place, stored, length))
        return found

    def symbols(self) -> list[Symbol]:
        """Objects and functions with a size."""
        return self._symbols

    @cached_property
    def _symbols(self) -> list[Symbol]:
        table = next((section for section in self._sections() if section[1] == 2), None)
        if table is None:
            return []
        _, _, start, size, link = table
        names = self._sections()[link]
        step = 24 if self.wide else 16
        found = []
        for at in range(start, start + size, step):
            if self.wide:
                name, info, _, _, _, length = struct.unpack_from("<IBBHQQ", self.data, at)
            else:
                name, _, length, info = struct.unpack_from("<IIIB", self.data, at)
            if length and info & 15 in (1, 2):
                begin = names[2] + name
                end = self.data.index(0, begin)
                found.append(Symbol(self.data[begin:end].decode("ascii", "replace"), length))
        return found

    def _sections(self) -> list[tuple[int, int, int, int, int]]:
        """(name, kind, offset, size, link)"""
        start = self._number(40 if self.wide else 32, "<Q" if self.wide else "<I")
        step, count = struct.unpack_from("<HH", self.data, 58 if self.wide else 46)
        rows = []
        for at in range(start, start + step * count, step):
            if self.wide:
                name, kind, _, _, offset, size, link = struct.unpack_from("<IIQQQQI", self.data, at)
            else:
                name, kind, _, _, offset, size, link = struct.unpack_from("<7I", self.data, at)
            rows.append((name, kind, offset, size, link))
        return rows

    def _number(self, at: int, form: str) -> int:
        value: int = struct.unpack_from(form, self.data, at)[0]
        return value


def read_elf(build: Path) -> Elf | None:
    """The linked firmware, None where a port leaves none."""
    for name in ("firmware.elf", "micropython.elf"):
        try:
            elf = Elf((build / name).read_bytes())
            elf.loads(), elf.symbols()
            return elf
        except (OSError, BuildError, struct.error, ValueError, IndexError):
            continue  # a report lacks sizes then; the firmware is what it is
    return None


def escaped(target: str) -> str:
    """A module's name in the C symbols that mpy-tool.py makes: what is not a letter or digit is spelled."""
    stem = target.rpartition(".")[0]
    return "".join(
        each if each.isascii() and (each.isalnum() or each == "_") else f"_{_LETTERS.get(each, f'0x{ord(each):02x}')}_"
        for each in stem
    )


def frozen_sizes(elf: Elf | None, build: Path, targets: Iterable[str]) -> dict[str, int]:
    """About how many bytes of flash each frozen module takes.

    The sum of its symbols (code, tables, objects) leaves out texts and bytes, which the compiler puts where no symbol
    says whose they are; its .mpy has them, and lacks what links code to the firmware: so the larger of both.
    """
    names = {escaped(target): target for target in targets}
    sizes = dict.fromkeys(names.values(), 0)
    for symbol in elf.symbols() if elf is not None else []:
        kind = next((each for each in _KINDS if symbol.name.startswith(each)), None)
        if kind is None:
            continue
        rest = symbol.name[len(kind) :]
        owner, _, _ = rest.partition("__lt_module_gt_")
        if owner not in names:
            owner = re.sub(r"_\d+(_macro)?$", "", owner)
        if owner in names:
            sizes[names[owner]] += symbol.size
    for target, size in sizes.items():
        made = build / "frozen_mpy" / (target.rpartition(".")[0] + ".mpy")
        staged = build / "upytool" / "frozen" / target
        found = next((place for place in (made, staged) if place.is_file() and place.suffix == ".mpy"), None)
        sizes[target] = max(size, found.stat().st_size if found is not None else 0)
    return sizes


def with_manifest(modules: Mapping[str, Item], frozen: FreezeManifest, manifest: Path | None) -> dict[str, Item]:
    """The project's modules, those included that its own manifest brings in."""
    found = dict(modules)
    if manifest is None:
        return found
    own = os.path.realpath(manifest)
    for file in frozen.files:
        if file.target in found or all(os.path.realpath(step.manifest) != own for step in file.chain):
            continue
        try:
            text = file.source.read_bytes()
        except OSError:
            continue  # it was there when it was compiled: a report is no reason to fail
        found[file.target] = Item(file.target, text, f"{manifest.name}: {file.target}", True)
    return found


def module_rows(modules: Mapping[str, Item], sizes: Mapping[str, int]) -> tuple[ModuleSize, ...]:
    """A row for each of the project's modules, the largest first."""
    rows = [
        ModuleSize(
            target, item.origin, item.package, len(item.data), sizes.get(target, 0), "frozen",
            "loaded" if item.keep_source else "in place",
        )
        for target, item in modules.items()
    ]  # fmt: skip
    return tuple(sorted(rows, key=lambda row: (-row.flash, row.target)))


def linker_regions(build: Path, elf: Elf | None) -> tuple[RegionUse, ...]:
    """Regions of the linker script with what the firmware takes of each; empty where no .map says them."""
    text = ""
    for name in ("firmware.elf.map", "firmware.map", "micropython.map"):
        file = build / name
        if file.is_file():
            # Only the head of it: the file has megabytes.
            with open(file, encoding="utf-8", errors="replace") as lines:
                text = lines.read(2 << 20)
            break
    head = _HEAD.search(text)
    if head is None or elf is None:
        return ()
    body = text[head.end() :].partition("Linker script")[0]
    loads = elf.loads()
    rows = []
    for name, start_text, size_text in _ROW.findall(body):
        start, size = int(start_text, 16), int(size_text, 16)
        if size >= 1 << 31 or name == "Name":
            continue
        used = 0
        for load in loads:
            if start <= load.address < start + size:
                used += load.size
            elif start <= load.place < start + size:
                used += load.file_size
        if used:
            rows.append(RegionUse(name, start, size, min(used, size)))
    return tuple(sorted(rows, key=lambda row: (row.start, row.size)))


def pick_output(build: Path, board: SourceBoard, suffix: str) -> tuple[str, bytes]:
    """(name, content) of the file to flash.

    Args:
        suffix: that the user wants, ".hex" for instance; "" for the port's usual one.

    Raises: BuildError when the build left none.
    """
    names = [name for name in board.port.outputs if (build / name).is_file()]
    if board.port.name == "rp2" and "firmware.bin" in names and suffix in ("", ".uf2"):
        return "firmware.uf2", rp2_uf2((build / "firmware.bin").read_bytes(), board)
    chosen = next((name for name in names if suffix and name.endswith(suffix)), None)
    if chosen is None and suffix and names:
        raise BuildError(
            "build.no-such-output",
            port=board.port.name,
            suffix=suffix,
            known=list(dict.fromkeys(Path(name).suffix for name in names)),
        )
    if chosen is None:
        chosen = names[0] if names else None
    if chosen is None:
        raise BuildError("build.no-output", wanted=list(board.port.outputs), path=build)
    return chosen, (build / chosen).read_bytes()


def rp2_uf2(firmware: bytes, board: SourceBoard) -> bytes:
    """The .uf2 of an RP2040 or RP2350 firmware."""
    platform = board.settings.get("PICO_PLATFORM", "")
    family = RP2040
    if "rp2350" in platform:
        family = RP2350_RISCV if "riscv" in platform else RP2350_ARM_S
    memory = Memory.of([(RP2_FLASH, firmware)])
    return write_uf2([(family, memory)], sector=4096, erratum_block=family != RP2040)


def firmware_image(name: str, data: bytes) -> FirmwareImage | None:
    """The output opened, None for a kind that is not a flash image (.elf, .zip). Raises: ImageError: it is damaged."""
    if Path(name).suffix not in (".uf2", ".bin", ".hex", ".dfu"):
        return None
    image = FirmwareImage.read(data, name=name)
    image.require_valid()
    return image


def folder_digests(folders: Iterable[Path]) -> dict[str, str]:
    """One digest for each folder of C modules: over names and contents, sorted."""
    found = {}
    for folder in folders:
        digest = sha256()
        for file in sorted(each for each in folder.rglob("*") if each.is_file()):
            digest.update(f"{file.relative_to(folder).as_posix()}\0".encode() + file.read_bytes() + b"\0")
        found[folder.name] = digest.hexdigest()
    return found
