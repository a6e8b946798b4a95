"""The USB layer over a pyusb backend that is a model: devices, claims, and what each error says."""

from __future__ import annotations

import errno
from typing import Any

import pytest
import usb.core

from tests.fakes.picoboot_model import ModelChip, PicobootModel
from upytool.discovery.udev import usb_rule
from upytool.discovery.usb_devices import UsbDevice
from upytool.errors import (
    ConnectionLostError,
    PortBusyError,
    PortMissingError,
    PortPermissionError,
    PortUnusableError,
    ProtocolError,
)
from upytool.flashers import usb as usb_module
from upytool.flashers.usb import UsbBus, UsbStall, UsbTimeout, usb_error

PICO = UsbDevice(0x2E8A, 0x0003, "1-2.3")


@pytest.fixture
def model() -> PicobootModel:
    return PicobootModel()


def test_devices_by_their_place(model: PicobootModel) -> None:
    assert UsbBus("", model).devices() == [UsbDevice(0x2E8A, 3, "1-2.3", "E0C91200A4A1", "RP2 Boot")]
    assert UsbBus("sim:pico", model).devices()[0].location == "sim:pico"
    assert UsbBus("", model).address(PICO) == (1, 5)
    assert model.opened == 0, "looking leaves nothing open"
    model.gone = True
    assert UsbBus("", model).devices() == []


def test_devices_without_rights_have_no_strings(model: PicobootModel) -> None:
    model.fail_open = errno.EACCES
    assert UsbBus("", model).devices() == [PICO]
    assert [each.name for each in UsbBus("", model).interfaces(PICO)] == ["", ""]


def test_interfaces(model: PicobootModel) -> None:
    drive, picoboot = UsbBus("", model).interfaces(PICO)
    assert (drive.number, drive.triple, drive.bulk()) == (0, (8, 6, 0x50), (0x02, 0x81))
    assert (picoboot.number, picoboot.alternate, picoboot.triple) == (1, 0, (0xFF, 0, 0))
    assert [(each.address, each.kind, each.packet, each.is_in) for each in picoboot.endpoints] == [
        (0x03, "bulk", 64, False),
        (0x84, "bulk", 64, True),
    ]
    assert UsbBus("", PicobootModel(ModelChip(drive=False))).interfaces(PICO)[0].number == 0


def test_looking_at_interfaces_opens_nothing(model: PicobootModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every device of the computer is looked at for a bootloader: keyboards and disks too."""
    asked: list[int] = []
    monkeypatch.setattr(usb_module, "_string", lambda raw, index: asked.append(index) or "")
    UsbBus("", model).interfaces(PICO)
    assert asked == []


def test_the_very_device_or_none(model: PicobootModel) -> None:
    for other in (UsbDevice(0x2E8A, 0x000F, "1-2.3"), UsbDevice(0x2E8A, 3, "1-2.4")):
        with pytest.raises(PortMissingError, match="is gone"):
            UsbBus("", model).open(other)
    with pytest.raises(PortMissingError):
        UsbBus("", model).interfaces(UsbDevice(1, 2, ""))


def test_open_configures_once_and_close_gives_all_back(model: PicobootModel) -> None:
    with UsbBus("", model).open(PICO) as link:
        assert model.configuration == 1
        link.claim(1)
        assert model.claimed == {1}
        assert link.string(2) == "RP2 Boot"
        assert link.string(0) == ""
    assert (model.opened, model.claimed) == (0, set())
    link.close()
    model.set_configuration = no_second_time  # type: ignore[method-assign]
    UsbBus("", model).open(PICO).close()


def no_second_time(handle: Any, value: int) -> None:
    raise AssertionError("a second SET_CONFIGURATION throws the drive's driver out")


def test_only_the_claimed_interface_is_taken_from_its_driver(model: PicobootModel) -> None:
    model.driver = True
    with UsbBus("", model).open(PICO) as link:
        link.claim(0)
        assert model.driver, "the drive's interface was wanted, not PICOBOOT's"
        link.claim(1)
        assert not model.driver
        assert model.claimed == {1}, "one at a time"
    assert model.driver, "the driver got it back"


def test_claim_of_a_taken_interface(model: PicobootModel) -> None:
    model.fail_claim = errno.EBUSY
    with UsbBus("", model).open(PICO) as link, pytest.raises(PortBusyError, match="RP2040 in BOOTSEL"):
        link.claim(1)
    assert model.opened == 0


def test_transfers_are_counted(model: PicobootModel) -> None:
    with UsbBus("", model).open(PICO) as link:
        link.claim(1)
        assert link.control_out(0x41, 0x41, 0, 1) == 0
        assert len(link.control_in(0xC1, 0x42, 0, 1, 16)) == 16
        assert link.write(0x03, bytes(32)) == 32
        with pytest.raises(UsbStall):
            link.read(0x84, 64)
        link.clear_halt(0x84)
        with pytest.raises(UsbTimeout):
            link.read(0x84, 64, timeout=0.0001)
        assert (link.stats.transfers, link.stats.bytes_out, link.stats.bytes_in) == (6, 32, 16)
        link.reset()
        model.gone = True
        with pytest.raises(ConnectionLostError, match=r"connection to RP2040 in BOOTSEL mode \(1-2.3\) was lost"):
            link.write(0x03, b"x")


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.EACCES, PortPermissionError),
        (errno.EBUSY, PortBusyError),
        (errno.ENODEV, PortMissingError),
        (errno.EINVAL, PortUnusableError),
    ],
)
def test_opening_errors(model: PicobootModel, number: int, kind: type[Exception]) -> None:
    model.fail_open = number
    with pytest.raises(kind):
        UsbBus("", model).open(PICO)


def test_the_udev_rule_is_for_this_very_id() -> None:
    error = usb_error(usb.core.USBError("no", -3, errno.EACCES), PICO, "open", opening=True, platform="linux")
    assert isinstance(error, PortPermissionError)
    assert usb_rule(0x2E8A, 0x0003) in error.hint
    assert 'ATTR{idVendor}=="2e8a", ATTR{idProduct}=="0003"' in error.hint
    assert "udevadm control --reload" in error.hint


def test_windows_without_a_driver() -> None:
    for raised in (NotImplementedError("no"), usb.core.USBError("no", -5, errno.ENOENT)):
        error = usb_error(raised, PICO, "open", opening=True, platform="win32")
        assert isinstance(error, PortUnusableError)
        assert "Zadig" in error.hint
        assert "--tool uf2" in error.hint
    assert isinstance(
        usb_error(usb.core.USBError("no", -3, errno.EACCES), PICO, "open", opening=True, platform="win32"),
        PortBusyError,
    )


def test_macos_names_what_helps() -> None:
    error = usb_error(usb.core.USBError("no", -3, errno.EACCES), PICO, "open", opening=True, platform="darwin")
    assert isinstance(error, PortPermissionError)
    assert "udev" not in error.hint


@pytest.mark.parametrize("number", [errno.EOVERFLOW, None])
def test_other_errors_keep_the_words_of_libusb(number: int | None) -> None:
    error = usb_error(usb.core.USBError("Overflow", -8, number), PICO, "send data")
    assert type(error) is ProtocolError
    assert "did not send data: overflow" in error.message.lower()


def test_an_unknown_device_is_named_by_its_id() -> None:
    device = UsbDevice(0x1234, 0xABCD, "3-1")
    assert "1234:abcd (3-1)" in usb_error(usb.core.USBError("x", -4, errno.ENODEV), device, "x").message


def test_without_libusb(monkeypatch: pytest.MonkeyPatch) -> None:
    import libusb_package

    monkeypatch.setattr(libusb_package, "get_libusb1_backend", lambda: None)
    with pytest.raises(PortUnusableError, match="libusb") as caught:
        UsbBus().devices()
    assert "pip install" in caught.value.hint


def test_a_bus_that_cannot_be_listed(monkeypatch: pytest.MonkeyPatch, model: PicobootModel) -> None:
    def refuse() -> Any:
        raise usb.core.USBError("no", -99, None)

    monkeypatch.setattr(model, "enumerate_devices", refuse)
    with pytest.raises(PortUnusableError, match="cannot be listed"):
        UsbBus("", model).devices()


def test_a_timeout_never_waits_for_ever() -> None:
    assert usb_module._ms(0) == 1
    assert usb_module._ms(1.5) == 1500
