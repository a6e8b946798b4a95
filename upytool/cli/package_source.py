"""Where the commands get packages from: the settings' hosts and tokens, the cache, the network."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..packages.download import Fetcher
    from ..packages.hosts import Hosts
    from .app import App


@contextmanager
def package_fetcher(app: App) -> Iterator[tuple[Fetcher, Hosts]]:
    """A fetcher with the settings of this run, and the git hosts that they name."""
    from pathlib import Path

    from ..config.load import read_toml
    from ..config.paths import cache_dir
    from ..packages.cache import PackageCache
    from ..packages.download import Fetcher
    from ..packages.hosts import hosts_from

    # From the user's own file alone: a project, which may be a mere download, must not say where tokens go.
    settings = read_toml(app.settings.user_file).get("mip", {}) if app.settings.user_file else {}
    hosts = hosts_from(settings.get("hosts", {}) if isinstance(settings, dict) else {}, os.environ)
    cache = PackageCache(Path(cache_dir()) / "packages")
    with Fetcher(cache, offline=app.settings.offline, credentials=hosts.credentials, reporter=app.reporter) as made:
        yield made, hosts
