"""What both kinds of build share: the recipe, what goes in, the report and the result.

A Recipe says everything: it is made from a project file or from options (project/build.py), by whoever can fetch
packages and releases. What builds it reads no configuration and no network.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ..mpy.abi import Abi

BuildKind = Literal["image", "source"]
FsChoice = Literal["auto", "romfs", "littlefs", "fat"]
Placement = Literal["romfs", "filesystem", "frozen"]
# What a boot.py of the user's own begins with, where safe_boot is asked for (firmware/modules/safe_boot).
SAFE_BOOT = b"import safe_boot; safe_boot.start(); safe_boot.check(); del safe_boot\n"
EPOCH = 946684800  # 2000-01-01, MicroPython's own: what files of a reproducible build are dated


@dataclass(frozen=True, slots=True)
class Item:
    """One file that goes into the firmware.

    Attributes:
        target: its path there, with "/" and without a leading one ("lib/net.py", "static/logo.bin").
        data: the file as it is; a module's source text.
        origin: what the user knows it by, a path or a package's file: for messages.
        module: whether it is Python to be compiled (`boot.py` and `main.py` stay sources all the same).
        package: the package it comes from, "" for the project itself.
        optimize: mpy-cross's -O level, and emitter: its `-X emit=` ("" for bytecode).
        keep_source: leave a module a .py file.
    """

    target: str
    data: bytes
    origin: str = ""
    module: bool = False
    package: str = ""
    optimize: int = 0
    emitter: str = ""
    keep_source: bool = False


@dataclass(frozen=True)
class Recipe:
    """What to build.

    Attributes:
        kind: "image": into a firmware that exists; "source": with MicroPython's own build.
        board, variant, version: MicroPython's names; "" where the firmware itself says.
        firmware: the base of an "image" build.
        firmware_origin: where that came from, a URL for instance; "" for a file of the user.
        tree: the MicroPython tree of a "source" build.
        items: what goes in; each target once.
        entry: what a start runs, "app" or "app:main"; "" for the project's own main.py.
        manifest: a manifest.py of the project's own, for "source" builds.
        c_modules: folders of C modules.
        filesystem: where modules go in an "image" build.
        region: (start, size) of the file system where the user says so.
        flash_size: bytes of an Espressif board's flash where its firmware's header states another; None keeps that.
        safe_boot: add the boot.py that a bad main.py can't lock out.
        options: make variables of a "source" build.
        output: the file to be written; None for `build/NAME.EXT` beside the project.
        root: the project's folder.
        epoch: seconds since 1970 that every file is dated with.
    """

    kind: BuildKind
    items: tuple[Item, ...]
    board: str = ""
    variant: str = ""
    version: str = ""
    firmware: Path | None = None
    firmware_origin: str = ""
    tree: Path | None = None
    entry: str = ""
    manifest: Path | None = None
    c_modules: tuple[Path, ...] = ()
    filesystem: FsChoice = "auto"
    region: tuple[int, int] | None = None
    flash_size: int | None = None
    safe_boot: bool = False
    options: tuple[tuple[str, str], ...] = ()
    output: Path | None = None
    root: Path = field(default_factory=Path)
    epoch: int = EPOCH


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """How a "source" build is run; nothing here changes what comes out.

    Attributes:
        container: "none" for this computer's own compilers, "docker", "podman", or "auto": one of them where the
            compilers are missing.
        image: of the container, in place of the port's usual one.
        jobs: how many compilers at once, 0 for all processors.
        clean: begin with an empty build folder.
        offline: fetch nothing (no git, no submodules, no container images).
        keep_tree: write nothing into a tree that is a directory: its missing submodules are an error.
    """

    container: Literal["auto", "none", "docker", "podman"] = "auto"
    image: str = ""
    jobs: int = 0
    clean: bool = False
    offline: bool = False
    keep_tree: bool = False


@dataclass(frozen=True, slots=True)
class ModuleSize:
    """What one file costs.

    Attributes:
        source: bytes of its source; stored: bytes of what goes in, compiled where it is; flash: bytes that it takes
            in flash, its share of blocks included.
        placement: where it lies; ram: "in place" (bytecode runs from flash), "loaded" (an import copies it into
            RAM), "on demand" (data).
    """

    target: str
    origin: str
    package: str
    source: int
    flash: int
    placement: Placement
    ram: Literal["in place", "loaded", "on demand"]
    stored: int = 0


@dataclass(frozen=True, slots=True)
class RegionUse:
    """A part of flash: `used` and `size` in bytes."""

    name: str
    start: int
    size: int
    used: int

    @property
    def free(self) -> int:
        return max(0, self.size - self.used)


@dataclass(frozen=True)
class BuildReport:
    """What was built, by part.

    Attributes:
        kind, board, version: as built.
        abi: of the .mpy files.
        modules: by size, the largest first.
        regions: of flash, by address.
        what_if: the kinds that were not chosen, a sentence each ("frozen from source: ...").
        notes: what a user should know.
    """

    kind: BuildKind
    board: str
    version: str
    abi: Abi | None
    modules: tuple[ModuleSize, ...]
    regions: tuple[RegionUse, ...]
    what_if: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class BuildResult:
    """A finished build.

    Attributes:
        output: the one file to flash; `bytes` long with this `sha256`.
        keeps_files: whether flashing it leaves the files on the board alone.
        unchanged: nothing had to be built: the file was there already.
        pins: what a lock file records, JSON values by name.
    """

    output: Path
    bytes: int
    sha256: str
    report: BuildReport
    seconds: float
    keeps_files: bool = False
    unchanged: bool = False
    pins: dict[str, object] = field(default_factory=dict)
