"""Every guide and the README, typed as a new user would: on the simulated board, in a project with such files.

Each command line is run with its shell, in the order of the page. What needs other hardware or somebody else's server
is in ELSEWHERE with the reason, and its words are still parsed. Python blocks are run, too.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from tests.fixtures.firmware_site import Site, uf2
from tests.fixtures.make_index import IndexBuilder, serve
from tests.guides.pages import PAGES, ROOT, Block, blocks, commands, inline, programs
from tests.unit.packages.web import serve as serve_web
from upytool.cli.chain import split
from upytool.cli.group import Context, require, root
from upytool.cli.session import context_of
from upytool.cli.table import COMMANDS
from upytool.config.macros import Macros
from upytool.errors import UpytoolError

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(os.name == "nt", reason="the lines are for a POSIX shell"),
]
pytest.importorskip("wasmtime")

PICO = "needs a board that can be flashed: tests/flash/test_pico_cycle.py"
ROMFS = "needs a board with a ROM partition: tests/cli/test_romfs.py"
SOURCES = "compiles MicroPython: tests/builder/test_from_source.py"
AIR = "needs a board with a network: tests/cli/test_webrepl_rig.py"
OTHERS = "needs somebody else's server"
# page -> the beginning of lines that are only parsed -> why
ELSEWHERE: dict[str, dict[str, str]] = {
    "README.md": {"upytool flash": PICO, "upytool build": PICO, "upytool -d ws:": AIR, "uv": "installs",
                  "pip": "installs"},
    "building.md": {"upytool flash": PICO, "upytool build + flash": PICO, "upytool build --check": PICO},
    "building-from-source.md": {"upytool": SOURCES},
    "firmware.md": {"upytool firmware inspect :": PICO},
    "flashing.md": {"upytool": PICO},
    "from-mpremote.md": {"upytool": "names the port of a real board"},
    "images.md": {"upytool image ls :": PICO, "upytool image rm :": PICO, "upytool rescue --bootloader": PICO},
    "over-the-air.md": {"upytool": AIR},
    "packages.md": {"upytool mip install github:": OTHERS, "upytool mip install https:": OTHERS},
    "romfs.md": dict.fromkeys(("upytool romfs query", "upytool romfs deploy", "upytool romfs ls",
                               "upytool romfs extract"), ROMFS),
    "simulated-boards.md": {"upytool sim start pico": PICO, "upytool flash": PICO, "upytool repl -d sim:pico": PICO},
}  # fmt: skip
# A line that ends by a key or by a question is given what answers it.
TYPED = {
    "upytool monitor": "upytool monitor --seconds 1",
    "upytool restore before.tar.gz --delete": "upytool restore before.tar.gz --delete --yes",
}
CODES = {
    "upytool diff src :/app": 1,  # there are differences
    "upytool diff src :/app --text": 1,
    "upytool diff main.py :main.py": 1,
    "upytool diff before.tar :/lib": 0,
}
HERE = {
    "main.py": "import greet\nprint(greet.hello('board'))\n",
    "a.py": "A = 1\n",
    "b.py": "B = 2\n",
    "x": "{}\n",
    "test.py": "print('tested')\n",
    "driver.py": "DRIVES = True\n",
    "fast.py": "@micropython.native\ndef plus(x):\n    return x + 1\n",
    "lines.txt": "1 + 1\n",
    "static/page.html": "<p>",
    "lib/greet.py": "def hello(name):\n    return 'hello, ' + name\n",
    "src/app.py": "import greet\ndef main():\n    print('started')\n",
    "src/greet.py": "def hello(name):\n    return 'hello, ' + name\n",
    "app/main.py": "print('app')\n",
}
THERE = {
    "main.py": "print('old')\n",
    "log.txt": "a line\n",
    "old.py": "OLD = 1\n",
    "a.py": "A = 0\n",
    "lib/old/x.py": "",
    "app/app.py": "print('older')\n",
    "a/same.txt": "1",
    "b/same.txt": "1",
    "data/1.txt": "1",
}


class Desk:
    """A newcomer's desk: a project's directory, a shell with upytool in it, one simulated board."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder, self.environment = folder, environment

    def lay(self, files: dict[str, str], below: str = "") -> None:
        for path, text in files.items():
            (self.folder / below / path).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / below / path).write_text(text)

    def type(self, line: str, timeout: float = 200) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["sh", "-c", line], cwd=self.folder, env=self.environment, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=timeout,
        )  # fmt: skip


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("UPYTOOL_", "XDG_")) and name != "CI"
    }
    (tmp_path / "project").mkdir()
    index = IndexBuilder(tmp_path / "index")
    for name, version in (("aioble", "0.6.1"), ("aiohttp", "0.0.7"), ("umqtt.simple", "1.3.4"), ("ringlog", "1.0")):
        index.add(name, version, {f"{name.replace('.', '/')}.py": b"HERE = True\n"})
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "upytool"  # the prepared VM
    with serve(tmp_path / "index") as address, serve_web() as web:
        site = Site(web)
        for name in ("RPI_PICO-20250415-v1.25.0.uf2", "RPI_PICO-20251209-v1.27.0.uf2"):
            site.add(name)
        (tmp_path / "cache").mkdir()
        if (cache / "sim").is_dir():
            (tmp_path / "cache" / "sim").symlink_to(cache / "sim")
        made = Desk(
            tmp_path / "project",
            {
                **kept, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}", "EDITOR": "true",
                "UPYTOOL_DEVICE": "sim", "UPYTOOL_INDEX": address, "UPYTOOL_FIRMWARE_URL": web.address,
                "HOME": str(tmp_path / "home"), "UPYTOOL_CACHE_DIR": str(tmp_path / "cache"),
            },
        )  # fmt: skip
        made.lay(HERE)
        (made.folder / "firmware.uf2").write_bytes(uf2("1.27.0"))
        try:
            done = made.type("upytool sim start")
            assert done.returncode == 0, done.stderr
            made.lay(THERE, "../board")
            done = made.type("upytool cp -r --all ../board/ :")
            assert done.returncode == 0, done.stderr
            done = made.type("upytool image mkfs backup.bin --size 1408K src/")
            assert done.returncode == 0, done.stderr
            yield made
        finally:
            made.type("upytool sim stop --all")


def elsewhere(page: Path, line: str) -> bool:
    return any(line.startswith(start) for start in ELSEWHERE.get(page.name, {}))


TYPED_PAGES = [page for page in PAGES if any(commands(block) for block in blocks(page))]


@pytest.mark.parametrize("page", TYPED_PAGES, ids=lambda page: page.name)
def test_the_page_can_be_typed(page: Path, desk: Desk) -> None:
    if page.name == "simulated-boards.md":
        desk.type("upytool sim stop")  # it begins by starting one
    for block in blocks(page):
        if block.language == "toml" and block.text.startswith("# upytool.toml"):
            desk.lay({"upytool.toml": block.text})
        for line, printed in commands(block):
            if elsewhere(page, line):
                continue
            done = desk.type(TYPED.get(line, line))
            said = f"{block}: {line}\n{done.stdout}{done.stderr}"
            assert done.returncode == CODES.get(line, 0), said
            assert "Traceback" not in done.stderr, said
            seen = (done.stdout + done.stderr).replace(desk.environment["HOME"], "/home/me").splitlines()
            assert seen == printed or not printed or sys.platform != "linux", said


NAMES = [[entry.name] for entry in COMMANDS]  # a group alone, in the running text
DOCS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize("page", DOCS, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_in_a_page_is_one(page: Path) -> None:
    """Lines that are not run here, and those in the running text: their commands and options exist."""
    if page.parent.name == "changes":
        return  # what was true when it was written
    typed = [line for block in blocks(page) for line, _ in commands(block)]
    lines = [line for line in typed if not re.search(r"[<|…]|\.\.\.", line)]
    for line in [*lines, *inline(page)]:
        words = shlex.split(line)[1:]
        if words in NAMES:
            continue
        try:
            steps, _ = split(words, require, Macros().expand)
            top = Context(root, info_name="upytool")
            for step in steps:
                with contextlib.suppress(click.exceptions.Exit, click.MissingParameter, click.BadParameter):
                    context_of(step, top)  # a place for a value, as NAME or FILE, is none
        except (UpytoolError, click.UsageError) as wrong:
            pytest.fail(f"{page.name}: {line}: {wrong}")


# A program that is not run here, by its first line, and why.
PARTS = {
    "import upytool\nfrom upytool.api import images, romfs": ROMFS,
    "from upytool.api import catalogue, firmware": OTHERS,  # tests/api/test_firmware.py
    "from upytool.api import flash, raw_flash": "needs a board that can be flashed: tests/api/test_flash.py",
    "def test_adc(board)": "a test of somebody's board",
}
# What a program names as an argument; in this order.
SERVERS = {"https://micropython.org/pi/v2": "UPYTOOL_INDEX", "https://micropython.org": "UPYTOOL_FIRMWARE_URL"}
PROGRAMS = [block for page in PAGES for block in programs(page)]


@pytest.mark.parametrize("block", PROGRAMS, ids=str)
def test_the_program_runs(block: Block, desk: Desk) -> None:
    if block.text.startswith(tuple(PARTS)):
        compile(block.text, str(block), "exec")
        return
    text = block.text.replace("connect()", 'connect("sim")')
    for server, setting in SERVERS.items():
        text = text.replace(server, desk.environment[setting])
    done = subprocess.run(
        [sys.executable, "-c", text], cwd=desk.folder, env=desk.environment, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=200,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", DOCS, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text):
        if not target.startswith(("http:", "https:")):
            assert (page.parent / target).exists(), target
