"""Settings in layers: flag > environment > project > user > default; each value knows where it came from."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

from .. import documents
from ..errors import ConfigError
from .options import BY_KEY, BY_NAME, OPTIONS, Option
from .paths import config_file, find_project_file

# The table of the user's file that holds passwords of boards; `Settings` has nothing of it.
PASSWORDS = "webrepl-passwords"
# Tables of the user's file that are not settings.
USER_TABLES = ("devices", "macros", "mip", PASSWORDS)
# A device that starts a program is the user's own business: a project, which may be a mere download, may not
# name one.
_STARTS_A_PROGRAM = re.compile(r"\s*(?:port:\s*)*(?:exec|execpty):", re.I)
# pyserial's spy:// writes what passes into any file.
_WRITES_A_FILE = re.compile(r"\s*(?:port:\s*)*spy:", re.I)


class Settings:
    """The settings of one run.

    Attributes:
        origins: each name's layer and detail, ("env", "UPYTOOL_BAUD") for one.
        devices: the user's aliases, alias to selector.
        macros: the user's [macros] table, as written.
        project_file, user_file: the files that were read, "" where there is none.
        warnings: what was odd in them.
    """

    device: str | None
    baud: int
    wait: float
    timeout: float | None
    dtr: bool | None
    rts: bool | None
    reset: bool
    json: bool
    json_events: bool
    verbosity: int
    color: str
    no_progress: bool
    no_input: bool
    yes: bool
    offline: bool
    index: str
    firmware_url: str

    def __init__(self) -> None:
        """The defaults alone."""
        self.origins: dict[str, tuple[str, str]] = {}
        for option in OPTIONS:
            self._set(option, option.default, "default")
        self.devices: dict[str, str] = {}
        self.macros: dict[str, Any] = {}
        self.project_file = ""
        self.user_file = ""
        self.warnings: list[str] = []

    def _set(self, option: Option, value: Any, layer: str, detail: str = "") -> None:
        setattr(self, option.name, value)
        self.origins[option.name] = (layer, detail)

    def override(self, flags: Mapping[str, Any]) -> None:
        """Take what the command line gave, by option name, already of the right type."""
        for name, value in flags.items():
            option = BY_NAME[name]
            self._set(option, value, "flag", option.flags[-1] if option.flags else "")

    def items(self) -> list[tuple[Option, Any, str, str]]:
        """Every option with its value, layer and detail."""
        return [(option, getattr(self, option.name), *self.origins[option.name]) for option in OPTIONS]


def load(
    flags: Mapping[str, Any] | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    cwd: str | None = None,
) -> Settings:
    """Read every layer.

    Args:
        flags: what the command line gave, by option name, already of the right type.
        environ: the environment; the process's own where None.
        cwd: where the search for a project file starts.

    Raises:
        ConfigError: a file cannot be read, or a value has the wrong type.
    """
    environ = os.environ if environ is None else environ
    settings = Settings()
    _apply_user(settings, config_file())
    try:
        here = cwd or os.getcwd()
    except OSError:  # the directory that we are in was removed
        here = ""
    _apply_project(settings, find_project_file(here) if here else "")
    for option in OPTIONS:
        text = environ.get(option.env, "")
        if text:
            try:
                settings._set(option, option.parse(text), "env", option.env)
            except ValueError:
                raise ConfigError(
                    "config.bad-variable", variable=option.env, value=text, expected=option.expects
                ) from None
    settings.override(flags or {})
    return settings


def read_toml(path: str) -> dict[str, Any]:
    """The file's content, {} where there is no such file (the null device stands for none). Raises ConfigError."""
    if path == os.devnull or not os.path.exists(path):
        return {}
    try:
        return documents.read_toml(path)
    except ConfigError as error:
        if not error.hints:
            error.advise("config.fix-file")
        raise


def _apply_user(settings: Settings, path: str) -> None:
    content = read_toml(path)
    if not content:
        return
    settings.user_file = path
    devices = _table(content, "devices", path)
    for alias, selector in devices.items():
        if not isinstance(selector, str):
            raise ConfigError("config.alias", path=path, alias=alias)
    settings.devices = devices
    settings.macros = _table(content, "macros", path)
    values = {key: value for key, value in content.items() if key not in USER_TABLES}
    _apply(settings, values, "user", path, known_tables=USER_TABLES)


def _apply_project(settings: Settings, path: str) -> None:
    if not path:
        return
    shared = os.path.basename(path) == "pyproject.toml"
    try:
        content = read_toml(path)
    except ConfigError as error:
        if not shared:
            raise
        # It may be another tool's, in a directory far above: said, but no reason to refuse `ls`. What needs the
        # project itself (build, sync, mip) reads it again and refuses.
        settings.project_file = path
        settings.warnings.append(f"{error.message}; its [tool.upytool] is ignored")
        return
    if shared:
        tool = content.get("tool", {})
        content = tool.get("upytool", {}) if isinstance(tool, dict) else {}
        if not isinstance(content, dict):
            raise ConfigError("config.not-a-table", path=path, table="tool.upytool")
    settings.project_file = path
    if PASSWORDS in content:
        settings.warnings.append(f"{path}: {PASSWORDS} is ignored: passwords belong in your own configuration file")
    # The tables of a project belong to the commands that use them; what stands at its top level are settings.
    values = {key: value for key, value in content.items() if not isinstance(value, (dict, list))}
    device = values.get("device")
    if isinstance(device, str) and _STARTS_A_PROGRAM.match(device):
        raise ConfigError("config.project-starts-program", path=path, device=device)
    if isinstance(device, str) and _WRITES_A_FILE.match(device):
        raise ConfigError("config.project-writes-file", path=path, device=device)
    _apply(settings, values, "project", path, known_tables=())


def _apply(settings: Settings, values: dict[str, Any], layer: str, path: str, known_tables: tuple[str, ...]) -> None:
    for key, value in values.items():
        option = BY_KEY.get(key)
        if option is None:
            from difflib import get_close_matches

            near = get_close_matches(key, [*BY_KEY, *known_tables], 1)
            advice = f"; did you mean {near[0]}?" if near else ""
            settings.warnings.append(f"{path}: unknown setting {key}{advice}")
            continue
        try:
            settings._set(option, option.check(value), layer, path)
        except ValueError:
            raise ConfigError("config.bad-setting", path=path, key=key, expected=option.expects, value=value) from None


def _table(content: dict[str, Any], name: str, path: str) -> dict[str, Any]:
    table = content.get(name, {})
    if not isinstance(table, dict):
        raise ConfigError("config.not-a-table", path=path, table=name)
    return table
