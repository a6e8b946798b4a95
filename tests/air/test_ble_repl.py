"""Our module ble_repl on real MicroPython (tests/rigs/ble.py), over real ATT, GATT and SMP, with a model radio.

What it does as any board does is in tests/conformance.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytest.importorskip("bleak")
pytest.importorskip("bumble")
if sys.platform != "linux":
    pytest.skip("the board runs in a chroot", allow_module_level=True)

from bleak.exc import BleakGATTProtocolError, BleakGATTProtocolErrorCode

from tests.air.ble_world import World
from tests.rigs.ble import UNLOCKED, BleReplBoard
from upytool.cli.main import run
from upytool.device.device import Device
from upytool.errors import (
    ConnectionLostError,
    NotAuthorizedError,
    OperationInterrupted,
    PortMissingError,
)
from upytool.protocol import ble as protocol
from upytool.secret import Secret
from upytool.transport import ble, ble_scan
from upytool.transport.ble import BleTransport
from upytool.transport.loop_thread import LoopThread

pytestmark = pytest.mark.rig

NAME = "ble://mpy-3f2a"
PASSWORD = "open sesame"


@pytest.fixture(scope="module")
def rig() -> Iterator[BleReplBoard]:
    with BleReplBoard() as board:
        yield board


@pytest.fixture
def board(rig: BleReplBoard) -> BleReplBoard:
    rig.accepts_pairing = True
    rig.install()
    return rig


@pytest.fixture
def world(board: BleReplBoard, monkeypatch: pytest.MonkeyPatch) -> World:
    made = World(board)
    made.bleak_uses(monkeypatch)
    monkeypatch.setattr(ble_scan, "NAMESAKES", 0.05)
    return made


Connect = Callable[..., Device]


@pytest.fixture
def connect(world: World) -> Iterator[Connect]:
    opened: list[Device] = []

    def connect(password: str = PASSWORD) -> Device:
        opened.append(Device(BleTransport(NAME, lambda _: Secret(password))))
        return opened[-1]

    yield connect
    for device in opened:
        device.close()


# -- what every command needs ---------------------------------------------------------------------------


def test_the_board_tells_what_its_buffers_hold(connect: Connect) -> None:
    device = connect()
    assert device.session.in_flight == 256
    assert device.session.repl.can_interrupt


@pytest.mark.parametrize("mtu", [23, 247, 517])
def test_files_and_long_programs(connect: Connect, world: World, mtu: int) -> None:
    world.mtu = mtu
    device = connect()
    data = os.urandom(20_000 if mtu > 100 else 3_000)
    device.fs.write_bytes("/x.bin", data)
    assert device.fs.read_bytes("/x.bin") == data
    assert "x.bin" in [entry.name for entry in device.fs.ls("/")]
    program = "total = 0\n" + "".join(f"total += {i}\n" for i in range(400)) + "print(total)"
    assert device.exec(program) == f"{sum(range(400))}\n"


def test_a_flood_of_output_arrives_whole(connect: Connect) -> None:
    # More than the stack has buffers for: it says ENOMEM again and again.
    said = connect().exec("for i in range(1000): print(i, 'x' * (i % 300))")
    assert said == "".join(f"{i} {'x' * (i % 300)}\n" for i in range(1000))


# -- Ctrl-C ----------------------------------------------------------------------------------------------

LOOPS = {
    "silent": "while True: pass",
    "printing lines": "i = 0\nwhile True:\n    i += 1\n    print('line', i)",
    "printing much": "while True: print('x' * 1000)",
    "reading": "import sys\nsys.stdin.read(1)",
}


def interrupted(device: Device, program: str, after: float) -> OperationInterrupted:
    """Run `program`, and press Ctrl-C `after` seconds after its start."""
    import _thread

    timer = threading.Timer(after, _thread.interrupt_main)

    def run() -> None:
        timer.start()
        device.run(program, on_output=lambda _: None)

    with pytest.raises(OperationInterrupted) as stopped:
        run()
    return stopped.value


@pytest.mark.parametrize("kind", LOOPS)
def test_ctrl_c_stops_a_program(connect: Connect, kind: str) -> None:
    device = connect()
    assert device.exec("print(0)") == "0\n"
    for number in range(2):
        stopped = interrupted(device, LOOPS[kind], 0.25 + 0.05 * number)
        assert "KeyboardInterrupt" in stopped.traceback
        assert device.exec(f"print({number})") == f"{number}\n", "the terminal is still there"


def test_ctrl_c_never_takes_the_terminal_away(connect: Connect) -> None:
    # micropython#18331: KeyboardInterrupt raised in write() of a stream ends os.dupterm. Each try hits another place.
    device = connect()
    device.drive(device.session.ready())
    transport = device.transport
    for number in range(45):
        transport.write(b"i = 0\nwhile True:\n    i += 1\n    print(i)\n\x04")
        said, end = b"", time.monotonic() + 20
        while len(said) < 4:  # the OK, and a word of the program: before it runs, a 03 is input like any other
            said += transport.read(1.0)
        time.sleep(0.0023 * number)
        transport.write(b"\x03")
        while not said.endswith(b"\x04>"):
            said += transport.read(1.0)
            assert time.monotonic() < end, (number, said[-200:])
        assert b"KeyboardInterrupt" in said[-200:], number
        assert b"dupterm" not in said
    assert device.exec("import ble_repl; print(ble_repl._terminal.error)") in ("None\n", "[Errno 12] ENOMEM\n")


# -- who gets in ----------------------------------------------------------------------------------------


def test_a_wrong_password(connect: Connect) -> None:
    with pytest.raises(NotAuthorizedError):
        connect("open barley")
    assert connect().exec("print(1)") == "1\n"


class Stranger:
    """Somebody with bleak and without the password."""

    def __init__(self) -> None:
        self._loop = LoopThread("stranger")
        self.heard = bytearray()
        self.gone = threading.Event()
        self._client = self._loop.run(self._connect(), 20)

    async def _connect(self) -> object:
        import bleak

        device = await bleak.BleakScanner.find_device_by_name("mpy-3f2a", timeout=10)
        client = bleak.BleakClient(device, disconnected_callback=lambda _: self.gone.set())
        await client.connect()
        await client.start_notify(protocol.FROM_BOARD, lambda _, data: self.heard.extend(data))
        return client

    def write(self, data: bytes, uuid: str = protocol.TO_BOARD) -> None:
        self._loop.run(self._client.write_gatt_char(uuid, data, response=True), 10)  # type: ignore[attr-defined]

    def login(self) -> protocol.Login:
        return protocol.parse_login(self._loop.run(self._client.read_gatt_char(protocol.LOGIN), 10))  # type: ignore[attr-defined]

    def hears(self, text: bytes) -> bool:
        end = time.monotonic() + 10
        while text not in self.heard and time.monotonic() < end:
            time.sleep(0.02)
        return text in self.heard

    def close(self) -> None:
        self._loop.run(self._client.disconnect(), 10)  # type: ignore[attr-defined]
        self._loop.close()


@pytest.fixture
def stranger(world: World) -> Iterator[Stranger]:
    made = Stranger()
    yield made
    made.close()


def test_a_stranger_gets_no_prompt_and_runs_nothing(stranger: Stranger, board: BleReplBoard) -> None:
    stranger.write(b"open('/pwned', 'w').close()\r")
    assert stranger.gone.wait(10), "a line that is not the password ends the connection"
    assert b">>>" not in stranger.heard
    assert not (board.root / "pwned").exists()


def test_a_password_may_be_typed(stranger: Stranger, world: World) -> None:
    stranger.write(b"\r")
    assert stranger.hears(b"Password: ")
    assert stranger.login().locked
    for letter in PASSWORD.encode():
        stranger.write(bytes((letter,)))
    stranger.write(b"\r")
    stranger.write(b"\r")
    assert stranger.hears(b">>> ")
    stranger.write(b"print(6 * 7)\r")
    assert stranger.hears(b"42\r\n")
    assert not stranger.login().locked


def test_a_typed_password_that_is_too_long(stranger: Stranger) -> None:
    stranger.write(b"x" * 200)
    assert stranger.gone.wait(10)


def test_a_proof_works_once(connect: Connect, world: World) -> None:
    connect().close()
    proof = next(data for data in world.writes if len(data) == 16)
    stranger = Stranger()
    stranger.write(proof, protocol.LOGIN)
    assert stranger.gone.wait(10)
    stranger.close()


def test_the_nonce_is_new_after_each_try(stranger: Stranger, world: World) -> None:
    first = stranger.login().nonce
    assert stranger.login().nonce == first
    stranger.write(bytes(16), protocol.LOGIN)
    assert stranger.gone.wait(10)
    other = Stranger()
    assert other.login().nonce != first
    other.close()


def test_an_idle_stranger_keeps_nobody_out(stranger: Stranger, connect: Connect) -> None:
    device = connect()
    assert device.exec("print(1)") == "1\n"
    assert stranger.gone.wait(10), "who did not log in is sent away"


PATIENCE = "import ble_repl\nble_repl._LINGER = {}\nble_repl.start({})\n"  # a boot.py
NO_TIMER = "import machine\nclass Timer:\n    def __init__(self, n):\n        raise ValueError\nmachine.Timer = Timer\n"
SETTINGS = f'PASSWORD = "{PASSWORD}"\n'


def test_a_stranger_who_waits_is_sent_away(board: BleReplBoard, world: World) -> None:
    board.install(SETTINGS, PATIENCE.format(1500, ""))
    first, second = Stranger(), Stranger()
    second.write(b"\r")
    assert second.hears(b"Password: "), "typing wins no time"
    for stranger in (first, second):
        assert stranger.gone.wait(10)
        assert b">>>" not in stranger.heard
        stranger.close()


def test_who_is_logged_in_is_not_sent_away(board: BleReplBoard, connect: Connect) -> None:
    board.install(SETTINGS, PATIENCE.format(1000, ""))
    device = connect()
    assert device.exec("import time; time.sleep(2.5); print(1)") == "1\n"
    assert device.exec("import ble_repl; print(len(ble_repl._terminal._links))") == "1\n"


def test_without_a_timer_the_next_event_sends_strangers_away(board: BleReplBoard, world: World) -> None:
    # An ESP32: its timers are hardware, and the program's.
    board.install(SETTINGS, NO_TIMER + PATIENCE.format(300, ""))
    first = Stranger()
    assert not first.gone.wait(1.0)
    second = Stranger()
    assert first.gone.wait(10)
    first.close()
    second.close()


def test_strangers_leave_a_connection_free(board: BleReplBoard, world: World) -> None:
    board.install(SETTINGS, NO_TIMER + PATIENCE.format(600_000, ""))
    strangers = [Stranger() for _ in range(4)]
    assert strangers[0].gone.wait(10), "the oldest of more than three"
    assert not any(stranger.gone.is_set() for stranger in strangers[1:])
    for stranger in strangers:
        stranger.close()


def test_a_stranger_s_wrong_proof_is_nothing_to_others(board: BleReplBoard, world: World) -> None:
    owner, stranger = Stranger(), Stranger()
    nonces = [owner.login().nonce, stranger.login().nonce]
    assert nonces[0] != nonces[1]
    assert owner.login().nonce == nonces[0], "each reads its own"
    stranger.write(bytes(16), protocol.LOGIN)
    assert stranger.gone.wait(10)
    owner.write(protocol.proof_of(PASSWORD, nonces[0]), protocol.LOGIN)
    assert not owner.login().locked
    owner.close()
    stranger.close()


def test_a_proof_is_good_on_its_own_connection_alone(board: BleReplBoard, world: World) -> None:
    owner, stranger = Stranger(), Stranger()
    stranger.write(protocol.proof_of(PASSWORD, owner.login().nonce), protocol.LOGIN)
    assert stranger.gone.wait(10)
    assert owner.login().locked
    owner.close()
    stranger.close()


def test_a_connection_has_one_try(board: BleReplBoard, world: World) -> None:
    stranger = Stranger()
    hang_up, board._hang_up = board._hang_up, lambda link: None  # type: ignore[method-assign]
    try:  # a radio that is slow to hang up
        stranger.write(b"open barley\r")
        stranger.write(PASSWORD.encode() + b"\r")
        stranger.write(protocol.proof_of(PASSWORD, stranger.login().nonce), protocol.LOGIN)
        stranger.write(protocol.proof_of(PASSWORD, bytes(8)), protocol.LOGIN)
        assert stranger.login().locked
    finally:
        board._hang_up = hang_up  # type: ignore[method-assign]
    stranger.close()


def test_who_types_the_password_slowly_gets_in(board: BleReplBoard, world: World) -> None:
    board.install(SETTINGS, PATIENCE.format(500, ""))

    def typed(_: str) -> Secret:
        end = time.monotonic() + 10
        while board._links and time.monotonic() < end:
            time.sleep(0.02)
        assert not board._links, "the board has hung up"
        asked.append(1)
        return Secret(PASSWORD)

    asked: list[int] = []
    with Device(BleTransport(NAME, typed)) as device:
        assert device.exec("print(1)") == "1\n"
    assert asked == [1]


def test_a_second_one_does_not_find_it(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    device = connect()
    with monkeypatch.context() as patch:
        patch.setattr(ble, "FIND_SECONDS", 0.5)
        with pytest.raises(PortMissingError):
            connect()
    assert device.exec("print(1)") == "1\n"
    device.close()
    assert connect().exec("print(2)") == "2\n"


@pytest.mark.parametrize(
    "settings",
    [
        *("", 'PASSWORD = "short"\n', "PASSWORD = None\n", f'PASSWORD = "{"x" * 65}"\n'),
        *("PASSWORD = (\n", "raise OSError\n", f'PASSWORD = "{PASSWORD}"\nNAME = 3\n'),
    ],
)
def test_without_a_password_there_is_no_repl(board: BleReplBoard, settings: str) -> None:
    board.install(settings, "import ble_repl\nif not ble_repl.start():\n    open('/went_on', 'w').close()\n")
    assert board.advertisement() is None
    assert (board.root / "went_on").exists(), "what follows in boot.py and main.py runs"


def test_unlocked_is_a_decision(board: BleReplBoard, connect: Connect) -> None:
    board.install("", UNLOCKED)
    device = Device(BleTransport(NAME, lambda _: pytest.fail("nobody asks for a password")))
    with device:
        assert device.exec("print(1)") == "1\n"


# -- pairing --------------------------------------------------------------------------------------------


def test_pairing(board: BleReplBoard, connect: Connect) -> None:
    board.install(f'PASSWORD = "{PASSWORD}"\nPAIR = True\n')
    assert connect().exec("print(1)") == "1\n"


def test_unlocked_with_pairing_is_for_who_has_paired(board: BleReplBoard, world: World) -> None:
    board.install("", PATIENCE.format(600_000, "unlocked=True, pair=True"))
    stranger = Stranger()
    for attempt in (stranger.login, lambda: stranger.write(b"\x03")):
        with pytest.raises(BleakGATTProtocolError) as refused:
            attempt()
        assert refused.value.code == BleakGATTProtocolErrorCode.INSUFFICIENT_ENCRYPTION
    with Device(BleTransport(NAME, lambda _: pytest.fail("nobody asks for a password"))) as device:
        assert device.exec("print(1)") == "1\n"
    assert stranger.gone.wait(10)
    assert stranger.heard == b"", "it reads nothing of what the REPL prints"
    stranger.close()


def test_a_pairing_has_more_patience(board: BleReplBoard, connect: Connect) -> None:
    # The system may ask somebody.
    board.install(SETTINGS + "PAIR = True\n", PATIENCE.format(1000, ""))
    stranger = Stranger()
    assert not stranger.gone.wait(2.0)
    assert stranger.gone.wait(10)
    stranger.close()


def test_pairing_refused(board: BleReplBoard, connect: Connect) -> None:
    board.install(f'PASSWORD = "{PASSWORD}"\nPAIR = True\n')
    board.accepts_pairing = False
    with pytest.raises(NotAuthorizedError):
        connect()


def test_firmware_that_cannot_pair_is_not_open_instead() -> None:
    with BleReplBoard("C0:FF:EE:00:00:01", pairing=False) as board:
        board.install(f'PASSWORD = "{PASSWORD}"\nPAIR = True\n')
        assert board.advertisement() is None
        board.install(f'PASSWORD = "{PASSWORD}"\n')
        assert board.advertisement() is not None


def test_bonds_are_kept(board: BleReplBoard, connect: Connect) -> None:
    board.install(f'PASSWORD = "{PASSWORD}"\nPAIR = True\n')
    device = connect()
    program = "\n".join(
        [
            "import ble_repl, os",
            "os.mkdir('/elsewhere'); os.chdir('/elsewhere')",
            "t = ble_repl._terminal",
            "print(t._event(30, (2, b'key', b'value')), t._event(30, (1, b'key', b'other')))",
            "print(t._event(29, (2, 0, b'key')), t._event(29, (2, 0, None)), t._event(29, (2, 1, None)))",
            "print(t._event(29, (3, 0, b'key')))",
        ]
    )
    assert device.exec(program) == "True True\nb'value' b'value' None\nNone\n"
    assert (board.root / "ble_repl_keys").is_file()
    device.soft_reset()
    assert device.exec("import ble_repl; print(ble_repl._terminal._secrets[2, b'key'])") == "b'value'\n"
    assert device.exec("import ble_repl; print(ble_repl._terminal._event(30, (2, b'key', None)))") == "True\n"
    assert "key" not in device.exec("import ble_repl; print(ble_repl._terminal._event(29, (2, 0, b'key')))")


# -- ends -----------------------------------------------------------------------------------------------


def test_a_program_goes_on_without_its_reader(connect: Connect, board: BleReplBoard) -> None:
    device = connect()
    device.run(
        "import time\nfor i in range(30):\n    print(i)\n    time.sleep_ms(20)\nopen('/done', 'w').close()",
        follow=False,
    )
    device.transport.close()
    end = time.monotonic() + 20
    while not (board.root / "done").exists() and time.monotonic() < end:
        time.sleep(0.05)
    assert (board.root / "done").exists()
    assert connect().exec("print('back')") == "back\n"


def test_a_lost_connection_in_a_program(connect: Connect, board: BleReplBoard) -> None:
    device = connect()
    device.drive(device.session.ready())
    threading.Timer(0.5, lambda: [air.disconnect() for air in list(board._links.values())]).start()
    with pytest.raises(ConnectionLostError):
        device.exec("while True: print('x')")
    assert device.exec("print('again')") == "again\n"


def test_a_radio_that_stands_still_loses_output_and_not_the_program(connect: Connect, board: BleReplBoard) -> None:
    device = connect()
    device.drive(device.session.ready())
    tell, still = board._tell, threading.Event()
    board._tell = lambda kind, data: None if kind == b"n" and not still.is_set() else tell(kind, data)  # type: ignore[method-assign]
    try:
        device.run("for i in range(1500): print(i, 'x' * 50)\nopen('/done', 'w').close()", follow=False)
        end = time.monotonic() + 30
        while not (board.root / "done").exists() and time.monotonic() < end:
            time.sleep(0.05)
        assert (board.root / "done").exists()
    finally:
        still.set()
        board._tell = tell  # type: ignore[method-assign]
        for _ in range(12):
            board._tell(b"n", b"")
    device.transport.close()
    assert connect().exec("print('back')") == "back\n"


def test_stop_and_start_again(connect: Connect) -> None:
    device = connect()
    device.run("import ble_repl\nble_repl.stop()\nble_repl.start()", follow=False)
    with pytest.raises(ConnectionLostError):
        device.transport.read(20.0) and device.transport.read(20.0) and device.transport.read(20.0)
    assert device.exec("print('again')") == "again\n"


def test_set_up_with_commands_over_the_cable(
    board: BleReplBoard, connect: Connect, tmp_path: Path, repository: Path
) -> None:
    (board.root / "lib" / "ble_repl.py").unlink()
    for name in ("boot.py", "ble_repl_cfg.py"):
        (board.root / name).unlink()
    board.power_cycle()
    assert board.advertisement() is None
    (tmp_path / "ble_repl_cfg.py").write_text(f'PASSWORD = "{PASSWORD}"\n')
    (tmp_path / "boot.py").write_text("import ble_repl; ble_repl.start()\n")
    cable = ["-d", board.port]
    assert run([*cable, "mip", "install", str(repository / "firmware" / "modules" / "ble_repl")]) == 0
    assert run([*cable, "cp", str(tmp_path / "ble_repl_cfg.py"), str(tmp_path / "boot.py"), ":"]) == 0
    board.power_cycle()
    assert connect().exec("print(1)") == "1\n"


def test_commands_ask_for_the_password(
    board: BleReplBoard, world: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(["-d", NAME, "exec", "print(6 * 7)"]) == 4, "nobody is there to be asked"
    assert "UPYTOOL_BLE_PASSWORD" in capsys.readouterr().err
    monkeypatch.setenv("UPYTOOL_BLE_PASSWORD", "open barley")
    assert run(["-d", NAME, "exec", "print(6 * 7)"]) == 4
    said = capsys.readouterr()
    assert "UPYTOOL_BLE_PASSWORD" in said.err
    assert "barley" not in said.err + said.out
    monkeypatch.setenv("UPYTOOL_BLE_PASSWORD", PASSWORD)
    assert run(["-d", NAME, "exec", "print(6 * 7)"]) == 0
    assert capsys.readouterr().out.strip() == "42"


def test_a_password_that_was_typed_wrong_is_asked_again(world: World) -> None:
    from upytool.device.connect import connect

    typed = iter(["open barley", PASSWORD])
    with connect(NAME, ask=lambda question: next(typed)) as device:
        assert device.exec("print(1)") == "1\n"


def test_names(board: BleReplBoard, world: World) -> None:
    from upytool.transport.ble_scan import scan

    board.install(f'PASSWORD = "{PASSWORD}"\nNAME = "greenhouse"\n')
    assert [device.selector for device in scan(0.3)] == ["ble://greenhouse"]
    board.install(f'PASSWORD = "{PASSWORD}"\nNAME = "{"long" * 20}"\n')
    assert [device.name for device in scan(0.3)] == [("long" * 20)[:29]]
