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

An error is a stable dotted code and fields; its sentence and its hints (what to do next) stand under the code in
`upytool.words`. There is a class where programs catch the kind, and the codes of its errors begin with its own.
The exit codes are one table in `EXIT_CODES`; a number is never used for something else.
"""

from __future__ import annotations

import errno as _errno
from collections.abc import Sequence
from typing import TYPE_CHECKING

from .words import Said, fill, find, json_value

if TYPE_CHECKING:
    from typing import Self, TypeAlias

Hints: TypeAlias = "str | Said | Sequence[str | Said]"

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
        code: what is wrong, a code of `upytool.words`; the sentence and its hints stand there.
        hints: what to do next beside the hints of the code: values (`Said`), or texts that come from elsewhere.
        fields: what the sentence names; programs read them in `fields`.
    """

    code = "error"
    exit_code = 1

    def __init__(self, code: str, /, *, hint: Hints = (), **fields: object) -> None:
        super().__init__(code)
        self.fields = fields
        self._own: tuple[Said, ...] = _said(hint)
        self._words: tuple[str, ...] | None = None
        self._text = code
        if " " not in code and "." in code:
            self.code = code

    @property
    def templates(self) -> tuple[str, ...]:
        """The sentence's template, and those of its hints."""
        if self._words is None:
            self._words = find(self._text, "ERRORS") or (self._text.replace("{", "{{").replace("}", "}}"),)
        return self._words

    @property
    def message(self) -> str:
        """What is wrong: one sentence without a full stop."""
        return fill(self.templates[0], self.fields)

    @property
    def hints(self) -> list[Said]:
        """What to do next, the most likely first."""
        return [*self._hints_of_code(), *self._own]

    @property
    def advice(self) -> tuple[Said, ...]:
        """The hints beside those of the code."""
        return self._own

    def _hints_of_code(self) -> list[Said]:
        return [Said.of(self.code, template, self.fields) for template in self.templates[1:]]

    @property
    def hint(self) -> str:
        """The hints as text, a line each; '' where there is none."""
        return "\n".join(text for each in self.hints if (text := each.text))

    def advise(self, *hints: Said | str, first: bool = False) -> Self:
        """Add hints, and return the error.

        Args:
            hints: a `Said`, the code of one without fields, or a text that comes from elsewhere.
            first: put them before those that are there.
        """
        if first:
            self._own = (*_said(hints), *self._hints_of_code(), *self._own)
            self._words = self.templates[:1]
        else:
            self._own += _said(hints)
        return self

    def retract(self, code: str) -> None:
        """Take away the hints that were added under this code, or one that begins with it and a dot: whoever caught the
        error says it better.
        """
        self._own = tuple(each for each in self._own if not f"{each.code}.".startswith(f"{code}."))

    def __str__(self) -> str:
        return self.message

    def __reduce__(self) -> tuple[object, ...]:
        # Many classes have a constructor of their own: a copy, or an error that crosses processes, is made without it.
        return _made_again, (type(self), self.args, self.__dict__)

    def data(self) -> dict[str, object]:
        """The error as `--json` prints it."""
        return {
            "code": self.code,
            "message": self.message,
            "hint": self.hint,
            "exit_code": self.exit_code,
            "fields": json_value(self.fields),
            "hints": [each.data() for each in self.hints],
        }


def _made_again(kind: type[UpytoolError], args: tuple[object, ...], state: dict[str, object]) -> UpytoolError:
    error = kind.__new__(kind, *args)
    for name, value in state.items():
        setattr(error, name, value)
    return error


def kind_of(code: str) -> type[UpytoolError]:
    """The class of a code: the one whose own code is the longest beginning of it."""
    found, waiting = UpytoolError, [UpytoolError]
    while waiting:
        kind = waiting.pop()
        own = kind.code
        if (code == own or code.startswith(own + ".")) and len(own) > len(found.code if found.code != "error" else ""):
            found = kind
        waiting += [each for each in kind.__subclasses__() if each.__module__ == __name__]
    return found


def _said(hints: Hints) -> tuple[Said, ...]:
    each = (hints,) if isinstance(hints, str | Said) else hints
    return tuple(hint if isinstance(hint, Said) else Said(hint) for hint in each if hint)


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
        super().__init__("missing-extra", feature=feature, extra=extra)


class DeviceSelectionError(UpytoolError):
    code = "device"
    exit_code = 3


class NoDeviceError(DeviceSelectionError):
    code = "device.none"


class AmbiguousDeviceError(DeviceSelectionError):
    """Several boards fit; `choices` are selectors that each name one of them."""

    code = "device.ambiguous"

    def __init__(self, code: str, /, *, hint: Hints = (), choices: tuple[str, ...] = (), **fields: object) -> None:
        super().__init__(code, hint=hint, choices=choices, **fields)
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
        super().__init__("protocol.bootloader", name=name)


class StreamError(ProtocolError):
    code = "protocol.stream"


class DisturbedError(StreamError):
    """Other output of the board came into an answer, or a line lost or altered it."""

    code = "protocol.disturbed"

    def __init__(self, code: str, /, **fields: object) -> None:
        super().__init__(code, hint=Said("protocol.disturbed.hint"), **fields)


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

    def __init__(self, traceback: str, *, output: bytes = b"", hint: Hints = ()) -> None:
        lines = traceback.strip().splitlines()
        if lines:
            super().__init__("remote.exception", hint=hint, line=lines[-1])
        else:
            super().__init__("remote.exception.silent", hint=hint)
        self.traceback = traceback
        self.output = output

    @property
    def kind(self) -> str:
        """The exception's name on the board, `ValueError` for instance."""
        return str(self.fields.get("line", "")).partition(":")[0].strip()

    def data(self) -> dict[str, object]:
        return {**super().data(), "traceback": self.traceback}


class RemoteExit(RemoteError):
    """The program on the board called `sys.exit(status)`; `exit_code` is that status (0 to 255)."""

    code = "remote.exit"

    def __init__(self, status: int, *, output: bytes = b"") -> None:
        super().__init__("remote.exit", status=status)
        self.exit_code = status & 0xFF
        self.output = output


class BoardResetError(RemoteError):
    """The board was reset while a program ran on it, and its port stayed: a crash, a watchdog, `machine.reset()`."""

    code = "remote.reset"
    exit_code = 10

    def __init__(self) -> None:
        super().__init__("remote.reset")


class RemoteOSError(UpytoolError, OSError):
    """The board refused a file operation; `errno` and `filename` are as in OSError.

    The number is the board's, which MicroPython takes from py/mperrno.h: these agree with Linux. It decides the code.
    """

    code = "files"
    exit_code = 6

    def __init__(self, number: int, path: str = "", *, hint: Hints = ()) -> None:
        code = REMOTE_ERRNO.get(number, "files.error")
        UpytoolError.__init__(self, code, hint=hint, path=path, errno=number)
        OSError.__init__(self, number, code, path)
        self.errno, self.filename = number, path

    @property
    def strerror(self) -> str:  # type: ignore[override]
        """The sentence of the number alone; made when it is read, as an error of a path is often an answer."""
        return fill(self.templates[0], self.fields)

    @property
    def message(self) -> str:
        return f"{self.filename}: {self.strerror}" if self.filename else self.strerror

    def __str__(self) -> str:
        return self.message

    def __reduce__(self) -> tuple[object, ...]:
        return _made_again, (type(self), (), {**self.__dict__, "errno": self.errno, "filename": self.filename})

    def data(self) -> dict[str, object]:
        return {**super().data(), "errno": self.errno, "path": self.filename}


# py/mperrno.h: the numbers a port may use where it has no names for them (a bare "OSError: 2").
REMOTE_ERRNO: dict[int, str] = {
    1: "files.not-permitted",
    2: "files.not-found",
    5: "files.input-output",
    9: "files.bad-number",
    12: "files.no-memory",
    13: "files.permission-denied",
    16: "files.busy",
    17: "files.exists",
    18: "files.other-file-system",
    19: "files.not-mounted",
    20: "files.not-a-directory",
    21: "files.is-a-directory",
    22: "files.invalid-argument",
    24: "files.too-many-open",
    27: "files.too-large",
    28: "files.no-space",
    29: "files.cannot-seek",
    30: "files.read-only",
    36: "files.name-too-long",
    39: "files.not-empty",
    95: "files.not-supported",
    110: "files.timed-out",
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
        state: what is on the board now (a `Said`; "" where nothing was changed); shown before the hints, which name
            the command that fixes it.
    """

    code = "flash"
    exit_code = 7

    def __init__(self, code: str, /, *, hint: Hints = (), state: str | Said = "", **fields: object) -> None:
        super().__init__(code, hint=hint, **fields)
        self.state = state

    @property
    def hints(self) -> list[Said]:
        return [*_said(self.state), *super().hints]

    def data(self) -> dict[str, object]:
        return {**super().data(), "state": str(self.state)}


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
        super().__init__("build.compile.native" if native else "build.compile", where=where, reason=reason)
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

    def __init__(
        self, code: str = "interrupted", /, *, traceback: str = "", hint: Hints = (), **fields: object
    ) -> None:
        super().__init__(code, hint=hint, **fields)
        self.plain = code == "interrupted"
        self.traceback = traceback


class Declined(OperationInterrupted):
    """A question was answered with no."""

    code = "interrupted.declined"

    def __init__(
        self, code: str = "interrupted.declined", /, *, traceback: str = "", hint: Hints = (), **fields: object
    ) -> None:
        super().__init__(code, traceback=traceback, hint=hint, **fields)


class Interrupted(BaseException):
    """Ctrl-C on this computer while an operation was waiting; a BaseException so that no `except Exception` eats it."""
