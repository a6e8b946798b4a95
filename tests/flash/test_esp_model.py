"""Unmodified esptool, through upytool's loader, against the MODEL of the ROM loader (tests/fakes/esp_rom_model.py).

What this proves is the host's side: what is sent, in which order, what happens after errors. That a chip does what
the model does is not proven here.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.fakes.esp_firmware import TABLE, esp_image, firmware
from tests.fakes.esp_rom_model import ENCRYPTION, SECURE_BOOT, Disconnected, EspRomModel, Faults
from tests.fakes.esp_rom_wire import PtyWire, Rfc2217Wire, TcpWire
from upytool.errors import (
    ConnectionLostError,
    FlashError,
    ImageError,
    OperationInterrupted,
    PortBusyError,
    PortMissingError,
    UpytoolError,
)
from upytool.events import Notice, TaskAdvanced, TaskFinished, TaskStarted
from upytool.flashers.base import FlashOptions, FlashTarget, Loader
from upytool.flashers.esp import EspFlasher, probe
from upytool.flashers.esp_link import EspLink
from upytool.image.base import FirmwareImage
from upytool.image.esp_partitions import Partition
from upytool.image.memory import Memory

# pyserial's RFC 2217 client starts its thread in the old way.
pytestmark = pytest.mark.filterwarnings("ignore:set(Daemon|Name):DeprecationWarning")


@pytest.fixture(scope="module", autouse=True)
def _short_waits() -> None:
    """esptool's own setting for its timeouts, read when it is imported: a lost reply costs 0.5 s and not 3 s."""
    if "esptool" in sys.modules:
        return
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "esptool.cfg")
        with open(path, "w") as file:
            file.write("[esptool]\ntimeout = 0.5\n")
        os.environ["ESPTOOL_CFGFILE"] = path
        try:
            from upytool.flashers.esp import cmds

            cmds()
        finally:
            del os.environ["ESPTOOL_CFGFILE"]


class Recorder:
    def __init__(self) -> None:
        self.events: list[Any] = []

    def emit(self, event: Any) -> None:
        self.events.append(event)

    @property
    def warnings(self) -> list[str]:
        return [each.message for each in self.events if isinstance(each, Notice) and each.level == "warning"]


def target(address: str, **known: Any) -> FlashTarget:
    return FlashTarget("unknown", address, address=address, **known)


@contextmanager
def loader(
    address: str, options: FlashOptions | None = None, reporter: Recorder | None = None, **known: Any
) -> Iterator[Loader]:
    opened = EspFlasher().open(target(address, **known), options or FlashOptions(), reporter=reporter or Recorder())
    try:
        yield opened
    finally:
        opened.close()


def image_for(chip: str, **how: Any) -> FirmwareImage:
    return FirmwareImage.read(firmware(chip, **how))


def holds(model: EspRomModel, memory: Memory) -> bool:
    return all(model.flash[each.address : each.end] == each.data for each in memory)


# -- all goes well ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("chip", "stub", "wire"),
    [
        *((chip, stub, PtyWire) for chip in ("esp32", "esp32c3", "esp32s3", "esp8266") for stub in (True, False)),
        ("esp32c3", True, TcpWire),
        ("esp32", False, TcpWire),
        ("esp8266", False, TcpWire),
    ],
)
def test_write_again_read_erase(chip: str, stub: bool, wire: Callable[[EspRomModel], Any]) -> None:
    model, image, options = EspRomModel(chip), image_for(chip), FlashOptions(stub=stub)
    with wire(model) as link, loader(link.address, options) as esp:
        assert (esp.chip.name, esp.chip.flash_size) == (chip, 4 << 20)
        esp.check(image)
        done = esp.program(image, options)
        assert holds(model, image.memory)
        assert done.total == image.size
        blind = chip == "esp8266" and not stub
        assert done.verified == ("" if blind else "MD5")
        if blind:
            assert esp.abilities == {"program"}
            with pytest.raises(FlashError, match="cannot read"):
                esp.read(0, 4096)
        else:
            commands = len(model.commands)
            again = esp.program(image, options)
            assert (again.written, again.erased, again.unchanged) == (0, 0, image.size)
            assert set(model.commands[commands:]) == {0x13}
            assert esp.read(image.start + 100, 70_000) == image.memory.read(image.start + 100, 70_000)
            esp.erase(0x20000, 0x3000)
            assert model.flash[0x20000:0x23000] == b"\xff" * 0x3000
            assert model.flash[0x1F000:0x20000] == image.memory.read(0x1F000, 0x1000)
            assert esp.differences(image.memory) == [(0x20000, 0x3000)]
        esp.leave("stay")


def test_only_changed_sectors_are_written() -> None:
    model, image = EspRomModel("esp32"), image_for("esp32")
    with TcpWire(model) as link, loader(link.address) as esp:
        esp.program(image, FlashOptions())
        before, sent = bytes(model.flash), model.bytes_in
        changed = image.memory.replaced(0x15010, b"\x12" * 100)
        done = esp.program_memory(changed, FlashOptions())
        assert (done.written, done.erased) == (4096, 4096)
        assert model.bytes_in - sent < 6000
        assert holds(model, changed)
        steps = range(0, len(before), 4096)
        assert [at for at in steps if before[at : at + 4096] != model.flash[at : at + 4096]] == [0x15000]
        whole = esp.program(image, FlashOptions(whole=True))
        assert whole.written >= image.size
        assert holds(model, image.memory)


@pytest.mark.parametrize(("chip", "stub"), [("esp32", True), ("esp32c3", False), ("esp8266", True)])
def test_what_shares_a_sector_with_the_image_stays(chip: str, stub: bool) -> None:
    model = EspRomModel(chip)
    model.flash[0x20000:0x24000] = bytes(range(256)) * 64
    before = bytes(model.flash)
    odd = Memory.of([(0x20103, b"new" * 1000), (0x22001, b"n")])
    with TcpWire(model) as link, loader(link.address, FlashOptions(stub=stub)) as esp:
        done = esp.program_memory(odd, FlashOptions())
        assert (done.total, done.written) == (odd.size, 0x2000)
        wanted = bytearray(before)
        for each in odd:
            wanted[each.address : each.end] = each.data
        assert model.flash == wanted
        assert esp.differences(odd) == []
        assert esp.program_memory(odd, FlashOptions()).written == 0
        esp.program_memory(odd, FlashOptions(whole=True))
        assert model.flash == wanted


def test_progress_is_in_bytes_of_the_image() -> None:
    model, image, heard = EspRomModel("esp32c3"), image_for("esp32c3"), Recorder()
    with TcpWire(model) as link, loader(link.address) as esp:
        esp.program(image, FlashOptions(), reporter=heard)
    starts = {each.task: each for each in heard.events if isinstance(each, TaskStarted)}
    assert [each.label for each in starts.values()] == ["comparing", "writing"]
    write = next(each for each in starts.values() if each.label == "writing")
    steps = [each.done for each in heard.events if isinstance(each, TaskAdvanced) and each.task == write.task]
    assert len(steps) > 4
    assert steps == sorted(steps)
    assert steps[-1] == write.total
    assert all(each.ok for each in heard.events if isinstance(each, TaskFinished))


def test_nothing_is_printed_and_the_logger_is_put_back(capfd: pytest.CaptureFixture[str]) -> None:
    from esp_pylib.logger import EspLog

    from upytool.flashers.esp import cmds

    cmds()
    before = EspLog.instance
    model = EspRomModel("esp32")
    with PtyWire(model) as link, loader(link.address) as esp:
        esp.program(image_for("esp32"), FlashOptions())
        assert EspLog.instance is before
        esp.leave()
    with PtyWire(EspRomModel("esp32", mode="run")) as link, pytest.raises(FlashError):
        EspFlasher().open(target(link.address), FlashOptions(connect_attempts=1))
    assert EspLog.instance is before
    assert capfd.readouterr() == ("", "")


def test_erase_all_runs_the_stub_for_it() -> None:
    model, heard = EspRomModel("esp32"), Recorder()
    model.flash[0x100000:0x100004] = b"file"
    with PtyWire(model) as link, loader(link.address, FlashOptions(stub=False), heard) as esp:
        assert model.mode == "rom"
        esp.erase_all()
    assert model.mode == "stub"
    assert set(model.flash) == {0xFF}
    assert any("running esptool's stub" in each for each in heard.warnings)


def test_the_whole_way_with_modem_lines_and_rates() -> None:
    """RFC 2217 carries DTR, RTS and the rate: the chip runs its firmware before and after."""
    model, image = EspRomModel("esp32c3", mode="run"), image_for("esp32c3")
    with Rfc2217Wire(model) as link:
        with loader(link.address) as esp:
            assert model.resets[-1] == "lines: rom"
            esp.program(image, FlashOptions())
            assert model.baud == 921600
            esp.leave()
        assert (model.mode, model.resets[-1]) == ("run", "lines: run")
    assert holds(model, image.memory)


def test_leave_over_a_socket() -> None:
    for chip, way in (("esp32s3", ["watchdog: run"]), ("esp32", [])):
        model, heard = EspRomModel(chip), Recorder()
        with TcpWire(model) as link, loader(link.address, reporter=heard) as esp:
            esp.leave()
        assert model.resets == way
        assert any("press RESET" in each for each in heard.warnings) == (not way)


def test_leave_to_the_boot_loader() -> None:
    model = EspRomModel("esp32")
    with TcpWire(model) as link, loader(link.address) as esp:
        assert model.mode == "stub"
        esp.leave("bootloader")
    assert model.mode == "rom"


def test_probe_tells_the_variant() -> None:
    model = EspRomModel("esp32s3", flash_size=8 << 20, mode="run")
    with Rfc2217Wire(model) as link:
        chip = probe(target(link.address))
        assert model.mode == "run"
    assert (chip.name, chip.flash_size, chip.unique_id) == ("esp32s3", 8 << 20, "f41285123456")
    assert "Embedded PSRAM 8MB (AP_3v3)" in chip.features
    assert {"Flash 8MB", "Revision v0.2"} <= set(chip.features)


# -- what is refused --------------------------------------------------------------------------------------------------


def refusal(model: EspRomModel, image: FirmwareImage, **options: Any) -> UpytoolError:
    chosen = FlashOptions(**options)
    with TcpWire(model) as link, loader(link.address, chosen) as esp:
        with pytest.raises(UpytoolError) as caught:
            esp.check(image)
        with pytest.raises(UpytoolError):
            esp.program(image, chosen)
    assert set(model.flash) == {0xFF}
    return caught.value


def test_another_chip() -> None:
    error = refusal(EspRomModel("esp32c3"), image_for("esp32s3"))
    assert isinstance(error, ImageError)
    assert error.message == "the image is for esp32s3, the connected chip is esp32c3"


def test_too_small_a_flash() -> None:
    table = (*TABLE[:3], Partition("vfs", 1, 0x81, 0x200000, 0x600000))
    larger = image_for("esp32", table=table)
    assert "for 8 MB of flash, this board has 4 MB" in refusal(EspRomModel("esp32"), larger).message
    assert "header states 16 MB" in refusal(EspRomModel("esp32"), image_for("esp32", flash=0x40)).message


def test_another_revision() -> None:
    error = refusal(EspRomModel("esp32c3"), image_for("esp32c3", revisions=(100, 199)))
    assert error.message == "the firmware needs revision v1.0 to v1.99 of the chip, this one is v0.3"


def test_a_damaged_image() -> None:
    data = bytearray(firmware("esp32"))
    data[0x12345] ^= 1
    assert "damaged" in refusal(EspRomModel("esp32"), FirmwareImage.read(bytes(data))).message


@pytest.mark.parametrize("chip", ["esp32", "esp32c3", "esp32s3"])
@pytest.mark.parametrize("locks", [SECURE_BOOT, ENCRYPTION])
def test_secure_boot_and_encryption(chip: str, locks: dict[str, tuple[int, int]]) -> None:
    model = EspRomModel(chip)
    address, bit = locks[chip]
    model.registers[address] = bit
    model.registers[0x3FF5A00C] = 1 << 15  # an ESP32 of revision 1
    error = refusal(model, image_for(chip), stub=False)
    assert error.message.endswith("not signed with its key" if locks is SECURE_BOOT else "written in plain text")
    with TcpWire(model) as link, loader(link.address, FlashOptions(stub=False)) as esp:
        with pytest.raises(FlashError):
            esp.erase(0, 4096)
        with pytest.raises(FlashError):
            esp.erase_all()


def test_secure_download_mode() -> None:
    model = EspRomModel("esp32c3", secure_download=True)
    with TcpWire(model) as link, pytest.raises(FlashError, match="Secure Download Mode"):
        EspFlasher().open(target(link.address), FlashOptions())


def test_an_application_goes_into_a_slot_only_when_told() -> None:
    model, whole = EspRomModel("esp32"), image_for("esp32")
    app = FirmwareImage.read(esp_image("esp32", b"another program" * 500, app=True))
    assert "application alone" in refusal(model, app).message
    options = FlashOptions(slot="running")
    with TcpWire(model) as link, loader(link.address, options) as esp:
        with pytest.raises(FlashError, match="no partition table"):
            esp.program(app, options)
        esp.program(whole, FlashOptions())
        with pytest.raises(FlashError, match="no application slot ota_1"):
            esp.program(app, FlashOptions(slot="ota_1"))
        esp.program(app, options)
    assert model.flash[0x10000 : 0x10000 + app.size] == app.raw
    assert model.flash[0x1000:0x6000] == whole.memory.read(0x1000, 0x5000)


def test_the_header_is_changed_before_it_is_hashed() -> None:
    image = image_for("esp32", flash=0x40)
    options = FlashOptions(flash_size="detect", flash_mode="dout", flash_freq="80m")
    model = EspRomModel("esp32")
    with TcpWire(model) as link, loader(link.address, options) as esp:
        esp.check(image)
        esp.program(image, options)
        assert esp.program(image, options).written == 0
    assert model.flash[0x1002:0x1004] == b"\x03\x2f"
    written = FirmwareImage.read(bytes(model.flash[0x1000 : image.end]))
    written.require_valid()


def test_the_esp8266s_header_states_the_real_size() -> None:
    model = EspRomModel("esp8266", flash_size=2 << 20)
    with TcpWire(model) as link, loader(link.address) as esp:
        esp.program(image_for("esp8266"), FlashOptions())
    assert model.flash[3] == 0x30


def test_settings_are_not_erased_silently() -> None:
    model, image = EspRomModel("esp32"), image_for("esp32")
    with TcpWire(model) as link, loader(link.address) as esp:
        assert esp.check(image) == []
        model.flash[0x9000:0x9010] = b"wifi credentials"
        assert any("NVS" in each for each in esp.check(image))


# -- it does not connect ----------------------------------------------------------------------------------------------


def test_no_such_port() -> None:
    with pytest.raises(PortMissingError):
        EspFlasher().open(target("/dev/ttyNONE7"), FlashOptions())
    with pytest.raises(PortMissingError, match="nothing listens"):
        EspFlasher().open(target("socket://127.0.0.1:1"), FlashOptions())


def test_a_busy_port() -> None:
    with PtyWire(EspRomModel("esp32")) as link, loader(link.address), pytest.raises(PortBusyError):
        EspFlasher().open(target(link.address), FlashOptions())


def test_a_port_that_says_nothing() -> None:
    model = EspRomModel("esp32", mode="run")
    with PtyWire(model) as link, pytest.raises(FlashError) as caught:
        EspFlasher().open(target(link.address, chip="esp32c3"), FlashOptions(connect_attempts=1))
    assert caught.value.message.startswith("nothing answers on ")
    assert "no DTR and RTS lines" in caught.value.hint
    assert "hold BOOT (GPIO9)" in caught.value.hint


def test_the_firmware_starts_instead_of_the_boot_loader() -> None:
    model = EspRomModel("esp32", mode="run")
    with Rfc2217Wire(model, boot_low=False) as link, pytest.raises(FlashError) as caught:
        EspFlasher().open(target(link.address, chip="esp32"), FlashOptions(connect_attempts=1))
    assert "GPIO0 was high at reset" in caught.value.message
    assert "tried: DTR and RTS" in caught.value.hint


def test_another_program_answers() -> None:
    class Chatter(EspRomModel):
        def feed(self, data: bytes) -> bytes:
            return b"temperature 21.5\r\n"

    with PtyWire(Chatter("esp32")) as link, pytest.raises(FlashError, match="no bootloader of an Espressif chip"):
        EspFlasher().open(target(link.address), FlashOptions(connect_attempts=1))


# -- something breaks -------------------------------------------------------------------------------------------------


def commands_of_a_write(chip: str) -> int:
    model = EspRomModel(chip)
    with TcpWire(model, reset=True) as link, loader(link.address) as esp:
        esp.program(image_for(chip), FlashOptions())
    return len(model.commands)


@pytest.mark.parametrize(
    "fault", ["disconnect", "power_loss", "drop_byte", "lose_reply", "cut_reply", "stall", "flip_write"]
)
def test_a_fault_while_writing_is_mended(fault: str) -> None:
    """Once the connection stands, at several commands of the run: it fixes that by itself."""
    last = commands_of_a_write("esp32c3")
    image, data = image_for("esp32c3"), firmware("esp32c3", seed=2)
    model = EspRomModel("esp32c3")
    with TcpWire(model, reset=True) as link:
        for step in range(3):
            model.flash[0x10000 : len(data)] = data[0x10000:]  # another application is there
            model.commands.clear()
            with loader(link.address) as esp:
                start = len(model.commands)
                setattr(model.faults, fault, start + 1 + step * (last - start) // 3)
                done = esp.program(image, FlashOptions())
            assert holds(model, image.memory), (fault, step)
            assert done.verified == "MD5"
            model.faults = Faults()


@pytest.mark.parametrize("fault", ["disconnect", "power_loss", "stall"])
def test_a_fault_at_any_command_is_mended_or_told_and_a_second_run_succeeds(fault: str) -> None:
    image = image_for("esp32")
    model = EspRomModel("esp32")
    last = commands_of_a_write("esp32")
    with TcpWire(model, reset=True) as link:
        for at in range(2, last, max(1, last // 3)):
            model.flash[:] = b"\xff" * len(model.flash)
            model.commands.clear()
            setattr(model.faults, fault, at)
            told = None
            try:
                with loader(link.address) as esp:
                    esp.program(image, FlashOptions())
            except UpytoolError as error:
                told = error
            if told is not None:
                assert told.hint
                with loader(link.address) as esp:
                    esp.program(image, FlashOptions())
            assert holds(model, image.memory), (fault, at)
            model.faults = Faults()


def test_power_goes_for_good_between_erase_and_write(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("upytool.flashers.esp_link.REOPEN", 1.0)

    class Weak(EspRomModel):
        weak = True

        def _op_11(self, op: int, data: bytes, check: int) -> bytes:
            if self.weak:
                self._erase(0x10000, 0x10000)
                self.faults.disconnect, self.faults.for_ever = 1, True
                raise Disconnected
            return super()._op_11(op, data, check)

    model, image = Weak("esp32"), image_for("esp32")
    with TcpWire(model, reset=True) as link:
        with loader(link.address) as esp, pytest.raises(FlashError) as caught:
            esp.program(image, FlashOptions())
        assert caught.value.state.code == "flash.state.esp-partly-written"
        assert "run the same command again" in caught.value.hint
        model.faults, model.weak = Faults(), False
        with loader(link.address) as esp:
            esp.program(image, FlashOptions())
    assert holds(model, image.memory)


def test_ctrl_c_says_what_is_on_the_board(monkeypatch: pytest.MonkeyPatch) -> None:
    model, image = EspRomModel("esp32c3"), image_for("esp32c3")

    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    with TcpWire(model) as link, loader(link.address) as esp:
        monkeypatch.setattr(EspLink, "write", interrupted)
        with pytest.raises(OperationInterrupted) as caught:
            esp.program(image, FlashOptions())
        assert "the board may not start" in caught.value.hint
        assert "run the same command again" in caught.value.hint
        monkeypatch.setattr(EspLink, "md5", interrupted)
        with pytest.raises(KeyboardInterrupt):  # nothing was changed
            esp.differences(image.memory)


def test_the_port_vanishes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("upytool.flashers.esp_link.REOPEN", 1.0)
    model = EspRomModel("esp32")
    with loader_on_dying_port(model) as esp, pytest.raises((ConnectionLostError, FlashError)) as caught:
        esp.read(0, 0x40000)
    assert caught.value.hint


@contextmanager
def loader_on_dying_port(model: EspRomModel) -> Iterator[Loader]:
    """A pseudo terminal whose far end is closed at the 20th command after opening."""
    with PtyWire(model) as link, loader(link.address, FlashOptions(connect_attempts=1)) as esp:
        model.faults.disconnect = len(model.commands) + 2
        yield esp


def test_the_rate_falls_until_it_works_and_nothing_is_written_twice() -> None:
    model, heard, image = EspRomModel("esp32c3", faults=Faults(top_rate=250_000)), Recorder(), image_for("esp32c3")
    with Rfc2217Wire(model) as link, loader(link.address, FlashOptions(baud=921600), heard) as esp:
        esp.program(image, FlashOptions(baud=921600))
        assert model.baud == 230400
    assert holds(model, image.memory)
    told = [each.rsplit(": ", 1)[1] for each in heard.warnings]
    assert told == ["going on at 460800 baud", "going on at 230400 baud"]


def test_a_chunk_that_was_read_wrongly_is_read_again() -> None:
    for stub in (True, False):
        model, image = EspRomModel("esp32"), image_for("esp32", size=200_000)
        model.flash[0x1000 : image.end] = image.raw
        with PtyWire(model) as link, loader(link.address, FlashOptions(stub=stub)) as esp:
            sent = model.bytes_out
            model.faults.flip_read = len(model.commands) + 1
            assert esp.read(0x1000, 0x28000) == model.flash[0x1000:0x29000]
            assert model.faults.flip_read == 0
            assert model.bytes_out - sent < 0x28000 + 0x10000 * 2 + 60_000


def test_reading_that_is_never_right_ends() -> None:
    model = EspRomModel("esp32")
    with PtyWire(model) as link, loader(link.address) as esp:
        model.faults.flip_read, model.faults.for_ever = 1, True
        with pytest.raises(FlashError, match="without errors in 3 tries"):
            esp.read(0, 0x8000)
