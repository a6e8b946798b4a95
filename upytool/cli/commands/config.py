"""`upytool config`: look at the settings and change the user's."""

from __future__ import annotations

from typing import Any

import click

from ...config.edit import set_value, unset_value
from ...config.load import PASSWORDS, read_toml
from ...config.options import BY_KEY, Option
from ...config.paths import config_file
from ...errors import ConfigError, UsageError
from ...secret import redact
from ...words import Said
from ..app import App, pass_app
from ..group import define_group
from ..suggest import did_you_mean
from ..ui.text import rows


class Key(click.ParamType[str]):
    """A setting's key, or devices.ALIAS, or macros.NAME."""

    name = "key"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[Any]:
        from click.shell_completion import CompletionItem

        return [CompletionItem(key, help=BY_KEY[key].help) for key in BY_KEY if key.startswith(incomplete)]


@define_group(
    "config",
    examples=[
        ("upytool config list --origin", "every setting and where it came from"),
        ('upytool config set devices.kitchen "id:e6605838"', "an alias for a board"),
        ("upytool config set baud 921600", ""),
    ],
)
def command() -> None:
    """Show and change settings.

    A value comes from the first of: flag, environment, project, user, default.
    """


@command.command("list", examples=[("upytool config list --origin", "")])
@click.option("--origin", is_flag=True, help="Show where each value comes from.")
@pass_app
def list_(app: App, origin: bool) -> None:
    """List every setting."""
    settings = app.settings
    data: dict[str, Any] = {
        option.key: {"value": value, "origin": layer, "detail": detail}
        for option, value, layer, detail in settings.items()
    }
    body = [
        (option.key, describe(value), *([f"{layer} {detail}".strip()] if origin else []))
        for option, value, layer, detail in settings.items()
    ]
    for alias, selector in settings.devices.items():
        selector = redact(selector)  # somebody may have written a login into it
        data[f"devices.{alias}"] = {"value": selector, "origin": "user", "detail": settings.user_file}
        body.append((f"devices.{alias}", selector, *([f"user {settings.user_file}"] if origin else [])))
    header = ["setting", "value", "from"] if origin else ["setting", "value"]
    app.emit(data, lambda style: rows(style, header, body))


@command.command("get", examples=[("upytool config get baud", "")])
@click.argument("key", type=Key())
@pass_app
def get(app: App, key: str) -> None:
    """Print one setting, whichever layer it comes from."""
    table, name = _place(key)
    if table:
        held = app.settings.devices if table == "devices" else app.settings.macros
        if name not in held:
            raise UsageError("usage.not-set", name=key)
        value = redact(held[name]) if table == "devices" else held[name]
        app.emit(value, describe(value))
    else:
        value = getattr(app.settings, _option(name).name)
        app.emit(value, describe(value))


@command.command("set", examples=[("upytool config set device id:e6605838", "the board to use by default")])
@click.argument("key", type=Key())
@click.argument("value")
@pass_app
def set_(app: App, key: str, value: str) -> None:
    """Write one setting into your configuration file; comments in it stay."""
    table, name = _place(key)
    typed: Any = value
    if not table:
        option = _option(name)
        try:
            typed = option.parse(value)
        except ValueError:
            raise UsageError("usage.bad-value", name=key, expected=option.expects, value=value) from None
    elif table == "devices":
        from ...api.webrepl import check_address

        check_address(value)  # a password in it is refused before it is stored
    set_value(config_file(), table, name, typed)
    app.note(f"Set {key} in {config_file()}")


@command.command("unset", examples=[("upytool config unset device", "")])
@click.argument("key", type=Key())
@pass_app
def unset(app: App, key: str) -> None:
    """Remove one setting from your configuration file."""
    table, name = _place(key)
    if unset_value(config_file(), table, name):
        app.note(f"Removed {key} from {config_file()}")
    else:
        app.note(f"{key} was not set in {config_file()}")


@command.command("path", examples=[("upytool config path", "")])
@pass_app
def path(app: App) -> None:
    """Print the name of your configuration file."""
    app.emit(config_file(), config_file())


@command.command("edit", examples=[("upytool config edit", "")])
@pass_app
def edit(app: App) -> None:
    """Open your configuration file in $VISUAL or $EDITOR, and check it afterwards."""
    import os
    import shlex
    import subprocess

    file = config_file()
    os.makedirs(os.path.dirname(file) or ".", exist_ok=True)
    fallback = "notepad" if os.name == "nt" else "vi"
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or fallback
    words = [editor] if os.path.exists(editor) else shlex.split(editor, posix=os.name != "nt")
    try:
        status = subprocess.call([*words, file])
    except OSError as error:
        raise ConfigError("config.editor-not-started", editor=editor, reason=error.strerror) from None
    if status:
        raise ConfigError("config.editor-failed", editor=editor, status=status)
    read_toml(file)


def _place(key: str) -> tuple[str, str]:
    """`devices.kitchen` -> ("devices", "kitchen"); `baud` -> ("", "baud")."""
    table, dot, name = key.partition(".")
    if table == PASSWORDS:
        raise UsageError("usage.config-password", table=PASSWORDS)
    if dot and table in ("devices", "macros") and name:
        return table, name
    return "", key


def _option(key: str) -> Option:
    option = BY_KEY.get(key)
    if option is None:
        raise UsageError("usage.unknown-setting", name=key, hint=did_you_mean(key, BY_KEY, Said("cli.settings")))
    return option


def describe(value: Any) -> str:
    """A value as the user would type it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return " ".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)
