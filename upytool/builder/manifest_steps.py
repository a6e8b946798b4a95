"""What a running manifest needs around it: its options, its folder, its lines, its calls, and the files that a call
names."""

from __future__ import annotations

import _thread
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

TIMEOUT = 60.0  # seconds for a manifest: it is a program, and may loop


class LeaveOut(Exception):
    """The package is not needed here (standard library, or PyPI's own is used)."""

    def __init__(self, dependency: str = "") -> None:
        self.dependency = dependency


class Options:
    """`options` of a manifest: what `include(..., name=value)` passed, else `options.defaults(...)`, else None."""

    def __init__(self, given: dict[str, Any], ask: Callable[[str], None]) -> None:
        self.__dict__.update(_given=given, _defaults={}, _ask=ask)

    def defaults(self, **values: Any) -> None:
        self.__dict__["_defaults"] = values

    def __getattr__(self, name: str) -> Any:
        if name in self._given:
            return self._given[name]
        if name in self._defaults:
            return self._defaults[name]
        self._ask(name)
        return None


def spelled(verb: str, *arguments: Any, **options: Any) -> str:
    """A call as its author would write it."""
    shown = [repr(str(each)).replace("'", '"') for each in arguments if each is not None]
    shown += [f"{name}={value!r}" for name, value in options.items() if value is not None]
    return f"{verb}({', '.join(shown)})"


def walk(folder: Path) -> Iterator[str]:
    """Files below a folder as sorted relative paths with "/"; links are followed, a loop of them is not."""
    found: list[str] = []
    for place, names in _places(folder):
        relative = os.path.relpath(place, folder)
        found += [name if relative == "." else os.path.join(relative, name) for name in names]
    return iter(sorted(name.replace(os.sep, "/") for name in found))


def find_package(library: Path, name: str) -> Path | None:
    """The first folder of that name with a manifest.py, in the order of a sorted walk."""
    for place, names in _places(library):
        if "manifest.py" in names and os.path.basename(place) == name:
            return Path(place)
    return None


def _places(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """Each folder below, in order, with its files' names."""
    seen: set[str] = set()

    def unreadable(error: OSError) -> None:  # left out in silence it would be missing in the firmware
        raise error

    for place, folders, names in os.walk(folder, onerror=unreadable, followlinks=True):
        real = os.path.realpath(place)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(each for each in folders if each != "__pycache__")
        yield place, names


@contextmanager
def within(seconds: float, late: Exception) -> Iterator[None]:
    """Raise `late` from what runs longer, by what Ctrl-C does. Only the main thread can be interrupted."""
    import signal
    import threading

    main = threading.main_thread()
    if threading.current_thread() is not main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    over = threading.Event()

    def stop() -> None:
        over.set()
        if sys.platform == "win32" or main.ident is None:
            _thread.interrupt_main()
        else:
            signal.pthread_kill(main.ident, signal.SIGINT)  # a sleep ends by a true signal alone

    clock = threading.Timer(seconds, stop)
    clock.daemon = True
    clock.start()
    try:
        yield
    except KeyboardInterrupt:
        if over.is_set():
            raise late from None
        raise
    finally:
        clock.cancel()
        clock.join()


@contextmanager
def working_in(folder: Path) -> Iterator[None]:
    """The language promises that the current folder is the manifest's own while it runs."""
    before = os.getcwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def line_in(error: BaseException, path: str) -> int:
    """The last line of `path` in an error's traceback."""
    line, trace = 0, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == path:
            line = trace.tb_lineno
        trace = trace.tb_next
    return line
