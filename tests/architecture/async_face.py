"""Makes the asynchronous face of a board from the other one: `python -m tests.architecture.async_face`.

Both faces are the same operations, driven by `drive` or by `drive_async`; what differs is where `await` has to stand.
A method is asynchronous when it drives an operation, or calls one that does.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

HOUSE = Path(__file__).resolve().parents[2] / "upytool" / "device"
# the module made from each, and its class
FACES = {"device": "aio_device", "fs": "aio_fs", "remote_path": "aio_path"}
CLASSES = {"device": "Device", "fs": "RemoteFS", "remote_path": "RemotePath"}
NAMES = {name: f"Async{name}" for name in (*CLASSES.values(), "Transport", "Iterator")}
NAMES |= {"drive": "drive_async", "__enter__": "__aenter__", "__exit__": "__aexit__"}
WORDS = {
    "transport.drive import drive": "transport.drive import drive_async",
    "`upytool.connect()`": "`await upytool.aconnect()`",
    "in a `with` block": "in an `async with` block",
    "Threads take turns.": "Tasks take turns.",
}
OWNERS = {"self._fs": "RemoteFS", "self._device": "Device", "self.transport": "Transport"}
HEAD = '''"""{first}

Made from {source}.py by tests/architecture/async_face.py, which a test runs again: change that file.
"""

'''


@dataclass
class Source:
    """One module and its tree."""

    name: str
    text: str
    tree: ast.Module

    @property
    def body(self) -> ast.ClassDef:
        """Its class."""
        return next(node for node in self.tree.body if isinstance(node, ast.ClassDef) and node.name in NAMES)


def read(name: str) -> Source:
    """A module of the synchronous face."""
    text = (HOUSE / f"{name}.py").read_text("utf-8")
    return Source(name, text, ast.parse(text))


def _called(call: ast.Call, own: str) -> tuple[str, str]:
    """The class and the method that a call means, as far as it is one of ours."""
    function = call.func
    if isinstance(function, ast.Name):
        return "", function.id
    if isinstance(function, ast.Attribute):
        owner = ast.unparse(function.value)
        return OWNERS.get(owner, own if owner == "self" else "?"), function.attr
    return "?", ""


def asynchronous(sources: list[Source]) -> set[tuple[str, str]]:
    """(class, method) of all that has to be awaited."""
    found = {("", "drive"), ("Transport", "close"), ("Transport", "read"), ("Transport", "write")}
    found |= {(name, method) for name in CLASSES.values() for method in ("__enter__", "__exit__")}
    while True:
        before = len(found)
        for source in sources:
            for method in source.body.body:
                if isinstance(method, ast.FunctionDef):
                    calls = (node for node in ast.walk(method) if isinstance(node, ast.Call))
                    if any(_called(call, source.body.name) in found for call in calls):
                        found.add((source.body.name, method.name))
        if len(found) == before:
            return found


def face(source: Source, awaited: set[tuple[str, str]]) -> str:
    """The module's text for asyncio."""
    lines = source.text.splitlines(keepends=True)
    edits: list[tuple[int, int, int, str]] = []  # line, first column, last column, text
    parents = {child: node for node in ast.walk(source.body) for child in ast.iter_child_nodes(node)}
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Name) and node.id in NAMES:
            edits.append((node.lineno, node.col_offset, node.col_offset + len(node.id), NAMES[node.id]))
        elif isinstance(node, ast.Call) and _called(node, source.body.name) in awaited:
            first, last = (
                ("(await ", ")") if isinstance(parents[node], (ast.Attribute, ast.Subscript)) else ("await ", "")
            )
            edits.append((node.lineno, node.col_offset, node.col_offset, first))
            assert node.end_lineno is not None
            assert node.end_col_offset is not None
            edits.append((node.end_lineno, node.end_col_offset, node.end_col_offset, last))
    for method in source.body.body:
        if isinstance(method, ast.FunctionDef):
            word = "async def " if (source.body.name, method.name) in awaited else "def "
            start = method.col_offset
            end = start + len("def ") + len(method.name)
            edits.append(
                (
                    method.lineno,
                    start,
                    end,
                    word + (NAMES[method.name] if method.name[:2] == "__" and method.name in NAMES else method.name),
                )
            )
            if word == "async def ":
                edits += [(each.lineno, 0, len(lines[each.lineno - 1]), "") for each in method.decorator_list]
    for line, first, last, text in sorted(edits, reverse=True):
        raw = lines[line - 1].encode()
        lines[line - 1] = (raw[:first] + text.encode() + raw[last:]).decode()
    kept = [lines[node.lineno - 1 : node.end_lineno] for node in source.tree.body if _belongs(node)]
    text = "\n".join("".join(each) for each in kept).replace(
        f"class {source.body.name}", f"class {NAMES[source.body.name]}"
    )
    for name, new in FACES.items():
        text = re.sub(rf"from \.{name} import", f"from .{new} import", text)
    for name in ("Transport", "Iterator", *CLASSES.values()):
        text = re.sub(rf"^( *from .* import .*)\b{name}\b", rf"\1{NAMES[name]}", text, flags=re.MULTILINE)
    for old, new in WORDS.items():
        text = text.replace(old, new)
    first = f"{source.tree.body[0].value.value.splitlines()[0]}"  # type: ignore[attr-defined]
    return HEAD.format(first=first.removesuffix(".") + ", for asyncio.", source=source.name) + text


def _belongs(node: ast.stmt) -> bool:
    """Whether the other face has it as well: not the docstring, functions and lists of names."""
    return not isinstance(node, (ast.FunctionDef, ast.Expr)) and not (
        isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
    )


def tidy(text: str) -> str:
    """Without unused imports, and formatted."""
    for command in (["check", "--fix", "--quiet", "--select", "F401,I"], ["format", "--quiet"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--stdin-filename", str(HOUSE / "made.py"), "-"],
            input=text,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            cwd=HOUSE,
        )
        assert done.returncode == 0, done.stderr + done.stdout
        text = done.stdout
    return text


def faces() -> dict[str, str]:
    """File name -> text of every module of the asynchronous face."""
    sources = [read(name) for name in FACES]
    awaited = asynchronous(sources)
    return {f"{FACES[source.name]}.py": tidy(face(source, awaited)) for source in sources}


if __name__ == "__main__":
    for name, text in faces().items():
        (HOUSE / name).write_text(text, encoding="utf-8", newline="\n")
