"""The relay that cuts, delays and loses connections, in front of the model and of the rig."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Literal, cast

import pytest

from tests.fakes.webrepl_model import WebReplModel
from tests.rigs.air import Air, Cut
from tests.rigs.air_talk import GET, GET_VERSION, AirTalk, Closed
from tests.rigs.fixtures import Boards
from tests.rigs.webrepl import WebReplBoard
from upytool.sim.wasm import WasmBoard

DATA = bytes(range(250)) * 4
FRAME = 100


@pytest.fixture(scope="module")
def model() -> Iterator[WebReplModel]:
    with WasmBoard(flash_size=1 << 20) as board, WebReplModel(board) as model:
        yield model


def _put(url: str, password: str) -> None:
    with AirTalk(url, password) as client:
        client.put("x", DATA, FRAME)


def test_without_a_fault_all_passes_and_is_counted(model: WebReplModel) -> None:
    with Air(model.url) as air:
        with AirTalk(air.url, model.password) as client:
            client.put("x", DATA, FRAME)
            came = len(client.frames)
        assert air.passed("up")[0] == 1 + 1 + len(DATA) // FRAME  # the password, the request, the content
        assert air.passed("down")[0] == came
    assert model.files.read("x") == DATA


@pytest.mark.parametrize("direction", ["up", "down"])
@pytest.mark.parametrize("how", ["reset", "close"])
def test_cut_behind_every_frame(
    model: WebReplModel, direction: Literal["up", "down"], how: Literal["reset", "close"]
) -> None:
    with Air(model.url) as air:
        _put(air.url, model.password)
        frames = air.passed(direction)[0]
    cuts = [Cut(direction, frames=number, how=how) for number in range(frames)]
    with Air(model.url, cuts=cuts) as air:
        for number in range(frames):
            with pytest.raises(Closed):
                _put(air.url, model.password)
            assert air.passed(direction)[0] == number
            if direction == "up":
                written = max(0, number - 2) * FRAME
                if number >= 2:
                    _until(lambda size=written: len(model.files.read("x")) == size)
        _put(air.url, model.password)  # the cuts are used up, and the server takes clients as before
    assert model.files.read("x") == DATA


def test_cut_in_the_middle_of_a_frame(model: WebReplModel) -> None:
    with Air(model.url) as air:
        _put(air.url, model.password)
        count = air.passed("up")[1]
    with Air(model.url, cuts=[Cut("up", bytes=count - 30)]) as air:
        with pytest.raises(Closed):
            _put(air.url, model.password)
        assert air.passed("up") == (2 + len(DATA) // FRAME - 1, count - 30)
    _until(lambda: len(model.files.read("x")) == len(DATA) - 30)


def test_lost_client_keeps_its_place_until_it_is_forgotten(model: WebReplModel) -> None:
    with Air(model.url, cuts=[Cut("down", frames=2, how="lost")]) as air:
        with AirTalk(air.url, model.password) as lost:
            lost.send(b"'never comes'\r")
            with pytest.raises(TimeoutError):
                lost.until(b"\r\n>>> ", 0.3)
        with pytest.raises(Closed):
            _put(air.url, model.password)  # for the board the first client is still there
        air.forget()
        _until(lambda: _can_put(air.url, model.password))


def test_delay_is_paid_a_round_trip_each(model: WebReplModel) -> None:
    with Air(model.url, up=0.02, down=0.03) as air, AirTalk(air.url, model.password) as client:
        # Header and payload of an answer are two segments, and the second waits for the ACK of the first.
        began = time.monotonic()
        client.request(GET_VERSION)
        client.answer(3)
        assert time.monotonic() - began >= 0.1
        # Many answers at once fill their segments, so they come as fast as before.
        content = DATA * 60
        chunks = -(-len(content) // 256)
        client.put("x", content)
        client.request(GET, "x")
        client.answer(4)
        client.send_binary(b"\0" * (chunks + 1))
        for at in range(0, len(content), 256):
            assert client.answer(2 + len(content[at : at + 256]))[2:] == content[at : at + 256]
        assert client.answer(6) == b"\0\0WB\0\0"


@pytest.mark.rig
def test_real_server_behind_the_air(boards: Boards) -> None:
    board = cast("WebReplBoard", boards.fresh("unix-webrepl"))
    assert board.password is not None
    with Air(board.port, up=0.005, down=0.005, cuts=[Cut("up", frames=4), None]) as air:
        with pytest.raises(Closed):
            _put(air.url, board.password)
        _until(lambda: (board.root / "x").read_bytes() == DATA[: 2 * FRAME])  # behind the password and the request
        with AirTalk(air.url, board.password) as client:
            client.put("x", DATA, FRAME)
            assert client.get("x") == DATA


def test_cut_is_behind_frames_or_behind_bytes() -> None:
    for frames, count in ((None, None), (1, 1)):
        with pytest.raises(ValueError):
            Cut("up", frames=frames, bytes=count)


def _can_put(url: str, password: str) -> bool:
    try:
        _put(url, password)
    except Closed:
        return False
    return True


def _until(met: object) -> None:
    """Wait for what another thread does, at most ten seconds."""
    assert callable(met)
    end = time.monotonic() + 10
    while not met():
        assert time.monotonic() < end
        time.sleep(0.01)
