"""Errors are data: every one is raised with a code of upytool/words and exactly the fields that its sentence names."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from importlib import import_module
from pathlib import Path

import pytest

import upytool
from upytool import words
from upytool.errors import UpytoolError

PACKAGE = Path(upytool.__file__).parent
SOURCES = [
    path
    for path in sorted(PACKAGE.rglob("*.py"))
    if not {"ondevice", "_firmware", "words"} & set(path.relative_to(PACKAGE).parts) and path.name != "errors.py"
]
# Arguments of some classes that no sentence names.
OWN = {"hint", "state", "output", "traceback", "choices"}


def kinds() -> dict[str, str]:
    """Class name to code, of every error of the tree wherever it is defined."""
    found = {"UpytoolError": UpytoolError.code}
    classes = [
        node
        for path in [PACKAGE / "errors.py", *SOURCES]
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ClassDef)
    ]
    for _ in range(6):  # as deep as the tree is
        for node in classes:
            bases = [ast.unparse(base).rpartition(".")[2] for base in node.bases]
            own = [
                ast.literal_eval(each.value)
                for each in node.body
                if isinstance(each, ast.Assign) and ast.unparse(each.targets[0]) == "code"
            ]
            inherited = [found[base] for base in bases if base in found]
            if inherited:
                found[node.name] = [*inherited, *own][-1]
    return found


KINDS = kinds()
POSITIONAL = {
    *("RemoteOSError", "CommitRefused", "CompileError", "RemoteException", "RemoteExit", "BootloaderError"),
    *("MissingExtraError", "NoStreamError", "StartFailed", "DfuRefusal", "PicobootFailure"),
}


def raised(path: Path) -> Iterator[tuple[ast.Call, str]]:
    """Every call of a class of the tree, with the class's name."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call):
            name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            if name in KINDS and name not in POSITIONAL:
                yield node, name


def codes_of(node: ast.expr) -> list[str]:
    """The codes that an argument may be: a text, or one of two."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [node.value]
    return codes_of(node.body) + codes_of(node.orelse) if isinstance(node, ast.IfExp) else []


def names_in(templates: Iterable[str]) -> set[str]:
    """The names of the fields that templates use."""
    found = (name for template in templates for _, name, _, _ in words._FIELDS.parse(template) if name)
    return {re.split(r"[.\[]", name)[0] for name in found}


def test_every_error_has_a_code() -> None:
    found = [
        f"{path.relative_to(PACKAGE)}:{call.lineno}: {ast.unparse(call)[:100]}"
        for path in SOURCES
        for call, _ in raised(path)
        if call.args and not (set(codes_of(call.args[0])) or {""}) <= words.errors().keys()
    ]
    assert not found


def test_fields_are_those_of_the_sentence() -> None:
    wrong = []
    for path in SOURCES:
        for call, name in raised(path):
            for code in codes_of(call.args[0]) if call.args else []:
                if code not in words.errors() or any(each.arg is None for each in call.keywords):
                    continue
                given = {each.arg for each in call.keywords} - OWN
                wanted = names_in(words.errors()[code]) - OWN
                if given != wanted:
                    wrong.append(f"{path.relative_to(PACKAGE)}:{call.lineno}: {code}: {given} for {wanted}")
                if code != KINDS[name] and not code.startswith(KINDS[name] + "."):
                    wrong.append(f"{path.relative_to(PACKAGE)}:{call.lineno}: {code} begins not as {KINDS[name]}")
    assert not wrong


def test_every_code_is_said_somewhere() -> None:
    said = {
        node.value
        for path in [*SOURCES, PACKAGE / "errors.py"]
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert (words.errors().keys() | words.notes().keys()) - said == set()


def test_a_code_belongs_to_one_room() -> None:
    rooms = [import_module(f"upytool.words.{room}") for room in words.rooms()]
    codes = [code for room in rooms for code in room.ERRORS | room.NOTES]
    assert len(codes) == len(set(codes))
    assert sorted(path.stem for path in (PACKAGE / "words").glob("[a-z]*.py")) == sorted(words.rooms())


@pytest.mark.parametrize("code", sorted(words.errors()))
def test_a_sentence_can_be_made(code: str) -> None:
    templates = words.errors()[code]
    for template in templates:
        names = names_in([template])
        assert words._FIELDS.vformat(template, (), {name: _Anything() for name in names})
    assert not templates[0].endswith(".")


class _Anything:
    """A value that every format accepts, as a field's attributes and items are too."""

    def __format__(self, spec: str) -> str:
        return "x"

    def __getattr__(self, name: str) -> _Anything:
        return self

    def __getitem__(self, key: object) -> _Anything:
        return self
