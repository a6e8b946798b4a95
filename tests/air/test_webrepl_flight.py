"""How much is on the way to the terminal at once, and how many round trips the common commands take: as data.

The board's ring is as large as it gets here, and everything arrives late and together: what its fullest moment was says
how many bytes a board has to hold that has not looked for a while. An ESP8266 holds 255.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.air.conftest import Air, connect
from tests.rigs.air import Air as Relay
from tests.rigs.air_turns import counted
from tests.rigs.webrepl import WebReplBoard
from upytool.transport.webrepl import WebReplTransport

pytestmark = pytest.mark.rig

DELAY = 0.004


@pytest.fixture(scope="module")
def wide() -> Iterator[WebReplBoard]:
    with WebReplBoard(ring=65535) as board:
        yield board


@pytest.fixture
def webrepl(wide: WebReplBoard) -> WebReplBoard:
    wide.blank()
    return wide


def fullest(board: WebReplBoard) -> int:
    """The most bytes that were in the ring since this was asked last."""
    with connect(board) as device:
        return int(device.exec("import rig; print(rig.fullest())"))


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A directory with what the commands copy."""
    place = tmp_path / "files"
    (place / "tree").mkdir(parents=True)
    generator = random.Random(11)
    (place / "empty").write_bytes(b"")
    (place / "small").write_bytes(b"hello\n")
    (place / "two").write_bytes(generator.randbytes(2000))
    (place / "long").write_bytes(generator.randbytes(20_000))
    (place / "big").write_bytes(generator.randbytes(100_000))
    (place / "n".ljust(60, "n")).write_bytes(generator.randbytes(6000))
    for number in range(60):
        (place / "tree" / f"f{number}").write_bytes(generator.randbytes(1000))
    (place / "program.py").write_text("# a comment that makes it long\n" * 500 + "print('done')\n")
    (place / "m.py").write_text("VALUE = 1\n" * 300)
    return place


# The words of a command ({} is the directory above), and the round trips that it takes from the login on at most. A
# turn is what is sent once something has come; the last one, which leaves the raw prompt and waits for nothing, counts.
TURNS: list[tuple[str, int]] = [
    ("exec print(1)", 3),
    ("run {}/program.py", 4),
    ("eval 6*7", 4),
    ("ls", 3),
    ("cp {}/small :", 5),
    ("cp {}/small :", 5),  # nothing to do
    ("cp {}/two :", 5),
    ("cp {}/empty :", 5),
    ("cp {}/big :", 6),
    ("cp {}/big :", 5),
    ("cp -r {}/tree :", 11),
    ("cp -r {}/tree :", 4),
    ("cat :small", 3),
    ("cp :big {}/back", 9),
    ("cp -r :tree {}/backtree", 10),
    ("sync {}/tree :tree", 6),
    ("mkdir :d", 3),
    ("rm :small", 3),
    ("rm -r :tree", 6),
    ("df", 3),
    ("info", 5),
    ("cp {}/" + "n" * 60 + " :", 6),
    ("cp :" + "n" * 60 + " {}/copied", 7),
    ("mkdir :" + "d" * 60, 3),
    ("cp {}/two :" + "d" * 60, 7),
    ("cp {}/long :" + "d" * 60, 120),  # too long a name for the channel: the transfer program
    ("mount {} exec 'import m'", 30),
]


def test_no_command_sends_the_terminal_more_than_a_board_holds(webrepl: WebReplBoard, air: Air, files: Path) -> None:
    import shlex

    fullest(webrepl)
    seen: list[tuple[str, int, int]] = []
    with Relay(webrepl.port, up=DELAY, down=DELAY) as relay:
        for words, most in TURNS:
            with counted() as talk:
                run = air(*shlex.split(words.replace("{}", str(files))), url=relay.url)
            assert run.code == 0, (words, run.err)
            held = fullest(webrepl)
            seen.append((words, talk.turns, most))
            assert held < 256, words
            # No single write is cut in parts that follow one another at once.
            assert max(talk.typed) <= WebReplTransport.in_flight, words
    print(*seen, sep="\n")
    assert [words for words, turns, most in seen if turns > most] == []


def test_keys_that_are_pasted_wait_for_the_board(webrepl: WebReplBoard) -> None:
    """Raw paste with both of its windows, whatever is granted when."""
    fullest(webrepl)
    with Relay(webrepl.port, up=DELAY, down=DELAY) as relay, connect(webrepl, relay.url) as device:
        assert device.session.carrier is not None
        device.session.carrier._able = False
        for size in (254, 255, 256, 257, 381, 382, 383, 384, 385, 511, 512, 513, 5000):
            source = b"#" * (size - 9) + b"\nprint(1)"
            assert device.exec_bytes(source) == b"1\r\n", size
    assert fullest(webrepl) < 256
