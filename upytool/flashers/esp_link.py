"""esptool's connection to one chip, with typed errors, and rates that fall where the cable is bad."""

from __future__ import annotations

import contextlib
import socket
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

from .. import limits
from ..errors import ConnectionLostError, FlashError, UpytoolError
from ..events import Reporter, notice
from ..transport.open_errors import explain_open_error
from ..words import Said
from . import esp_advice, esp_plan
from .base import Chip, FlashOptions, FlashTarget
from .esp import Job, cmds, listening, port_of
from .esp_wait import OutOfTime, Patience

ROM_BAUD = 115200
RATES = (921600, 460800, 230400, ROM_BAUD)
REOPEN = 8.0  # seconds for a port to come back, as after a lost USB connection
_ESPRESSIF = 0x303A


class EspLink:
    """esptool's connection to one chip, with typed errors, and rates that fall where the cable is bad.

    Args:
        wants_stub: whether to run esptool's stub; the options' wish where None.

    Attributes:
        chip: set by `connect`. security: "" or why this chip must not be written.
        stub_fails: the stub did not start, so the ROM's own loader is used.
        rate: bits per second now; fixed where the far end of a socket sets it.
    """

    def __init__(
        self, target: FlashTarget, options: FlashOptions, reporter: Reporter, *, wants_stub: bool | None = None
    ) -> None:
        self.target, self.options, self.reporter = target, options, reporter
        self.address = port_of(target)
        self.wants_stub = options.stub if wants_stub is None else wants_stub
        self.over_socket = self.address.startswith("socket:")
        first = options.baud or RATES[0]
        self._rates = [first, *(rate for rate in RATES if rate < first)]
        self.retries = len(self._rates)
        self.chip = Chip("")
        self.revision: int | None = None
        self.security = ""
        self.stub_fails = False
        self._esp: Any = None
        self._port: Any = None
        self._said: list[str] = []
        self._has_lines = True
        self._patience = Patience()

    # -- connecting ---------------------------------------------------------------------------------------------

    def connect(self) -> None:
        """Open the port, reset the chip, find out what it is, run the stub, raise the rate."""
        self._open_port()
        attempts = max(1, self.options.connect_attempts)
        # A try takes up to 3 s; who asks for more of them gets more time.
        with self.call("connecting", limit=max(limits.ESP_CONNECT_SECONDS, 3.0 * attempts), tell=True):
            esp = cmds().detect_chip(self._port, ROM_BAUD, "default-reset", False, attempts)
            esp.WRITE_FLASH_ATTEMPTS = 1  # reconnecting is done here, where the rate falls too
            self._esp = esp
            if esp.secure_download_mode:
                raise FlashError("flash.esp-secure-download", address=self.address, chip=esp.CHIP_NAME)
        with self.call("reading the chip's fuses", tell=True):
            name = esp.CHIP_NAME.lower().replace("-", "")
            if self.chip.name and self.chip.name != name:
                raise FlashError("flash.esp-other-chip", address=self.address, chip=name, expected=self.chip.name)
            self.security = _security(esp)
        if self.wants_stub and not self.stub_fails:
            try:
                self._start_stub()
            except FlashError as error:
                self._without_stub(error)
                return
        self._prepare()
        if not self.chip.name:
            with self.call("reading the chip's fuses", tell=True):
                self.chip, self.revision = _describe(self._esp, name)

    def run_stub(self) -> None:
        """Load esptool's stub, which is faster than the ROM and can do more. Raises: FlashError: it does not start."""
        self._start_stub()
        self._prepare()

    def _start_stub(self) -> None:
        with self.call("starting the stub", limit=limits.ESP_STUB_SECONDS, tell=True):
            self._esp = cmds().run_stub(self._esp)
            self._esp.WRITE_FLASH_ATTEMPTS = 1

    def _without_stub(self, error: FlashError) -> None:
        """The stub does not start here: connect again and use the ROM's own loader, now and after any error to come."""
        self.stub_fails = True
        notice(self.reporter, f"{error.message}: using the ROM's own loader, which is slower", "warning")
        self.close()
        try:
            self.connect()
        except FlashError as again:
            # The ROM jumped into the stub; where nothing can reset the chip it does not come back by itself.
            found = FlashError(
                "flash.esp-lost-after-stub", cause=error, again=again, hint=esp_advice.button_steps(self.chip.name)
            )
            raise esp_advice.mark(found, esp_advice.marked(again)) from None

    def _prepare(self) -> None:
        self._raise_rate()
        with self.call("attaching the flash", tell=True):
            cmds().attach_flash(self._esp)

    def _raise_rate(self) -> None:
        rate = self._rates[0]
        if rate <= ROM_BAUD or self.over_socket or (self._esp.CHIP_NAME == "ESP8266" and not self._esp.IS_STUB):
            return
        with self.call(f"changing to {rate} baud", tell=True):
            self._esp.change_baud(rate)

    @property
    def rate(self) -> int:
        return ROM_BAUD if self.over_socket else self._rates[0]

    @property
    def is_stub(self) -> bool:
        return bool(self._esp.IS_STUB)

    @property
    def has_md5(self) -> bool:
        """The ESP8266's ROM is the one that can neither hash nor read its flash."""
        return self.is_stub or bool(self._esp.CHIP_NAME != "ESP8266")

    def recover(self, error: Exception) -> None:
        """After a transfer error: a fresh connection at the next lower rate. Raises `error` when none is left."""
        self.retries -= 1
        if self.retries < 0 or not esp_advice.marked(error):
            raise error
        if len(self._rates) > 1:
            self._rates.pop(0)
        notice(self.reporter, f"{error}: going on at {self.rate} baud", "warning")
        self.close()
        deadline = time.monotonic() + REOPEN
        while True:
            try:
                self.connect()
                return
            except UpytoolError as again:
                self.close()
                hopeless = isinstance(again, FlashError) and not esp_advice.marked(again)
                if hopeless or time.monotonic() > deadline:
                    raise error from again
                time.sleep(0.25)

    def _open_port(self) -> None:
        import serial

        try:
            port = serial.serial_for_url(self.address, exclusive=True, do_not_open=True)
            port.baudrate = ROM_BAUD
            if sys.platform == "win32":  # both lines up would reset the chip while the port opens
                port.rts = port.dtr = False
            port.open()
        except Exception as error:  # pyserial raises OSError, ValueError, and termios.error among others
            raise explain_open_error(self.address, error) from error
        if self.address.startswith("rfc2217:"):
            _send_settings_once(port)
        elif self.over_socket:
            # Reading flash is many small answers: without this each may wait 40 ms for the far end's ACK.
            with contextlib.suppress(AttributeError, OSError):
                port._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            _ = port.cts
        except OSError:  # a pseudo terminal
            self._has_lines = False
        # What esptool awaits without a command, such as the stub's greeting, would wait for ever by pyserial's default.
        port.timeout = limits.ESP_GREETING_SECONDS
        self._patience.guard(port)
        self._port = port

    # -- what esptool does, with our errors -----------------------------------------------------------------------

    def md5(self, address: int, size: int) -> str:
        with self.call("comparing", size=size):
            return str(self._esp.flash_md5sum(address, size)).lower()

    def write(self, ranges: list[tuple[int, bytes]], progress: Callable[[int], None]) -> None:
        """Erase and write ranges of whole sectors; esptool checks each by its MD5 (not with the ESP8266's ROM)."""
        sizes = [(address, len(data)) for address, data in ranges]
        # The ROM erases all of it before it takes the first byte, and one packed block may stand for all of it.
        total = sum(size for _, size in sizes)
        with self.call("writing", lambda at: progress(_behind(sizes, at)), size=total):
            cmds().write_flash(self._esp, ranges)

    def read(self, address: int, size: int, progress: Callable[[int], None]) -> bytes:
        with self.call("reading", lambda at: progress(min(size, max(0, at - address)))):
            return bytes(cmds().read_flash(self._esp, address, size))

    def erase(self, address: int, size: int) -> None:
        with self.call("erasing", size=size):
            cmds().erase_region(self._esp, address, size)

    def erase_all(self) -> None:
        with self.call("erasing", size=self.chip.flash_size or 16 << 20):
            cmds().erase_flash(self._esp)

    def restart(self, *, firmware: bool = True) -> None:
        """Start the firmware, or the ROM's bootloader anew."""
        if not firmware:
            with self.call("restarting"):
                cmds().reset_chip(self._esp, "no-reset")
            return
        own_usb = self._esp.get_usb_mode() is not None
        if self._esp.WATCHDOG_RESET_SUPPORTED and (own_usb or self.over_socket):
            # RTS starts such a chip into the bootloader again (arduino-esp32#6762), and a socket has no RTS.
            with self.call("restarting"), contextlib.suppress(OSError):
                cmds().reset_chip(self._esp, "watchdog-reset")
        elif self.over_socket:
            notice(self.reporter, "a TCP socket cannot restart the chip: press RESET (EN) on the board", "warning")
        else:
            with self.call("restarting"):
                cmds().reset_chip(self._esp, "hard-reset")
        if own_usb:
            self.close()
            self._wait_for_port()

    def _wait_for_port(self) -> None:
        """A chip with USB of its own leaves the bus when it restarts; see that it comes back."""
        from ..discovery.ports import list_ports

        before = self.target.port
        deadline = time.monotonic() + REOPEN
        while time.monotonic() < deadline:
            for port in list_ports():
                if port.path == self.address or (before is not None and before.same_device(port)):
                    return
            time.sleep(0.1)
        notice(self.reporter, f"{self.address} did not come back: press RESET on the board", "warning")

    def close(self) -> None:
        """Let go of the port."""
        port, self._port = self._port, None
        if port is not None:
            with contextlib.suppress(Exception):  # a port that is gone complains in many ways
                port.close()

    # -- errors and esptool's words ---------------------------------------------------------------------------------

    @contextlib.contextmanager
    def call(
        self, doing: str, progress: Callable[[int], None] | None = None, *, limit: float = 0.0, size: int = 0,
        tell: bool = False,
    ) -> Iterator[None]:  # fmt: skip
        """Run esptool with its words going to us, its errors becoming ours, and an end to its waits.

        Args:
            progress: told the flash address that esptool has reached.
            limit: seconds, without progress where there is any; 0 for the usual.
            size: bytes that the chip hashes or erases before it answers.
            tell: whether to say what is waited for, where no other progress is shown.
        """
        limit = limit or limits.ESP_CALL_SECONDS + limits.ESP_SECONDS_PER_MIB * size / (1 << 20)

        def waiting(passed: float) -> None:
            notice(self.reporter, f"{doing}: waiting for {self.address} ({passed:.0f} s of {limit:.0f} s)", "wait")

        def advanced(address: int) -> None:
            self._patience.renew()
            if progress is not None:
                progress(address)

        job = Job(self.reporter, advanced, self._said)
        try:
            with listening(job), self._patience.limit(limit, waiting if tell else None):
                yield
        except OutOfTime as error:
            found: UpytoolError = FlashError(
                "flash.esp-timed-out",
                doing=doing,
                address=self.address,
                seconds=limit,
                reset=self._reset_tried(),
                hint=esp_advice.button_steps(self.chip.name),
            )
            raise esp_advice.mark(found, "transfer") from error
        except UpytoolError:
            raise
        except (RuntimeError, SystemExit) as error:  # FatalError is a RuntimeError
            text = str(error)
            found = esp_advice.explain(text, self.target, reset=self._reset_tried(), doing=doing, chip=self.chip.name)
            raise esp_advice.mark(found, esp_advice.fault_of(text)) from None
        except Exception as error:
            if isinstance(error, OSError) or type(error).__module__ == "termios":
                if esp_advice.is_shared(error):
                    found = ConnectionLostError("transport.lost.esp-shared", address=self.address, doing=doing)
                else:
                    found = ConnectionLostError("transport.lost.esp", address=self.address, doing=doing, cause=error)
            else:  # garbage that esptool stumbles over: UnicodeDecodeError, IndexError, struct.error, ...
                text = f"{type(error).__name__}: {error}"
                found = esp_advice.explain(
                    text, self.target, reset=self._reset_tried(), doing=doing, chip=self.chip.name
                )
            raise esp_advice.mark(found, "transfer") from None

    def _reset_tried(self) -> Said:
        if self.over_socket:
            return Said("flash.esp-reset.over-socket")
        if not self._has_lines or any("NOT reset" in line for line in self._said):
            return Said("flash.esp-reset.no-lines")
        port = self.target.port
        if port is not None and port.vid == _ESPRESSIF:
            return Said("flash.esp-reset.own-usb")
        return Said("flash.esp-reset.lines", tries=max(1, self.options.connect_attempts))


def _send_settings_once(port: Any) -> None:
    """pyserial sends all settings of an RFC 2217 port, and waits for the answers, whenever a timeout changes: with
    esptool, at every command. Only settings that differ need to go out.
    """
    send = port._reconfigure_port

    def settings() -> tuple[object, ...]:
        return port.baudrate, port.bytesize, port.parity, port.stopbits, port.xonxoff, port.rtscts

    sent = [settings()]

    def reconfigure() -> None:
        if sent[0] != settings():
            port._write_timeout = None  # pyserial refuses settings with one, and esptool sets one
            send()
            sent[0] = settings()

    port._reconfigure_port = reconfigure


def _behind(ranges: list[tuple[int, int]], address: int) -> int:
    """How many bytes of the ranges lie before `address`."""
    return sum(min(size, max(0, address - start)) for start, size in ranges)


def _security(esp: Any) -> str:
    """Why this chip must not be written, "" when it may."""
    if esp.CHIP_NAME == "ESP8266":
        return ""
    if esp.get_secure_boot_enabled():
        return "secure-boot"
    if esp.get_flash_encryption_enabled():
        return "encryption"
    return ""


def _describe(esp: Any, name: str) -> tuple[Chip, int | None]:
    text = cmds().detect_flash_size(esp)
    size = esp_plan.parse_size(text) if text else None
    revision = None if name == "esp8266" else int(esp.get_chip_revision())
    features = [each.strip() for each in esp.get_chip_features()]
    if revision is not None:
        features.append(f"Revision v{revision // 100}.{revision % 100}")
    if text:
        features.append(f"Flash {text}")
    mac = esp.read_mac("BASE_MAC")
    return Chip(
        name,
        description=str(esp.get_chip_description()),
        flash_size=size,
        unique_id=bytes(mac).hex() if mac else "",
        features=tuple(features),
    ), revision
