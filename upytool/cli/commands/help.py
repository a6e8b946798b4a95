"""`upytool help`: the commands, one of them, or a topic."""

from __future__ import annotations

from typing import Any

import click

from ...errors import UsageError
from ...words import Said
from .. import table
from ..app import App, pass_app
from ..group import Context, define, load, root
from ..suggest import did_you_mean
from ..ui.help import root_help
from ..ui.style import Style


class Topic(click.ParamType[str]):
    """A command's or a topic's name."""

    name = "topic"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[Any]:
        from click.shell_completion import CompletionItem

        known = [(entry.name, entry.help) for entry in table.COMMANDS if not entry.hidden]
        return [
            CompletionItem(name, help=help) for name, help in [*known, *table.TOPICS] if name.startswith(incomplete)
        ]


@define(
    "help",
    examples=[
        ("upytool help cp", "the same as `upytool cp --help`"),
        ("upytool help selectors", "how to name a board"),
        ("upytool help mip install", "a command of a command"),
        ("upytool help files.not-found", "an error's code"),
    ],
)
@click.argument("words", metavar="[COMMAND | TOPIC | CODE]", type=Topic(), nargs=-1)
@pass_app
def command(app: App, words: tuple[str, ...]) -> None:
    """Explain a command, a topic or an error's code."""
    macros = click.get_current_context().find_root().meta.get("upytool.macros")
    name = " ".join(words)

    def text(style: Style) -> str:
        if not words:
            return root_help(style, macros)
        # `config` is a command and a topic; the topic is about settings, so the command shows both.
        parts = [part for part in (_command_help(app, words, style), _topic(name, style)) if part]
        if not parts:
            known = [*table.BY_NAME, *dict(table.TOPICS)]
            raise UsageError(
                "usage.unknown-topic", name=name, hint=did_you_mean(name, known, Said("cli.commands-and-topics"))
            )
        return "\n".join(parts)

    app.emit(lambda: {"text": text(Style())}, text)


def _topic(name: str, style: Style) -> str:
    """A topic, or an error's code; '' for neither."""
    from ..topics import explain, topic

    lines = topic(name, style) if name in dict(table.TOPICS) else explain(name, style)
    return "\n".join(lines) + "\n" if lines else ""


def _command_help(app: App, words: tuple[str, ...], style: Style) -> str:
    """The help of a command by its path; "" where there is none."""
    found: click.Command | None = root
    context: click.Context = Context(root, info_name="upytool", obj=app, color=style.colour)
    for depth, word in enumerate(words):
        if depth == 0:
            found = load(word)
        else:
            found = found.get_command(context, word) if isinstance(found, click.Group) else None
        if found is None:
            return ""
        context = Context(found, info_name=word, parent=context, **found.context_settings)
    return found.get_help(context) + "\n" if found is not None else ""
