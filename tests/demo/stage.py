"""Where a demo runs its commands: a temporary directory with upytool's settings, cache and boards of its own."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

TIMEOUT = 300  # seconds for one command; a whole firmware on the emulated Pico takes 20
PATIENCE = 20  # seconds for a command to end after an interruption


class Stage:
    """Shows and runs command lines. Attributes: folder; env, which `export` changes; interrupted.

    Commands get a process group of their own: Ctrl-C reaches the demo alone, which ends them and cleans up in order.
    It is looked at only where it is known what runs (between commands, and while one is waited for).
    """

    interrupted = False

    def __init__(self, folder: Path, program: Path) -> None:
        self.folder, self.program = folder, program
        own = {
            f"UPYTOOL_{kind.upper()}_DIR": str(folder / ".own" / kind) for kind in ("config", "cache", "state", "data")
        }
        kept = {name: value for name, value in os.environ.items() if not name.startswith("UPYTOOL_")}
        self.env = {**kept, **own}

    def say(self, text: str) -> None:
        print(f"\n\033[1m# {text}\033[0m" if sys.stdout.isatty() else f"\n# {text}", flush=True)

    def export(self, name: str, value: str) -> None:
        """Show and set an environment variable for the commands that follow."""
        print(f"$ export {name}={shlex.quote(value)}", flush=True)
        self.env[name] = value

    def write(self, files: Mapping[str, str]) -> None:
        """Make files in the demo's directory."""
        for path, text in files.items():
            (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / path).write_text(text, encoding="utf-8", newline="\n")

    def run(self, line: str) -> None:
        """Show and run `line`, `upytool WORDS [< FILE]`. Raises: SystemExit when it fails; KeyboardInterrupt."""
        self._go_on()
        print(f"$ {line}", flush=True)
        words = shlex.split(line)
        source: int | Path = subprocess.DEVNULL
        if "<" in words:
            at = words.index("<")
            words, source = words[:at], self.folder / words[at + 1]
        with contextlib.ExitStack() as opened:
            stdin = opened.enter_context(open(source, "rb")) if isinstance(source, Path) else source
            child = subprocess.Popen(
                [self.program, *words[1:]], cwd=self.folder, env=self.env, stdin=stdin, stderr=sys.stdout,
                **({"process_group": 0} if os.name == "posix" else {}),  # type: ignore[call-overload]
            )  # fmt: skip
        status, until = None, time.monotonic() + TIMEOUT
        while status is None and time.monotonic() < until and not self.interrupted:
            with contextlib.suppress(subprocess.TimeoutExpired):
                status = child.wait(0.1)
        if status is None:
            # `sim start` is let run out: what it has started in the background must be known to be stopped.
            if words[1:3] != ["sim", "start"]:
                child.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(PATIENCE)
            child.kill()
            child.wait()
        self._go_on()
        if status != 0:
            raise SystemExit(f"the demo failed: `{line}` ended with {status}")

    def _go_on(self) -> None:
        if self.interrupted:
            raise KeyboardInterrupt

    def close(self) -> None:
        """Stop every simulated board of this stage, without a word."""
        subprocess.run(
            [self.program, "sim", "stop", "--all"], cwd=self.folder, env=self.env, stdin=subprocess.DEVNULL,
            capture_output=True, timeout=TIMEOUT, **({"process_group": 0} if os.name == "posix" else {}),
        )  # fmt: skip


@contextlib.contextmanager
def stage(program: Path) -> Iterator[Stage]:
    """A stage for `program`, an upytool; nothing of it is left afterwards."""
    with tempfile.TemporaryDirectory(prefix="upytool-demo-") as name:
        made = Stage(Path(name), program)

        def interrupt(*_: object) -> None:
            made.interrupted = True

        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, interrupt)
        try:
            yield made
        except Exception:
            if not made.interrupted:  # else it is what the key did to something else, and of no interest
                raise
            raise KeyboardInterrupt from None
        finally:
            made.close()
