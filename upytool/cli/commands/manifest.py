"""`upytool manifest`."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import click

from ...errors import DifferencesFound, UsageError
from ..app import App, pass_app
from ..group import define_group
from ..params import LocalPath
from ..ui.text import plural, rows

if TYPE_CHECKING:
    from ...api.manifests import FreezeManifest, Mode, Step

_VARIABLES = click.option(
    "--var", "variables", multiple=True, metavar="NAME=VALUE", help="Value of $(NAME) in the manifest; repeatable."
)
_TREE = click.option(
    "--tree",
    type=LocalPath(directories=True),
    metavar="DIRECTORY",
    help="MicroPython source tree: sets MPY_DIR and MPY_LIB_DIR, and its own evaluator is compared.",
)
_PORT = click.option("--port", metavar="PORT", help="Port of the tree that PORT_DIR names: rp2, esp32, stm32 ...")
_BOARD = click.option("--board", metavar="BOARD", help="Board of the tree that BOARD_DIR names; implies its port.")
_MODE = click.option(
    "--mode",
    type=click.Choice(["freeze", "compile", "pyproject", "c-modules"]),
    default="freeze",
    help="Read the manifest for firmware (freeze), or as micropython-lib reads a package.",
)


@define_group(
    "manifest",
    examples=[
        ("upytool manifest lint manifest.py --tree ../micropython --board RPI_PICO", "before a build takes a minute"),
        ("upytool manifest explain manifest.py", "which files go in, and why"),
    ],
)
def command() -> None:
    """Look into a manifest.py, the list of what is frozen into firmware.

    A manifest is a Python program: looking into it runs it.
    """


@command.command(
    "lint",
    examples=[
        ("upytool manifest lint", "manifest.py of this directory"),
        ("upytool manifest lint manifest.py --tree ../micropython --board RPI_PICO", "with the board's variables"),
    ],
)
@click.argument(
    "path", type=LocalPath(directories=True), default="manifest.py", help="Path of a manifest.py or its directory."
)
@_VARIABLES
@_TREE
@_PORT
@_BOARD
@_MODE
@pass_app
def lint(
    app: App,
    path: str,
    variables: tuple[str, ...],
    tree: str | None,
    port: str | None,
    board: str | None,
    mode: str,
) -> None:
    """Find what is wrong with a manifest: the board's own manifest forgotten, an include that does nothing,
    a version nobody looks at, two files for one name.

    Fails when there is an error or a warning.
    """
    manifest = _evaluate(path, variables, tree, port, board, mode)
    findings = [finding for finding in manifest.findings if finding.severity != "note" or app.settings.verbosity > 0]
    lines = [f"{finding.severity}: {_place(finding.step)}{finding.message}" for finding in findings]
    app.emit([finding.data() for finding in manifest.findings], lines)
    bad = sum(finding.severity != "note" for finding in manifest.findings)
    if bad:
        raise DifferencesFound("differences.manifest", path=path, count=bad)
    app.note(f"{path}: {plural(len(manifest.files), 'file')}, nothing to find fault with")


@command.command(
    "explain",
    examples=[
        ("upytool manifest explain manifest.py", "each file, with the calls that bring it in"),
        ("upytool manifest explain manifest.py --file umqtt.simple", "why this module is in"),
    ],
)
@click.argument(
    "path", type=LocalPath(directories=True), default="manifest.py", help="Path of a manifest.py or its directory."
)
@click.option("--file", "wanted", metavar="NAME", help="Limit to this file (net/wifi.py) or module (net.wifi).")
@_VARIABLES
@_TREE
@_PORT
@_BOARD
@_MODE
@pass_app
def explain(
    app: App,
    path: str,
    wanted: str | None,
    variables: tuple[str, ...],
    tree: str | None,
    port: str | None,
    board: str | None,
    mode: str,
) -> None:
    """List what a manifest puts into the firmware, and the calls that bring each file in."""
    from ...api import manifests

    manifest = _evaluate(path, variables, tree, port, board, mode)
    found = manifests.explain(manifest, wanted or "")
    data, files = found.data(), found.files
    if wanted is not None:
        lines = [f"{files[0].target}  from {files[0].source}"]
        lines += [f"{'  ' * depth}{step}" for depth, step in enumerate(files[0].chain, 1)]
        app.emit(data, lines)
        return
    body = [(file.target, file.kind, _level(file.optimize), _because(file.chain)) for file in files]
    app.emit(data, lambda style: rows(style, ["file", "as", "opt", "because of"], body))
    for name in (*manifest.c_modules, *manifest.dependencies):
        app.note(f"and {name}")


def _evaluate(
    path: str, variables: tuple[str, ...], tree: str | None, port: str | None, board: str | None, mode: str
) -> FreezeManifest:
    from ...api import manifests

    values: dict[str, str] = {}
    for pair in variables:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise UsageError("usage.variable", text=pair)
        values[name] = value
    return manifests.evaluate(
        path, variables=values, tree=tree, port=port or "", board=board or "", mode=cast("Mode", mode)
    )


def _place(step: Step | None) -> str:
    if step is None:
        return ""
    return f"{step.manifest}:{step.line}: " if step.line else f"{step.manifest}: "


def _level(optimize: int | None) -> str:
    return "-" if optimize is None else str(optimize)


def _because(chain: tuple[Step, ...]) -> str:
    return " > ".join(f"{step.manifest.name}:{step.line} {step.call}" for step in chain)
