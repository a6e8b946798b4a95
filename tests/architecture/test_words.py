"""How upytool speaks: patterns that nobody reads anywhere, over every message, help text and page of the docs.

They stand for words that a native speaker of this field would stop at; docs/terminology.md has the words to use.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
WRONG = {
    r"\bboot loaders?\b": "bootloader",
    r"\bcheck sums?\b": "checksum",
    r"\bmend(s|ed|ing)?\b": "fix",
    r"(?<!here )\b(is|was) no (?!longer\b|more\b|such\b|way\b|need\b|one\b|harm\b|\w+ing\b)[a-zA-Z]": "is not a",
    r"\bfolders?\b": "directory",
}


def texts(path: Path) -> Iterator[tuple[int, str]]:
    """(line, text) of what people read in a module: its texts of more than one word, without docstrings."""
    source = path.read_text("utf-8")
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    docs = {node.body[0].lineno for node in ast.walk(ast.parse(source)) if isinstance(node, documented) and node.body}
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        is_text = token.type == tokenize.STRING and " " in token.string and not re.match(r"(?i)r?b", token.string)
        if is_text and not (token.string.endswith('"""') and token.start[0] in docs):
            yield token.start[0], re.sub(r"\{[^{}]*\}", "{}", token.string)


def pages() -> list[Path]:
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def modules() -> list[Path]:
    return sorted(path for path in (ROOT / "upytool").rglob("*.py") if "ondevice" not in path.parts)


@pytest.mark.parametrize("pattern", WRONG)
def test_messages(pattern: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}: {text}"
        for path in modules()
        for line, text in texts(path)
        if re.search(pattern, text)
    ]
    assert not found, f"write {WRONG[pattern]}"


@pytest.mark.parametrize("pattern", WRONG)
def test_pages(pattern: str) -> None:
    found = []
    for path in pages():
        prose = re.sub(
            r"```.*?```|`[^`\n]*`", lambda code: "\n" * code[0].count("\n"), path.read_text("utf-8"), flags=re.S
        )
        found += [f"{path.relative_to(ROOT)}: {line}" for line in prose.splitlines() if re.search(pattern, line)]
    assert not found, f"write {WRONG[pattern]}"


def test_help_of_options_can_stand_alone() -> None:
    """It begins with a noun or a verb: `MicroPython version`, not `Of MicroPython`."""
    import click

    from upytool.cli.group import require, root
    from upytool.cli.table import COMMANDS

    found = []

    def look(command: click.Command, name: str) -> None:
        for param in command.params:
            text = getattr(param, "help", None) or ""
            if re.match(r"(Of|How|What|Also|But|Where|Which|Whether|If|Only|As|Its|The|A|An)\b", text):
                found.append(f"{name} {param.name}: {text}")
        for each in getattr(command, "commands", {}).values():
            look(each, f"{name} {each.name}")

    look(root, "")
    for entry in COMMANDS:
        look(require(entry.name), entry.name)
    assert not found
