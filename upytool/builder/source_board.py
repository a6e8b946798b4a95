"""Which board of a tree is built, and what that board's own build would do: its manifest, its variables.

Make ports are asked: a makefile of ours includes theirs and prints the variables, so that every condition in them
counts. The boards of cmake ports are plain lists of `set(NAME value)`, which is read.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import BuildError, UsageError
from ..words import Said
from .base import Recipe
from .source_ports import PORTS, Port, rp2_submodules
from .source_tree import Tree

_SET = re.compile(r"^\s*set\s*\(\s*(\w+)\s+(.*?)\)", re.MULTILINE | re.DOTALL)
_COMMENT = re.compile(r"(?m)^\s*#.*$")
_NAME = re.compile(r"[\w.+-]*\w")
_REFERENCE = re.compile(r"\$\{(\w+)\}")
ASKED = ("FROZEN_MANIFEST", "MPY_CROSS_FLAGS", "GIT_SUBMODULES", "CROSS_COMPILE", "MPY_LIB_DIR", "MICROPY_PY_BTREE")
QUERY = """include Makefile
upytool-nothing: ;
{lines}
$(foreach name,$(filter MICROPY_MANIFEST_%,$(.VARIABLES)),$(info upytool:$(name)=$($(name))))
"""
# Options that say where or what a board is: they are not passed on as they are.
OURS = ("BOARD", "BOARD_DIR", "BOARD_VARIANT", "PORT", "BUILD", "FROZEN_MANIFEST", "MICROPY_FROZEN_MANIFEST",
        "USER_C_MODULES")  # fmt: skip


@dataclass(frozen=True)
class SourceBoard:
    """A board as its tree has it.

    Attributes:
        name, variant: "" for the default variant.
        port: facts; `port_dir` and `directory` are absolute.
        outside: the board is not a part of the tree.
        settings: what its mpconfigboard.cmake sets (cmake ports).
    """

    name: str
    variant: str
    port: Port
    port_dir: Path
    directory: Path
    outside: bool = False
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def build_name(self) -> str:
        return f"{self.name}-{self.variant}" if self.variant else self.name


@dataclass(frozen=True)
class BoardFacts:
    """What the board's own build says.

    Attributes:
        manifest: what it freezes, None where it freezes nothing.
        inline: it freezes by a line of code in its Makefile, which is left out.
        variables: `$(NAME)` for manifests.
        submodules: that it needs.
        cross_flags: for mpy-cross.
        prefix: of its compiler, "arm-none-eabi-".
    """

    manifest: Path | None
    inline: bool
    variables: Mapping[str, str]
    submodules: tuple[str, ...]
    cross_flags: tuple[str, ...]
    prefix: str


def find_source_board(tree: Tree, recipe: Recipe, overlays: Iterable[Path] = ()) -> SourceBoard:
    """The board of a recipe: in the tree, in a folder of overlays, or the folder that BOARD_DIR names.

    Raises: UsageError for none, or an unknown board or variant, with what comes near.
    """
    options = dict(recipe.options)
    given = options.get("BOARD_DIR", "")
    if not given and ("/" in recipe.board or os.sep in recipe.board):
        given = recipe.board
    if given:
        place = Path(os.path.abspath(recipe.root / Path(given).expanduser()))
        if not place.is_dir():
            raise UsageError("usage.no-board-directory", path=place)
        name = options.get("BOARD", "") or place.name
        return _board(tree, name, recipe, place, _port_of(place, options), outside=True)
    if not recipe.board:
        raise UsageError("usage.which-board")
    homes = sorted(tree.path.glob(f"ports/*/boards/{recipe.board}"))
    homes = [home for home in homes if any(home.glob("mpconfigboard.*"))]
    if not homes:
        for folder in overlays:
            place = folder / recipe.board
            if any(place.glob("mpconfigboard.*")):
                return _board(tree, recipe.board, recipe, place, _port_of(place, options), outside=True)
        every = sorted({each.parent.name for each in tree.path.glob("ports/*/boards/*/mpconfigboard.*")})
        near = difflib.get_close_matches(recipe.board.upper(), every, 3, 0.5)
        near += [each for each in every if recipe.board.upper() in each and each not in near][:3]
        raise UsageError(
            "usage.tree-no-board",
            version=tree.version,
            path=tree.path,
            board=recipe.board,
            hint=Said("builder.near-boards", names=near) if near else Said("builder.board-dir"),
        )
    return _board(tree, recipe.board, recipe, homes[0], homes[0].parent.parent.name, outside=False)


def _board(tree: Tree, name: str, recipe: Recipe, place: Path, port: str, *, outside: bool) -> SourceBoard:
    if not _NAME.fullmatch(name):  # it becomes a part of paths
        raise UsageError("usage.bad-board-name", name=name)
    facts = PORTS.get(port)
    port_dir = tree.path / "ports" / port
    if facts is None or not port_dir.is_dir():
        raise BuildError("build.unknown-port", port=port, known=list(PORTS))
    variant = recipe.variant or dict(recipe.options).get("BOARD_VARIANT", "")
    suffix = "cmake" if facts.cmake else "mk"
    known = sorted(each.stem.removeprefix("mpconfigvariant_") for each in place.glob(f"mpconfigvariant_*.{suffix}"))
    if variant and variant not in known:
        raise UsageError(
            "usage.tree-no-variant",
            board=name,
            variant=variant,
            hint=Said("builder.variants", known=known) if known else Said("builder.no-variant"),
        )
    settings: dict[str, str] = {}
    if facts.cmake:
        base = {
            "MICROPY_PORT_DIR": port_dir.as_posix(), "MICROPY_BOARD_DIR": place.as_posix(),
            "MICROPY_DIR": tree.path.as_posix(), "MICROPY_BOARD": name,
        }  # fmt: skip
        names = ("mpconfigboard", f"mpconfigvariant_{variant}" if variant else "mpconfigvariant")
        settings = cmake_settings([place / f"{each}.cmake" for each in names], base)
    return SourceBoard(name, variant, facts, port_dir, place, outside, settings)


def cmake_settings(files: Iterable[Path], base: Mapping[str, str]) -> dict[str, str]:
    """What `set()` gives in some files, in order, with `${NAME}` put in; lists joined by blanks."""
    values = dict(base)
    for file in files:
        if not file.is_file():
            continue
        for name, value in _SET.findall(_COMMENT.sub("", file.read_text("utf-8", "replace"))):
            filled = _REFERENCE.sub(lambda match: values.get(match[1], ""), value)
            values[name] = " ".join(part.strip('"') for part in filled.split())
    return values


def _port_of(place: Path, options: Mapping[str, str]) -> str:
    """The port of a board folder outside of any tree, by what is in it."""
    if options.get("PORT"):
        return options["PORT"]
    if place.parent.name == "boards" and place.parent.parent.name in PORTS:
        return place.parent.parent.name
    cmake, make = place / "mpconfigboard.cmake", place / "mpconfigboard.mk"
    if cmake.is_file():
        return "esp32" if "IDF_TARGET" in cmake.read_text("utf-8", "replace") else "rp2"
    text = make.read_text("utf-8", "replace") if make.is_file() else ""
    for pattern, port in (
        (r"MCU_SERIES\s*=\s*SAMD", "samd"), (r"MCU_SERIES\s*=\s*MIMXRT", "mimxrt"), (r"MCU_VARIANT\s*=\s*nrf", "nrf"),
        (r"MCU_SERIES\s*=\s*(ra|RA)", "renesas-ra"), (r"CMSIS_MCU\s*=\s*(\"?)STM32", "stm32"), (r"QEMU_", "qemu"),
    ):  # fmt: skip
        if re.search(pattern, text):
            return port
    raise UsageError("usage.board-port", path=place)


def cmake_facts(tree: Tree, board: SourceBoard, options: Mapping[str, str]) -> BoardFacts:
    """Of an rp2 or esp32 board."""
    settings = board.settings
    named = settings.get("MICROPY_FROZEN_MANIFEST")
    manifest = Path(named) if named is not None else board.port_dir / "boards" / "manifest.py"
    variables = {
        name.removeprefix("MICROPY_MANIFEST_"): value
        for name, value in settings.items()
        if name.startswith("MICROPY_MANIFEST_")
    }
    if board.port.name == "rp2":
        modules, prefix = rp2_submodules(dict(settings)), "arm-none-eabi-"
        if "riscv" in settings.get("PICO_PLATFORM", ""):
            prefix = "riscv32-unknown-elf-"
    else:
        modules, prefix = [], ""
        if (tree.path / ".gitmodules").is_file() and settings.get("MICROPY_PY_BTREE", "ON") not in ("OFF", "0"):
            modules = ["lib/berkeley-db-1.xx"]
    return _facts(
        tree, board, options, manifest if manifest.is_file() else None, False, variables, modules,
        _cmake_cross_flags(board), prefix, options.get("MICROPY_LIB_DIR", ""),
    )  # fmt: skip


def make_facts(tree: Tree, board: SourceBoard, options: Mapping[str, str], said: Mapping[str, str]) -> BoardFacts:
    """Of a make port's board. Args: said: what the query printed."""
    text = said.get("FROZEN_MANIFEST", "").strip()
    inline = "(" in text
    manifest = None
    if text and not inline:
        manifest = Path(os.path.normpath(board.port_dir / text))
    variables = {
        name.removeprefix("MICROPY_MANIFEST_"): value
        for name, value in said.items()
        if name.startswith("MICROPY_MANIFEST_")
    }
    modules = said.get("GIT_SUBMODULES", "").split()
    if said.get("MICROPY_PY_BTREE", "0") not in ("1", "ON"):
        modules = [name for name in modules if "berkeley-db" not in name]
    names = [os.path.relpath(board.port_dir / name, tree.path) if name.startswith("..") else name for name in modules]
    return _facts(
        tree, board, options, manifest, inline, variables, [name.replace(os.sep, "/") for name in names],
        tuple(said.get("MPY_CROSS_FLAGS", "").split()), said.get("CROSS_COMPILE", ""), options.get("MPY_LIB_DIR", ""),
    )  # fmt: skip


def _facts(
    tree: Tree, board: SourceBoard, options: Mapping[str, str], manifest: Path | None, inline: bool,
    variables: Mapping[str, str], submodules: Iterable[str], flags: tuple[str, ...], prefix: str, library: str,
) -> BoardFacts:  # fmt: skip
    own = Path(library) if library else tree.path / "lib" / "micropython-lib"
    known = {
        name: str(Path(os.path.normpath(board.port_dir / value))) if value.startswith((".", "/")) else value
        for name, value in variables.items()
    }
    known |= {"MPY_DIR": str(tree.path), "PORT_DIR": str(board.port_dir), "BOARD_DIR": str(board.directory)}
    known.pop("MPY_LIB_DIR", None)
    if (own / "micropython").is_dir():
        known["MPY_LIB_DIR"] = str(own)
    names = [name for name in dict.fromkeys(submodules) if name != "lib/micropython-lib"]
    if not library:  # every build that freezes looks for its README.md
        names.insert(0, "lib/micropython-lib")
    for key in ("FROZEN_MANIFEST", "MICROPY_FROZEN_MANIFEST"):
        if key in options:
            manifest, inline = (Path(options[key]) if options[key] else None), False
    return BoardFacts(manifest, inline, known, tuple(names), flags, prefix)


def _cmake_cross_flags(board: SourceBoard) -> tuple[str, ...]:
    settings = board.settings
    if board.port.name == "esp32":
        riscv = re.fullmatch(r"esp32[chp]\d+", settings.get("IDF_TARGET", ""))
        return ("-march=rv32imc",) if riscv else ("-march=xtensawin",)
    text = (board.port_dir / "CMakeLists.txt").read_text("utf-8", "replace")
    platform = settings.get("PICO_PLATFORM", "")
    if "riscv" in platform and "rv32imc" in text:
        return ("-march=rv32imc",)
    if "rp2350" in platform and "-march=armv7m" in text:
        return ("-march=armv7m",)
    return ("-march=armv6m",)


def query_makefile(manifest_names: Iterable[str] = ASKED) -> str:
    """A makefile that includes the port's and prints its variables."""
    return QUERY.format(lines="\n".join(f"$(info upytool:{name}=$({name}))" for name in manifest_names))


def query_answer(text: str) -> dict[str, str]:
    """What the makefile printed."""
    found = {}
    for line in text.splitlines():
        if line.startswith("upytool:"):
            name, _, value = line[8:].partition("=")
            found[name] = value
    return found
