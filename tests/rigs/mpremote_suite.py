"""mpremote's own test scripts, run unmodified from MicroPython's source package with any tool in mpremote's
place.

Their own runner (run-mpremote-tests.sh) starts each script with $MPREMOTE and a fresh $TMP, strips CR,
replaces the temporary directory's name, and compares with the .exp file beside the script; so does this
module. The scripts count on finding the board by themselves, as they would find one on USB: a `sitecustomize`
in front of the tool's Python makes pyserial's port list hold the rig's port, with the USB identity of a
MicroPython board.
"""

from __future__ import annotations

import argparse
import dataclasses
import difflib
import itertools
import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from tests.rigs.debian_source import micropython_tree

SITECUSTOMIZE = '''\
"""Let pyserial list the rig's port as a MicroPython board on USB (see tests/rigs/mpremote_suite.py)."""
import os
import sys

port = os.environ.get("UPYTOOL_RIG_PORT")
if port and "serial" not in sys.modules:
    import importlib.abc
    import importlib.util

    class Finder(importlib.abc.MetaPathFinder):
        def find_spec(self, name, path=None, target=None):
            if name != "serial.tools.list_ports":
                return None
            sys.meta_path.remove(self)
            spec = importlib.util.find_spec(name)
            run = spec.loader.exec_module

            def exec_module(module):
                run(module)
                from serial.tools.list_ports_common import ListPortInfo

                info = ListPortInfo(port, skip_link_detection=True)
                info.vid, info.pid, info.serial_number = 0xF055, 0x9802, "rig"
                info.manufacturer, info.product, info.location = "MicroPython", "rig", "1-1"
                module.comports = lambda include_links=False: [info]

            spec.loader.exec_module = exec_module
            return spec

    sys.meta_path.insert(0, Finder())
'''


@dataclasses.dataclass(frozen=True)
class Outcome:
    """One script's result: "pass", "fail" (other output), "crash" (it stopped) or "timeout"; and the diff."""

    script: str
    result: str
    detail: str

    @property
    def passed(self) -> bool:
        return self.result == "pass"


def scripts() -> list[Path]:
    """The test scripts of the source package, sorted by name."""
    _, tree = micropython_tree()
    return sorted((tree / "tools" / "mpremote" / "tests").glob("test_*.sh"))


Normalise = Callable[[str], str]
_MOUNTED = re.compile(r"^Local directory .* is mounted at /remote$")


_LISTED = re.compile(r"^ *\d+ \S")


def own_words(text: str) -> str:
    """What upytool says in words of its own, made equal on both sides; everything else has to be the same.

    1. A failure's message (`mpremote: ...` or argparse's `usage: ...` there, `error: ...` here) is `<error>`, and
       our `hint:` and `caused by` lines with their continuation are dropped: mpremote has none.
    2. "Local directory ... is mounted at /remote" goes to the front of its section (a section ends at `-----`):
       mpremote's stdout is buffered, so that what the board prints afterwards comes before it.
    3. The status that a script prints after a failure is `<failure>`: mpremote has 1 for all of them but a bad
       command line (2, and 2 here), we tell a refused file operation (6) from a program's exception (1).
    4. The entries of one listing are sorted by name, as we print them. mpremote prints them as they lie in FAT's
       directory, where a file that was replaced by a complete new one lies elsewhere than one written over.
    """
    sections: list[list[str]] = [[]]
    said_usage = False
    for line in text.splitlines():
        said_usage = line.startswith("usage: ") or (said_usage and line.startswith("   "))
        if said_usage or (
            line.startswith(("hint: ", "      ", "  caused by ")) and (sections[-1] or [""])[-1] == "<error>"
        ):
            continue
        if line.startswith(("mpremote: ", "error: ", "fs: error: ")):
            sections[-1].append("<error>")
        elif line in ("expect error: 1", "expect error: 6"):
            sections[-1].append("expect error: <failure>")
        elif _MOUNTED.match(line):
            sections[-1].insert(0, line)
        elif line == "-----":
            sections.append([])
        else:
            sections[-1].append(line)
    return "\n-----\n".join("\n".join(_listings_sorted(section)) for section in sections)


def _listings_sorted(lines: Iterable[str]) -> list[str]:
    found = []
    for listed, group in itertools.groupby(lines, lambda line: bool(_LISTED.match(line))):
        entries = list(group)
        found += sorted(entries, key=lambda line: line.split()[1]) if listed else entries
    return found


def as_it_is(text: str) -> str:
    """No normalisation."""
    return text


def run(
    tool: Sequence[str],
    port: str,
    *,
    only: Iterable[str] = (),
    timeout: float = 180,
    normalise: Normalise = as_it_is,
) -> list[Outcome]:
    """Run the scripts (all, or `only` those) with the command `tool` as $MPREMOTE on the board at `port`."""
    wanted = set(only)
    return [
        run_script(script, tool, port, timeout=timeout, normalise=normalise)
        for script in scripts()
        if not wanted or script.stem in wanted
    ]


def _bounded(command: Sequence[str], env: dict[str, str], cwd: str, timeout: float) -> tuple[int | None, bytes]:
    """Run a command in a session of its own; its status (None: it took too long, and all of it was ended) and
    output."""
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=env,
        cwd=cwd,
        start_new_session=True,
    )
    with process:
        try:
            output, _ = process.communicate(timeout=timeout)
            return process.returncode, output
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            output, _ = process.communicate()
            return None, output


def run_script(
    script: Path, tool: Sequence[str], port: str, *, timeout: float = 180, normalise: Normalise = as_it_is
) -> Outcome:
    """Run one script and compare its output with the .exp file beside it, both after `normalise`."""
    with tempfile.TemporaryDirectory(prefix="mpremote-suite-") as home:
        site = Path(home, "site")
        site.mkdir()
        (site / "sitecustomize.py").write_text(SITECUSTOMIZE)
        scratch = Path(home, "tmp")
        scratch.mkdir()
        command = " ".join(shlex.quote(part) for part in tool)
        search = [str(site), os.environ.get("PYTHONPATH", "")]
        # PYTHONUNBUFFERED would change the order of mpremote's own messages and the board's output.
        env = {
            **{name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"},
            "MPREMOTE": command,
            "TMP": str(scratch),
            "HOME": home,  # no configuration of the person who runs this
            "UPYTOOL_RIG_PORT": port,
            "PYTHONPATH": os.pathsep.join(part for part in search if part),
            "LC_ALL": "C.UTF-8",
            "NO_COLOR": "1",
        }
        status, data = _bounded(["bash", str(script)], env, home, timeout)
        output = data.replace(b"\r", b"").decode("utf-8", "replace").replace(str(scratch), "${TMP}")
    if status is None:
        why = f"no end after {timeout:.0f} s; output so far:\n{output[-2000:]}"
        return Outcome(script.stem, "timeout", why)
    expected = normalise(Path(f"{script}.exp").read_text())
    output = normalise(output)
    if output == expected:
        return Outcome(script.stem, "pass", "")
    lines = difflib.unified_diff(expected.splitlines(), output.splitlines(), "expected", "got", lineterm="", n=2)
    # Their runner calls it a crash when the pipeline fails; without pipefail that is the exit status of sed,
    # so a script that stops early shows as a difference there too. Here the script's own status tells the two
    # apart.
    return Outcome(script.stem, "crash" if status else "fail", "\n".join(lines))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it from a shell: `python -m tests.rigs.mpremote_suite --tool mpremote --rig qemu [SCRIPT...]`."""
    parser = argparse.ArgumentParser(prog="python -m tests.rigs.mpremote_suite")
    parser.add_argument("--tool", default=f"{sys.executable} -m mpremote", help="command line in mpremote's place")
    parser.add_argument(
        "--rig", default="qemu", help="rig to start (qemu, qemu-lfs, unix, ...) when no --port is given"
    )
    parser.add_argument("--port", help="a board that runs already")
    parser.add_argument("--diff", action="store_true", help="show what differs")
    parser.add_argument("--own-words", action="store_true", help="take a failure's message as equal, whatever it says")
    parser.add_argument("scripts", nargs="*", help="script names without .sh; all without it")
    given = parser.parse_args(arguments)
    normalise = own_words if given.own_words else as_it_is
    if given.port:
        outcomes = run(shlex.split(given.tool), given.port, only=given.scripts, normalise=normalise)
    else:
        from tests.rigs.boards import start

        with start(given.rig) as board:
            outcomes = run(shlex.split(given.tool), board.port, only=given.scripts, normalise=normalise)
    for outcome in outcomes:
        print(f"{outcome.result:8}{outcome.script}")
        if given.diff and outcome.detail:
            print(outcome.detail)
    return 0 if all(outcome.passed for outcome in outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
