"""Folders of this computer mounted on a board.

`Mounts` puts them there, again after each reset, and takes them away. The wire is protocol/mount.py, the
requests protocol/mount_server.py, the files device/folder.py, and the board's side ondevice/mount.py.
"""

from __future__ import annotations

import base64
import contextlib
import os
import random
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from ..errors import (
    LocalFileError,
    ProtocolError,
    RemoteError,
    RemoteException,
    RemoteOSError,
    UpytoolError,
    UsageError,
)
from ..events import notice
from ..protocol.mount_server import MountServer
from ..protocol.ops import Op
from ..protocol.raw_repl import ReplState
from ..words import Said
from . import precompiled
from .folder import Compile, Folder
from .info import BoardInfo
from .ondevice import needs, snippet
from .session import Session

if TYPE_CHECKING:
    from .device import Device

POINT = "/remote"
_MIN_ANSWER, _MAX_ANSWER = 96, 4096
_USUAL_WINDOW, _PLAIN_WINDOW = 128, 64  # of raw paste before it was asked; what to count with where there is none
# What the program imports; a test compares.
_MODULES = frozenset({"binascii", "io", "os", "select", "sys", "time", "uctypes", "vfs"})
_VOLUMES = 200
_UNIX_YEAR, _EPOCHS = 1970, {1970: 0, 2000: 946684800}

_UMOUNT = """import os
try:
 import vfs
except ImportError:
 vfs=os
for p in %r:
 try:
  if (os.getcwd()+'/').startswith(p+'/'):os.chdir('/')
 except OSError:pass
 try:vfs.umount(p)
 except OSError:pass
print('\\x1e0')
"""


@dataclass(frozen=True, slots=True)
class Mount:
    """A folder on a board: the volume's number, where it is on the board, what it is here."""

    number: int
    point: str
    folder: Folder


class Mounts:
    """The mounts of one session. Use `Mounts.of(session)`; all that talks is an operation."""

    _known: WeakKeyDictionary[Session, Mounts] = WeakKeyDictionary()

    def __init__(self, session: Session) -> None:
        self._session = session
        self._server: MountServer | None = None
        self._mounts: dict[int, Mount] = {}

    @classmethod
    def of(cls, session: Session) -> Mounts:
        """The mounts of `session`, the same object each time."""
        found = cls._known.get(session)
        if found is None:
            found = cls._known[session] = cls(session)
        return found

    def __len__(self) -> int:
        return len(self._mounts)

    @property
    def all(self) -> list[Mount]:
        """What is mounted, oldest first."""
        return list(self._mounts.values())

    def add(
        self,
        directory: str | os.PathLike[str],
        point: str = POINT,
        *,
        read_only: bool = False,
        unsafe_links: bool = False,
        compile: Compile | None = None,
    ) -> Op[Mount]:
        """Mount a local directory and make it the board's working directory.

        Args:
            point: where on the board, an absolute path; what this session mounted there before is replaced.
            read_only: the board can change nothing.
            unsafe_links: follow symbolic links that lead out of the directory.
            compile: makes .mpy files of the .py files that the board imports (see Folder).

        Errors: LocalFileError, UsageError, ProtocolError where the firmware lacks what it takes.
        """
        point = _checked_point(point)
        try:
            folder = Folder(directory, read_only=read_only, unsafe_links=unsafe_links, compile=compile)
        except OSError as error:
            raise LocalFileError("local-file.cannot-mount", path=os.fspath(directory), reason=error.strerror) from error
        # The soft reset that is due would take the mount away again.
        yield from self._session.ready(fresh=True)
        server = self._prepare()
        around = next((m.point for m in self.all if point.startswith(m.point + "/")), None)
        if around:
            raise UsageError("usage.nested-mount", point=point, around=around)
        before = next((mount for mount in self.all if mount.point == point), None)
        if before is None and len(self._mounts) >= _VOLUMES:
            raise UsageError("usage.too-many-mounts", limit=_VOLUMES)
        number = before.number if before else next(n for n in range(_VOLUMES) if n not in self._mounts)
        mount = Mount(number, point, folder)
        server.volumes[number] = folder
        self._session.host_mounts[point] = folder
        try:
            yield from self._place([mount], point)
        except BaseException as error:
            # Nothing is mounted there any more, so that no file command may be served from the directory.
            server.volumes.pop(number, None)
            self._mounts.pop(number, None)
            self._session.host_mounts.pop(point, None)
            if isinstance(error, RemoteOSError):
                raise RemoteOSError(error.errno or 0, point, hint=Said("device.other-file-system")) from error
            raise
        if before:
            before.folder.close_all()
        self._mounts[number] = mount
        self._session.places[point + "/"] = folder.root.rstrip(os.sep) + os.sep
        return mount

    def remove(self, point: str | None = None) -> Op[list[Mount]]:
        """Take a mount away, or all of them; returns those that went.

        Errors: UsageError for a point where nothing is mounted.
        """
        chosen = self.all if point is None else [m for m in self.all if m.point == _checked_point(point)]
        if point is not None and not chosen:
            known = [mount.point for mount in self.all]
            there = Said("device.mounts", points=known) if known else Said("device.no-mounts")
            raise UsageError("usage.not-mounted", point=point, hint=there)
        if chosen:
            yield from self._session.call_source(_UMOUNT % [mount.point for mount in chosen])
        for mount in chosen:
            self._drop(mount)
        return chosen

    def again(self) -> Op[None]:
        """After a reset of the board: put all mounts back. They stay known when that fails."""
        if self._server is not None and self._mounts:
            self._server.forget()
            yield from self._place(self.all, self.all[0].point)

    def take_away(self) -> Op[None]:
        """All of them, at the end of the session, where the board is known to be at a prompt.

        A program that runs is not disturbed. Local files are closed whatever the board says.
        """
        try:
            if self._mounts and self._session.repl.state in (ReplState.RAW, ReplState.FRIENDLY):
                yield from self.remove()
        finally:
            for mount in self.all:
                self._drop(mount)

    def _drop(self, mount: Mount) -> None:
        del self._mounts[mount.number]
        self._session.places.pop(mount.point + "/", None)
        self._session.host_mounts.pop(mount.point, None)
        mount.folder.close_all()
        if self._server is not None:
            self._server.volumes.pop(mount.number, None)

    # -- the board's side ---------------------------------------------------------------------------

    def _prepare(self) -> MountServer:
        if self._server is None:
            self._server = MountServer(random.getrandbits(23), self._limit(), self._problem)
            self._session.repl.interceptor = self._server
            self._session.on_soft_reset.append(self.again)
        return self._server

    def _limit(self) -> int:
        """The most bytes of an answer: what the board's input buffer holds, as far as anybody has told."""
        repl = self._session.repl
        window = self._session.window or 2 * (_PLAIN_WINDOW if repl.paste is False else _USUAL_WINDOW)
        return max(_MIN_ANSWER, min(_MAX_ANSWER, window - 8))

    def _place(self, mounts: list[Mount], there: str) -> Op[None]:
        server = self._server
        assert server is not None
        volumes = [(mount.number, mount.point) for mount in mounts]
        while True:
            server.limit = self._limit()
            answer = yield from self._send(f"run({server.seed},{server.limit},{there!r},{volumes!r})")
            assumed, server.limit = server.limit, self._limit()
            if assumed <= server.limit:  # then the board's requests fit as well
                break
        if isinstance(answer, str):
            raise ProtocolError("protocol.no-mount", module=answer)
        server.epoch = _EPOCHS.get(answer if isinstance(answer, int) else _UNIX_YEAR, 0)

    def _send(self, call: str) -> Op[object]:
        """Run the program: as bytecode where the board loads it, packed where it unpacks, else as text."""
        session = self._session
        for packed in (True, False):
            if not session.bytecode or session.repl.paste is False:
                break
            answer = f"print('\\x1e'+repr(m.{call}))"
            program = precompiled.program("mount", answer, packed=packed, modules=_MODULES, sign=session.sign)
            try:
                return (yield from session.call_program(program))
            except RemoteError as error:
                notice(session.reporter, f"mount: not as bytecode ({error})", "debug")
                if "deflate" not in str(error.fields.get("line")):
                    session.bytecode = not isinstance(error, RemoteException)
                    break
        call = f"print('\\x1e'+repr({call}))"
        info = yield from session.info()
        if _unpacks(info):
            try:
                return (yield from session.call_source(_packed(call)))
            except RemoteError:
                pass  # not enough memory to unpack it, for instance: send it as it is
        return (yield from session.call_source(f"{snippet('mount')}\n{call}"))

    def _problem(self, error: BaseException) -> None:
        notice(self._session.reporter, f"a mounted directory could not answer the board: {error}", "warning")


def mounts_of(device: Device) -> Mounts:
    """The mounts of a device; they go when it is closed."""
    new = device.session not in Mounts._known
    mounts = Mounts.of(device.session)
    if new:
        device.on_close.append(_end)
    return mounts


def _end(device: Device) -> None:
    with contextlib.suppress(UpytoolError):
        device.drive(Mounts.of(device.session).take_away())


def _checked_point(point: str) -> str:
    plain = "/" + "/".join(part for part in point.split("/") if part)
    if not point.startswith("/") or plain == "/" or ".." in plain.split("/"):
        raise UsageError("usage.mount-point", point=point)
    return plain


def _unpacks(info: BoardInfo) -> bool:
    return {"deflate", "binascii", "io"} <= info.modules and (info.mem_free or 1 << 20) > 60000


def _packed(call: str) -> str:
    """The same program at half the length on the wire."""
    # A window of 1 KiB: the board keeps one in memory while it unpacks.
    # It outlives the shield around its start, so it takes its builtins from the module itself.
    program = snippet("mount")
    program = f"from builtins import {','.join(sorted(needs(program)[0]))}\n{program}"
    text = base64.b64encode(zlib.compress(program.encode(), 9, 10)).decode()
    return (
        "import deflate,io,binascii\nnames={}\n"
        f"exec(compile(deflate.DeflateIO(io.BytesIO(binascii.a2b_base64('{text}')),deflate.ZLIB).read(),"
        f"'mount','exec'),names)\nrun=names['run']\n{call}"
    )
