"""Where the commands get packages from: the settings' indexes, hosts and tokens, the cache, the network."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..api.packages import PackageSettings
    from .app import App


def package_settings(app: App, indexes: tuple[str, ...] = ()) -> PackageSettings:
    """The settings of this run. Args: indexes: in place of the settings' own, where there are some."""
    from ..api.packages import PackageSettings
    from ..config.load import read_toml

    # From the user's own file alone: a project, which may be a mere download, must not say where tokens go.
    mip = read_toml(app.settings.user_file).get("mip", {}) if app.settings.user_file else {}
    hosts = mip.get("hosts", {}) if isinstance(mip, dict) else {}
    chosen = indexes or tuple(app.settings.index.split())
    return PackageSettings(chosen, None, app.settings.offline, hosts, os.environ)
