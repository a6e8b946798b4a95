"""Every sentence about a failure, once, under its code: the only place where wording is decided.

    raise FlashError("flash.verify-failed", image="x.uf2", address=0x10000000)

The code and its fields are what programs read; the sentence is made from them when somebody wants to read it, so that
what is caught and tried again costs no formatting. One file a room, each with

    ERRORS = {code: (sentence, hint, hint, ...)}       what is wrong, and what to do next
    NOTES  = {code: sentence}                          what is added to an error: a hint, the state a board is left in

A sentence is a `str.format` template without a full stop. A code begins with the code of its error's class, is kept for
ever once released, and is documented in docs/reference/errors.md, which is made from these files.

In a hint, `upytool ...` between backquotes is a command: it is quoted for a shell when it is shown, and `Said.command`
gives it word by word. A field in it that is a list is as many words.

`{size:MB}` shows a size of flash, in bytes, as flash is sold: "4 MB", "512 KB".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from string import Formatter
from typing import Any

_COMMAND = re.compile(r"`(upytool [^`]*)`")
_FIELD = re.compile(r"\{[^{}]*\}")


class Said:
    """Something that is said: a code, and the fields of its sentence.

    Args:
        code: a code of NOTES, or a sentence that comes from elsewhere (a server, a compiler) and is shown as it is.
        fields: what the sentence names. Sequences are shown with commas, paths and errors as their text.
    """

    __slots__ = ("code", "fields", "_template")

    def __init__(self, code: str, /, **fields: object) -> None:
        self.code, self.fields = code, fields
        self._template = ""

    @classmethod
    def of(cls, code: str, template: str, fields: Mapping[str, object]) -> Said:
        """Make one whose template is already known."""
        said = cls(code, **fields)
        said._template = template
        return said

    @property
    def template(self) -> str:
        return self._template or find(self.code, "NOTES") or ""

    @property
    def text(self) -> str:
        """The sentence, commands in it quoted for a shell."""
        template = self.template
        if not template:
            return self.code
        return "".join(
            "`" + _shell(part, self.fields) + "`" if number % 2 else fill(part, self.fields)
            for number, part in enumerate(_COMMAND.split(template))
        )

    @property
    def command(self) -> list[str]:
        """The first command of the sentence, a word each; empty where it names none."""
        found = _COMMAND.search(self.template)  # what comes from elsewhere advises no command of ours
        parts = _WORD.findall(found[1]) if found is not None else []
        return [word for part in parts if part.strip() for word in _words(part, self.fields)]

    def data(self) -> dict[str, object]:
        """As a JSON value: `text`, and `command` where there is one."""
        command = self.command
        return {"text": self.text, "command": command} if command else {"text": self.text}

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"Said({self.code!r}, {', '.join(f'{name}={value!r}' for name, value in self.fields.items())})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Said) and (self.code, self.fields) == (other.code, other.fields)

    __hash__ = None  # type: ignore[assignment]


# A word of a command, which may have a part in quotes, and what is between two.
_WORD = re.compile(r"""\s+|(?:'[^']*'|"[^"]*"|[^\s'"])+""")


def _shell(command: str, fields: Mapping[str, object]) -> str:
    """A command for a shell: words that hold a field are quoted where they need it, the others are as written."""
    import shlex

    words = _WORD.findall(command)
    return "".join(shlex.join(_words(word, fields)) if _FIELD.search(word) else word for word in words)


def _words(word: str, fields: Mapping[str, object]) -> list[str]:
    """A word as a template has it, with its fields: a field that stands alone and is a list gives several words."""
    import shlex

    found = fields.get(word[1:-1]) if _FIELD.fullmatch(word) else None
    if isinstance(found, list | tuple):
        return [str(each) for each in found]
    return [fill("".join(shlex.split(word)), fields)]


class _Fields(Formatter):
    def format_field(self, value: Any, spec: str) -> str:
        if spec == "MB" and isinstance(value, int):
            return flash_size(value)
        if spec:
            return str(format(value, spec))
        if isinstance(value, list | tuple | set | frozenset):
            return ", ".join(_open(str(each)) for each in (sorted(value, key=str) if isinstance(value, set) else value))
        return _open(str(value))


def _open(text: str) -> str:
    """A field's text without the secrets of an address in it: the one place that every message and document passes."""
    if "://" in text or "?" in text:
        from ..secret import redact

        return redact(text)
    return text


_FIELDS = _Fields()


def flash_size(size: int) -> str:
    """4194304 -> "4 MB", as flash is sold."""
    if size % (1 << 20) == 0:
        return f"{size >> 20} MB"
    return f"{size >> 10} KB" if size % 1024 == 0 else f"{size} bytes"


def fill(template: str, fields: Mapping[str, object]) -> str:
    """A template with its fields; a field that is missing shows as its name, so that an error never raises another."""
    try:
        return _FIELDS.vformat(template, (), fields)
    except (KeyError, IndexError, ValueError, TypeError, AttributeError):
        return template


def outline(template: str) -> str:
    """A template as a page shows it: `{name}` for every field, whatever its format."""
    return re.sub(r"\{(\w+)[^{}]*\}", r"{\1}", template).replace("{{", "{").replace("}}", "}")


@cache
def rooms() -> tuple[str, ...]:
    """The files with sentences, by name."""
    from pkgutil import iter_modules

    return tuple(sorted(room.name for room in iter_modules(__path__)))


def find(code: str, table: str) -> Any:
    """What a code stands for in a room's ERRORS or NOTES, None where nothing does.

    The room that is named as the code begins is looked at first, so that one error loads one file.
    """
    if " " in code:
        return None
    head = code.partition(".")[0]
    for room in sorted(rooms(), key=lambda name: (name != "common", not name.startswith(head), name != "cli")):
        found = getattr(import_module(f"{__name__}.{room}"), table).get(code)
        if found is not None:
            return found
    return None


@cache
def errors() -> dict[str, tuple[str, ...]]:
    """Every room's errors: code to (sentence, hint, ...)."""
    return {code: each for room in rooms() for code, each in import_module(f"{__name__}.{room}").ERRORS.items()}


@cache
def notes() -> dict[str, str]:
    """Every room's notes: code to sentence."""
    return {code: each for room in rooms() for code, each in import_module(f"{__name__}.{room}").NOTES.items()}


def json_value(value: object) -> object:
    """A field as JSON can hold it: numbers, texts, lists and mappings of them; an error or a note as its data."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return _open(value)
    if isinstance(value, Mapping):
        return {str(key): json_value(each) for key, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [json_value(each) for each in value]
    data = getattr(value, "data", None)
    return data() if callable(data) else _open(str(value))
