"""Flashing an ESP32 by its running MicroPython: ask, write the slot that does not run, prove it, start it, confirm it.

The way is any connection to a REPL: WebREPL, BLE, a cable. At every moment the board can lose its power or its network:
until the new slot is complete and compared, the next start is the old firmware's; from its first start on, the
bootloader's rollback starts the old one again unless the new one was confirmed, which is done here once it answers.
"""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

from ..device import slots as device_slots
from ..device.device import Device
from ..device.fs_ops import FsOps
from ..device.slots import SlotRow, Slots
from ..errors import (
    ConnectionLostError,
    Declined,
    DeviceTimeoutError,
    FlashError,
    NotAuthorizedError,
    OperationInterrupted,
    TransportError,
    UpytoolError,
)
from ..events import NULL, Reporter, Task, notice
from ..image.base import FirmwareImage
from ..image.chips import ESP_CHIPS
from ..protocol.ops import Interrupted
from ..questions import Ask, Question, decline
from ..transport.base import Reconnecting, Transport
from ..words import Said
from . import layout, verify
from .base import FlashPlan, FlashResult, FlashTarget, Programmed
from .comeback import wait_for_repl
from .doors import restart, until_gone
from .failure import UNCHANGED
from .ota_plan import application, kept, same_build, table_of, unconfirmed
from .planning import Request, image_version, told
from .probe import Surroundings, described, version_of

PROOF = "read back"
LEAVES = 3.0  # seconds from the command to restart until the board is gone
RETRY = 0.5


def identify(device: Device, selector: str) -> FlashTarget:
    """The board at the end of a connection, as its REPL describes it, with its slots where it has any.

    Args:
        selector: names this board on a command line.
    """
    port = device.port
    place = port.hub_port if port is not None else ""
    target = described(FlashTarget("running", selector, place, device.name, port), device.info, ())
    found = device.drive(device_slots.query(device.session))
    if found is None:
        return target
    chip = ESP_CHIPS.get(int.from_bytes(found.head[12:14], "little"))
    return replace(
        target,
        chip=chip.name if chip is not None else target.chip,
        mcu_port="esp32",
        filesystems=layout.of_table(table_of(found), found.flash_size or None),
        slots=found,
    )


def runs(
    device: Device, target: FlashTarget, image: FirmwareImage, request: Request, *, reporter: Reporter = NULL
) -> bool:
    """Tell whether the board runs this very application, so that none has to be written. Changes nothing.

    Args:
        target: of `identify`.
        request: where it wants to compare only, or to write whatever is there, the board is not asked.

    Raises: ImageError; TransportError, ProtocolError, RemoteError.
    """
    slots = target.slots
    if slots is None or request.verify_only or request.options.whole or not same_build(image, slots):
        return False
    return not _differing(device, image, slots, reporter)


def apply(
    plan: FlashPlan,
    request: Request,
    device: Device,
    *,
    around: Surroundings | None = None,
    ask: Ask = decline,
    reporter: Reporter = NULL,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> FlashResult:
    """Do what `plan` says over an open connection, which is closed once the board was restarted.

    Args:
        request: the one that the plan was made from.
        around: where a serial port is found again that goes away with the restart.
        ask: gets the question `flash.no-rollback` where the board has none.

    Raises: FlashError with `state`, what the board starts now; TransportError while nothing is changed yet;
    OperationInterrupted for Ctrl-C, Declined for a no.
    """
    return _Run(plan, request, device, around or Surroundings(), ask, reporter, clock, sleep).run()


def _parts(plan: FlashPlan) -> tuple[FirmwareImage, Slots, SlotRow]:
    """What is flashed, the board's slots, and the one that is written."""
    image, slots = plan.image, plan.target.slots
    if image is None or slots is None or slots.next is None:
        raise FlashError("flash.plan-without-slot")
    return image, slots, slots.next


def _query(device: Device) -> Slots:
    found = device.drive(device_slots.query(device.session))
    if found is None:
        raise FlashError("flash.ota-no-slots")
    return found


def _differing(device: Device, image: FirmwareImage, slots: Slots, reporter: Reporter) -> list[int]:
    """Where the pieces begin in which the slot that runs is not the image's application."""
    data = application(image).data
    with Task(reporter, "comparing", len(data)) as task:
        return device.drive(device_slots.differing(device.session, slots.running, data, advance=task.advance))


class _Run:
    def __init__(
        self,
        plan: FlashPlan,
        request: Request,
        device: Device,
        around: Surroundings,
        ask: Ask,
        reporter: Reporter,
        clock: Callable[[], float],
        sleep: Callable[[float], None],
    ) -> None:
        self.plan, self.request, self.device, self.around = plan, request, device, around
        self.ask, self.reporter, self.clock, self.sleep = ask, reporter, clock, sleep
        self.image, self.slots, self.row = _parts(plan)
        self.old = f"{f'MicroPython {plan.target.version}'.strip()} in {self.slots.running.label}"
        self.state, self.doing = UNCHANGED, "preparing"
        self.chosen = self.restarted = self.rollback = False
        self.backup = ""
        self.warnings: list[str] = []

    def run(self) -> FlashResult:
        start = self.clock()
        with self._told():
            self._save_files()
            if self.request.verify_only:
                self._verify()
            elif not kept(self.slots):  # a reset would give up what runs, or start a slot that is half written
                self._keep()
            if not self.plan.segments:
                return self._same(start)
            filled = self._fill()
            now = self._choose()
            if now is None:
                now = self._restart()
            return self._result(start, filled, now)

    # -- what goes wrong ----------------------------------------------------------------------------

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Every way out that is not a success says what the board starts now, and what to do."""
        try:
            yield
        except (KeyboardInterrupt, Interrupted, OperationInterrupted) as error:
            self._take_back(error)
            again = [] if self.state == UNCHANGED else self._again()
            raise told(error, self.doing, [self.state, *again]) from None
        except FlashError as error:
            self._take_back(error)
            error.state = self.state
            error.advise(*self._again())
            raise
        except UpytoolError as error:
            self._take_back(error)
            if self.state == UNCHANGED:
                error.advise(self.state, first=True)
                raise
            hint = [*error.hints, *self._again()]
            raise FlashError(
                "flash.broke-off-while", cause=error, doing=self.doing, hint=hint, state=self.state
            ) from error
        finally:
            if self.restarted:
                self.device.close()

    def _take_back(self, error: BaseException) -> None:
        """Before the restart the old firmware can still be chosen again; it then starts as ever."""
        if not self.chosen or self.restarted or isinstance(error, ConnectionLostError):
            return
        with suppress(UpytoolError):
            if not self.device.drive(device_slots.act(self.device.session, "keep", self.slots.running)):
                self.state = self._written()

    def _again(self) -> list[Said]:
        """The next step: the same command, as long as it has something to do."""
        words = shlex.split(self.request.again)[1:]
        if not self.restarted:
            return [Said("flash.hint.run-again", words=words)]
        if self.rollback:  # or a reset undoes it, whatever has answered until now
            return [Said("flash.hint.ota-confirm", words=words)]
        return []

    def _warn(self, sentence: str) -> None:
        self.warnings.append(sentence)
        notice(self.reporter, sentence, "warning")

    # -- the steps ----------------------------------------------------------------------------------

    def _save_files(self) -> None:
        if not self.request.backup:
            return
        self.doing = "saving the files"
        self.backup = self.device.fs.backup(self.request.backup).file
        notice(self.reporter, f"Saved the files in {self.backup}")

    def _verify(self) -> None:
        """Raises: DifferencesFound."""
        differ = _differing(self.device, self.image, self.slots, self.reporter)
        if differ:
            row, total, size = self.slots.running, len(application(self.image).data), device_slots.PIECE
            raise verify.differ(self.plan.image_name, [(row.address + at, min(size, total - at)) for at in differ])

    def _keep(self) -> None:
        """Have every reset start what runs, which is good."""
        running = self.slots.running
        self.doing = f"confirming {running.label}"
        self.state = Said("flash.state.ota-perhaps-confirmed", slot=running.label)
        refused = self.device.drive(device_slots.act(self.device.session, "keep", running))
        now = _query(self.device)
        if now.running.address != running.address:
            self.state = Said("flash.state.ota-runs", slot=now.running.label)
            raise FlashError("flash.ota-went-back-meanwhile", slot=now.running.label)
        if refused or not kept(now):
            reason = refused or "its next reset still starts another slot"
            raise FlashError("flash.ota-not-kept", running=self.old, reason=reason)
        self.state = Said("flash.state.ota-starts", old=self.old)

    def _same(self, start: float) -> FlashResult:
        """The result where the board runs this very firmware already."""
        target, total = self.plan.target, len(application(self.image).data)
        name = "-".join(filter(None, (target.board, target.variant)))
        return FlashResult(
            self.plan,
            Programmed(total, 0, 0, total, PROOF),
            self.backup,
            target.version,
            target.version,
            name,
            target.address,
            True,
            self.clock() - start,
        )

    def _fill(self) -> device_slots.Filled:
        self.doing = f"writing {self.row.label}"

        def begun() -> None:
            self.state = Said("flash.state.ota-partly-written", slot=self.row.label, old=self.old)

        filled = self.device.drive(
            device_slots.fill(
                FsOps(self.device.session),
                self.row,
                application(self.image).data,
                whole=self.request.options.whole,
                begun=begun,
                reporter=self.reporter,
            )
        )
        self.state = self._written()
        return filled

    def _written(self) -> Said:
        return Said("flash.state.ota-written", slot=self.row.label, old=self.old)

    def _choose(self) -> Slots | None:
        """Have the next start be the new firmware's; what the board says where it runs that already."""
        self.doing = f"choosing {self.row.label}"
        notice(self.reporter, f"Checking {self.row.label} on the board")
        self.chosen = True
        self.state = Said("flash.state.ota-either", old=self.old, slot=self.row.label)
        refused = self.device.drive(device_slots.act(self.device.session, "start", self.row))
        now = _query(self.device)
        self.rollback = unconfirmed(now)
        if now.running.address == self.row.address:  # it lost its power just then
            self._started()
            return now
        if refused or now.boot != self.row.address:
            raise FlashError(
                "flash.ota-not-startable", slot=self.row.label, reason=refused or "it still starts the other slot"
            )
        self.state = Said("flash.state.ota-chosen", old=self.old, slot=self.row.label)
        asked = Question("flash.no-rollback", {"board": self.plan.target.name, "slot": self.row.label})
        if not self.rollback and not self.ask(asked):
            raise Declined("interrupted.declined.no-rollback")
        return None

    def _restart(self) -> Slots:
        self.doing = f"starting {self.row.label}"
        notice(self.reporter, f"Starting {self.row.label}")
        self.device.drive(device_slots.restart(self.device.session, self.row))
        self._started()
        transport = self.device.disown()
        lost = self._gone(transport)
        deadline = self.clock() + self.request.wait
        while True:
            try:
                transport = self._connected(transport, lost, max(1.0, deadline - self.clock()))
                self.device = self._another(transport)
                now = _query(self.device)
                if now.running.address == self.row.address or now.boot != self.row.address:
                    return now
                reason: UpytoolError = DeviceTimeoutError("protocol.timeout.no-restart")
                self.device.drive(device_slots.restart(self.device.session, self.row))  # it may not have heard of it
                lost = self._gone(transport)
            except OperationInterrupted:
                raise
            except UpytoolError as error:
                reason, lost = error, isinstance(error, TransportError)
            if self.clock() >= deadline or isinstance(reason, NotAuthorizedError):
                raise FlashError("flash.ota-silent", cause=reason) from reason
            self.sleep(RETRY)

    def _started(self) -> None:
        self.restarted = True
        code = "flash.state.ota-started" if self.rollback else "flash.state.ota-started-no-rollback"
        self.state = Said(code, slot=self.row.label, old=self.old)

    def _gone(self, transport: Transport) -> bool:
        """Whether the connection ended with the restart; waits for it."""
        self.device = self._another(transport)
        try:
            self.device.drive(until_gone(LEAVES))
        except ConnectionLostError:
            return True
        return False

    def _another(self, transport: Transport) -> Device:
        device = Device(transport, reporter=self.reporter)
        device.port, device.session.sure = self.plan.target.port, self.device.session.sure
        return device

    def _connected(self, transport: Transport, lost: bool, seconds: float) -> Transport:
        """The connection to the board that restarts: made again, kept (a UART that is closed and opened may reset the
        board, which would undo an update), or that of a USB port which came back.
        """
        if isinstance(transport, Reconnecting):
            transport.reconnect()
            return transport
        if not lost:
            return transport
        transport.close()
        found = wait_for_repl(
            self.plan.target,
            seconds,
            sight=self.around.sight(),
            reporter=self.reporter,
            clock=self.clock,
            sleep=self.sleep,
        )
        return self.around.open(found.address).disown()

    def _result(self, start: float, filled: device_slots.Filled, now: Slots) -> FlashResult:
        self.doing = "asking the new firmware"
        info, refused = None, ""
        if now.running.address == self.row.address:
            info = self.device.info
            refused = self.device.drive(device_slots.act(self.device.session, "keep", self.row))
            now = _query(self.device)
        if info is None or now.running.address != self.row.address:
            self.rollback = False  # it happened
            self.state = Said("flash.state.ota-went-back", old=self.old, slot=self.row.label)
            raise FlashError("flash.ota-went-back", slot=self.row.label)
        if kept(now):
            self.rollback = False
            self.state = Said("flash.state.ota-confirmed", slot=self.row.label)
        else:
            reason = refused or "no reason given"
            self._warn(f"the firmware could not be confirmed ({reason}): the next reset may undo it")
        wanted, answered = image_version(self.image), version_of(info)
        if wanted and wanted != answered:
            self._warn(f"the board says it runs {answered or 'something else'}, the image is {wanted}")
        self._let_go()
        total = len(application(self.image).data)
        return FlashResult(
            self.plan,
            Programmed(total, filled.written, filled.written, filled.unchanged, PROOF),
            self.backup,
            self.plan.target.version,
            answered,
            info.build,
            self.device.name,
            not wanted or wanted == answered,
            self.clock() - start,
            tuple(self.warnings),
        )

    def _let_go(self) -> None:
        """Start main.py, which the questions stopped; where that ends the connection, there can be another one then."""
        transport = self.device.transport
        with suppress(UpytoolError):
            self.device.drive(restart(self.device.session.leave()))
            if isinstance(transport, Reconnecting):
                with suppress(ConnectionLostError):
                    self.device.drive(until_gone(LEAVES))
                transport.reconnect()
        self.device.close(leave=False)
