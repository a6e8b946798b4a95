"""What runs on the board. MicroPython text: plain, small, and only `os` and `sys` needed.

`board.Board` sends this file's text and a call of one function; each is one program, so one round trip.
The functions are idempotent: run again after a power cut they finish the work.
"""

import os


def exists(path: str) -> bool:
    try:
        os.stat(path)
        return True
    except OSError:
        return False


def read(path: str) -> object:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return None


def make(path: str, made: list[str]) -> None:
    """Make a folder and those above it; the new ones are added to `made`."""
    at = ""
    for part in path.split("/"):
        at = at + part if at in ("", "/") else at + "/" + part
        if not at:
            at = "/"
        elif at != "/" and not exists(at):
            os.mkdir(at)
            made.append(at)


def survey(path: str, record: str, sys_path: list[str]) -> object:
    """Look at a target folder: see `board.survey` for what is returned. Small, for it goes to the board every time."""
    import sys

    number = names = folds = space = None
    try:
        names = os.listdir(path or "/")
        for name in names:
            other = name.lower() if name.upper() == name else name.upper()
            if other not in names:
                folds = False
                folds = os.stat(path + "/" + other) and True
                break
    except OSError as error:
        number = error.args[0]
    try:
        space = tuple(os.statvfs(path or "/"))
    except (OSError, AttributeError):
        pass
    kind = sys.implementation
    mpy = getattr(kind, "_mpy", 0) or getattr(kind, "mpy", 0)
    return (sys_path, mpy, sys.maxsize, names and names[:100], number, folds, space, read(path + record))


def missing(paths: list[str]) -> object:
    """Those of some paths that do not exist."""
    return [path for path in paths if not exists(path)]


def left(target: str, stage: str, waiting: str, part: str) -> object:
    """What an earlier install left: whether there is a stage, its journal; of a small one its record, and what it has
    behind `part` in the names of its files.
    """
    names = os.listdir(target or "/")
    ends = ["/" + name for name in names if ("/" + name).startswith(part) and "/" + name != stage]
    return (
        exists(target + stage),
        read(target + stage + "/journal"),
        read(target + waiting),
        [name[len(part) :] for name in ends],
    )


def usable(candidates: list[str], stage: str, record: str) -> object:
    """The first of these folders with a record, or in which a folder can be made; else the first's error number."""
    problem = 0
    for path in candidates:
        made: list[str] = []
        number = 0
        try:
            if not exists(path + record):
                make(path + stage, made)
        except OSError as error:
            number = error.args[0]
        tidy(made[::-1])
        if number in (0, 28):  # ENOSPC: full, but one can uninstall
            return path
        problem = problem or number
    return problem


def cases(paths: list[str]) -> object:
    """Pairs of such a path and what is on the board under the same name in another case."""
    found = []
    for path in paths:
        folder, name = path.rsplit("/", 1)
        if exists(path):
            for each in os.listdir(folder or "/"):
                if each != name and each.lower() == name.lower():
                    found.append((path, folder + "/" + each))
    return found


def records(folders: object, name: str, sys_path: list[str]) -> object:
    """The record of each folder that has one; `folders` None means all of `sys_path`."""
    found = []
    for path in sys_path if folders is None else folders:  # type: ignore[attr-defined]
        if path and path != ".frozen":
            data = read(("" if path == "/" else path) + name)
            if data is not None:
                found.append((path, data))
    return (list(sys_path), found)


def sizes(paths: list[str]) -> object:
    """Bytes of each file, 0 for what is not there."""
    return [os.stat(path)[6] if exists(path) else 0 for path in paths]


def prepare(folders: list[str], files: list[str], names: list[str], stage: str) -> object:
    """Make folders, and try whether the file system takes these names: (the new folders, files that are folders in
    truth), or (None, path, errno) of what it refuses.
    """
    made: list[str] = []
    path = stage
    try:
        for path in folders:
            make(path, made)
        for path in names:
            open(stage + "/" + path, "wb").close()
            os.remove(stage + "/" + path)
        return (made, [path for path in files if exists(path) and os.stat(path)[0] & 0x4000])
    except OSError as error:
        tidy(made[::-1])
        return (None, path, error.args[0])


def commit(
    moves: tuple[tuple[str, str], ...],
    new: int,
    removes: tuple[str, ...],
    empty: tuple[str, ...],
    needed: tuple[str, ...],
    stage: str,
    journal: bool,
) -> object:
    """Put staged files in their places, remove others, drop the folders `empty` that got so, and the stage.

    First a journal of all that is written, unless there is one. What replaces nothing, of the first `new` moves, comes
    next, with the folders that it needs: where one of these is refused, all are taken back.
    None, or (path, errno, was it all taken back) of what the board refused.
    """
    path = stage
    log = stage + "/journal"
    done = []
    made: list[str] = []
    try:
        if journal and not exists(log):
            if not exists(stage):
                os.mkdir(stage)
            with open(stage + "/j", "wb") as file:
                file.write(repr((moves, new, removes, empty, needed)).encode())
            os.rename(stage + "/j", log)
        for path in needed:
            if not exists(path):
                os.mkdir(path)
                made.append(path)
        for source, path in moves[:new]:
            if exists(source) and not exists(path):
                os.rename(source, path)
                done.append((source, path))
    except OSError as error:
        for source, back in reversed(done):
            os.rename(back, source)
        tidy(made[::-1])
        if exists(log):
            os.remove(log)
        return (path, error.args[0], True)
    try:
        for source, path in moves:
            if exists(source):
                try:
                    os.rename(source, path)
                except OSError as error:
                    if error.args[0] != 17:  # EEXIST: a file system that replaces nothing
                        raise
                    os.remove(path)
                    os.rename(source, path)
        for path in removes + (log,):  # noqa: RUF005 - older boards do not know it
            if exists(path):
                os.remove(path)
        tidy(empty + (stage,))  # noqa: RUF005
    except OSError as error:
        return (path, error.args[0], False)
    return None


def clear(stage: str) -> object:
    """Remove the stage; the journal goes last."""
    if exists(stage):
        for name in sorted(os.listdir(stage), key=lambda name: name == "journal"):
            os.remove(stage + "/" + name)
        os.rmdir(stage)
    return True


def sweep(target: str, stage: str, waiting: str, part: str) -> object:
    """Remove what an install left; without the record of a small one its files are nothing any more."""
    if exists(target + waiting):
        os.remove(target + waiting)
    for name in os.listdir(target or "/"):
        if ("/" + name).startswith(part) and "/" + name != stage:
            os.remove(target + "/" + name)
    return clear(target + stage)


def withdraw(moves: list[tuple[str, str]], waiting: str, record: str, folders: list[str]) -> object:
    """Take back a small install that did not get through; returns the record.

    What has its place goes back first: while the record to be is there, all of it can still be finished.
    """
    if exists(waiting):
        for source, path in moves:
            if not exists(source) and exists(path):
                os.rename(path, source)
        os.remove(waiting)
    for source, _ in moves:
        if exists(source):
            os.remove(source)
    tidy(folders)
    return read(record)


def undo(files: list[str], folders: list[str], stage: str) -> object:
    """Take back what an install that failed has made."""
    for path in files:
        try:
            os.remove(path)
        except OSError:
            pass
    clear(stage)
    tidy(folders)
    return True


def tidy(folders: object) -> None:
    """Remove these folders where they are empty; the deepest come first."""
    for path in folders:  # type: ignore[attr-defined]
        try:
            os.rmdir(path)
        except OSError:
            pass
