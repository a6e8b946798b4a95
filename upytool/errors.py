"""Every error that upytool raises on purpose.

    UpytoolError                    exit code
    |-- UsageError                  2   the command line or the call is wrong
    |-- ConfigError                 2   a setting is wrong
    |-- DeviceSelectionError        3   which board?
    |   |-- NoDeviceError
    |   `-- AmbiguousDeviceError
    |-- TransportError              4   the byte pipe
    |   |-- PortMissingError            no such port
    |   |-- PortBusyError               another program holds it
    |   |-- PortPermissionError         the user may not open it
    |   |-- PortUnusableError           the driver refuses it
    |   |-- NotAuthorizedError          the far end wants a password (WebREPL)
    |   `-- ConnectionLostError         it went away while in use
    |-- ProtocolError               5   the far end does not speak as expected
    |   |-- RawReplError                no raw REPL to be had
    |   |   `-- BootloaderError             it waits in its bootloader
    |   |-- StreamError                 a stream broke in the middle
    |   `-- DeviceTimeoutError          no answer in time
    |-- TimeLimitError              124 the user's own --timeout ran out
    |-- RemoteError                 1   the program on the board failed
    |   |-- RemoteException             it raised; .traceback holds the text
    |   |-- RemoteExit                  it called sys.exit(n); the exit code is n
    |   `-- BoardResetError             10  the board was reset while it ran
    |-- RemoteOSError (OSError)     6   the board refused a file operation
    |-- LocalFileError              6   this computer refused one
    |-- FlashError                  7
    |   `-- ImageError                    a firmware file is damaged, or no firmware at all
    |-- BuildError                  8
    |   |-- CompileError                  mpy-cross refuses a module; .path and .line say where
    |   `-- MissingCompilerError          no mpy-cross for this board
    |-- PackageError                9   packages, indexes
    |   |-- NetworkError
    |   `-- OfflineError
    |-- MissingExtraError           2   an optional dependency is not installed
    |-- DifferencesFound            1   a check found differences
    |-- SimulatorError              4   a simulated board did not start
    `-- OperationInterrupted        130 Ctrl-C
        `-- Declined                    a question was answered with no

An error is a message (one sentence, what is wrong), a hint (what to do next) and a stable dotted code.
The exit codes are one table in `EXIT_CODES`; a number is never used for something else.
"""

from __future__ import annotations

import errno as _errno

EXIT_CODES: dict[int, str] = {
    0: "done, or nothing to do",
    1: "the program on the board raised, a check found differences, or an unexpected bug",
    2: "the command line or the configuration is wrong",
    3: "no device found, or several and none chosen",
    4: "the port or connection could not be opened, or was lost",
    5: "the board does not answer as a MicroPython REPL does, or not in time",
    6: "a file operation was refused",
    7: "flashing failed",
    8: "building failed",
    9: "a package or the network failed",
    10: "the board was reset while a program ran on it",
    124: "the time limit given with --timeout ran out",
    129: "ended by SIGHUP: the terminal was closed",
    130: "interrupted with Ctrl-C",
    131: "ended by SIGQUIT",
    141: "the reader of our output went away",
    143: "ended by SIGTERM",
    149: "ended by SIGBREAK (Windows)",
}


class UpytoolError(Exception):
    """The root of the tree.

    Args:
        message: what is wrong, one sentence without a full stop.
        hint: what to do next; may span lines.
    """

    code = "error"
    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return self.message

    def data(self) -> dict[str, object]:
        """The error as `--json` prints it."""
        return {"code": self.code, "message": self.message, "hint": self.hint, "exit_code": self.exit_code}


class UsageError(UpytoolError):
    code = "usage"
    exit_code = 2


class ConfigError(UpytoolError):
    code = "config"
    exit_code = 2


class MissingExtraError(UpytoolError):
    code = "missing-extra"
    exit_code = 2

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(
            f"{feature} needs an optional part of upytool that is not installed",
            hint=f'pip install "upytool[{extra}]"',
        )


class DeviceSelectionError(UpytoolError):
    code = "device"
    exit_code = 3


class NoDeviceError(DeviceSelectionError):
    code = "device.none"


class AmbiguousDeviceError(DeviceSelectionError):
    """Several boards fit; `choices` are selectors that each name one of them."""

    code = "device.ambiguous"

    def __init__(self, message: str, *, hint: str = "", choices: tuple[str, ...] = ()) -> None:
        super().__init__(message, hint=hint)
        self.choices = choices


class TransportError(UpytoolError):
    code = "transport"
    exit_code = 4


class PortMissingError(TransportError):
    code = "transport.missing"


class PortBusyError(TransportError):
    code = "transport.busy"


class PortPermissionError(TransportError):
    code = "transport.permission"


class PortUnusableError(TransportError):
    code = "transport.unusable"


class NoWebReplError(PortUnusableError):
    """Something listens there, and it is not a WebREPL server."""

    code = "transport.no-webrepl"


class ProxyError(PortUnusableError):
    """A proxy in front of a board does not reach it."""

    code = "transport.proxy"


class TlsError(PortUnusableError):
    code = "transport.tls"


class CertificateError(TlsError):
    code = "transport.certificate"


class NotAuthorizedError(TransportError):
    code = "transport.password"


class ConnectionLostError(TransportError):
    code = "transport.lost"


class SimulatorError(TransportError):
    code = "sim"


class ProtocolError(UpytoolError):
    code = "protocol"
    exit_code = 5


class RawReplError(ProtocolError):
    code = "protocol.raw-repl"


class BootloaderError(RawReplError):
    """The board waits in its bootloader for firmware; no MicroPython runs."""

    code = "protocol.bootloader"

    def __init__(self, name: str = "the board") -> None:
        super().__init__(
            f"{name} is in its bootloader, waiting for firmware",
            hint="to flash it, run `upytool flash`; to start the firmware it has, reset it without holding BOOT",
        )


class StreamError(ProtocolError):
    code = "protocol.stream"


class DisturbedError(StreamError):
    """Other output of the board came into an answer, or a line lost or altered it."""

    code = "protocol.disturbed"

    def __init__(self, message: str) -> None:
        super().__init__(message, hint="a timer or thread on the board may print: `upytool soft-reset` stops it")


class DeviceTimeoutError(ProtocolError):
    code = "protocol.timeout"


class TimeLimitError(UpytoolError):
    code = "time-limit"
    exit_code = 124


class RemoteError(UpytoolError):
    code = "remote"
    exit_code = 1


class RemoteException(RemoteError):
    """The program on the board raised.

    Attributes:
        traceback: the board's text, lines ended by a newline each.
        output: what the program had printed (bytes), when it was collected.
    """

    code = "remote.exception"

    def __init__(self, traceback: str, *, output: bytes = b"", hint: str = "") -> None:
        lines = traceback.strip().splitlines()
        super().__init__(lines[-1] if lines else "the program on the board failed", hint=hint)
        self.traceback = traceback
        self.output = output

    @property
    def kind(self) -> str:
        """The exception's name on the board, `ValueError` for instance."""
        return self.message.partition(":")[0].strip()

    def data(self) -> dict[str, object]:
        return {**super().data(), "traceback": self.traceback}


class RemoteExit(RemoteError):
    """The program on the board called `sys.exit(status)`; `exit_code` is that status (0 to 255)."""

    code = "remote.exit"

    def __init__(self, status: int, *, output: bytes = b"") -> None:
        super().__init__(f"the program on the board exited with status {status}")
        self.exit_code = status & 0xFF
        self.output = output


class BoardResetError(RemoteError):
    """The board was reset while a program ran on it, and its port stayed: a crash, a watchdog, `machine.reset()`."""

    code = "remote.reset"
    exit_code = 10

    def __init__(self) -> None:
        super().__init__(
            "the board was reset while the program ran",
            hint="to see what it prints when it starts, run `upytool monitor`",
        )


class RemoteOSError(UpytoolError, OSError):
    """The board refused a file operation; `errno` and `filename` are as in OSError.

    The number is the board's, which MicroPython takes from py/mperrno.h: these agree with Linux.
    """

    code = "remote.os"
    exit_code = 6

    def __init__(self, number: int, path: str = "", *, hint: str = "") -> None:
        reason = REMOTE_ERRNO.get(number, f"error {number}")
        OSError.__init__(self, number, reason, path)
        UpytoolError.__init__(self, f"{path}: {reason}" if path else reason, hint=hint)
        self.errno, self.strerror, self.filename = number, reason, path

    def __str__(self) -> str:
        return self.message

    def data(self) -> dict[str, object]:
        return {**super().data(), "errno": self.errno, "path": self.filename}


# py/mperrno.h: the numbers a port may use where it has no names for them (a bare "OSError: 2").
REMOTE_ERRNO: dict[int, str] = {
    1: "operation not permitted on the board",
    2: "no such file or directory on the board",
    5: "input/output error on the board",
    9: "bad file number on the board",
    12: "the board is out of memory",
    13: "permission denied on the board",
    16: "busy on the board",
    17: "exists already on the board",
    18: "not on the same file system of the board",
    19: "no file system is mounted there on the board",
    20: "not a directory on the board",
    21: "is a directory on the board",
    22: "invalid argument for the board's file system",
    24: "too many open files on the board",
    27: "file too large for the board's file system",
    28: "no space left on the board",
    29: "the board cannot seek there",
    30: "the board's file system is read-only",
    36: "file name too long for the board's file system",
    39: "directory not empty on the board",
    95: "not supported by the board's file system",
    110: "timed out on the board",
}

EPERM, ENOENT, EEXIST, ENOTDIR, EISDIR, ENOSPC, EROFS = (
    _errno.EPERM,
    _errno.ENOENT,
    _errno.EEXIST,
    _errno.ENOTDIR,
    _errno.EISDIR,
    _errno.ENOSPC,
    _errno.EROFS,
)


class LocalFileError(UpytoolError):
    code = "local-file"
    exit_code = 6


class FlashError(UpytoolError):
    """Flashing failed.

    Args:
        state: what is on the board now, a sentence without a full stop ("" where nothing was changed); shown
            before the hint, which names the command that fixes it.
    """

    code = "flash"
    exit_code = 7

    def __init__(self, message: str, *, hint: str = "", state: str = "") -> None:
        super().__init__(message, hint="\n".join(part for part in (state, hint) if part))
        self.state = state

    def data(self) -> dict[str, object]:
        return {**super().data(), "state": self.state}


class ImageError(FlashError):
    code = "image"


class BuildError(UpytoolError):
    code = "build"
    exit_code = 8


class CompileError(BuildError):
    """mpy-cross refuses a module.

    Attributes:
        path: what the user knows it by; line: where, 0 where it is not known.
        reason: the compiler's words, `SyntaxError: invalid syntax`.
        native: machine code is what can't be made for this board.
        output: all that the compiler said.
    """

    code = "build.compile"

    def __init__(self, path: str, reason: str, *, line: int = 0, native: bool = False, output: str = "") -> None:
        where = f"{path}:{line}" if line else path
        hint = "fix it, or leave the file out"
        if native:
            hint = "it holds native, viper or assembler code: name the board's architecture (--arch), or keep the .py"
        super().__init__(f"{where}: {reason}", hint=hint)
        self.path, self.line, self.reason, self.native, self.output = path, line, reason, native, output

    def data(self) -> dict[str, object]:
        return {**super().data(), "path": self.path, "line": self.line}


class MissingCompilerError(BuildError):
    code = "build.compiler"


class PackageError(UpytoolError):
    code = "package"
    exit_code = 9


class NetworkError(PackageError):
    code = "network"


class OfflineError(PackageError):
    code = "offline"


class DifferencesFound(UpytoolError):
    code = "differences"
    exit_code = 1


class OperationInterrupted(UpytoolError):
    """Ctrl-C. `output` and `traceback` hold what the board said when it was interrupted.

    Attributes:
        plain: nothing is told but that Ctrl-C was pressed; whoever knows what was under way says that in its place.
    """

    code = "interrupted"
    exit_code = 130

    def __init__(self, message: str = "", *, traceback: str = "", hint: str = "") -> None:
        super().__init__(message or "interrupted", hint=hint)
        self.plain = not message
        self.traceback = traceback


class Declined(OperationInterrupted):
    """A question was answered with no."""

    code = "interrupted.declined"

    def __init__(self, message: str = "stopped: the answer was no", *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
