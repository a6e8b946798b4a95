"""The same Device for asyncio: the same operations, driven by `drive_async`."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from ..errors import UpytoolError, UsageError
from ..events import NULL, Reporter
from ..protocol.ops import Op
from ..transport.base import AsyncTransport
from ..transport.drive import drive_async
from ..transport.serial import Lines
from .answers import literal_or_text
from .info import BoardInfo
from .session import SNIPPET_LIMIT, OutputSink, Session

if TYPE_CHECKING:
    from asyncio import Future

    from ..config.secrets import Ask
    from .aio_fs import AsyncRemoteFS
    from .device import Device

T = TypeVar("T")


class AsyncDevice:
    """A connected board for asyncio; `await aconnect()` makes one; use it in an `async with` block.

    Methods, arguments and errors are those of `Device`. A cancelled task stops the program on the board.
    """

    def __init__(self, transport: AsyncTransport, *, reporter: Reporter = NULL, fresh: bool = False) -> None:
        self.transport = transport
        self.reporter = reporter
        self.session = Session(reporter, reset_pending=fresh and transport.survives_reset)
        self.session.attach(transport)
        self._fs: AsyncRemoteFS | None = None
        self._closed = False

    async def drive(self, op: Op[T]) -> T:
        """Run an operation on this board; tasks take turns. Errors: UsageError after `close`."""
        if self._closed:
            op.close()
            raise UsageError(f"{self.name} is closed", hint="connect again")
        return await drive_async(op, self.transport)

    @property
    def name(self) -> str:
        return self.transport.name

    async def info(self) -> BoardInfo:
        """What the board is; asked once."""
        return await self.drive(self.session.info())

    @property
    def fs(self) -> AsyncRemoteFS:
        """The board's files."""
        if self._fs is None:
            from .aio_fs import AsyncRemoteFS

            self._fs = AsyncRemoteFS(self)
        return self._fs

    async def exec(self, source: bytes | str, *, timeout: float | None = None) -> str:
        """Run a program; returns what it printed."""
        out = await self.drive(self.session.exec(source, limit=timeout))
        return out.decode("utf-8", "replace").replace("\r\n", "\n")

    async def run(
        self,
        source: bytes | str,
        *,
        filename: str = "<stdin>",
        on_output: OutputSink | None = None,
        timeout: float | None = None,
        follow: bool = True,
    ) -> None:
        """Run a program, passing its output on while it runs."""
        await self.drive(self.session.run(source, filename=filename, on_output=on_output, limit=timeout, follow=follow))

    async def eval(self, expression: str, *, timeout: float | None = None) -> Any:
        """The value of an expression where it is a literal, else its `repr`."""
        text = await self.drive(self.session.eval(expression, limit=timeout))
        return literal_or_text(text)

    async def call(
        self, snippet: str, *args: object, path: str = "", timeout: float = SNIPPET_LIMIT, again: bool = False
    ) -> Any:
        """Run one of our own snippets (see Device.call)."""
        return await self.drive(self.session.call(snippet, *args, path=path, limit=timeout, again=again))

    async def soft_reset(self) -> None:
        """A fresh interpreter: boot.py runs, main.py does not."""
        await self.drive(self.session.soft_reset())

    async def close(self) -> None:
        """Back to the friendly prompt, and close the transport."""
        if self._closed:
            return
        with contextlib.suppress(UpytoolError):
            await self.drive(self.session.leave())
        self._closed = True
        await self.transport.close()

    def __del__(self) -> None:
        if not getattr(self, "_closed", True):
            import warnings

            warnings.warn(f"unclosed {self!r}", ResourceWarning, source=self, stacklevel=2)

    def __repr__(self) -> str:
        return f"<AsyncDevice {self.name}>"

    async def __aenter__(self) -> AsyncDevice:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


async def aconnect(
    selector: str | None = None,
    *,
    baud: int = 115200,
    lines: Lines | None = None,
    wait: float = 0.0,
    fresh: bool = False,
    reporter: Reporter = NULL,
    aliases: Mapping[str, str] | None = None,
    ask: Ask | None = None,
) -> AsyncDevice:
    """`upytool.connect` for asyncio: same arguments, same errors. `ask` is called in another thread."""
    import asyncio

    from ..transport.threaded import ThreadedTransport
    from .connect import connect

    # Finding and opening block (USB scans, a wait for the board): a thread does them, the loop goes on.
    opening = asyncio.ensure_future(
        asyncio.to_thread(
            connect, selector, baud=baud, lines=lines, wait=wait, reporter=reporter, aliases=aliases, ask=ask
        )
    )
    try:
        board = await asyncio.shield(opening)
    except asyncio.CancelledError:
        # The thread cannot be stopped: what it opens is closed when it comes.
        opening.add_done_callback(_close_unused)
        raise
    device = AsyncDevice(ThreadedTransport(board.disown()), reporter=reporter, fresh=fresh)
    device.session.frozen, device.session.ask_frozen = board.session.frozen, board.session.ask_frozen
    return device


def _close_unused(opening: Future[Device]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result().close(leave=False)
