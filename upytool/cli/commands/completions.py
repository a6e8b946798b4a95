"""`upytool completions`."""

from __future__ import annotations

import click

from ..app import App, pass_app
from ..group import define

_SET_UP = {
    "bash": "add to ~/.bashrc:      source <(upytool completions bash)",
    "zsh": "add to ~/.zshrc:       source <(upytool completions zsh)",
    "fish": "upytool completions fish > ~/.config/fish/completions/upytool.fish",
    "powershell": "add to $PROFILE:       upytool completions powershell | Out-String | Invoke-Expression",
}


@define(
    "completions",
    examples=[
        ("upytool completions bash", "the script; ~/.bashrc: source <(upytool completions bash)"),
        ("upytool completions fish", "into ~/.config/fish/completions/upytool.fish"),
    ],
)
@click.argument("shell", type=click.Choice(tuple(_SET_UP)))
@pass_app
def command(app: App, shell: str) -> None:
    """Print the completion script of a shell: commands, options, boards and paths on the board.

    Paths on the board (`:lib/...`) come from what earlier commands listed; no port is opened for them.
    """
    from ..shells import script

    if app.streams.out_tty:
        app.note(_SET_UP[shell])
    text = script(shell)
    app.emit({"shell": shell, "script": text}, text)
