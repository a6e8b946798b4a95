"""Change one key of a TOML file and leave everything else, comments and order included, as it stands.

A line editor, checked: what it makes is parsed again and must say what was meant, else nothing is written.
"""

from __future__ import annotations

import os
import re
from typing import Any

from .. import documents
from ..errors import ConfigError
from ..whole_file import write_whole
from .load import read_toml

_HEADER = re.compile(r"\s*\[\s*([^\[\]]+?)\s*\]\s*(#.*)?$")
_BARE = re.compile(r"[A-Za-z0-9_-]+")


def set_value(path: str, table: str, key: str, value: str | int | float | bool, *, private: bool = False) -> None:
    """Write `key = value`, at the top level where `table` is "". Raises ConfigError.

    Args:
        private: the file is for this user alone from now on.
    """
    _rewrite(path, table, key, _literal(value), value, private)


def unset_value(path: str, table: str, key: str) -> bool:
    """Remove a key; False where it was not there. Raises ConfigError."""
    content = read_toml(path)
    home = content.get(table, {}) if table else content
    if not isinstance(home, dict) or key not in home:
        return False
    _rewrite(path, table, key, None, None)
    return True


def _rewrite(path: str, table: str, key: str, literal: str | None, value: Any, private: bool = False) -> None:
    wanted = read_toml(path)
    home: dict[str, Any] = wanted.setdefault(table, {}) if table else wanted
    if not isinstance(home, dict):
        raise ConfigError("config.not-a-table", path=path, table=table)
    if literal is None:
        del home[key]
    else:
        home[key] = value
    text = ""
    if os.path.exists(path):
        text = documents.read_bytes(path).decode("utf-8-sig")  # with its own line ends; that it is UTF-8 is known
    changed = _edit(text, table, key, literal)
    try:
        good = documents.parse_toml(changed, path) == wanted
    except ConfigError:
        good = False
    if not good:
        raise ConfigError("config.cannot-edit", path=path, key=f"{table}.{key}" if table else key)
    _write(path, changed, private)


def _edit(text: str, table: str, key: str, literal: str | None) -> str:
    newline = "\r\n" if "\r\n" in text else "\n"
    lines = text.splitlines()
    start, end = _section(lines, table)
    if start is None:
        if lines and lines[-1].strip():
            lines.append("")
        lines.append(f"[{_key(table)}]")
        start = end = len(lines)
    spellings = "|".join(map(re.escape, {key, f'"{key}"', f"'{key}'", _literal(key)}))
    spelling = re.compile(rf"\s*(?:{spellings})\s*=\s*")
    for number in range(start, end):
        match = spelling.match(lines[number])
        if match:
            if literal is None:
                del lines[number]
            else:
                comment = _comment(lines[number][match.end() :])
                lines[number] = match[0] + literal + comment
            break
    else:
        # After the section's last written line, so that the blank line before the next header stays.
        while end > start and not lines[end - 1].strip():
            end -= 1
        lines.insert(end, f"{_key(key)} = {literal}")
        if end + 1 < len(lines) and lines[end + 1].strip() and _HEADER.match(lines[end + 1]):
            lines.insert(end + 1, "")
    return newline.join(lines) + newline if lines else ""


def _section(lines: list[str], table: str) -> tuple[int | None, int]:
    """The lines that belong to `table`: first and one past the last; None where it has no header."""
    start: int | None = None if table else 0
    for number, line in enumerate(lines):
        match = _HEADER.match(line)
        if line.lstrip().startswith("[") and start is not None:
            return start, number
        if match and match[1].strip("\"'") == table and table:
            start = number + 1
    return start, len(lines)


def _comment(rest: str) -> str:
    """The trailing comment of a one-line value; where a string holds '#', only a real parse could tell."""
    for position, letter in enumerate(rest):
        if letter == "#":
            try:
                documents.parse_toml("x = " + rest[:position], "")
            except ConfigError:
                continue
            return "  " + rest[position:]
    return ""


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _literal(name)


def _literal(value: str | int | float | bool) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    escapes = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r"}
    letters = (escapes.get(c) or (c if c.isprintable() else f"\\U{ord(c):08x}") for c in value)
    return '"' + "".join(letters) + '"'


def _write(path: str, text: str, private: bool) -> None:
    try:
        if private and os.path.exists(path):
            os.chmod(path, 0o600)  # before it holds what is to be private
        write_whole(path, text.encode(), durable=True, parents=True, private=private)
    except OSError as error:
        reason = error.strerror or str(error)
        raise ConfigError("config.cannot-write", path=path, reason=reason[:1].lower() + reason[1:]) from None
