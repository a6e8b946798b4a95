"""The library's questions, put to the person who typed the command, or answered by --yes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..errors import UsageError
from ..questions import Ask, Question
from .app import App


def answers(app: App) -> Ask:
    """Answer by --yes, by a person, or, where nobody can be asked, by the error that says so."""

    def ask(question: Question) -> bool:
        if app.settings.yes and question.code == "flash.replace-backup" and not question.fields["running"]:
            raise UsageError("usage.replace-backup", path=question.fields["path"])
        return app.confirm(sentence(question))

    return ask


def sentence(question: Question) -> str:
    """What a person is asked."""
    known = _SENTENCES[question.code]
    return known(dict(question.fields)) if callable(known) else known.format(**question.fields)


def _erase(of: dict[str, Any]) -> str:
    return f"Erase {part(of['part'], of['range'])}?"


def part(kind: str, span: tuple[int, int] | list[int] | None) -> str:
    """What is erased."""
    if span is not None:
        return f"{span[1]} bytes at {span[0]:#x}"
    return "the file system" if kind == "fs" else "the whole flash"


def _several(of: dict[str, Any]) -> str:
    count = len(of["boards"])
    named = f"{count} board{'s' if count != 1 else ''}"
    lost = ", files on them will be LOST" if of["files_lost"] else ""
    return f"{'Compare' if of['compare'] else 'Flash'} {named}{lost}?"


def _files_lost(of: dict[str, Any]) -> str:
    return f"Files on the board will be LOST{' (they are saved first)' if of['saved'] else ''}. Flash it?"


def _files_found(of: dict[str, Any]) -> str:
    note = str(of["note"])
    return f"{note[:1].upper()}{note[1:]}. Go on?"


_SENTENCES: dict[str, str | Callable[[dict[str, Any]], str]] = {
    "bootloader.enter": "{board} is running. Restart it into its bootloader?",
    "erase": _erase,
    "flash": "Flash it?",
    "flash.all": _several,
    "flash.compare": "Restart the board to compare?",
    "flash.confirm": "Confirm it?",
    "flash.files-found": _files_found,
    "flash.files-lost": _files_lost,
    "flash.no-rollback": "This board has no rollback: if the new firmware does not start, going back takes a cable. "
    "Go on?",
    "flash.replace-backup": "{path} exists. Replace it?",
    "read-flash.replace": "{path} exists. Replace it?",
}
