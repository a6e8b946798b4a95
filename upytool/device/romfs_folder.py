"""A folder as the content of an image: what goes in, under which names, compiled for which board; and back."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .. import documents, limits
from ..errors import LocalFileError, UsageError
from ..events import NULL, Reporter, Task, notice
from ..mpy.cross import NEVER
from ..scratch import scratch_directory
from ..words import Said
from .compile import HEAD, compile_module, compiler_for, mpy_problem
from .ignore import ignore_for
from .info import ARCHITECTURES, BoardInfo
from .local import FileSink, local_error
from .tree import IgnoreRule, local_tree

_VERSION = re.compile(r"6(?:\.([0-3]))?")


@dataclass(frozen=True, slots=True)
class Content:
    """What an image is made of.

    Attributes:
        files: content by path in the image.
        directories: all of them, empty ones too.
        compiled: paths in the image of the .mpy files that were made from .py files.
        sources: path in the image -> path in the folder.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    directories: tuple[str, ...] = ()
    compiled: tuple[str, ...] = ()
    sources: dict[str, str] = field(default_factory=dict)


def target_board(mpy_version: str = "6.3", arch: str = "", *, small_int_bits: int = 31) -> BoardInfo:
    """A board that is not there, to compile for.

    Args:
        mpy_version: `6` or `6.3`, as docs/reference/mpyfiles.rst of MicroPython lists them.
        arch: of native code, as mpy-cross names it; '' for bytecode alone, which every board of that version runs.

    Errors: UsageError.
    """
    match = _VERSION.fullmatch(mpy_version)
    if match is None:
        raise UsageError("usage.mpy-version", version=mpy_version)
    numbers = {name: number for number, name in ARCHITECTURES.items() if name}
    if arch and arch not in numbers:
        raise UsageError("usage.mpy-architecture", architecture=arch, known=list(numbers))
    sub = int(match[1] or 3)
    mpy = 6 | sub << 8 | numbers.get(arch, 0) << 10
    return BoardInfo(implementation="micropython", mpy=mpy, small_int_bits=small_int_bits)


def collect(
    folder: str | Path,
    board: BoardInfo | None,
    *,
    ignore: Sequence[str] = (),
    default_ignores: bool = True,
    leave_out: Path | None = None,
    reporter: Reporter = NULL,
) -> Content:
    """Read a folder, compiling its .py files for `board` (None: they stay as they are).

    `main.py` and `boot.py` at the top stay sources: a port that starts programs from ROMFS looks for these names.
    Nothing is written into the folder.

    Args:
        ignore: patterns after the defaults and the folder's `.upytoolignore`.
        leave_out: one more file to leave out, the image itself.

    Errors: LocalFileError, UsageError; BuildError with file and line for what does not compile.
    """
    root = Path(folder)
    if not os.path.isdir(root):
        raise UsageError("usage.romfs-source", path=folder)
    hidden = _relative(leave_out, root)

    def rule(at: Path) -> IgnoreRule:
        ignored = ignore_for(at, ignore, defaults=default_ignores)
        return lambda path, is_dir: path == hidden or ignored(path, is_dir)

    tree = local_tree(str(root), recursive=True, ignore=rule)
    names = {path: _normal(path) for path in (*tree.files, *tree.dirs)}
    if len(set(names.values())) != len(names):
        raise UsageError("usage.romfs-names", path=folder)
    sources: dict[str, str] = {}
    compiled = []
    for path in tree.files:
        name = names[path]
        if board is not None and name.endswith(".py") and name not in NEVER:
            made = name[:-3] + ".mpy"
            if made in names.values():
                notice(reporter, f"{path} is kept as it is beside {made}, and is imported in its place", "warning")
            else:
                name = made
                compiled.append(made)
        sources[name] = path
    files = _read(root, sources, set(compiled), board, reporter)
    return Content(files, tuple(sorted(names[path] for path in tree.dirs)), tuple(sorted(compiled)), sources)


def gather(paths: Sequence[str | Path], to: str = "", *, default_ignores: bool = True) -> Content:
    """Read files and directories as they are, by the path that they get: a directory with its name, `lib/` without.

    Args:
        to: the directory that all of it goes to, "" for the root.

    Errors: LocalFileError, UsageError.
    """
    files: dict[str, bytes] = {}
    folders: list[str] = []
    base = to.strip("/")
    for each in paths:
        text, path = os.fspath(each), Path(each)
        prefix = [base] if base else []
        if not os.path.isdir(path):
            data = documents.read_bytes(text, error=LocalFileError, limit=limits.IMAGE_BYTES)
            files["/".join([*prefix, path.name])] = data
            continue
        if not text.endswith(("/", "\\")) and path.name not in ("", "."):
            prefix.append(path.name)
            folders.append("/".join(prefix))
        content = collect(path, None, default_ignores=default_ignores)
        files |= {"/".join([*prefix, name]): data for name, data in content.files.items()}
        folders += ["/".join([*prefix, name]) for name in content.directories]
    return Content(files, tuple(folders))


def check_modules(content: Content, board: BoardInfo, reporter: Reporter) -> None:
    """Warn of .mpy files of the folder that `board` would refuse."""
    for name, data in sorted(content.files.items()):
        if name.endswith(".mpy") and name not in content.compiled:
            problem = mpy_problem(data[:HEAD], board)
            if problem:
                notice(reporter, f"{content.sources[name]}: the board will refuse it: {problem}", "warning")


def _read(
    root: Path, sources: dict[str, str], compiled: set[str], board: BoardInfo | None, reporter: Reporter
) -> dict[str, bytes]:
    """The contents by name in the image; compilers run side by side."""
    cross = compiler_for(board) if board is not None and compiled else None

    def content(name: str) -> bytes:
        path = root / sources[name]
        if name in compiled and cross is not None:
            return compile_module(cross, path, sources[name])
        return documents.read_bytes(path, error=LocalFileError, limit=limits.IMAGE_BYTES)

    names = sorted(sources)
    if not compiled:
        return {name: content(name) for name in names}
    with Task(reporter, "compiling", len(names), "files") as task:
        return dict(zip(names, _side_by_side(content, names, task), strict=True))


def _side_by_side(work: Callable[[str], bytes], names: list[str], task: Task) -> list[bytes]:
    """The results in order, or the first error in order."""
    from concurrent.futures import ThreadPoolExecutor

    done = []
    with ThreadPoolExecutor(max_workers=max(2, os.cpu_count() or 1)) as pool:
        futures = [pool.submit(work, name) for name in names]
        try:
            for future in futures:
                done.append(future.result())
                task.advance(1)
        finally:
            pool.shutdown(cancel_futures=True)
    return done


def _relative(path: Path | None, root: Path) -> str:
    """`path` as a path in the folder, '' where it is not there."""
    if path is None:
        return ""
    try:
        return path.resolve().relative_to(root.resolve()).as_posix()
    except (ValueError, OSError):
        return ""


def _normal(path: str) -> str:
    """Names composed (NFC), as most systems have them, so that a folder gives the same image everywhere."""
    if path.isascii():
        return path
    from unicodedata import normalize

    return normalize("NFC", path)


def save(files: Mapping[str, bytes], directories: Sequence[str], target: Path, *, force: bool = False) -> None:
    """Write an image's content into a folder: a new or empty one as a whole or not at all, with `force` any one.

    Errors: UsageError where the folder holds something; LocalFileError, also for names that this computer cannot have.
    """
    for name in (*files, *directories):
        _usable(name)
    try:
        taken = os.path.exists(target) and (not os.path.isdir(target) or any(target.iterdir()))
        if taken and not force:
            raise UsageError("usage.romfs-target", path=target)
        if taken:
            _fill(files, directories, target)
            return
        target.absolute().parent.mkdir(parents=True, exist_ok=True)
        with scratch_directory(target.absolute().parent) as beside:
            whole = beside / "content"
            _fill(files, directories, whole)
            os.replace(whole, target)
    except OSError as error:
        raise local_error(error, error.filename or target) from error


def _fill(files: Mapping[str, bytes], directories: Sequence[str], target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    for name in sorted(directories):
        target.joinpath(*name.split("/")).mkdir(parents=True, exist_ok=True)
    for name, data in sorted(files.items()):
        path = target.joinpath(*name.split("/"))
        path.parent.mkdir(parents=True, exist_ok=True)
        sink = FileSink(path)
        sink.write(data)
        sink.done()


def _usable(name: str) -> None:
    """A name made elsewhere must not mean something else here: `C:` and `\\` on Windows."""
    bad = "." in name.split("/") or ".." in name.split("/") or name.startswith("/") or not name
    if bad or (os.name == "nt" and set(name) & set('\\:*?"<>|')):
        raise LocalFileError("local-file.name", path=name, hint=Said("device.nothing-written"))
