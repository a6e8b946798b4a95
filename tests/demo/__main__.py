"""Run a demo: every line after a `$` is a real command of the `upytool` next to this Python, with its own output."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from tests.demo.stage import stage

SUFFIX = ".exe" if os.name == "nt" else ""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.demo", description=__doc__)
    parser.add_argument("name", nargs="?", choices=["first", "pico"], default="first", help="which (default: first)")
    parser.add_argument("--upytool", type=Path, default=Path(sys.executable).with_name("upytool" + SUFFIX))
    given = parser.parse_args()
    try:
        with stage(given.upytool.absolute()) as made:
            if given.name == "pico":
                from tests.demo.pico import play
            else:
                from tests.demo.first import play
            play(made)
    except KeyboardInterrupt:
        print()
        # make was interrupted by the same key and ends by itself; to a status it would add a line of its own.
        return 0 if "MAKELEVEL" in os.environ else 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
