"""Colour, tables, sizes, streams and the three reporters."""

from __future__ import annotations

import io
import json
import sys
from typing import Any

import pytest

from upytool.cli.ui.guard import guarded
from upytool.cli.ui.json import Document
from upytool.cli.ui.plain_reporter import JsonReporter, PlainReporter
from upytool.cli.ui.prompt import choose, confirm
from upytool.cli.ui.rich_reporter import RichReporter
from upytool.cli.ui.streams import ClosedPipe, Streams
from upytool.cli.ui.style import Style, want_colour
from upytool.cli.ui.text import Answer, Result, plural, rows, seconds, size, width_of
from upytool.errors import UsageError
from upytool.events import DeviceOutput, Task, notice


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "CI", "TERM", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("flag", "environ", "tty", "expected"),
    [
        ("always", {"NO_COLOR": "1"}, False, True),
        ("never", {"FORCE_COLOR": "1"}, True, False),
        ("auto", {"NO_COLOR": "1", "FORCE_COLOR": "1"}, True, False),
        ("auto", {"NO_COLOR": ""}, True, True),
        ("auto", {"FORCE_COLOR": "1"}, False, True),
        ("auto", {"FORCE_COLOR": "0"}, True, False),
        ("auto", {"TERM": "dumb"}, True, False),
        ("auto", {"TERM": "dumb", "FORCE_COLOR": "1"}, True, True),
        ("auto", {"TERM": "xterm"}, True, True),
        ("auto", {"TERM": "xterm"}, False, False),
    ],
)
def test_colour_rule(flag: str, environ: dict[str, str], tty: bool, expected: bool) -> None:
    assert want_colour(flag, environ, tty) is expected


def test_style_without_colour_is_the_text() -> None:
    plain, loud = Style(), Style(colour=True)
    for role in ("heading", "literal", "strong", "dim", "good", "warning", "error", "hint"):
        assert getattr(plain, role)("x") == "x"
        assert getattr(loud, role)("x") == getattr(loud, role)("x").replace("x", "x") != "x"
        assert getattr(loud, role)("") == ""
    assert Style(unicode=False).glyph("─", "-") == "-"


BODY = [("a.py", 12, None), ("文件", 3456, "note")]


def test_table_for_a_person() -> None:
    assert rows(Style(tty=True), ["name", "size", "note"], BODY, align="lr") == [
        "name  size  note",
        "a.py    12",
        "文件  3456  note",
    ]


def test_table_for_a_program() -> None:
    assert rows(Style(), ["name", "size", "note"], [*BODY, ("a\tb\nc", 1, "")]) == [
        "a.py\t12\t",
        "文件\t3456\tnote",
        "a b c\t1\t",
    ]


def test_painted_cells_do_not_move_the_columns() -> None:
    style = Style(colour=True, tty=True)
    lines = rows(style, ["", ""], [("a", "b"), ("long", "b")], paint=lambda n, t: style.good(t) if n == 0 else t)
    assert [guarded(line) for line in lines] == ["\x1b[32ma\x1b[0m     b", "\x1b[32mlong\x1b[0m  b"]


def test_width_of() -> None:
    assert [width_of(text) for text in ("abc", "文", "e\u0301", "é")] == [3, 2, 1, 1]


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (12400, "12.4 kB"), (999_999, "1.0 MB"), (5e9, "5.0 GB")],
)
def test_size(count: float, text: str) -> None:
    assert size(count) == text


@pytest.mark.parametrize(
    ("time", "text"),
    [(0.42, "0.42 s"), (1.25, "1.2 s"), (12.4, "12 s"), (59.6, "1 min 00 s"), (185, "3 min 05 s")],
)
def test_seconds(time: float, text: str) -> None:
    assert seconds(time) == text


def test_plural() -> None:
    assert [plural(1, "file"), plural(0, "file"), plural(2, "entry", "entries")] == [
        "1 file",
        "0 files",
        "2 entries",
    ]


def test_answer_is_a_result() -> None:
    answer = Answer({"n": 1}, lambda style: ["one"])
    assert isinstance(answer, Result)
    assert answer.text(Style()) == ["one"]
    assert answer.data() == {"n": 1}
    assert Answer(3).text(Style()) == "3"


def test_json_values_beyond_json() -> None:
    document = Document()
    document.result({"b": b"\x00\xff", "s": {2, 1}, "p": ValueError("x")})
    document.end("ls", failed=False, acting=True)
    text = document.text(None, ["w"], pretty=False)
    assert text.count("\n") == 1
    assert json.loads(text)["result"] == {"b": {"base64": "AP8="}, "s": [1, 2], "p": "x"}
    assert document.text(None, [], pretty=True).count("\n") > 2


# -- streams --------------------------------------------------------------------------------------


class Wire(io.RawIOBase):
    def __init__(self, error: OSError | None = None) -> None:
        self.got, self.error = bytearray(), error

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        if self.error:
            raise self.error
        self.got += bytes(data)
        return len(data)


def stdout(monkeypatch: pytest.MonkeyPatch, wire: Wire, encoding: str = "utf-8", tty: bool = False) -> None:
    stream = io.TextIOWrapper(io.BufferedWriter(wire), encoding=encoding, write_through=False)
    monkeypatch.setattr(stream, "isatty", lambda: tty, raising=False)
    monkeypatch.setattr(sys, "stdout", stream)


def test_text_and_bytes_keep_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    wire = Wire()
    stdout(monkeypatch, wire)
    streams = Streams()
    streams.write("a\n")
    streams.out(b"\xff\r\n")
    streams.write("b\n")
    assert bytes(wire.got) == b"a\n\xff\r\nb\n"


def test_legacy_encoding(monkeypatch: pytest.MonkeyPatch) -> None:
    wire = Wire()
    stdout(monkeypatch, wire, "cp437")
    streams = Streams()
    assert not streams.style.unicode
    streams.write("│ 文\n")
    assert wire.got.decode("cp437") == "│ ?\n"


def test_closed_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    wire = Wire(BrokenPipeError())
    stdout(monkeypatch, wire)
    streams = Streams()
    with pytest.raises(ClosedPipe):
        streams.write("x\n")
    with pytest.raises(ClosedPipe):
        streams.out(b"x")
    wire.error = None


def test_no_streams_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    # pythonw on Windows.
    for name in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(sys, name, None)
    streams = Streams()
    streams.write("x")
    streams.out(b"x")
    streams.err("x")
    assert not streams.out_tty


# -- reporters ------------------------------------------------------------------------------------


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def work(reporter: PlainReporter, clock: Clock, took: float, total: int | None = 1000) -> None:
    with Task(reporter, "main.py", total) as task:
        for _ in range(10):
            clock.now += took / 10
            task.advance(100)


@pytest.mark.parametrize("took", [0.0, 0.5, 2.0, 600.0])
@pytest.mark.parametrize(("verbosity", "lines"), [(-2, 0), (-1, 0), (0, 0), (1, 1), (2, 1)])
def test_which_lines_a_log_has_is_not_a_matter_of_speed(
    took: float, verbosity: int, lines: int, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = Clock()
    reporter = PlainReporter(Streams(), verbosity, clock=clock)
    work(reporter, clock, took)
    assert capsys.readouterr().err.count("\n") == lines
    work(PlainReporter(Streams(), verbosity, progress=False, clock=clock), clock, took)
    assert capsys.readouterr().err == ""
    assert not reporter.tasks
    assert not reporter.done


def test_the_line_of_a_task(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    work(PlainReporter(Streams(), 1, clock=clock), clock, 2.0)
    assert capsys.readouterr().err == "main.py: 1.0 kB in 2.0 s, 500 B/s\n"


@pytest.mark.parametrize(("verbosity", "seen"), [(-2, ""), (-1, "w"), (0, "iw"), (1, "idw"), (2, "bidw")])
def test_notices_by_verbosity(verbosity: int, seen: str, capsys: pytest.CaptureFixture[str]) -> None:
    reporter = PlainReporter(Streams(), verbosity)
    notice(reporter, "b", "debug")
    notice(reporter, "i")
    notice(reporter, "d", "detail")
    notice(reporter, "w", "warning")
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.replace("warning: ", "").replace("\n", "") == seen
    assert reporter.warnings == ["w"]


def test_device_output_is_data(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    PlainReporter(Streams()).emit(DeviceOutput(b"\x00\r\n"))
    JsonReporter(Streams()).emit(DeviceOutput(b"\xff"))
    assert capfdbinary.readouterr().out == b"\x00\r\n\xff"


def test_json_events(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    work(JsonReporter(Streams(), clock=clock), clock, 1)
    said = capsys.readouterr()
    assert said.out == ""
    events = [json.loads(line) for line in said.err.splitlines()]
    assert [event["event"] for event in events] == ["task-started", *["task-advanced"] * 10, "task-finished"]
    assert events[0]["label"] == "main.py"
    assert events[-2]["done"] == 1000


def shows_a_bar(reporter: RichReporter) -> bool:
    return reporter._progress is not None


def test_bar_appears_only_for_what_lasts(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    reporter = RichReporter(Streams(), clock=clock)
    work(reporter, clock, 0.2)
    assert capsys.readouterr().err == ""
    assert not shows_a_bar(reporter)
    work(reporter, clock, 0.9)
    drawn = capsys.readouterr().err
    assert "main.py" in drawn
    assert "50%" in drawn or "60%" in drawn
    assert not shows_a_bar(reporter), "the bar must be gone when its task has ended"


def test_bar_makes_room_for_text(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    reporter = RichReporter(Streams(), clock=clock)
    task = Task(reporter, "main.py", 1000)
    clock.now = 5
    task.advance(500)
    assert shows_a_bar(reporter)
    capsys.readouterr()
    notice(reporter, "hello")
    assert not shows_a_bar(reporter)
    assert capsys.readouterr().err.endswith("hello\n")
    clock.now = 6
    task.advance(100)
    assert shows_a_bar(reporter)
    reporter.close()
    task.finish()


def test_two_tasks_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    reporter = RichReporter(Streams(), clock=clock)
    outer, inner = Task(reporter, "all", 2, "files"), Task(reporter, "one [x]", None)
    clock.now = 1
    outer.advance(1)
    clock.now = 2
    inner.advance(5)
    inner.finish()
    assert shows_a_bar(reporter)
    outer.finish()
    assert not shows_a_bar(reporter)
    drawn = capsys.readouterr().err
    assert "1/2 files" in drawn
    assert "one [x]" in drawn


# -- questions ------------------------------------------------------------------------------------


@pytest.fixture
def person(monkeypatch: pytest.MonkeyPatch) -> Streams:
    streams = Streams()
    streams.in_tty = streams.err_tty = True
    return streams


@pytest.mark.parametrize(
    ("answer", "expected"), [("y\n", True), ("YES\n", True), ("\n", False), ("n\n", False), ("", False)]
)
def test_confirm(person: Streams, monkeypatch: pytest.MonkeyPatch, answer: str, expected: bool) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(answer))
    assert confirm("Sure?", person, no_input=False) is expected


def test_a_ci_machine_is_not_asked(person: Streams, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "1")
    with pytest.raises(UsageError):
        confirm("Sure?", person, no_input=False)
    assert choose("Which?", ["a"], person, no_input=False) is None


def test_choose(person: Streams, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("9\nx\n2\n"))
    assert choose("Which?", ["a", "b"], person, no_input=False) == 1
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    assert choose("Which?", ["a", "b"], person, no_input=False) is None


@pytest.mark.parametrize(
    ("shown", "tty", "said"),
    [
        (b">>> ", True, "\nerror: x\n"),
        (b"a\r\n", True, "error: x\n"),
        (b">>> ", False, "error: x\n"),
        (b"", True, "error: x\n"),
    ],
)
def test_on_a_terminal_a_message_begins_its_own_line(
    capfd: pytest.CaptureFixture[str], shown: bytes, tty: bool, said: str
) -> None:
    streams = Streams()
    streams.out_tty = streams.err_tty = tty
    streams.out(shown)
    streams.err("error: x")
    streams.err("hint: y")
    assert capfd.readouterr().err == said + "hint: y\n"
