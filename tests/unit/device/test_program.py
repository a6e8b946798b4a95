"""How a user's program goes to the board: its exit status, its line numbers, its control bytes."""

from __future__ import annotations

import pytest

from upytool.device.program import prepare, raise_program_error, raise_snippet_error, rewrite_traceback
from upytool.errors import RemoteException, RemoteExit, RemoteOSError


def executed(source: str) -> BaseException | None:
    """Run the wrapped program with CPython, whose rules for what is wrapped here are MicroPython's."""
    try:
        exec(compile(prepare(source).source, "<stdin>", "exec"), {})
    except BaseException as error:
        return error
    return None


@pytest.mark.parametrize(
    "source",
    [
        "x = '''a\n b\nc'''\nassert x == 'a\\n b\\nc'\n",
        "x = [1,\n2,\n 3]\nassert x == [1, 2, 3]",
        "def f():\n    return '''\n  t'''\nassert f() == '\\n  t'",
        "x = 1 + \\\n2\nassert x == 3\n",
        "# a comment\n\nx = 1\nif x:\n\ty = 2\nelse:\n\ty = 3\nassert y == 2\n",
        "@(lambda f: f)\ndef g(): pass\ng()",
        "class A:\n    '''doc\nstring'''\n    x = 1\nassert A.x == 1",
        "x = f'''{1}\n{2}'''\nassert x == '1\\n2'",
        "",
        "\n\n",
        "# only a comment",
    ],
)
def test_wrapping_changes_nothing_but_the_exit(source: str) -> None:
    assert executed(source) is None


@pytest.mark.parametrize("exit", ["sys.exit(3)", "raise SystemExit(3)", "exec('sys.exit(3)')"])
def test_an_exit_status_comes_through(exit: str) -> None:
    error = executed(f"import sys\n\n{exit}\nprint('not reached')")
    assert isinstance(error, KeyError)
    with pytest.raises(RemoteExit) as caught:
        raise_program_error(f"Traceback\r\nKeyError: {error.args[0]}\r\n".encode(), prepare(""))
    assert caught.value.exit_code == 3


@pytest.mark.parametrize("status", ["", "0", "None", "False"])
def test_a_good_exit_is_no_error(status: str) -> None:
    error = executed(f"import sys\nsys.exit({status})")
    assert isinstance(error, KeyError)
    raise_program_error(f"KeyError: {error.args[0]}\r\n".encode(), prepare(""))


def test_an_exit_with_text_is_status_one_with_the_text() -> None:
    error = executed("raise SystemExit('no luck')")
    assert isinstance(error, KeyError)
    with pytest.raises(RemoteException, match="no luck") as caught:
        raise_program_error(f"KeyError: {error.args[0]}\r\n".encode(), prepare(""))
    assert caught.value.exit_code == 1


@pytest.mark.parametrize("source", ["1/0", "# c\n1/0", "\n\n1/0", "import sys\n\n\n1/0", "x = '''\n\n'''\n1/0"])
def test_line_numbers_are_those_of_the_file(source: str) -> None:
    error = executed(source)
    assert isinstance(error, ZeroDivisionError)
    assert error.__traceback__ is not None
    trace = error.__traceback__.tb_next
    assert trace is not None
    raw = f'Traceback (most recent call last):\n  File "<stdin>", line {trace.tb_lineno}, in <module>\n'
    line = source.count("\n") + 1
    assert f'File "app.py", line {line}, in' in rewrite_traceback(raw, prepare(source, "app.py"))


def test_device_paths_are_named_by_their_local_files() -> None:
    raw = '  File "/remote/lib/a.py", line 4, in f\n  File "/boot.py", line 2, in g\n'
    places = {"/remote/": "/home/me/src", "/boot.py": "fw/boot.py"}
    text = rewrite_traceback(raw, prepare(""), places)
    assert '"/home/me/src/lib/a.py", line 4' in text
    assert '"fw/boot.py", line 2' in text


def test_control_bytes_travel_escaped() -> None:
    program = prepare("x = 'a\x04b\x03'\nassert len(x) == 4")
    assert b"\x04" not in program.source
    assert b"\x03" not in program.source
    exec(program.source, {})


def test_a_source_with_an_error_goes_over_as_it_is() -> None:
    assert prepare("def f(:\n  '''x").source == b"def f(:\n  '''x"


@pytest.mark.parametrize(
    ("line", "number"),
    [("OSError: [Errno 2] ENOENT", 2), ("OSError: 28", 28), ("OSError: (17, 'x')", 17)],
)
def test_an_oserror_of_the_board_keeps_its_number(line: str, number: int) -> None:
    with pytest.raises(RemoteOSError) as caught:
        raise_snippet_error(f"Traceback (most recent call last):\r\n{line}\r\n".encode(), "/x")
    assert caught.value.errno == number
    assert caught.value.filename == "/x"
    assert caught.value.exit_code == 6
    assert isinstance(caught.value, OSError)
