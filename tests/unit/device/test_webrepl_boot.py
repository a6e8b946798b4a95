"""Edits of boot.py and webrepl_cfg.py: what is there stays, and taking out gives back what was."""

from __future__ import annotations

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upytool.device.webrepl_boot import START, WIFI, read_boot, value_of, with_start, with_value, without_start
from upytool.errors import RemoteError

STOCK = b"""\
# This file is executed on every boot (including wake-boot from deepsleep)
#import esp
#esp.osdebug(None)
#import webrepl
#webrepl.start()
"""

pieces = st.sampled_from(
    [
        b"", b"x = 1", b"# webrepl.start()", b"#import webrepl", b"import webrepl", b"import network, time",
        b"def connect():", b"    webrepl.start()", b"    pass", b"if True:", b"text = '''", b"'''", b'"""', b"\x0c",
        b"\xff\xfe", b"\xc3\xa4 = 'x'", b"print(\\", b")", b"\t", b"# -*- coding: latin-1 -*-", b"x = '\\d'", b"\0",
        b"import webrepl as w", b"# upytool wifi: end",
    ]
)  # fmt: skip
ends = st.sampled_from([b"\n", b"\r\n", b"\r"])
files = st.builds(
    lambda lines, end, last: end.join(lines) + (end if last else b""), st.lists(pieces, max_size=8), ends, st.booleans()
) | st.binary(max_size=40)


@given(files, st.booleans())
def test_out_again_gives_back_what_was(boot: bytes, wifi: bool) -> None:
    if read_boot(boot).starts:
        return
    try:
        changed = with_start(boot, wifi=wifi)
    except RemoteError:
        assert not read_boot(boot + b"\n" + START).starts
        return
    assert read_boot(changed).starts
    assert read_boot(changed).wifi is (wifi or read_boot(boot).wifi)
    assert changed.startswith(boot)
    assert with_start(changed, wifi=wifi) == changed
    assert without_start(changed) == boot


@given(files)
def test_wifi_comes_before_the_start(boot: bytes) -> None:
    """Whatever the order in which they were asked for, and it is the same file in the end."""
    if read_boot(boot).starts:
        return
    try:
        changed = with_start(with_start(boot), wifi=True)
    except RemoteError:
        return
    assert changed == with_start(boot, wifi=True)
    lines = changed.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
    assert lines.index(WIFI.split(b"\n")[0]) < lines.index(START)
    assert without_start(changed) == boot


@given(files, files)
def test_lines_behind_it_stay(boot: bytes, more: bytes) -> None:
    if read_boot(boot).starts or not boot.endswith((b"\r", b"\n")):
        return
    try:
        changed = with_start(boot, wifi=True)
    except RemoteError:
        return
    if changed.endswith(b"\r") and more.startswith(b"\n"):
        return
    both = changed + more
    state = read_boot(both)
    try:
        if state.readable and state.ours:
            assert without_start(both).replace(b"#", b"") == (boot + more).replace(b"#", b"")
    except RemoteError:
        pass


@given(st.binary(max_size=60) | files)
def test_any_content(boot: bytes) -> None:
    read_boot(boot)
    for edit in (with_start, without_start):
        try:
            edit(boot)
        except RemoteError:
            pass


@pytest.mark.parametrize(
    ("boot", "starts", "port"),
    [
        (STOCK, False, 8266),
        (b"import webrepl\nwebrepl.start()\n", True, 8266),
        (b"import webrepl; webrepl.start(port=80)", True, 80),
        (b"import webrepl as w\nw.start(8080)\n", True, 8080),
        (b"from webrepl import start\nif True:\n    try:\n        start()\n    except: pass\n", True, 8266),
        (b"from webrepl import start as go\ngo()", True, 8266),
        (b"import webrepl\nwebrepl.start_foreground()\n", True, 8266),
        (b"import webrepl\ndef later():\n    webrepl.start()\n", False, 8266),
        (b"import webrepl\nlater = lambda: webrepl.start()\n", False, 8266),
        (b"import webrepl\nif 0:\n    webrepl.start()\n", False, 8266),
        (b"import webrepl\nif 0:\n    pass\nelse:\n    webrepl.start()\n", True, 8266),
        (b"'''\nimport webrepl\nwebrepl.start()\n'''\n", False, 8266),
        (b"motor.start()\n", False, 8266),
        (b"import webrepl\nmotor.start()\nwebrepl.stop()\n", False, 8266),
        (b"def broken(\n", False, 8266),
        (b"def broken(\n" + START, True, 8266),
        (b"'''\n" + START + b"\n'''\n", False, 8266),
    ],
)
def test_what_starts_it(boot: bytes, starts: bool, port: int) -> None:
    state = read_boot(boot)
    assert (state.starts, state.port) == (starts, port)
    assert with_start(boot).startswith(boot)
    assert (with_start(boot) == boot) is starts
    if not starts:
        assert without_start(with_start(boot)) == boot


def test_the_stock_file() -> None:
    changed = with_start(STOCK)
    assert changed == STOCK + START + b"\n"
    assert read_boot(changed).ours


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"import webrepl\nwebrepl.start()\nx = 1\n", b"import webrepl\n#webrepl.start()\nx = 1\n"),
        (b"import webrepl; webrepl.start(8080)\r\n", b"#import webrepl; webrepl.start(8080)\r\n"),
    ],
)
def test_a_start_of_somebody_elses_becomes_a_comment(before: bytes, after: bytes) -> None:
    assert without_start(before) == after


@pytest.mark.parametrize(
    "boot", [b"import webrepl\nif True:\n    webrepl.start()\n", b"import webrepl\nx = webrepl.start(); y = 1\n"]
)
def test_what_cannot_be_undone_is_refused(boot: bytes) -> None:
    with pytest.raises(RemoteError):
        without_start(boot)


def test_the_block_is_python_and_has_an_end() -> None:
    tree = ast.parse(WIFI.decode())
    assert [type(node) for node in tree.body] == [ast.FunctionDef, ast.Expr, ast.Delete]
    assert not any(isinstance(node, ast.While) for node in ast.walk(tree))


# -- webrepl_cfg.py -------------------------------------------------------------------------------

passwords = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=9)
configs = st.builds(
    lambda lines, end, last: end.join(lines) + (end if last else b""),
    st.lists(
        st.sampled_from(
            [
                b"PASS = 'old'", b"PASS = 'a' # why", b"PASS: str = 'x'", b"BASE = 'http://h/'", b"WIFI = ('s', 'p')",
                b"PASS = ('a'", b"   'b')", b"x = 1; PASS = 'y'; z = 2", b"# PASS = 'no'", b"if x:", b"    PASS = 'z'",
                b"'\xc3\xa4'; PASS = 'q'  # \xc3\xb6", b"'\xff'", b"\xef\xbb\xbfPASS = 'bom'", b"PASS = B = 'two'",
                b"PASS = name", b"\x0cPASS = 'ff'", b"",
            ]
        ),
        max_size=5,
    ),
    ends,
    st.booleans(),
)  # fmt: skip


@given(configs | st.binary(max_size=30), passwords)
def test_a_password_is_set_and_all_else_stays(config: bytes, password: str) -> None:
    try:
        changed = with_value(config, "PASS", password)
    except RemoteError:
        return
    assert value_of(changed, "PASS") == password
    assert with_value(changed, "PASS", password) == changed
    before, after = (_others(content) for content in (config, changed))
    assert before == after
    for comment in (b"# why", b"# \xc3\xb6", b"BASE = 'http://h/'"):
        assert changed.count(comment) >= (config.count(comment) if b"PASS = ('a'" not in config else 0)


def _others(content: bytes) -> list[str]:
    """What a webrepl_cfg.py says beside its PASS, value for value."""
    try:
        text = content.decode()
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    tree = ast.parse(text.removeprefix("\ufeff"))
    kept = []
    for node in tree.body:
        if isinstance(node, ast.Assign) and any(getattr(target, "id", "") == "PASS" for target in node.targets):
            node.value = ast.Constant(0)
            if len(node.targets) == 1:
                continue
        kept.append(ast.dump(node))
    return kept


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"", b"PASS = 'new'\n"),
        (b"PASS = 'old'", b"PASS = 'new'"),
        (b"PASS = 'old'\r\nBASE = 1\r\n", b"PASS = 'new'\r\nBASE = 1\r\n"),
        (b"BASE = 1", b"BASE = 1\nPASS = 'new'"),
        (b"PASS = ('o'\n        'ld')  # x\n", b"PASS = ('new')  # x\n"),
        (b"PASS = name\n", b"PASS = 'new'\n"),
    ],
)
def test_files_as_they_are(before: bytes, after: bytes) -> None:
    assert with_value(before, "PASS", "new") == after


def test_a_network_is_set() -> None:
    config = with_value(with_value(b"PASS = 'x'\n", "WIFI", ("it's", 'a"b\\')), "WIFI", ("open",))
    assert config == b"PASS = 'x'\nWIFI = ('open',)\n"
    assert value_of(config, "WIFI") == ("open",)


@pytest.mark.parametrize("config", [b"PASS = (", b"def f(:", b"if x:\n    y = 1\n\x00"])
def test_what_python_cannot_read_is_refused(config: bytes) -> None:
    with pytest.raises(RemoteError):
        with_value(config, "PASS", "new")
    assert value_of(config, "PASS") is None
