"""Which local files stay behind: the defaults, a `.upytoolignore` file, patterns from the command line or project.

A pattern is written as in .gitignore: `*.log`, `build/` (folders only), `/secret.py` (at the top only), `docs/*.md`
(from the top), `**` for any folders, `!keep.log` takes back what an earlier pattern left out. The last one that matches
decides.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from .. import documents
from ..errors import LocalFileError, UsageError

DEFAULTS = ("__pycache__/", ".*", "*.pyc")
FILE_NAME = ".upytoolignore"


class Ignore:
    """Tells whether a path below a folder is left out.

    Args:
        patterns: in order, after the defaults.
        defaults: False forgets `DEFAULTS`.
    """

    def __init__(self, patterns: Iterable[str] = (), *, defaults: bool = True) -> None:
        lines = [*(DEFAULTS if defaults else ()), *patterns]
        self._rules = [rule for rule in map(_rule, lines) if rule is not None]

    def __call__(self, path: str, is_dir: bool) -> bool:
        """`path` is relative to the folder, with `/`; its parents are known not to be left out."""
        out = False
        for pattern, keeps, dirs_only in self._rules:
            if (not dirs_only or is_dir) and pattern.match(path):
                out = not keeps
        return out


def ignore_for(folder: Path, patterns: Iterable[str] = (), *, defaults: bool = True) -> Ignore:
    """The rules for a folder: defaults, its `.upytoolignore`, then `patterns`. Errors: LocalFileError."""
    file = os.path.join(folder, FILE_NAME)
    lines = documents.read_text(file, error=LocalFileError).splitlines() if os.path.lexists(file) else []
    return Ignore([*lines, *patterns], defaults=defaults)


@cache
def _rule(line: str) -> tuple[re.Pattern[str], bool, bool] | None:
    text = line.rstrip()
    if not text or text.startswith("#"):
        return None
    keeps = text.startswith("!")
    text = text.removeprefix("!").removeprefix("\\")
    dirs_only = text.endswith("/")
    text = text.rstrip("/")
    anchored = "/" in text
    body = _translate(text.removeprefix("/"))
    try:
        pattern = re.compile(f"(?:{body})\\Z" if anchored else f"(?:.*/)?(?:{body})\\Z", re.S)
    except re.error as error:
        raise UsageError("usage.ignore-pattern", pattern=line, reason=error.msg) from error
    return pattern, keeps, dirs_only


def _translate(text: str) -> str:
    out, at = [], 0
    while at < len(text):
        char = text[at]
        if text.startswith("**/", at):
            out.append("(?:.*/)?")
            at += 3
            continue
        if text.startswith("**", at):
            out.append(".*")
            at += 2
            continue
        if char == "*":
            out.append("[^/]*")
        elif char == "?":
            out.append("[^/]")
        elif char == "[" and "]" in text[at + 2 :]:
            end = text.index("]", at + 2)
            inside = text[at + 1 : end].replace("\\", "\\\\")
            out.append("[" + ("^" + inside[1:] if inside[0] in "!^" else inside) + "]")
            at = end
        else:
            out.append(re.escape(char))
        at += 1
    return "".join(out)
