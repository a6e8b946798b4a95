"""Where releases come from: the server, the cache and record of this computer, the packaged snapshot."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from .. import limits
from ..boards.data import load
from ..config.paths import cache_dir, state_dir
from ..errors import ConfigError, NetworkError, OfflineError, UsageError
from ..events import NULL, Reporter, notice
from ..net.address import Address
from .names import FIRMWARE, FileName
from .page import links
from .store import FirmwareStore

if TYPE_CHECKING:
    from ..net.download import Fetcher, Limits

DEFAULT_SERVER = "https://micropython.org"


class ReleaseSource:
    """A server of firmware; use it in a `with` block.

    Args:
        server: base address: board pages are at SERVER/download/BOARD/, files at SERVER/resources/firmware/.
        offline: no network, only what is here.
        reporter: hears of downloads, and of what was taken in place of the server's word.
        folder: of the cache; UPYTOOL_CACHE_DIR/firmware if not given.
        record: the file that remembers checksums; UPYTOOL_STATE_DIR/firmware.json if not given.
        limits: of the network.
    """

    def __init__(
        self,
        server: str = DEFAULT_SERVER,
        *,
        offline: bool = False,
        reporter: Reporter = NULL,
        folder: Path | None = None,
        record: Path | None = None,
        limits: Limits | None = None,
    ) -> None:
        try:
            self.server = Address.of(server.rstrip("/"))
        except UsageError as error:
            raise ConfigError("config.firmware-server", cause=error) from None
        self.offline, self.reporter = offline, reporter
        folder = folder or Path(cache_dir()) / "firmware"
        self.store = FirmwareStore(folder, record or Path(state_dir()) / "firmware.json")
        self._limits = limits

    def __enter__(self) -> ReleaseSource:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        for name in ("fetcher", "_pages"):
            if name in self.__dict__:
                getattr(self, name).close()

    @cached_property
    def fetcher(self) -> Fetcher:
        """For files: large ones on slow lines too."""
        from ..net.download import Limits

        return self._fetcher(Limits(total=limits.FIRMWARE_SECONDS, max_bytes=limits.FIRMWARE_BYTES))

    @cached_property
    def _pages(self) -> Fetcher:
        """For pages: there is something to fall back on, so nobody waits long for a dead server."""
        from ..net.download import Limits

        return self._fetcher(Limits(connect=5.0, read=10.0, total=20.0, retries=1))

    def _fetcher(self, limits: Limits) -> Fetcher:
        from .. import __version__
        from ..net.cache import DownloadCache
        from ..net.download import Fetcher

        cache = DownloadCache(self.store.folder / "pages")
        made = Fetcher(cache, offline=self.offline, reporter=self.reporter, limits=self._limits or limits)
        made.agent = f"upytool/{__version__} (firmware)"
        return made

    def page_url(self, board: str) -> Address:
        return self.server.below(f"download/{board}/")

    def file_url(self, name: str) -> Address:
        return self.server.below(f"resources/firmware/{name}")

    def published(self, board: str) -> list[tuple[Address, FileName]] | None:
        """The files on a board's page; offline, those of the page as it was last seen. None for no page.

        Raises: NetworkError, OfflineError.
        """
        address = self.page_url(board)
        data = self._pages.find(address)
        if data is None:
            return None
        found = links(data.decode("utf-8", "replace"), address)
        return [each for each in found if each[1].board == board and each[1].ext in FIRMWARE]

    def try_published(self, board: str) -> list[tuple[Address, FileName]] | None:
        """The same, with a notice and None where the server can't be asked or has no such page."""
        try:
            found = self.published(board)
        except OfflineError:
            return None
        except NetworkError as error:
            notice(self.reporter, f"{error.message}; using the packaged list of releases", "warning")
            return None
        if found is None:
            notice(self.reporter, f"{self.server} has no page for {board}", "detail")
        return found


def snapshot() -> dict[str, str]:
    """Release to the date in its file names, as packaged: newer ones are on the server."""
    return dict(load("releases.json")["releases"])
