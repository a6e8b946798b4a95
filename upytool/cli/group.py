"""Click as upytool uses it: lazy commands, our own help, examples at its end.

@define("cat", examples=[("upytool cat boot.py", "print a file of the board")])
@click.argument("paths", type=RemotePath(), nargs=-1, required=True)
@pass_app
def command(app, paths): ...
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

import click
from click.formatting import HelpFormatter as ClickFormatter

from ..errors import ConfigError, UsageError
from ..words import Said
from . import table
from .suggest import did_you_mean
from .ui.help import example_lines, root_help
from .ui.style import Style

Examples = Sequence[tuple[str, str]]
_CONTEXT = {"help_option_names": ["-h", "--help"]}


class HelpFormatter(ClickFormatter):
    """Click's layout with colour and without boxes."""

    def __init__(self, style: Style) -> None:
        super().__init__(width=max(min(style.width, 100) - 2, 50))
        self.style = style

    def write_heading(self, heading: str) -> None:
        self.write(f"{'':>{self.current_indent}}{self.style.heading(heading + ':')}\n")

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        super().write_usage(prog, args, prefix=self.style.heading("Usage:") + " ")

    def write_dl(self, rows: Any, col_max: int = 30, col_spacing: int = 2) -> None:
        dressed = [(self.style.literal(first), second) for first, second in rows]
        super().write_dl(dressed, col_max, col_spacing)


class Context(click.Context):
    """A context whose help is dressed in the style of the run's stdout."""

    def make_formatter(self) -> ClickFormatter:
        style = getattr(self.obj, "style", None)
        return HelpFormatter(style if isinstance(style, Style) else Style())


def _show_help(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    """What --help does: Click would write past our streams, their guard and their errors."""
    if value and not ctx.resilient_parsing:
        ctx.find_root().obj.emit(lambda: {"text": ctx.get_help()}, lambda _: ctx.get_help() + "\n")
        ctx.exit()


class _HelpThroughStreams(click.Command):
    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        option = super().get_help_option(ctx)
        if option is not None:
            option.callback = _show_help
        return option


class Command(_HelpThroughStreams):
    """A command with examples.

    Args:
        examples: pairs of a command line and what it does; a test runs each through the parser.
    """

    context_class = Context

    def __init__(self, *args: Any, examples: Examples = (), **kwargs: Any) -> None:
        kwargs["context_settings"] = {**_CONTEXT, **kwargs.get("context_settings", {})}
        super().__init__(*args, **kwargs)
        self.examples = tuple(examples)

    def format_epilog(self, ctx: click.Context, formatter: ClickFormatter) -> None:
        _end(self, ctx, formatter, self.examples)
        super().format_epilog(ctx, formatter)


class Group(_HelpThroughStreams, click.Group):
    """A name space for commands, `mip` for instance: no options of its own, and it runs nothing itself
    unless made with `invoke_without_command=True`."""

    context_class = Context
    command_class = Command
    group_class = type

    def list_commands(self, ctx: click.Context | None) -> list[str]:
        # In the order in which they were written, the common ones first.
        return list(self.commands)

    def __init__(self, *args: Any, examples: Examples = (), **kwargs: Any) -> None:
        kwargs["context_settings"] = {**_CONTEXT, **kwargs.get("context_settings", {})}
        super().__init__(*args, **kwargs)
        self.examples = tuple(examples)

    def format_commands(self, ctx: click.Context, formatter: ClickFormatter) -> None:
        # Click cuts the one-line helps at 45 letters; ours are wrapped instead.
        found = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        lines = [(name, sub.get_short_help_str(200)) for name, sub in found if sub and not sub.hidden]
        if lines:
            with formatter.section("Commands"):
                formatter.write_dl(lines)

    def format_epilog(self, ctx: click.Context, formatter: ClickFormatter) -> None:
        _end(self, ctx, formatter, self.examples)
        super().format_epilog(ctx, formatter)


def _end(
    cmd: click.Command, ctx: click.Context, formatter: ClickFormatter, examples: tuple[tuple[str, str], ...]
) -> None:
    style = formatter.style if isinstance(formatter, HelpFormatter) else Style()
    formatter.write("".join(line + "\n" for line in example_lines(style, examples)))
    more = style.literal("upytool help options")
    formatter.write(f"\nOptions of every command (-d, --json, -q, -v ...): {more}\n")


class FileGroup(Group):
    """`fs`: mpremote's name for the file commands; as there, it is an error to leave out which."""

    helps = False  # typed bare

    def list_commands(self, ctx: click.Context | None) -> list[str]:
        return list(table.FILE_COMMANDS)

    def get_command(self, ctx: click.Context | None, cmd_name: str) -> click.Command | None:
        entry = table.find(cmd_name)
        known = entry is not None and entry.name in table.FILE_COMMANDS
        return load(cmd_name) if known else None

    def format_commands(self, ctx: click.Context, formatter: ClickFormatter) -> None:
        # From the table: a help page need not import a dozen modules.
        with formatter.section("Commands"):
            formatter.write_dl([(name, table.BY_NAME[name].help) for name in table.FILE_COMMANDS])


class Root(Group):
    """All commands, each imported when it is used."""

    def list_commands(self, ctx: click.Context | None) -> list[str]:
        return [entry.name for entry in table.COMMANDS if not entry.hidden]

    def get_command(self, ctx: click.Context | None, cmd_name: str) -> click.Command | None:
        return load(cmd_name)

    def get_help(self, ctx: click.Context) -> str:
        style = getattr(ctx.obj, "style", None)
        return root_help(style if isinstance(style, Style) else Style())


def load(name: str) -> click.Command | None:
    """Import the command behind a name or alias; None where the table has no such name."""
    entry = table.find(name)
    if entry is None:
        return None
    if entry.name == "fs":
        return FileGroup("fs", help="File commands under mpremote's name: `fs cp` is `cp`.")
    found: click.Command = import_module(f".commands.{entry.module}", __package__).command
    return found


def require(name: str, macros: Sequence[str] = ()) -> click.Command:
    """The command behind a name. Raises UsageError with the nearest names."""
    found = load(name) or _plugin(name)
    if found is None:
        raise UsageError(
            "usage.unknown-command", name=name, hint=did_you_mean(name, [*table.BY_NAME, *macros], Said("cli.commands"))
        )
    return found


def _plugin(name: str) -> click.Command | None:
    """A command that another package brings (entry point group `upytool.commands`), looked for only when the
    table has no such name."""
    from importlib.metadata import entry_points

    for entry in entry_points(group="upytool.commands", name=name):
        try:
            found = entry.load()
        except Exception as error:
            raise ConfigError(
                "config.plugin-not-loaded", name=name, kind=type(error).__name__, reason=str(error), origin=entry.value
            ) from error
        if isinstance(found, click.Command):
            return found
        raise ConfigError("config.plugin-kind", name=name, origin=entry.value)
    return None


def define(name: str, *, examples: Examples = (), **attributes: Any) -> Callable[[Callable[..., Any]], Command]:
    """Make a command of a function, whose docstring is the help: first a line that says what it does."""

    def make(function: Callable[..., Any]) -> Command:
        return click.command(name, cls=Command, examples=tuple(examples), **attributes)(function)

    return make


def define_group(name: str, *, examples: Examples = (), **attributes: Any) -> Callable[[Callable[..., Any]], Group]:
    """Make a name space of a function; add commands with `@command.command("install", examples=[...])`."""

    def make(function: Callable[..., Any]) -> Group:
        return click.group(name, cls=Group, examples=tuple(examples), **attributes)(function)

    return make


root = Root("upytool")
