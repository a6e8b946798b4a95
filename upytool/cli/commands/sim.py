"""`upytool sim`: boards without hardware."""

from __future__ import annotations

from typing import Any

import click

from ..app import App, pass_app
from ..group import define_group
from ..params import ByteSize, LocalPath
from ..ui.text import rows


class Name(click.ParamType[str]):
    """The name of a running simulated board."""

    name = "name"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[Any]:
        from click.shell_completion import CompletionItem

        from ...api import sims

        return [
            CompletionItem(each.name, help=each.port)
            for each in sims.running(ask=False)
            if each.name.startswith(incomplete)
        ]


@define_group(
    "sim",
    examples=[
        ("upytool sim start", "a board in the background; then `upytool -d sim ls`"),
        ("upytool sim list", ""),
        ("upytool sim stop", ""),
    ],
)
def command() -> None:
    """Start, list, reset and stop simulated boards.

    `wasm` is the real MicroPython in WebAssembly: quick, and all it needs comes with upytool[sim].
    `pico` is an emulated RP2040 with its real boot ROM: it runs a real RPI_PICO image, and can be flashed.
    """


@command.command(
    "start",
    examples=[
        ("upytool sim start", "a wasm board"),
        ("upytool sim start pico --image RPI_PICO.uf2", "an emulated Pico"),
        ("upytool sim start pico", "a Pico with what was flashed last; a new one waits in its bootloader"),
        ("upytool sim start --name second --flash-size 512k --fresh", "one more, small and empty"),
    ],
)
@click.argument("kind", type=click.Choice(["wasm", "pico"]), default="wasm")
@click.option("--name", metavar="NAME", help="Name of the simulated board (default: its kind).")
@click.option("--image", type=LocalPath(), help="Firmware of a pico, a .uf2 file.")
@click.option("--fresh", is_flag=True, help="Start with an empty flash.")
@click.option("--bootsel", is_flag=True, help="Hold the BOOTSEL button of a pico, so that it waits in its bootloader.")
@click.option("--tcp", is_flag=True, help="Use a TCP port instead of a pty (always on Windows).")
@click.option("--flash-size", type=ByteSize(), metavar="SIZE", help="Flash size of a new wasm board (default: 16M).")
@pass_app
def start(
    app: App,
    kind: Any,
    name: str | None,
    image: str | None,
    fresh: bool,
    bootsel: bool,
    tcp: bool,
    flash_size: int | None,
) -> None:
    """Start a simulated board in the background.

    Its flash is kept: the next start finds its files. Other tools can open its port too.
    """
    from ...api import sims

    board = sims.start(
        kind,
        name=name,
        image=image,
        fresh=fresh,
        bootsel=bootsel,
        tcp=tcp,
        flash_size=flash_size,
        reporter=app.reporter,
    )
    if not board.started and fresh:
        app.warn(f"{board.name} runs already and kept its flash; stop it first to start fresh")
    if not board.started and bootsel:
        app.warn(f"{board.name} runs already; `upytool sim reset {board.name} --bootsel` takes it to its bootloader")
    app.emit(board.data(), board.port)
    if board.state == "bootloader":
        app.note(f"{board.name} waits in its bootloader: upytool flash -d {board.selector} RPI_PICO.uf2")
    else:
        app.note(f"{board.name} {'is' if board.started else 'was'} running: upytool -d {board.selector} ...")


@command.command("list", examples=[("upytool sim list --json", "")])
@pass_app
def list_(app: App) -> None:
    """List the simulated boards that run."""
    from ...api import sims

    running = sims.running()
    body = [(each.selector, each.kind, each.state, each.port, str(each.info.pid)) for each in running]
    header = ["selector", "kind", "state", "port", "process"]
    app.emit([each.data() for each in running], (lambda style: rows(style, header, body)) if body else "")
    if not running:
        app.note("No simulated board is running; `upytool sim start` starts one")


@command.command(
    "stop",
    examples=[
        ("upytool sim stop", "the only one"),
        ("upytool sim stop --all", ""),
        ("upytool sim stop pico", ""),
    ],
)
@click.argument("names", type=Name(), nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Stop all simulated boards.")
@pass_app
def stop(app: App, names: tuple[str, ...], everything: bool) -> None:
    """Stop simulated boards; their flash is kept."""
    from ...api import sims

    chosen = sims.stop(names, every=everything)
    app.emit({"stopped": chosen}, "")
    app.note(f"Stopped {', '.join(chosen)}" if chosen else "No simulated board was running")


@command.command(
    "reset",
    examples=[
        ("upytool sim reset", "press its reset button"),
        ("upytool sim reset pico --bootsel", "with the other one held: into its bootloader"),
    ],
)
@click.argument("names", type=Name(), nargs=-1)
@click.option("--bootsel", is_flag=True, help="Hold the BOOTSEL button of a pico.")
@pass_app
def reset(app: App, names: tuple[str, ...], bootsel: bool) -> None:
    """Press the reset button of simulated boards, whatever their program does."""
    from ...api import sims

    chosen = sims.reset(names, bootsel=bootsel)
    app.emit({"reset": chosen}, "")
    app.note(f"Reset {', '.join(chosen)}")
