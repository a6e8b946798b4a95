"""The cache of packages: `upytool.net`'s, under the name that the package rooms use."""

from __future__ import annotations

from upytool.net.cache import DownloadCache as PackageCache
from upytool.net.cache import UrlEntry

__all__ = ["PackageCache", "UrlEntry"]
