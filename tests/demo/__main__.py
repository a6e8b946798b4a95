"""Run the demo: every line after a `$` is a real command of the `upytool` next to this Python."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.fixtures.firmware_site import Site
from tests.fixtures.make_index import build, serve
from tests.unit.packages.web import serve as serve_web

MAIN = """\
import greet

for name in ("board", "world"):
    print(greet.hello(name))
"""
GREET = """\
def hello(name):
    return "hello, %s" % name
"""
COUNT = """\
import sys

total = sum(range(101))
print("the board added 0..100:", total)
sys.exit(0 if total == 5050 else 1)
"""
BLINK = """\
def main():
    print("blink: this module came inside of the firmware")
"""
TIMEOUT = 300


class Demo:
    """Runs commands in a folder of its own with settings of its own, showing each."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.env = {
            **os.environ,
            "UPYTOOL_STATE_DIR": str(folder / "state"),
            "UPYTOOL_CONFIG_FILE": str(folder / "config.toml"),
            "UPYTOOL_DEVICE": "sim",
        }
        self.program = str(Path(sys.executable).parent / "upytool")

    def say(self, text: str) -> None:
        print(f"\n\033[1m# {text}\033[0m" if sys.stdout.isatty() else f"\n# {text}", flush=True)

    def run(self, line: str, *, stdin: str | None = None) -> None:
        """Show and run `line`; ends the demo when it fails."""
        print(f"$ {line}", flush=True)
        words = shlex.split(line)
        done = subprocess.run(
            [self.program, *words[1:]],
            cwd=self.folder,
            env=self.env,
            input=stdin,
            stderr=sys.stdout,
            text=True,
            timeout=TIMEOUT,
        )
        if done.returncode:
            raise SystemExit(f"the demo failed: `{line}` ended with {done.returncode}")


def main() -> None:
    with (
        tempfile.TemporaryDirectory(prefix="upytool-demo-") as name,
        serve(build(Path(name) / "index")) as index,
    ):
        folder = Path(name)
        (folder / "project" / "lib").mkdir(parents=True)
        (folder / "project" / "main.py").write_text(MAIN)
        (folder / "project" / "lib" / "greet.py").write_text(GREET)
        (folder / "count.py").write_text(COUNT)
        demo = Demo(folder)
        demo.say("A simulated board: the real MicroPython, its flash in a file, behind a port that any tool can open")
        demo.run("upytool sim start --fresh")
        try:
            demo.say("What is plugged in, and what is it?")
            demo.run("upytool devices")
            demo.run("upytool info")
            demo.say("Copy a project; the second time nothing needs to go over the wire")
            demo.run("upytool cp -r project/ :")
            demo.run("upytool cp -r project/ :")
            demo.run("upytool ls : :lib")
            demo.say("Run a program without storing it; its exit status is the command's")
            demo.run("upytool run count.py")
            demo.run('upytool exec "import main"')
            demo.say("Install a package with what it needs, from an index that this demo serves")
            demo.run(f"upytool mip install --index {index} ringlog")
            demo.run("upytool mip list")
            demo.say("The REPL, here with its input from a script")
            demo.run("upytool repl", stdin="import os\nos.listdir('/lib')\nprint('6 x 7 =', 6 * 7)\n")
        finally:
            demo.say("Done")
            demo.run("upytool sim stop")
        flash_and_build(demo)
        print(
            "\nThe same on a real board: plug it in and leave everything else as it is.\n"
            '  pip install "upytool[all]"\n'
            "  upytool devs\n"
            "  upytool cp -r project/ : + reset + repl\n"
            "With several boards, -d names one: upytool -d a0 info (`upytool help selectors`)."
        )


def flash_and_build(demo: Demo) -> None:
    """Flash an empty chip, then firmware with a module of the project in it. Both run the RP2040's real boot ROM."""
    image = firmware()
    if image is None:
        return
    (demo.folder / "blink").mkdir()
    (demo.folder / "blink" / "blink.py").write_text(BLINK)
    with serve_web() as web:
        Site(web).add("RPI_PICO-20250415-v1.25.0.uf2", image.read_bytes())
        cache = str(demo.folder / "cache")
        demo.env |= {"UPYTOOL_FIRMWARE_URL": web.address, "UPYTOOL_DEVICE": "sim:pico", "UPYTOOL_CACHE_DIR": cache}
        demo.say("An empty Pico: an emulated RP2040 that runs the real boot ROM, which waits for firmware")
        demo.run("upytool sim start pico --fresh")
        try:
            demo.run("upytool flash --board pico --yes")
            demo.run('upytool exec "import sys; print(sys.version)"')
            demo.say("Firmware with your modules in it, made without a compiler, and started")
            demo.run("upytool build blink --board pico --entry blink:main --output blink.uf2")
            demo.run("upytool flash blink.uf2 --yes")
            demo.run('upytool exec "import blink; blink.main()"')
        finally:
            demo.run("upytool sim stop pico")


def firmware() -> Path | None:
    """RPI_PICO's firmware, built from Debian's packages unless it was before; None where that can't be."""
    from tests.rigs.base import RigBroken
    from tests.rigs.pico import pico_image

    print("\nRPI_PICO firmware for the next part: built from Debian's sources, once (minutes; apt as root)", flush=True)
    try:
        return pico_image()
    except (RigBroken, OSError, subprocess.SubprocessError) as error:
        print(f"This part is left out: {str(error).splitlines()[0]}")
        return None


if __name__ == "__main__":
    main()
