"""The shapes of what --json prints: learned from the tests' own runs, then held by them.

docs/reference/json-schemas.json has a JSON Schema for the result of each command. Every document that a test of
tests/cli makes has to fit, and docs/reference/json.md is made from it. After a wanted change:

    UPYTOOL_LEARN=/tmp/seen.jsonl .venv/bin/pytest -n 2 tests/cli && python -m tests.cli.shapes /tmp/seen.jsonl
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

FILE = Path(__file__).parents[2] / "docs" / "reference" / "json-schemas.json"
Schema = dict[str, Any]

# The value of an expression is of the board's program.
ANY: Schema = {"$comment": "any value"}

_KINDS = {bool: "boolean", int: "integer", float: "number", str: "string", type(None): "null", list: "array"}


def widened(schema: Schema | None, value: Any) -> Schema:
    """The schema with room for one more value; the same one where it has it."""
    if schema == ANY:
        return ANY
    known = schema or {}
    kind = "object" if isinstance(value, dict) else _KINDS[type(value)]
    kinds = {*_listed(known.get("type", [])), kind}
    if kinds >= {"integer", "number"}:
        kinds.remove("integer")
    found: Schema = {**known, "type": sorted(kinds)[0] if len(kinds) == 1 else sorted(kinds)}
    if isinstance(value, list):
        for each in value:
            found["items"] = widened(found.get("items"), each)
    elif isinstance(value, dict):
        found |= _object(found, value, first="object" not in _listed(known.get("type", [])))
    return found


def _listed(kinds: str | list[str]) -> list[str]:
    return [kinds] if isinstance(kinds, str) else kinds


def _object(known: Schema, value: dict[str, Any], *, first: bool) -> Schema:
    """An object is a record of known keys, or a table whose keys are data (a path, a name with a dot)."""
    table = known.get("additionalProperties")
    if table is not None or any(not re.fullmatch("[a-z][a-z0-9_]*", key) for key in value):
        entries = [*value.values()]
        for former in known.get("properties", {}).values():
            table = former if table is None else table
        for entry in entries:
            table = widened(table, entry)
        known.pop("properties", None)
        known.pop("required", None)
        return {"additionalProperties": table or {}}
    properties = {**known.get("properties", {})}
    for key, each in value.items():
        properties[key] = widened(properties.get(key), each)
    required = [*value] if first else [key for key in known.get("required", []) if key in value]
    return {"properties": dict(sorted(properties.items())), "required": sorted(required)}


def results_of(argv: tuple[str, ...], document: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """(command, result) of each command in a document."""
    from upytool.cli import table

    if "results" in document:
        found = [(step["command"], step["result"]) for step in document["results"] if "result" in step]
    elif "result" in document:
        found = [(command_of(argv), document["result"])]
    else:
        return
    yield from ((command, result) for command, result in found if command.split(" ")[0] in table.BY_NAME)


def command_of(argv: tuple[str, ...]) -> str:
    """The command of a line that has one which acts; '' for help."""
    from upytool.cli import table
    from upytool.cli.chain import split
    from upytool.cli.group import require

    if {"--help", "-h"} & {*argv}:
        return ""
    steps, _ = split(list(argv), lambda name: require(name, []), lambda words: words)
    acting = [step.path for step in steps if (entry := table.find(step.path[0])) is None or entry.action]
    paths = acting or [step.path for step in steps]
    return " ".join(paths[-1]) if paths else ""


@cache
def shapes() -> dict[str, Schema]:
    found: dict[str, Schema] = json.loads(FILE.read_text("utf-8"))
    return found


def check(argv: tuple[str, ...], out: str) -> None:
    """Hold what a run printed against the shapes, or note it where UPYTOOL_LEARN names a file."""
    if "--json" not in argv or not out.startswith("{"):
        return
    document = json.loads(out)
    for command, result in results_of(argv, document):
        if LEARN:
            with open(LEARN, "a", encoding="utf-8") as notes:
                notes.write(json.dumps([command, result]) + "\n")
        else:
            known = shapes().get(command)
            assert known is not None, f"{command} has no shape: see tests/cli/shapes.py"
            assert widened(json.loads(json.dumps(known)), result) == known, f"the result of {command} has another shape"


LEARN = os.environ.get("UPYTOOL_LEARN", "")


def learn(notes: Path) -> None:
    """Make the file from what was noted, beside what it has."""
    found: dict[str, Schema] = json.loads(FILE.read_text("utf-8")) if FILE.exists() else {}
    found["eval"] = {"type": "object", "properties": {"value": ANY}, "required": ["value"]}
    for line in sorted(notes.read_text("utf-8").splitlines()):
        command, result = json.loads(line)
        found[command] = widened(found.get(command), result)
    lines = [f"{json.dumps(command)}: {json.dumps(found[command], sort_keys=True)}" for command in sorted(found)]
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n", "utf-8")


if __name__ == "__main__":
    learn(Path(sys.argv[1]))
