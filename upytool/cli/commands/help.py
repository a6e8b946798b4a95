"""`upytool help`: the commands, one of them, or a topic."""

from __future__ import annotations

from typing import Any

import click

from .. import table
from ..app import App, pass_app
from ..group import Context, define, load, root
from ..suggest import did_you_mean
from ..ui.help import root_help


class Topic(click.ParamType[str]):
    """A command's or a topic's name."""

    name = "topic"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[Any]:
        from click.shell_completion import CompletionItem

        known = [(entry.name, entry.help) for entry in table.COMMANDS if not entry.hidden]
        return [
            CompletionItem(name, help=help)
            for name, help in [*known, *table.TOPICS]
            if name.startswith(incomplete)
        ]


@define(
    "help",
    examples=[
        ("upytool help cp", "the same as `upytool cp --help`"),
        ("upytool help selectors", "how to name a board"),
        ("upytool help mip install", "a command of a command"),
    ],
)
@click.argument("words", metavar="[COMMAND | TOPIC]", type=Topic(), nargs=-1)
@pass_app
@click.pass_context
def command(ctx: click.Context, app: App, words: tuple[str, ...]) -> None:
    """Explain a command or a topic."""
    top = ctx.find_root()
    if not words:
        app.emit({"text": root_help(app.style, top.meta.get("upytool.macros"))}, lambda style: root_help(style, top.meta.get("upytool.macros")))
        return
    name = " ".join(words)
    if name in dict(table.TOPICS):
        from ..topics import topic

        app.emit({"text": "\n".join(topic(name, app.style))}, lambda style: topic(name, style))
        return
    found: click.Command | None = root
    context: click.Context = Context(root, info_name="upytool", obj=app, color=app.style.colour)
    for depth, word in enumerate(words):
        found = load(word) if depth == 0 else None if not isinstance(found, click.Group) else found.get_command(context, word)
        if found is None:
            known = [*table.BY_NAME, *dict(table.TOPICS)]
            raise click.UsageError(f"there is no command or topic {name}", ctx) if not did_you_mean(name, known) else _unknown(name, known)
        context = Context(found, info_name=word, parent=context, **found.context_settings)
    assert found is not None
    text = found.get_help(context)
    app.emit({"text": text}, text)


def _unknown(name: str, known: list[str]) -> Exception:
    from ...errors import UsageError

    return UsageError(f"there is no command or topic {name}", hint=did_you_mean(name, known))
