"""`upytool tree`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ..app import App, pass_app
from ..group import define
from ..params import RemotePath

if TYPE_CHECKING:
    from ...device.fs import Node


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
    """Show a directory of the board as a tree."""
    if bytes_ and human:
        raise click.UsageError("--size and --human exclude each other")
    device = app.device()
    roots = []
    for path in paths or ("",):
        app.echo(f"tree :{path}")
        root = device.fs.tree(path)
        roots.append(root)
        if not app.settings.json:
            head = f":{root.path}" + (f" on {device.name}" if app.settings.verbosity > 0 else "")
            app.emit(None, [head, *branches(root, "", bytes_, human)])
    if app.settings.json:
        app.emit([data(root) for root in roots])


def branches(node: Node, prefix: str, bytes_: bool, human: bool) -> list[str]:
    """The lines below a directory."""
    lines = []
    children = sorted(node.children, key=lambda child: child.name)
    for child in children:
        last = child is children[-1]
        shown = ""
        if child.size > 0 or child.kind != "dir":
            if bytes_:
                shown = f"[{child.size:>9}]  "
            elif human:
                shown = f"[{short(child.size):>6}]  "
        lines.append(f"{prefix}{'└── ' if last else '├── '}{shown}{child.name}")
        lines += branches(child, prefix + ("    " if last else "│   "), bytes_, human)
    return lines


def short(size: int) -> str:
    """A size as mpremote's tree has it: 512, 1.5K, 2.0M."""
    if size < 1024:
        return str(size)
    value = float(size)
    for unit in "KMG":
        value /= 1024
        if value < 1024:
            break
    return f"{value:.1f}{unit}"


def data(node: Node) -> dict[str, Any]:
    """A tree as JSON data."""
    result: dict[str, Any] = {"name": node.name, "kind": node.kind, "size": node.size}
    if node.kind == "dir":
        result["children"] = [data(child) for child in node.children]
    return result
