"""Runs the steps of a source build: one log, progress as events, and nothing left running when it is stopped."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import BuildError
from ..events import NULL, Reporter, Task
from .container import Container, stop_container
from .preflight import idf_export

LIMIT = 3 * 3600.0
QUERY_LIMIT = 120.0
_COUNTED = re.compile(r"^\[(\d+)/(\d+)\] ")  # ninja
_PERCENT = re.compile(r"^\[ *(\d+)%\] ")  # make from cmake
_MADE = re.compile(r"^(?:CC|CXX|AS|LINK|GEN|MPY) ")  # MicroPython's own makefiles
# What a user's shell may hold that a port's makefile or SDK would take for its own: no lock would know of it.
_STRANGE = frozenset((
    "FROZEN_MANIFEST", "USER_C_MODULES", "BOARD", "BOARD_DIR", "BOARD_VARIANT", "BUILD", "PORT", "MAKEFLAGS",
    "MAKELEVEL", "MFLAGS", "VARIANT", "CMAKE_ARGS", "IDFPY_FLAGS", "DEBUG", "LTO", "COPT", "CFLAGS", "CFLAGS_EXTRA",
    "CXXFLAGS", "CXXFLAGS_EXTRA", "CPPFLAGS", "LDFLAGS", "LDFLAGS_EXTRA", "INC", "SRC_MOD", "SDKCONFIG", "IDF_TARGET",
))  # fmt: skip
_STRANGE_KINDS = ("MICROPY_", "PICO_")
_WELCOME = "PICO_TOOLCHAIN_PATH"  # where a compiler is


@dataclass
class Runner:
    """Where steps run: on this computer, or in a container.

    Attributes:
        log: the file that everything is written to.
        environment: added to this process's.
        steps: how many lines of progress the last run of this build folder had, for make's own builds.
        counted: how many this run had.
    """

    log: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    container: Container | None = None
    reporter: Reporter = NULL
    steps: int = 0
    counted: int = 0
    seconds: float = 0.0

    def path(self, place: Path) -> str:
        """How a step names a file."""
        return self.container.path(place) if self.container is not None else str(place)

    def start_log(self, title: str) -> None:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.log.write_text(f"{title}\n", encoding="utf-8")

    def run(self, words: Sequence[str], cwd: Path, label: str, *, limit: float = LIMIT) -> str:
        """One step; gives what it printed.

        Raises: StepFailed with the text, BuildError when it cannot start or does not end in time.
        """
        started = time.monotonic()
        line, name = self._line(words, cwd)
        progress = _Progress(self.reporter, label, self.steps)
        said: list[str] = []
        with open(self.log, "a", encoding="utf-8", newline="\n") as log:
            log.write(f"$ {' '.join(words)}\n")
            log.flush()
            process = _start(line, cwd, self._environment())
            late = threading.Event()

            def stop() -> None:
                late.set()
                _end(process, self.container, name)

            clock = threading.Timer(limit, stop)
            clock.daemon = True
            clock.start()
            try:
                assert process.stdout is not None
                with process.stdout as pipe:
                    for raw in pipe:
                        text = raw.decode("utf-8", "replace").replace("\r\n", "\n")
                        log.write(text)
                        said.append(text)
                        progress.line(text)
                status = process.wait(60)
            except subprocess.TimeoutExpired:
                _end(process, self.container, name)
                progress.end(ok=False)
                raise BuildError("build.tool-hangs", command=words[0], log=self.log) from None
            except BaseException:
                _end(process, self.container, name)
                progress.end(ok=False)
                raise
            finally:
                clock.cancel()
        self.counted += progress.count
        self.seconds += time.monotonic() - started
        progress.end(ok=status == 0)
        if late.is_set():
            raise BuildError("build.tool-timed-out", command=words[0], seconds=limit, log=self.log)
        if status:
            raise StepFailed("".join(said), words[0], status)
        return "".join(said)

    def _line(self, words: Sequence[str], cwd: Path) -> tuple[list[str], str]:
        if self.container is not None:
            name = f"upytool-{os.getpid()}-{time.monotonic_ns():x}"
            return self.container.command(words, cwd, self.environment, name), name
        return list(words), ""

    def _environment(self) -> dict[str, str]:
        kept = {
            key: value for key, value in os.environ.items()
            if key == _WELCOME or not (key in _STRANGE or key.startswith(_STRANGE_KINDS))
        }  # fmt: skip
        added = {} if self.container is not None else dict(self.environment)
        return {**kept, "LC_ALL": "C", **added}


class StepFailed(Exception):
    """A step ended with an error; `said` is all that it printed."""

    def __init__(self, said: str, program: str, status: int) -> None:
        super().__init__(f"{program} ended with {status}")
        self.said, self.program, self.status = said, program, status


def with_idf(words: Sequence[str]) -> list[str]:
    """A step with ESP-IDF on the path: as it is where it is there, else through ESP-IDF's own script."""
    from shutil import which

    script = idf_export()
    if which("idf.py") or not script:
        return list(words)
    return ["bash", "-c", '. "$0" >/dev/null && exec "$@"', script, *words]


class _Progress:
    """What make, ninja and cmake print, as one task."""

    def __init__(self, reporter: Reporter, label: str, expected: int) -> None:
        self.reporter, self.label, self.expected, self.count = reporter, label, expected, 0
        self._task: Task | None = None
        self._total = 0
        self._counted = False

    def line(self, text: str) -> None:
        if found := _COUNTED.match(text):
            self._counted = True
            if int(found[2]) >= self._total:  # a project inside of the project counts for itself
                self._advance(int(found[1]), int(found[2]))
        elif found := _PERCENT.match(text):
            self._counted = True
            self._advance(int(found[1]), 100)
        elif not self._counted and _MADE.match(text):
            self.count += 1
            self._advance(self.count, self.expected if self.count <= self.expected else 0)

    def end(self, *, ok: bool) -> None:
        if self._task is not None:
            self._task.finish(ok)

    def _advance(self, done: int, total: int) -> None:
        if self._task is None or (total and self._total and total > self._total):
            self.end(ok=True)
            self._task, self._total = Task(self.reporter, self.label, total or None, "steps"), total
        if done > self._task.done:
            self._task.advance(done - self._task.done)


def _start(line: Sequence[str], cwd: Path, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    try:
        if sys.platform == "win32":
            return subprocess.Popen(
                line, cwd=cwd, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT, creationflags=subprocess.CREATE_NEW_PROCESS_GROUP,
            )  # fmt: skip
        return subprocess.Popen(
            line, cwd=cwd, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    except OSError as error:
        raise BuildError("build.tool-not-started", command=line[0], reason=error.strerror or error) from error


def _end(process: subprocess.Popen[bytes], container: Container | None, name: str) -> None:
    """End a step with all that it started."""
    if container is not None and process.poll() is None:
        try:
            stop_container(container.program, name)
        except BuildError:
            pass  # the program itself is ended below
    if sys.platform == "win32":
        subprocess.run(["taskkill", "/PID", str(process.pid), "/T", "/F"], capture_output=True, timeout=30)
    else:
        for sign in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(process.pid, sign)
            except ProcessLookupError:
                break
            if sign is signal.SIGTERM:
                try:
                    process.wait(3)
                except subprocess.TimeoutExpired:
                    pass
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        pass
