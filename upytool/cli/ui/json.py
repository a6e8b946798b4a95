"""The JSON face: one document for each run of upytool, whatever happened in it.

    {"version": 1, "result": ..., "warnings": [...]}                       one command
    {"version": 1, "results": [{"command", "result"}, ...], "warnings"}    several in one line
    {"version": 1, "error": {"code", "message", ...}, "warnings"}          a failure, with the results until then

What a program of the board printed, or what a file holds, is `output` within the result of its command: text, or
`{"base64": ...}` where it is not UTF-8. Keys are added over time, never renamed; a change of meaning raises the
version.
"""

from __future__ import annotations

from typing import Any

from ... import limits
from .guard import guarded_json

VERSION = 1


class Document:
    """Gathers what a run of upytool has to say. Attributes: several: whether its line has several commands."""

    def __init__(self) -> None:
        self.several = False
        self._done: list[dict[str, Any]] = []
        self._output = bytearray()
        self._cut = False
        self._results: list[Any] = []

    def result(self, data: Any) -> None:
        """Take the result of the command that runs."""
        self._results.append(data)

    def output(self, data: bytes) -> None:
        """Take bytes that would have gone to stdout; more than a document's limit are left out, and it says so."""
        room = limits.JSON_OUTPUT_BYTES - len(self._output)
        self._output += data[:room]
        self._cut = self._cut or len(data) > room

    def end(self, command: str, *, failed: bool, acting: bool) -> None:
        """Close a command: what it gave becomes its result.

        Args:
            failed: without a result of its own it then has none.
            acting: whether it is one that has a result at all; `connect` and the like only prepare.
        """
        results, output, cut = self._results, self._output, self._cut
        self._results, self._output, self._cut = [], bytearray(), False
        found: dict[str, Any] = {}
        if results:
            found["result"] = results[0] if len(results) == 1 else results
        if output:
            text = {"output": _text(bytes(output)), **({"output_cut": True} if cut else {})}
            if "result" in found:
                found |= text
            else:
                found["result"] = text
        elif not found and acting and not failed:
            found["result"] = {}
        if found:
            self._done.append({"command": command, **found})

    def text(self, error: dict[str, object] | None, warnings: list[str], *, pretty: bool) -> str:
        """The document: a line when a program reads it, indented on a terminal."""
        whole: dict[str, Any] = {"version": VERSION}
        if self.several or len(self._done) > 1:  # `mount` only prepares, and has a result
            whole["results"] = self._done
        else:
            whole |= {key: value for done in self._done for key, value in done.items() if key != "command"}
            if not self._done and error is None:
                whole["result"] = {}
        if error is not None:
            whole["error"] = error
        return _dump({**whole, "warnings": warnings}, pretty)


def _text(data: bytes) -> Any:
    try:
        return data.decode("utf-8").replace("\r\n", "\n")
    except UnicodeDecodeError:
        return _other(data)


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
