"""The requests of mounted folders, as a board makes them."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from struct import pack, unpack_from

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from upytool.device.folder import Folder
from upytool.protocol.mount import FrameFinder, encode
from upytool.protocol.mount_server import MountServer, board_errno

SEED = 4711


class Asker:
    """Makes requests as ondevice/mount.py does; a model of its side of the wire."""

    def __init__(self, root: Path, limit: int = 248, **options: bool) -> None:
        self.problems: list[BaseException] = []
        self.server = MountServer(SEED, limit, self.problems.append)
        self.folder = Folder(root, **options)  # type: ignore[arg-type]
        self.server.volumes[0] = self.folder
        self.sequence = 0

    def raw(self, payload: bytes) -> bytes:
        output, reply = self.server.feed(encode(payload, SEED))
        assert output == b""
        return reply

    def ask(self, request: bytes) -> tuple[int, bytes]:
        self.sequence = (self.sequence + 1) & 0xFF
        reply = self.raw(bytes((self.sequence,)) + request[:1] + b"\0" + request[1:])
        assert len(reply) <= self.server.limit
        assert 3 not in reply
        output, payloads = FrameFinder(SEED + 1).feed(reply)
        assert output == b""
        assert payloads[0][0] == self.sequence
        return payloads[0][1], payloads[0][2:]

    def good(self, request: bytes) -> bytes:
        number, result = self.ask(request)
        assert number == 0
        return result

    def open(self, path: str, mode: str) -> tuple[int, int, bool, bytes]:
        result = self.good(b"o" + bytes((len(mode),)) + mode.encode() + path.encode())
        handle, position = unpack_from("<HQ", result)
        return handle, position, bool(result[10]), result[11:]

    def read(self, handle: int, offset: int) -> tuple[bool, bytes]:
        result = self.good(b"r" + pack("<HQ", handle, offset))
        return bool(result[0]), result[1:]

    def names(self, path: str) -> list[tuple[str, int, int]]:
        out: list[tuple[str, int, int]] = []
        last = b""
        while result := self.good(b"l" + bytes((len(last),)) + last + path.encode()):
            at = 0
            while at < len(result):
                count, kind, size = unpack_from("<BBI", result, at)
                last = result[at + 6 : at + 6 + count]
                out.append((last.decode(), kind, size))
                at += 6 + count
        return out


@pytest.fixture
def asker(tmp_path: Path) -> Asker:
    return Asker(tmp_path)


def test_read_in_as_many_answers_as_it_takes(asker: Asker, tmp_path: Path) -> None:
    content = bytes(range(256)) * 20 + b"\x03\x04\x10\x18" * 300
    (tmp_path / "f").write_bytes(content)
    handle, position, end, data = asker.open("/f", "rb")
    assert (position, end) == (0, False)
    while not end:
        end, more = asker.read(handle, len(data))
        assert more
        data += more
    assert data == content
    assert asker.read(handle, len(content)) == (True, b"")


def test_a_small_file_comes_with_its_open(asker: Asker, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"small")
    assert asker.open("/f", "r")[1:] == (0, True, b"small")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(content=st.binary(max_size=700), limit=st.integers(60, 700))
def test_any_content_at_any_limit(tmp_path: Path, content: bytes, limit: int) -> None:
    (tmp_path / "f").write_bytes(content)
    asker = Asker(tmp_path, limit)
    handle, _, end, data = asker.open("/f", "rb")
    while not end:
        end, more = asker.read(handle, len(data))
        data += more
    assert data == content
    asker.folder.close_all()


def test_listing_in_batches_with_sizes(asker: Asker, tmp_path: Path) -> None:
    for number in range(90):
        (tmp_path / f"file{number:03}.txt").write_bytes(b"x" * number)
    (tmp_path / "sub").mkdir()
    found = asker.names("/")
    assert found == [(f"file{n:03}.txt", 0, n) for n in range(90)] + [("sub", 1, 0)]


def test_a_listing_goes_on_when_files_go_meanwhile(asker: Asker, tmp_path: Path) -> None:
    for number in range(60):
        (tmp_path / f"{number:03}").touch()
    first = asker.good(b"l\0/")
    for number in range(60):
        (tmp_path / f"{number:03}").unlink()
    last = first[-3:]
    assert asker.good(b"l\x03" + last + b"/")[6:9] == b"%03d" % (int(last) + 1)
    assert asker.good(b"l\0/") == b""


def test_write_append_truncate_size(asker: Asker, tmp_path: Path) -> None:
    handle, *_ = asker.open("/new", "w")
    asker.good(b"w" + pack("<HQ", handle, 0) + b"hello world")
    asker.good(b"w" + pack("<HQ", handle, 6) + b"WORLD")
    assert (tmp_path / "new").read_bytes() == b"hello WORLD"  # before any close
    assert asker.good(b"z" + pack("<H", handle)) == pack("<Q", 11)
    asker.good(b"t" + pack("<HQ", handle, 5))
    assert (tmp_path / "new").read_bytes() == b"hello"
    handle, position, *_ = asker.open("/new", "a")
    assert position == 5
    asker.good(b"w" + pack("<HQ", handle, 0) + b"!")
    assert (tmp_path / "new").read_bytes() == b"hello!"


def test_a_request_that_comes_twice_is_done_once(asker: Asker, tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"")
    handle, *_ = asker.open("/log", "a")
    request = b"\x77w\0" + pack("<HQ", handle, 0) + b"line\n"
    first = asker.raw(request)
    assert asker.raw(request) == first
    assert (tmp_path / "log").read_bytes() == b"line\n"
    asker.raw(b"\x78" + request[1:])
    assert (tmp_path / "log").read_bytes() == b"line\nline\n"


def test_directories(asker: Asker, tmp_path: Path) -> None:
    asker.good(b"m/a")
    asker.good(b"m/a/b")
    assert asker.good(b"c/a/./b/../b/") == b"/a/b/"
    assert asker.ask(b"d/a") == (39, b"")  # ENOTEMPTY by the board's number, whatever this computer's is
    asker.good(b"d/a/b")
    assert asker.ask(b"c/a/b") == (2, b"")
    (tmp_path / "x").write_bytes(b"x")
    asker.good(b"n\x02\0/x/a/y")
    assert (tmp_path / "a" / "y").read_bytes() == b"x"
    assert asker.ask(b"u/a") == (21, b"")
    asker.good(b"u/a/y")
    assert asker.good(b"s/a")[0] == 1
    assert len(asker.good(b"v")) == 13


def test_the_time_counts_from_the_boards_epoch(asker: Asker, tmp_path: Path) -> None:
    (tmp_path / "f").touch()
    os.utime(tmp_path / "f", (946684800 + 5, 946684800 + 5))
    asker.server.epoch = 946684800
    assert unpack_from("<BQI", asker.good(b"s/f")) == (0, 0, 5)


@pytest.mark.parametrize(
    "request_",
    [b"s/none", b"o\1r/none", b"u/none", b"d/none", b"l\0/none", b"r\x07\0" + bytes(8), b"z\x09\0"],
)
def test_errors_have_a_number(asker: Asker, request_: bytes) -> None:
    number, result = asker.ask(request_)
    assert number in (2, 9)
    assert result == b""


@pytest.mark.parametrize("request_", [b"?", b"s\xff\xfe", b"o\x05zz/f", b"o\1q/f", b"w\1", b"r", b"n\x09", b"l", b""])
def test_nonsense_is_refused_and_nothing_breaks(asker: Asker, request_: bytes) -> None:
    number, _ = asker.ask(request_)
    assert number in (5, 22)
    assert asker.good(b"l\0/") == b""


@given(st.binary(min_size=3, max_size=60))
def test_no_request_breaks_the_server(payload: bytes) -> None:
    server = MountServer(SEED, 248)
    output, _ = server.feed(encode(payload, SEED))
    assert output == b""


def test_an_unknown_volume(asker: Asker) -> None:
    reply = asker.raw(b"\x01s\x05/x")
    assert FrameFinder(SEED + 1).feed(reply)[1] == [b"\x01\x13"]


def test_a_bug_of_ours_is_an_io_error_for_the_board_and_a_word_for_the_user(asker: Asker) -> None:
    def broken(path: str) -> tuple[bool, int, float]:
        raise RuntimeError("broken")

    asker.folder.stat = broken  # type: ignore[method-assign]
    assert asker.ask(b"s/x")[0] == 5
    assert [str(problem) for problem in asker.problems] == ["broken"]


def test_keys_that_the_board_read_by_mistake_go_back_to_it(asker: Asker) -> None:
    assert asker.raw(b"\0k" + b"print(1)\r\x03") == b"print(1)\r\x03"


def test_close_is_not_answered_and_frees(asker: Asker, tmp_path: Path) -> None:
    (tmp_path / "f").touch()
    handle, *_ = asker.open("/f", "r")
    assert asker.raw(b"\0x\0" + pack("<H", handle)) == b""
    assert asker.folder.open_files == 0


def test_output_around_requests(asker: Asker) -> None:
    stream = b"before" + encode(b"\x01s\0/", SEED) + b"af\x18ter"
    output, reply = asker.server.feed(stream)
    assert (output, reply[:2]) == (b"beforeaf\x18ter", b"\x18\xb5")
    assert asker.server.feed(b"\x18")[0] == b""
    assert asker.server.busy
    assert asker.server.feed(b"") == (b"\x18", b"")


def test_numbers_of_this_computer_become_the_boards() -> None:
    assert board_errno(OSError(errno.ENOTEMPTY, "")) == 39
    assert board_errno(OSError(errno.ETIMEDOUT, "")) == 110
    assert board_errno(OSError("no number")) == 5
    assert board_errno(UnicodeDecodeError("utf-8", b"", 0, 1, "")) == 22
