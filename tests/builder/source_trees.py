"""MicroPython trees that can be built, from Debian's source packages: what lacks there is put in from elsewhere.

They are kept by the rigs' cache; so are the build folders of the tests, so that a run after the first only links.
"""

from __future__ import annotations

import inspect
import tempfile
from pathlib import Path

from tests.rigs.base import FIRMWARE, apt_install, cache_root, cached_build, recipe_key
from tests.rigs.debian_source import building_copy, micropython_tree
from tests.rigs.pico import pico_tree
from tests.rigs.qemu import PACKAGES as QEMU_PACKAGES

RIG = FIRMWARE / "qemu" / "rig"


def qemu_tree() -> Path:
    """A tree in which the qemu port builds."""
    apt_install(*QEMU_PACKAGES)
    version, source = micropython_tree()

    def make(folder: Path) -> None:
        building_copy(source, folder / "micropython")

    return cached_build("tree-qemu", recipe_key(version, inspect.getsource(building_copy)), make) / "micropython"


def prepare() -> None:
    """Compile what the tests only link against: the build folders of both boards, and of qemu's a second one."""
    from upytool.builder.base import Item, Recipe, SourceOptions
    from upytool.builder.from_source import build_source

    qemu = ("MPS2_AN385", qemu_tree(), qemu_options())
    pico = ("RPI_PICO", pico_tree(), pico_options())
    for (board, tree, options), cache in ((qemu, "one"), (qemu, "two"), (pico, "one")):
        with tempfile.TemporaryDirectory() as root:
            modules = (Item("greet.py", b"VALUE = 1\n", "src/greet.py", True),)
            recipe = Recipe("source", modules, board=board, tree=tree, options=options, root=Path(root))
            build_source(recipe, "", SourceOptions(container="none"), cache=build_cache(cache))


def build_cache(name: str = "one") -> Path:
    """A cache folder for build folders that outlives the tests."""
    place = cache_root() / "source-builds" / name
    place.mkdir(parents=True, exist_ok=True)
    return place


def qemu_options(heap: int = 192 * 1024, features: int = 2) -> tuple[tuple[str, str], ...]:
    """The make variables that make the qemu port the rig's board (tests/rigs/qemu.py)."""
    return (
        ("FROZEN_MANIFEST", ""),
        ("USER_C_MODULES", str(RIG.parent)),
        ("LDSCRIPT", str(RIG / "rig.ld")),
        ("MICROPY_VFS_FAT", "1"),
        ("MICROPY_VFS_LFS2", "1"),
        ("MICROPY_HEAP_SIZE", str(heap)),
        ("CFLAGS_EXTRA", f'-DMP_CONFIGFILE="<rig_config.h>" -DRIG_FEATURES={features} -I{RIG}'),
    )


def pico_options() -> tuple[tuple[str, str], ...]:
    """RPI_PICO without the drivers of micropython-lib, which Debian's package does not carry."""
    return (("FROZEN_MANIFEST", str(FIRMWARE / "pico" / "manifest.py")),)
