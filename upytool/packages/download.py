"""Downloads of packages: `upytool.net`'s fetcher, which knows where the tokens of private hosts are."""

from __future__ import annotations

from upytool import __version__
from upytool.net.download import Credential, Limits, is_url, not_found
from upytool.net.download import Fetcher as NetFetcher
from upytool.words import Said

__all__ = ["Credential", "Fetcher", "Limits", "is_url", "not_found"]


class Fetcher(NetFetcher):
    """Gets files of packages; see `upytool.net.download.Fetcher`."""

    agent = f"upytool/{__version__} (mip)"
    denied = Said("net.private-host")
