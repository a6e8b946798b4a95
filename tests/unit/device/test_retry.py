"""What follows a failure: again, the next way, or the end with a reason."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.unit.device.boards import board_device
from upytool.device.local import CallSink
from upytool.device.retry import LEAST_WINDOW, MUTE, TRIES, Capabilities, NoStreamError, Retry, StartFailed, Way, unable
from upytool.device.session import Session
from upytool.device.stream import Server
from upytool.errors import DeviceTimeoutError, OperationInterrupted, RawReplError, RemoteError, StreamError
from upytool.protocol.ops import Interrupted, Op, Pause
from upytool.protocol.transfer import Message, StreamDamaged
from upytool.testing import ScriptDriver


class Work:
    """Attempts that fail in turn with `failures`; None is a success. Each takes `seconds` and gains `gain`."""

    def __init__(self, *failures: BaseException | None, seconds: float = 0.0, gain: int = 0, words: str = "") -> None:
        self.failures, self.seconds, self.gain, self.words = iter(failures), seconds, gain, words
        self.session, self.can = Session(), Capabilities()
        self.done = self.tries = self.stops = 0

    def attempt(self) -> Op[str]:
        self.tries += 1
        yield Pause(self.seconds)
        self.done += self.gain
        failure = next(self.failures, None)
        if failure is not None:
            raise failure
        return "done"

    def stop(self) -> Op[str]:
        self.stops += 1
        yield Pause(0)
        return self.words

    def run(self) -> str:
        retry = Retry(self.session, self.can, "file system")
        op = retry.steadily(self.attempt, self.stop, lambda: self.done)
        return ScriptDriver(lambda _: []).run(op)


def broken(count: int) -> list[BaseException]:
    return [StreamDamaged("broken") for _ in range(count)]


def mute(way: Way, count: int) -> list[BaseException]:
    return [StartFailed(way, "", DeviceTimeoutError("nothing")) for _ in range(count)]


def test_again_while_it_may_be_noise() -> None:
    work = Work(*broken(TRIES))
    assert work.run() == "done"
    assert (work.tries, work.stops) == (TRIES + 1, TRIES)


def test_not_for_ever() -> None:
    work = Work(*broken(100))
    with pytest.raises(StreamError):
        work.run()
    assert work.tries == work.stops == TRIES + 1


def test_what_gains_something_goes_on() -> None:
    work = Work(*broken(100), gain=1)
    assert work.run() == "done"
    assert work.tries == 101


def test_silence_has_one_bound_whatever_the_tries() -> None:
    work = Work(*mute("packed", 100), seconds=12.0)
    with pytest.raises(DeviceTimeoutError) as caught:
        work.run()
    assert work.tries == 3
    assert "3 times in 36 s" in str(caught.value)


def test_one_more_try_when_the_time_went_by_on_this_computer() -> None:
    work = Work(*broken(1), seconds=100.0)
    assert work.run() == "done"


def test_a_way_that_the_board_cannot_go_is_not_tried_again() -> None:
    work = Work(NoStreamError("packed", "ImportError: no module named 'deflate'"), None)
    assert work.run() == "done"
    assert not work.can.packed
    assert work.can.stream
    assert "deflate" in work.can.why("packed")


def test_modules_that_say_nothing_are_left_for_what_goes_over() -> None:
    work = Work(*mute("frozen", MUTE))
    assert work.run() == "done"
    assert not work.can.allows("frozen")
    work = Work(*mute("bytecode", MUTE))
    assert work.run() == "done"
    assert not work.can.allows("bytecode")
    work = Work(*mute("packed", MUTE))
    assert work.run() == "done"
    assert work.can.packed, "silence is not a refusal"


def test_memory_that_runs_out_takes_the_next_way() -> None:
    work = Work(*broken(2), words="MemoryError: memory allocation failed")
    assert work.run() == "done"
    assert not work.can.allows("bytecode")
    assert not work.can.packed
    assert work.can.stream
    work = Work(*broken(3), words="MemoryError: memory allocation failed")
    assert work.run() == "done"
    assert not work.can.stream


def test_fewer_bytes_in_flight_when_nothing_comes_on() -> None:
    work = Work(*broken(TRIES))
    work.session.repl.window = 256
    work.run()
    assert work.can.window == LEAST_WINDOW


def test_the_same_words_twice_are_the_boards() -> None:
    work = Work(*broken(9), words="TypeError: odd disk")
    with pytest.raises(RemoteError, match="odd disk"):
        work.run()
    assert work.tries == 2


def test_ctrl_c_stops_the_board_once_and_is_no_reason_to_try_again() -> None:
    work = Work(Interrupted())
    with pytest.raises(OperationInterrupted):
        work.run()
    assert (work.tries, work.stops) == (1, 1)


def test_a_prompt_that_went_away_is_told_with_what_was_tried() -> None:
    work = Work(*broken(1), RawReplError("nothing answers"))
    with pytest.raises(DeviceTimeoutError, match="2 times"):
        work.run()
    work = Work(RawReplError("nothing answers"))
    with pytest.raises(RawReplError):
        work.run()


@pytest.mark.parametrize(
    ("way", "words", "never"),
    [
        ("packed", "ImportError: no module named 'deflate'", True),
        ("text", "MemoryError: ", True),
        ("text", "KeyboardInterrupt: ", False),
        ("packed", "ValueError: packed data", False),
        ("frozen", "ValueError: incompatible .mpy file", True),
        ("frozen", "KeyboardInterrupt: ", False),
        ("frozen", "", False),
    ],
)
def test_which_words_mean_never(way: Way, words: str, never: bool) -> None:
    assert unable(way, words) is never


# -- on a board -------------------------------------------------------------------------------------


@pytest.fixture
def breaks(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Lets the stream break at the n-th answer, and the board be unable to start it again."""
    left = [-1]
    answer, start = Server.answer, Server.open

    def answering(self: Server, path: str = "", more: float = 0.0) -> Op[Message]:
        if left[0] == 0:
            raise StreamDamaged("broken")
        left[0] -= 1
        return (yield from answer(self, path, more))

    def opening(self: Server, failures: int = 0) -> Op[None]:
        if left[0] == 0:
            raise NoStreamError("text", "MemoryError: ")
        yield from start(self, failures)

    monkeypatch.setattr(Server, "answer", answering)
    monkeypatch.setattr(Server, "open", opening)

    def arm(count: int) -> None:
        left[0] = count

    return arm


@pytest.mark.parametrize("answers", [0, 1, 2, 5, 9])
def test_the_slow_way_goes_on_where_the_fast_one_ended(answers: int, breaks: Callable[[int], None]) -> None:
    content = {f"/f{number}": bytes([number]) * (700 * number + 1) + b"end" for number in range(5)}
    with board_device() as device:
        breaks(answers)
        device.fs.ops.can = Capabilities()
        for path, data in content.items():
            device.fs.write_bytes(path, data)
        assert sorted(entry.name for entry in device.fs.ls("/")) == [path[1:] for path in content]
        breaks(answers)
        device.fs.ops.can = Capabilities()
        found = device.drive(device.fs.ops.fetch_many(list(content)))
        assert found == content
        sizes: list[int] = []
        breaks(answers)
        device.fs.ops.can = Capabilities()
        parts: list[bytes] = []
        assert device.drive(device.fs.ops.fetch("/f4", CallSink(parts.append), sizes.append)) == len(content["/f4"])
        assert b"".join(parts) == content["/f4"]
        assert sum(sizes) == len(content["/f4"])
