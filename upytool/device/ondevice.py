"""The programs of ours that run on the board: found, shrunk and kept."""

from __future__ import annotations

from functools import cache
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "ondevice"


@cache
def snippet(name: str) -> str:
    """The text of ondevice/NAME.py as it goes over the wire: no comments, no blank lines, one space a level.

    Snippets hold no strings over several lines, so that lines can be judged one by one (a test checks it).
    """
    out = []
    for line in (FOLDER / f"{name}.py").read_text(encoding="utf-8").splitlines():
        body = line.strip()
        if not body or body.startswith("#"):
            continue
        depth = (len(line) - len(line.lstrip(" "))) // 4
        code = body.partition("  # ")[0].rstrip()
        out.append(" " * depth + code)
    return "\n".join(out)
