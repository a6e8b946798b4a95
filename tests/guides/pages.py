"""The commands and programs of the guides and the README, as a reader would type them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs" / "guides").glob("*.md"))]
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)
_UPYTOOL = re.compile(r"(^|\| )upytool( |$)")


@dataclass(frozen=True)
class Block:
    """A fenced block: its language ("" for none) and its lines' place in the page, from 1."""

    page: Path
    language: str
    text: str
    line: int

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}"


def blocks(page: Path) -> Iterator[Block]:
    text = page.read_text(encoding="utf-8")
    for found in _FENCE.finditer(text):
        yield Block(page, found[1], found[2], text.count("\n", 0, found.start()) + 2)


def commands(block: Block) -> list[tuple[str, list[str]]]:
    """The command lines with `upytool` in them, without `$ ` and their comments; and what the page says they print.

    Output is what follows a command in a block of the language `console`.
    """
    found: list[tuple[str, list[str]]] = []
    if block.language not in ("", "sh", "console"):
        return found
    for line in block.text.splitlines():
        if block.language == "console" and not line.startswith("$ "):
            if found:
                found[-1][1].append(line)
            continue
        words = re.sub(r"\s+# .*$", "", line.removeprefix("$ ")).rstrip()
        if _UPYTOOL.search(words):
            found.append((words, []))
    return found


def programs(page: Path) -> list[Block]:
    """The Python programs."""
    return [block for block in blocks(page) if block.language == "python"]


def inline(page: Path) -> list[str]:
    """Whole command lines in the running text: `upytool ...` in backquotes. One with `…` or `|` in it is none."""
    text = _FENCE.sub("", page.read_text(encoding="utf-8"))
    found = [" ".join(line.split()) for line in re.findall(r"`(upytool [^`]+)`", text)]
    return [line for line in found if not re.search(r"[…|]|\.\.\.", line)]
