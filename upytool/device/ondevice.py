"""The programs of ours that run on the board: found, shrunk and kept."""

from __future__ import annotations

import os
from functools import cache

FOLDER = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "ondevice")


@cache
def snippet(name: str) -> str:
    """The text of ondevice/NAME.py as it goes over the wire: no comments, no blank lines, one space a level.

    Snippets hold no strings over several lines, so that lines can be judged one by one (a test checks it).
    """
    out = []
    with open(os.path.join(FOLDER, f"{name}.py"), encoding="utf-8") as file:
        lines = file.read().splitlines()
    for line in lines:
        body = line.strip()
        if not body or body.startswith("#"):
            continue
        depth = (len(line) - len(line.lstrip(" "))) // 4
        code = body.partition("  # ")[0].rstrip()
        out.append(" " * depth + code)
    return "\n".join(out)
