"""Renders docs/reference from the tables of the program: `make docs`. A test compares the files with it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import click

from upytool import limits, words
from upytool.cli import table
from upytool.cli.group import Context, load, root
from upytool.cli.topics import SELECTORS
from upytool.config.options import OPTIONS, VARIABLES
from upytool.errors import EXIT_CODES, UpytoolError, kind_of

REFERENCE = Path(__file__).resolve().parent / "reference"
NOTE = "<!-- Rendered by `make docs` from the program's own tables: change those, not this page. -->\n\n"


def exit_codes() -> str:
    rows = "".join(f"| {code} | {meaning} |\n" for code, meaning in EXIT_CODES.items())
    return (
        "# Exit codes\n\n" + NOTE + "| code | meaning |\n|---|---|\n" + rows + "\nA number is never used for something "
        "else. The status that a program on the board gives to `sys.exit()` is the exit code as it is.\n"
    )


def environment() -> str:
    lines = ["# Settings and environment variables\n\n", NOTE]
    lines.append("Flag > environment > project (`upytool.toml`) > user (`config.toml`) > default.\n\n")
    lines.append("| variable | flag | key in a file | default | what |\n|---|---|---|---|---|\n")
    for option in OPTIONS:
        flags = " ".join(f"`{flag}`" for flag in (*option.flags, *option.off))
        key = f"`{option.key}`" if option.configurable else ""
        default = "" if option.default in (None, "") else f"`{str(option.default).lower()}`"
        lines.append(f"| `{option.env}` | {flags} | {key} | {default} | {option.help} |\n")
    lines.append("\nOther variables:\n\n| variable | what |\n|---|---|\n")
    lines += [f"| `{variable[0]}` | {variable[1]} |\n" for variable in VARIABLES]
    return "".join(lines)


def commands() -> str:
    top = Context(root, info_name="upytool")
    out = ["# Commands\n\n", NOTE]
    for section in table.SECTIONS:
        out.append(f"## {section}\n\n")
        for entry in table.COMMANDS:
            if entry.section == section and not entry.hidden:
                command = load(entry.name)
                out.append(_command(entry.name, command, top, 3, entry.aliases))
    return "".join(out).rstrip() + "\n"


def _command(name: str, command: click.Command, parent: click.Context, level: int, aliases: tuple[str, ...]) -> str:
    context = Context(command, info_name=name, parent=parent, **command.context_settings)
    text = [f"{'#' * level} `{context.command_path}`\n\n"]
    if aliases:
        text.append("Also " + ", ".join(f"`{alias}`" for alias in aliases) + ".\n\n")
    text.append("```text\n" + click.unstyle(command.get_help(context)).strip() + "\n```\n\n")
    if isinstance(command, click.Group) and name != "fs":
        for sub in command.list_commands(context):
            child = command.get_command(context, sub)
            if child is not None and not child.hidden:
                text.append(_command(sub, child, context, level + 1, ()))
    return "".join(text)


def selectors() -> str:
    rows = "".join(f"| `{form}` | {meaning.split(' (`')[0]} |\n" for form, meaning in SELECTORS)
    return "| selector | which board |\n|---|---|\n" + rows


def limit_table() -> str:
    rows = "".join(
        f"| {row.what} | {getattr(limits, row.name):,} {row.unit} | `{row.held}` |\n" for row in limits.LIMITS
    )
    return (
        "# Limits\n\n" + NOTE + "What a board, a file, a package or a server may send at the most, and where it is "
        "checked.\nMore than that is one error, and nothing beyond the limit is stored.\n\n"
        "| what | limit | held by |\n|---|---|---|\n" + rows
    )


def errors() -> str:
    groups: dict[str, list[str]] = {}
    for code in sorted(words.errors()):
        sentence, *hints = (_cell(text) for text in words.errors()[code])
        row = f"| `{code}` | {_exit(code)} | {sentence} | {'<br>'.join(hints)} |\n"
        groups.setdefault(code.partition(".")[0], []).append(row)
    head = "| code | exit | what it says | what to do |\n|---|---|---|---|\n"
    return (
        "# Errors\n\n" + NOTE + "Every error has a code that is kept for good; programs match it, or its beginning "
        "(`files.` is all that a board's file\nsystem refuses). The sentence may change. `upytool -v` shows the code, "
        "`--json` gives it with the fields that stand\nin braces here and the hints, and `upytool help CODE` explains "
        "it. In Python it is `error.code` with `error.fields` of an\n`upytool.UpytoolError`.\n\n"
        + "\n".join(f"## {name}\n\n{head}{''.join(rows)}" for name, rows in sorted(groups.items()))
    )


def _exit(code: str) -> str:
    kind = kind_of(code)
    return "2, 6-9" if kind is UpytoolError else str(kind.exit_code)  # that of the command's kind of work


def _cell(text: str) -> str:
    return words.outline(text).replace("|", "\\|").replace("<", "&lt;").replace("\n", "<br>")


def documents() -> str:
    schemas = json.loads((REFERENCE / "json-schemas.json").read_text("utf-8"))
    parts = [f"## `{name}`\n\n```text\n{_shape(schema)}\n```\n" for name, schema in sorted(schemas.items()) if name]
    return (
        "# What --json prints\n\n" + NOTE + "One document for a run (`upytool help json`); this is the `result` of "
        "each command. `key?` is not always there, `[...]` is a\nlist, `{PATH: ...}` an object whose keys are data. "
        "The same as JSON Schema: [json-schemas.json](json-schemas.json). The\ntests of the command line hold every "
        "document to it.\n\n" + "\n".join(parts)
    )


def _shape(schema: dict[str, Any], indent: str = "") -> str:
    """A schema as people write such things: `{path: string, size?: integer}`."""
    kinds = schema.get("type", "any")
    names = [kinds] if isinstance(kinds, str) else kinds
    deeper = indent + "  "
    shown = []
    for kind in names:
        if kind == "array":
            shown.append(f"[{_shape(schema['items'], indent)}]" if "items" in schema else "[]")
        elif kind == "object" and "additionalProperties" in schema:
            shown.append(f"{{PATH: {_shape(schema['additionalProperties'], indent)}}}")
        elif kind == "object" and schema.get("properties"):
            required = schema.get("required", [])
            lines = [
                f"{deeper}{key}{'' if key in required else '?'}: {_shape(each, deeper)}"
                for key, each in schema["properties"].items()
            ]
            flat = "{" + ", ".join(line.strip() for line in lines) + "}"
            short = "\n" not in flat and len(indent + flat) < 90
            shown.append(flat if short else "{\n" + ",\n".join(lines) + f"\n{indent}}}")
        else:
            shown.append("{}" if kind == "object" else kind)
    return " | ".join(shown)


PAGES = {
    "limits.md": limit_table,
    "exit-codes.md": exit_codes,
    "environment.md": environment,
    "commands.md": commands,
    "errors.md": errors,
    "json.md": documents,
}


def main() -> None:
    for name, render in PAGES.items():
        (REFERENCE / name).write_text(render(), encoding="utf-8")


if __name__ == "__main__":
    main()
