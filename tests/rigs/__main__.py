"""`python -m tests.rigs prepare|start|list`: build the rigs, or run one of them for a developer."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from tests.rigs import RegistryRefused, RigBroken, RigUnavailable
from tests.rigs.base import IN_CI, apt_install

# Programs that tests look for, beside the compilers that the rigs bring: shells for completion, git for source trees.
PROGRAMS = ("bash", "zsh", "fish", "git", "cmake", "gcc", "g++", "libc6-dev", "make")


def _prepare_programs() -> None:
    apt_install(*PROGRAMS)


def _prepare_qemu() -> None:
    from tests.rigs.qemu import VARIANTS, build

    for variant in VARIANTS:
        build(variant)


def _prepare_unix() -> None:
    from tests.rigs.unix import build

    build()


def _prepare_webrepl() -> None:
    from tests.rigs.webrepl import build

    build()


def _prepare_pico() -> None:
    from tests.rigs.pico import pico_image

    pico_image()


def _prepare_usb_tools() -> None:
    from tests.rigs.usb_tools import prepare

    prepare()


def _prepare_mboot() -> None:
    from tests.rigs.mboot.build import build

    build()
    build(packed=True)


def _prepare_pico_romfs() -> None:
    from tests.rigs.pico_romfs import pico_romfs_image

    pico_romfs_image()


def _prepare_ours() -> None:
    from tests.rigs.frozen import pico_image, qemu_image

    qemu_image()
    pico_image()


def _prepare_source_builds() -> None:
    from tests.builder.source_trees import prepare

    prepare()


# In this order: what takes long first, and "ours" when the compiled objects of the Pico are there.
STEPS: dict[str, Callable[[], None]] = {
    "programs": _prepare_programs,
    "pico": _prepare_pico,
    "qemu": _prepare_qemu,
    "pico-romfs": _prepare_pico_romfs,
    "source-builds": _prepare_source_builds,
    "ours": _prepare_ours,
    "unix": _prepare_unix,
    "webrepl": _prepare_webrepl,
    "usb-tools": _prepare_usb_tools,
    "mboot": _prepare_mboot,
}


def prepare(names: Sequence[str]) -> int:
    """Install and build what the named rigs (all without names) need; one summary line.

    Everything that a test would otherwise build or install belongs here. Two rigs are made at a time: while one is
    unpacked or configured, which takes one core, the other compiles. Returns 1 if a rig broke, or in CI if this machine
    cannot have one.
    """
    chosen = list(names or STEPS)
    with ThreadPoolExecutor(2) as pool:
        outcomes = list(pool.map(_prepare, chosen))
    print("rigs: " + ", ".join(outcome for outcome, _ in outcomes), flush=True)
    return 1 if any(broken for _, broken in outcomes) else 0


def _prepare(name: str) -> tuple[str, bool]:
    """One rig: what the summary says of it, and whether that is a failure."""
    began = time.monotonic()
    print(f"rig {name} ...", file=sys.stderr, flush=True)
    try:
        STEPS[name]()
    except RigUnavailable as refused:
        print(f"!!! rig {name} is UNAVAILABLE: {refused}", file=sys.stderr, flush=True)
        broken = IN_CI and not isinstance(refused, RegistryRefused)
        return f"{name} UNAVAILABLE ({refused})", broken
    except RigBroken as failed:
        print(f"!!! rig {name} is BROKEN: {failed}", file=sys.stderr, flush=True)
        return f"{name} BROKEN", True
    ready = f"{name} ready ({time.monotonic() - began:.0f} s)"
    print(ready, file=sys.stderr, flush=True)
    return ready, False


def start(name: str) -> int:
    """Start one rig, print its port, stay until Ctrl-C or until stdin ends."""
    from tests.rigs import boards

    try:
        with boards.start(name) as board:
            print(board.port, flush=True)
            print(f"{name}: {boards.NAMES[name]}. Ctrl-C ends it.", file=sys.stderr, flush=True)
            while sys.stdin.read(1):
                pass
    except KeyboardInterrupt:
        pass
    except (RigUnavailable, RigBroken) as failed:
        print(f"rig {name}: {failed}", file=sys.stderr)
        return 1
    return 0


def main() -> int:
    from tests.rigs import boards

    parser = argparse.ArgumentParser(prog="python -m tests.rigs", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    preparing = commands.add_parser("prepare", help="install packages and build firmware")
    preparing.add_argument("names", nargs="*", choices=[*STEPS, []], help="all without names")
    starting = commands.add_parser("start", help="run a board and print its port")
    starting.add_argument("name", choices=list(boards.NAMES))
    commands.add_parser("list", help="show the boards that start knows")
    given = parser.parse_args()
    if given.command == "prepare":
        return prepare(given.names)
    if given.command == "start":
        return start(given.name)
    for name, text in boards.NAMES.items():
        print(f"{name:16}{text}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
