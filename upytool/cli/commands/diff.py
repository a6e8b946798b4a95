"""`upytool diff`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ...errors import DifferencesFound, UsageError
from ...words import Said
from ..app import App, pass_app
from ..group import define
from ..params import CopyPath, Place
from ..ui.text import plural, size

if TYPE_CHECKING:
    from ...api.files import Difference, DiffResult

MARKS = {"added": "+", "removed": "-", "changed": "~"}


@define(
    "diff",
    examples=[
        ("upytool diff src :/app", "what is different on the board; exit code 1 when something is"),
        ("upytool diff before.tar", "what has changed since the backup"),
        ("upytool diff main.py :main.py --text", "line by line"),
        ("upytool diff :/a :/b", "two directories of the board"),
    ],
)
@click.argument("paths", type=CopyPath(), nargs=-1, required=True)
@click.option("--text", is_flag=True, help="Show changes in text files as a unified diff.")
@click.option("--ignore", multiple=True, metavar="PATTERN", help="Pattern of files to leave out; repeatable.")
@click.option("--all", "everything", is_flag=True, help="Include dot files, __pycache__ and the like.")
@pass_app
def command(app: App, paths: tuple[Place, ...], text: bool, ignore: tuple[str, ...], everything: bool) -> None:
    """Compare files with those on the board, by content. The exit code is 0 when they are equal, 1 when not.

    The first path is the old side, the second the new one: `+` is only in the second, `-` only in the first, `~` is in
    both. A backup alone is compared with what is on the board now.
    """
    if len(paths) > 2:
        raise UsageError("usage.diff-arguments")
    words = [str(path) for path in paths]
    result = app.device().fs.diff(*words, ignore=ignore, default_ignores=not everything, text=text)
    app.emit(result.data(), lambda style: lines(result))
    if not result.equal:
        raise DifferencesFound(
            "differences.found",
            left=result.left,
            right=result.right,
            summary=summary(result),
            hint=() if text else Said("cli.diff-text"),
        )
    app.note(f"No differences ({plural(result.same, 'file')})")


def lines(result: DiffResult) -> list[str]:
    """The text face."""
    out = []
    for difference in result.differences:
        out.append(f"{MARKS[difference.how]} {difference.path or result.left}{_sizes(difference)}")
        out.extend(result.texts.get(difference.path, ()))
    return out


def _sizes(difference: Difference) -> str:
    if difference.how != "changed":
        return ""
    left, right = difference.left or 0, difference.right or 0
    return f"  ({size(left)} -> {size(right)})" if left != right else f"  ({size(left)})"


def summary(result: DiffResult) -> str:
    """`1 changed, 2 added`."""
    counts = {how: sum(d.how == how for d in result.differences) for how in ("changed", "added", "removed")}
    return ", ".join(f"{count} {how}" for how, count in counts.items() if count)
