"""What runs on the board. MicroPython text: plain, small, and only `os` needed.

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


def survey(candidates: object, write: bool, stage: str, record: str, sys_path: list[str]) -> object:
    """Choose the first usable target folder: (path, statvfs, has it a stage, journal, record, failures).

    `candidates` None means: those of `sys_path` that end in /lib. With `write`, a folder counts when it has a record,
    or when a folder can be made in it; it is made itself where it is missing. The last of the tuple tells whether its
    file system ignores the case of names, None where that does not show.
    """
    if candidates is None:
        candidates = [p for p in sys_path if p.endswith("/lib") and not (p + "/").startswith("/rom/")]
    failures = []
    for path in candidates:  # type: ignore[attr-defined]
        base = "" if path == "/" else path
        if write and not exists(base + record):
            made: list[str] = []
            try:
                make(path, made)
                if not exists(base + stage):
                    os.mkdir(base + stage)
                    os.rmdir(base + stage)
            except OSError as error:
                if error.args[0] != 28:  # ENOSPC: full, but one can uninstall
                    failures.append((path, error.args[0]))
                    tidy(made)
                    continue
        space: object = None
        try:
            space = tuple(os.statvfs(path or "/"))
        except (OSError, AttributeError):
            pass
        return (
            path,
            space,
            exists(base + stage),
            read(base + stage + "/journal"),
            read(base + record),
            failures,
            folds(base),
        )
    return ("", None, False, None, None, failures, None)


def folds(base: str) -> object:
    """Whether names that differ only in case are one file: asked with a name that is there."""
    try:
        names = os.listdir(base or "/")
    except OSError:
        return None
    for name in names:
        other = name.lower() if name.upper() == name else name.upper()
        if other not in names:
            return exists(base + "/" + other)
    return None


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
        tidy(made)
        return (None, path, error.args[0])


def commit(moves: list[tuple[str, str]], new: int, removes: list[str], folders: list[str], stage: str) -> object:
    """Put staged files in their places, remove others, drop folders that got empty, clear the stage.

    What replaces nothing, of the first `new` moves, comes first: where one of these is refused, all are taken back.
    None, or (path, errno, was it all taken back) of what the board refused.
    """
    path = stage
    done = []
    try:
        for source, path in moves[:new]:
            if exists(source) and not exists(path):
                os.rename(source, path)
                done.append((source, path))
    except OSError as error:
        for source, back in reversed(done):
            os.rename(back, source)
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
        for path in removes:
            if exists(path):
                os.remove(path)
        tidy(folders)
        path = stage
        clear(stage)
    except OSError as error:
        return (path, error.args[0], False)
    return None


def clear(stage: str) -> object:
    """Remove the stage; the journal goes last."""
    if exists(stage):
        for name in os.listdir(stage):
            if name != "journal":
                os.remove(stage + "/" + name)
        if exists(stage + "/journal"):
            os.remove(stage + "/journal")
        tidy([stage])
    return True


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


def tidy(folders: list[str]) -> None:
    """Remove these folders where they are empty, the deepest first."""
    for path in sorted(folders, key=len, reverse=True):
        try:
            os.rmdir(path)
        except OSError:
            pass
