"""`upytool tree`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import click

from ...errors import ENOTDIR, RemoteOSError, UsageError
from ..app import App, pass_app
from ..group import define
from ..params import RemotePath

if TYPE_CHECKING:
    from ...device.fs import Entry, RemoteFS


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
        raise UsageError("--size and --human exclude each other")
    device = app.device()
    roots = []
    for path in paths or ("",):
        app.echo(f"tree :{path}")
        root = grow(device.fs, path)
        roots.append(root)
        if not app.settings.json:
            head = f":{root.name}" + (f" on {device.name}" if app.settings.verbosity > 0 else "")
            app.emit(None, [head, *_branches(root, "", bytes_, human)])
    if app.settings.json:
        app.emit([root.data() for root in roots])


@dataclass
class Node:
    """A file or directory with what is below it, by name."""

    name: str
    kind: str
    size: int = 0
    children: list[Node] = field(default_factory=list)

    def data(self) -> dict[str, Any]:
        result: dict[str, Any] = {"name": self.name, "kind": self.kind, "size": self.size}
        if self.kind == "dir":
            result["children"] = [child.data() for child in self.children]
        return result


def grow(fs: RemoteFS, path: str) -> Node:
    """The tree below `path`, read in one round trip. Errors: RemoteOSError where it is no directory."""
    if path in (".", "./"):
        path = ""  # Not every file system of a board knows its own folder as '.'.
    shown = path or fs.getcwd()
    if path and not fs.stat(path).is_dir:
        raise RemoteOSError(ENOTDIR, path)
    return build(shown, path, fs.walk(path))


def build(shown: str, path: str, entries: Sequence[Entry]) -> Node:
    """A tree from a walk's entries, whose names are paths that begin with `path`."""
    root = Node(shown, "dir")
    known = {path.rstrip("/"): root}
    for entry in sorted(entries, key=lambda entry: entry.name):
        above, _, name = entry.name.rpartition("/")
        node = Node(name, entry.kind, entry.size)
        known.get(above, root).children.append(node)
        known[entry.name] = node
    return root


def _branches(node: Node, prefix: str, bytes_: bool, human: bool) -> list[str]:
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
        lines += _branches(child, prefix + ("    " if last else "│   "), bytes_, human)
    return lines


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
