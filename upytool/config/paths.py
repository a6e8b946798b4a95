"""Where upytool keeps things: configuration, cache, state and data directories of this platform.

Each has an environment variable that overrides it. On Linux the XDG rules are applied here, because every
start needs the configuration's place and platformdirs costs more than all of it; a test holds the two equal.
"""

from __future__ import annotations

import os
import sys

from ..errors import ConfigError, UpytoolError, UsageError

APP = "upytool"
_LINUX = sys.platform.startswith("linux")
PROJECT_FILES = ("upytool.toml", "pyproject.toml")

_XDG = {
    "config": ("XDG_CONFIG_HOME", "~/.config"),
    "cache": ("XDG_CACHE_HOME", "~/.cache"),
    "state": ("XDG_STATE_HOME", "~/.local/state"),
    "data": ("XDG_DATA_HOME", "~/.local/share"),
}


def _platform_dir(kind: str, app: str) -> str:
    if _LINUX:
        variable, fallback = _XDG[kind]
        home = os.environ.get(variable, "").strip()
        if not os.path.isabs(home):
            home = os.path.expanduser(fallback)
        return os.path.join(home, app)
    import platformdirs

    found: str = getattr(platformdirs, f"user_{kind}_dir")(appname=app, appauthor=False)
    return found


def _own_dir(kind: str) -> str:
    return os.environ.get(f"UPYTOOL_{kind.upper()}_DIR") or _platform_dir(kind, APP)


def config_dir() -> str:
    """The directory of config.toml and of the user's macro file config.py."""
    return _own_dir("config")


def config_file() -> str:
    """The user's config.toml."""
    return os.environ.get("UPYTOOL_CONFIG_FILE") or os.path.join(config_dir(), "config.toml")


def cache_dir() -> str:
    """What may be deleted at any time: downloads, completion data."""
    return _own_dir("cache")


def state_dir() -> str:
    """Error reports, the list of running simulators."""
    return _own_dir("state")


def data_dir() -> str:
    """What must last: the flash of simulated boards."""
    return _own_dir("data")


def mpremote_config_dir() -> str:
    """Where mpremote looks for its config.py (docs/reference/mpremote.rst, "shortcut configuration")."""
    return _platform_dir("config", "mpremote")


def find_project_file(start: str) -> str:
    """The nearest upytool.toml, or pyproject.toml with [tool.upytool], from `start` upwards; "" if none."""
    folder = os.path.abspath(start)
    while True:
        own, shared = (os.path.join(folder, name) for name in PROJECT_FILES)
        if os.path.isfile(own):
            return own
        if os.path.isfile(shared) and _mentions_upytool(shared):
            return shared
        parent = os.path.dirname(folder)
        if parent == folder:
            return ""
        folder = parent


def working_dir() -> str:
    """The current directory. Raises: UsageError where it was removed meanwhile."""
    try:
        return os.getcwd()
    except OSError:
        raise UsageError("usage.no-current-directory") from None


def inside_project(
    root: str | os.PathLike[str], name: str, key: str, *, error: type[UpytoolError] = ConfigError
) -> str:
    """A path that a project's file names, absolute, and proven to lie in the project.

    A project may be a mere download: what its file names is read, written and copied below the project alone,
    whatever `..`, drives or links say. What the user typed does not come through here.

    Args:
        root: the folder of the project's file.
        name: the path, relative to `root`.
        key: where the file says it, "build.output" for the message.
        error: the class to raise.

    Raises:
        error: it leads out, or no file can have that name.
    """
    top = os.path.realpath(root)
    try:
        place = os.path.normpath(os.path.join(top, name))
        real = os.path.normcase(os.path.realpath(place))
    except (OSError, ValueError) as problem:  # a NUL, a loop of links
        raise error("path.invalid", key=key, name=name, cause=problem) from None
    if os.path.join(real, "").startswith(os.path.normcase(os.path.join(top, ""))):
        return place
    raise error("path.outside-project", key=key, name=name, root=top)


def _mentions_upytool(path: str) -> bool:
    """Whether a pyproject.toml has a [tool.upytool], or cannot be told not to have one."""
    from .. import documents

    try:
        data = documents.read_bytes(path)
    except ConfigError:
        return True
    # A plain search first: parsing every pyproject.toml on the way up would cost a start 20 ms. Without the zeros
    # it finds the name in UTF-16 as well, which some editors write and no TOML file may be in.
    if b"upytool" not in data.replace(b"\0", b""):
        return False
    if b"[tool.upytool]" in data or b"[tool.upytool." in data:
        return True
    try:
        tool = documents.parse_toml(data, path).get("tool")
    except ConfigError:
        return True
    return isinstance(tool, dict) and "upytool" in tool


def ensure_dir(path: str) -> str:
    """Make the directory (for this user only) and return it."""
    os.makedirs(path, mode=0o700, exist_ok=True)
    return path
