"""`python -m tests.rigs prepare|start|list`: build the rigs, or run one of them for a developer."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence

from tests.rigs import RigBroken, RigUnavailable


def _prepare_qemu() -> None:
    from tests.rigs.qemu import VARIANTS, build

    for variant in VARIANTS:
        build(variant)


def _prepare_unix() -> None:
    from tests.rigs.unix import build

    build()


def _prepare_pico() -> None:
    from tests.rigs.pico import pico_image

    pico_image()


def _prepare_usb_tools() -> None:
    from tests.rigs.usb_tools import prepare

    prepare()


STEPS: dict[str, Callable[[], None]] = {
    "qemu": _prepare_qemu,
    "unix": _prepare_unix,
    "pico": _prepare_pico,
    "usb-tools": _prepare_usb_tools,
}


def prepare(names: Sequence[str]) -> int:
    """Install and build what the named rigs (all without names) need; one summary line; 1 if one broke."""
    results: list[str] = []
    broken = False
    for name in names or list(STEPS):
        began = time.monotonic()
        try:
            STEPS[name]()
        except RigUnavailable as refused:
            print(f"!!! rig {name} is UNAVAILABLE: {refused}", file=sys.stderr, flush=True)
            results.append(f"{name} UNAVAILABLE ({refused})")
        except RigBroken as failed:
            print(f"!!! rig {name} is BROKEN: {failed}", file=sys.stderr, flush=True)
            results.append(f"{name} BROKEN")
            broken = True
        else:
            results.append(f"{name} ready ({time.monotonic() - began:.0f} s)")
            print(results[-1], file=sys.stderr, flush=True)
    print("rigs: " + ", ".join(results), flush=True)
    return 1 if broken else 0


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
        print(f"{name:12}{text}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
