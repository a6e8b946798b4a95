"""The JSON face: one document for each result, `{"version": 1, "result": ..., "warnings": [...]}`.

An error is `{"version": 1, "error": {"code", "message", "hint", "exit_code", ...}}`. Keys are added over
time, never renamed; a change of meaning raises the version.
"""

from __future__ import annotations

from typing import Any

from .guard import guarded_json

VERSION = 1


def document(result: Any, warnings: list[str], *, pretty: bool) -> str:
    """A result as one document: a line when a program reads it, indented on a terminal."""
    return _dump({"version": VERSION, "result": result, "warnings": warnings}, pretty)


def error_document(error: dict[str, object], *, pretty: bool) -> str:
    """An error as one document."""
    return _dump({"version": VERSION, "error": error}, pretty)


def _dump(value: dict[str, Any], pretty: bool) -> str:
    import json

    text = json.dumps(value, indent=2 if pretty else None, default=_other, ensure_ascii=False)
    return guarded_json(text) + "\n"


def _other(value: object) -> Any:
    if isinstance(value, (bytes, bytearray, memoryview)):
        from base64 import b64encode

        return {"base64": b64encode(bytes(value)).decode("ascii")}
    if isinstance(value, (set, frozenset, tuple)):
        return sorted(value) if isinstance(value, (set, frozenset)) else list(value)
    return str(value)
