"""The functions of on_board.py as texts for the board, as short as they can be."""

from __future__ import annotations

import ast
import string
from functools import cache
from pathlib import Path


@cache
def program(function: str) -> tuple[str, str]:
    """One function of on_board.py and those that it calls, and the name that it has there.

    Docstrings, comments and annotations are left away, and names of ours are short ones: the board reads, compiles and
    keeps less.
    """
    tree = ast.parse(Path(__file__).with_name("on_board.py").read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.Module)) and isinstance(node.body[0], ast.Expr):
            del node.body[0]
        if isinstance(node, ast.FunctionDef):
            node.returns = None
            for each in node.args.args:
                each.annotation = None
        for field, children in ast.iter_fields(node):
            if field in ("body", "orelse", "finalbody") and isinstance(children, list):
                children[:] = [
                    ast.Assign([child.target], child.value, lineno=child.lineno)
                    if isinstance(child, ast.AnnAssign) and child.value is not None
                    else child
                    for child in children
                ]
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    needed, todo = {function}, [function]
    while todo:
        used = {node.id for node in ast.walk(functions[todo.pop()]) if isinstance(node, ast.Name)}
        todo += (used & functions.keys()) - needed
        needed |= used & functions.keys()
    tree.body = [node for node in tree.body if not isinstance(node, ast.FunctionDef) or node.name in needed]
    short = _shorten(tree)
    text = "\n".join(
        " " * ((len(line) - len(line.lstrip())) // 4) + line.strip()
        for line in ast.unparse(tree).splitlines()
        if line.strip()
    )
    return text, short[function]


def _shorten(tree: ast.Module) -> dict[str, str]:
    """Give the functions, arguments and variables of a program names of one letter; returns them by the old ones."""
    ours: dict[str, str] = {}
    free = iter(string.ascii_letters)
    for node in ast.walk(tree):
        name = ""
        if isinstance(node, ast.FunctionDef):
            name = node.name
        elif isinstance(node, ast.arg):
            name = node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            name = node.id
        elif isinstance(node, ast.ExceptHandler) and node.name:
            name = node.name
        if name and name not in ours:
            ours[name] = next(free)
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.ExceptHandler)) and node.name:
            node.name = ours[node.name]
        elif isinstance(node, ast.arg):
            node.arg = ours[node.arg]
        elif isinstance(node, ast.Name):
            node.id = ours.get(node.id, node.id)
    return ours
