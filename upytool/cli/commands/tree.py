"""`upytool tree`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from ... import limits
from ...errors import RemoteError, UsageError
from ..app import App, pass_app
from ..group import define
from ..params import RemotePath

if TYPE_CHECKING:
    from ...api.files import TreeNode


@define(
    "tree",
    examples=[
        ("upytool tree", "from the working directory"),
        ("upytool tree -h :/lib", "with sizes"),
    ],
)
@click.argument("paths", type=RemotePath(), nargs=-1)
@click.option("--size", "-s", "bytes_", is_flag=True, help="Show sizes in bytes.")
@click.option("--human", "-h", is_flag=True, help="Show sizes in K and M.")
@pass_app
def command(app: App, paths: tuple[str, ...], bytes_: bool, human: bool) -> None:
    """Show a directory of the board, the working directory by default, as a tree."""
    if bytes_ and human:
        raise UsageError("usage.conflicting-options", option="--size", other="--human")
    from ...api import files

    device = app.device()
    roots = []
    for path in paths or ("",):
        app.echo(f"tree :{path}")
        root, levels = files.tree(device.fs, path)
        roots.append(root)
        if app.settings.json and levels > limits.JSON_LEVELS:
            raise RemoteError("remote.nested-too-deeply", path=path, limit=limits.JSON_LEVELS)
        if not app.settings.json:
            head = f":{root.name}" + (f" on {device.name}" if app.settings.verbosity > 0 else "")
            app.emit(None, [head, *_branches(root, bytes_, human)])
    if app.settings.json:
        app.emit([root.data() for root in roots])


def _branches(root: TreeNode, bytes_: bool, human: bool) -> Iterator[str]:
    """The lines below a node. A board may nest directories deeper than Python may call, so nothing recurs here."""
    todo = _children(root, "")
    while todo:
        child, prefix, last = todo.pop()
        shown = ""
        if child.size > 0 or child.kind != "dir":
            if bytes_:
                shown = f"[{child.size:>9}]  "
            elif human:
                shown = f"[{short(child.size):>6}]  "
        yield f"{prefix}{'└── ' if last else '├── '}{shown}{child.name}"
        todo += _children(child, prefix + ("    " if last else "│   "))


def _children(node: TreeNode, prefix: str) -> list[tuple[TreeNode, str, bool]]:
    """(child, prefix, whether it is the last one), the first one at the end."""
    children = sorted(node.children, key=lambda child: child.name, reverse=True)
    return [(child, prefix, not number) for number, child in enumerate(children)]


def short(size: int) -> str:
    """A size as mpremote's tree has it: 512, 1.5K, 2.0M."""
    if size < 1024:
        return str(size)
    value = float(size)
    for unit in "KMG":
        value /= 1024
        if value < 1024 or unit == "G":
            return f"{value:.1f}{unit}"
    return str(size)
