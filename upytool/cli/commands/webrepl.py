"""`upytool webrepl`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ..app import App, pass_app
from ..group import define_group
from ..ui.style import Style
from ..ui.text import rows

if TYPE_CHECKING:
    from ...api.webrepl import Change, Store, WebreplState, Wifi
    from ...secret import Secret

F = TypeVar("F", bound=Callable[..., Any])
Option = Callable[[F], F]

dry_option: Option[Any] = click.option("--dry-run", "-n", is_flag=True, help="Show the plan without changing anything.")
stdin_option: Option[Any] = click.option(
    "--password-stdin", is_flag=True, help="Read the password from stdin instead of asking for it."
)
save_option: Option[Any] = click.option(
    "--save", is_flag=True, help="Save the password on this computer: in its keyring, or your configuration file."
)
WIFI_VARIABLE = "UPYTOOL_WIFI_PASSWORD"


@define_group(
    "webrepl",
    examples=[
        ("upytool webrepl setup --wifi HOME", "over USB: join a Wi-Fi at boot, and be reachable"),
        ("upytool webrepl status", "what is set up, and at which address"),
        ("upytool -d ws://192.168.1.20 repl", "and then without a cable"),
    ],
)
def command() -> None:
    """Set up and manage WebREPL, MicroPython's REPL over the network."""


@command.command(
    "setup",
    examples=[
        ("upytool webrepl setup --wifi HOME", "asks for the passwords of both"),
        ("upytool webrepl setup", "the board is in a network already, or is an access point"),
        ("upytool webrepl setup --dry-run", ""),
    ],
)
@click.option("--wifi", metavar="NAME", help="Wi-Fi network to join at boot; prompts for its password.")
@stdin_option
@save_option
@click.option("--no-check", is_flag=True, help="Skip the test connection over the network.")
@dry_option
@pass_app
def setup(app: App, wifi: str | None, password_stdin: bool, save: bool, no_check: bool, dry_run: bool) -> None:
    """Make the board start WebREPL at boot, and connect to it as proof.

    Writes webrepl_cfg.py with the password, and a line at the end of boot.py; everything else in both stays. With
    --wifi, also a few lines that join the network. Then the board is soft-reset, and its address printed.

    The WebREPL password has 1 to 9 characters: it is asked for twice, or comes from UPYTOOL_WEBREPL_PASSWORD; one that
    the board has is kept unless that is set. The Wi-Fi password is asked for, or comes from UPYTOOL_WIFI_PASSWORD; it
    is stored on the board alone. With --password-stdin they are the first and the second line.
    """
    from ...api import webrepl
    from ...config.secrets import webrepl_password

    device = app.device()
    state = webrepl.check_setup(device, wifi=wifi is not None)
    if dry_run:
        _emit(app, webrepl.plan_preview(state, wifi, reporter=app.reporter), {"dry_run": True})
        return
    secret, network = _ask_for(app, state, wifi, password_stdin)
    changes = webrepl.plan_setup(state, secret, network, reporter=app.reporter)
    webrepl.apply(device, changes)
    restarted = app.settings.reset
    state = webrepl.start(device, reporter=app.reporter) if restarted else webrepl.look(device)
    known = secret or state.password
    if save:
        _save(app, state, known)
    proof: dict[str, Any] = {"checked": None, "board": None}
    if restarted and not no_check and state.selectors():

        def give(address: str) -> Secret:
            return known or webrepl_password(address, app.settings.devices, ask=app.ask_password, tell=app.warn)

        address, info = webrepl.prove(device, state, give, reporter=app.reporter)
        proof = {"checked": address, "board": info.machine}
    _emit(app, changes, {"dry_run": False, **proof}, state)
    if not restarted:
        app.note("WebREPL starts when the board restarts")
    elif not state.addresses:
        app.warn("WebREPL is started, but the board is in no network: `upytool webrepl setup --wifi NAME`")
    elif proof["checked"]:
        app.note(f"Connected to {proof['checked']}: {proof['board']}")


@command.command("status", examples=[("upytool webrepl status", ""), ("upytool webrepl status --json", "")])
@pass_app
def status(app: App) -> None:
    """Show whether WebREPL is installed, set up and running, and at which address."""
    from ...api import webrepl

    state = webrepl.look(app.device())
    data = state.data()

    def text(style: Style) -> list[str]:
        firmware = "yes" if data["installed"] else "no"
        if state.network and state.server and not state.module:
            firmware = "no: `upytool mip install webrepl`"
        lines = [
            ("installed", firmware),
            ("password", "set" if data["password_set"] else "not set"),
            ("starts at boot", _yes(data["at_boot"])),
            ("running", _yes(data["running"])),
            ("Wi-Fi at boot", data["wifi"] or "no"),
            ("host name", data["hostname"] or "-"),
            *(("address", address) for address in data["addresses"] or ["none"]),
        ]
        return rows(style, ["", ""], lines)

    app.emit(data, text)


@command.command(
    "password",
    examples=[
        ("upytool webrepl password", "asks for the new one twice"),
        ("upytool -d ws://192.168.1.20 webrepl password", "over the air"),
    ],
)
@stdin_option
@save_option
@dry_option
@pass_app
def password(app: App, password_stdin: bool, save: bool, dry_run: bool) -> None:
    """Change the WebREPL password, also where this computer keeps it.

    A WebREPL that is running asks for the new one from now on.
    """
    from ...api import webrepl
    from ...config.secrets import VARIABLE, check_password
    from ..passwords import new_password, password_lines

    device = app.device()
    state = webrepl.look(device)
    if dry_run:
        _emit(app, webrepl.plan_password(state), {"dry_run": True})
        return
    (line,) = password_lines(password_stdin, 1)
    secret = check_password(new_password(app, "New WebREPL password", given=line))
    changes = webrepl.change_password(device, state, secret)
    places = _kept(app, state)
    webrepl.replace_kept(places, secret)
    for store, name in places:
        app.note(f"Changed the password of {name} in {store.name}")
    if save:
        _save(app, state, secret)
    _emit(app, changes, {"dry_run": False})
    if os.environ.get(VARIABLE) not in (None, "", secret.reveal()):
        app.warn(f"{VARIABLE} holds another password")


@command.command(
    "disable",
    examples=[
        ("upytool webrepl disable", "no WebREPL at boot, and none now"),
        ("upytool webrepl disable --all", "forget the passwords, too"),
    ],
)
@click.option("--all", "-a", "everything", is_flag=True, help="Remove the passwords too, here and on the board.")
@dry_option
@pass_app
def disable(app: App, everything: bool, dry_run: bool) -> None:
    """Stop WebREPL, and start it no more at boot.

    Takes what `setup` added out of boot.py, which is then as it was. With --all webrepl_cfg.py is removed as well, and
    the board's password from this computer's keyring and your configuration file.
    """
    from ...api import webrepl

    device = app.device()
    state = webrepl.look(device)
    changes = webrepl.plan_disable(state, passwords=everything)
    if dry_run:
        _emit(app, changes, {"dry_run": True})
        return
    if everything and changes:
        app.require(f"Remove WebREPL and its passwords from the board on {device.name}?")
    runs = webrepl.disable(device, state, changes)
    if everything:
        places = _kept(app, state)
        webrepl.forget_kept(places)
        for store, name in places:
            app.note(f"Removed the password of {name} from {store.name}")
    _emit(app, changes, {"dry_run": False, "running": runs})
    if runs:
        app.note("WebREPL runs until the board restarts: this connection uses it")


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _ask_for(app: App, state: WebreplState, wifi: str | None, stdin: bool) -> tuple[Secret | None, Wifi | None]:
    """The passwords to write; None for the WebREPL password that the board keeps."""
    from ...api.webrepl import check_wifi
    from ...config.secrets import VARIABLE, check_password
    from ..passwords import new_password, password_lines

    first, second = password_lines(stdin, 2)
    secret = None
    if first is not None or os.environ.get(VARIABLE) or state.password is None:
        secret = check_password(
            new_password(app, "WebREPL password (1 to 9 characters)", variable=VARIABLE, given=first)
        )
    if wifi is None:
        return secret, None
    if stdin and second is None:
        second = ""
    key = new_password(
        app, f"Password of the Wi-Fi {wifi} (empty for an open one)", variable=WIFI_VARIABLE, given=second
    )
    return secret, check_wifi(wifi, key)


def _emit(app: App, changes: Iterable[Change], more: dict[str, Any], state: WebreplState | None = None) -> None:
    found = [change.data() for change in changes]
    data: dict[str, Any] = {"changes": found, **more}
    lines = [f"{each['action']} :{each['path']}: {each['what']}" for each in found]
    if state is not None:
        data |= {"addresses": state.selectors(), "hostname": state.hostname or None}
        lines = state.selectors()
        for each in found:
            app.detail(f"{each['action']} :{each['path']}: {each['what']}")
    app.emit(data, lines)
    if more["dry_run"]:
        app.note("Nothing was done" if found else "Nothing to do")
    elif not found:
        app.note("Nothing to change on the board")


def _kept(app: App, state: WebreplState) -> list[tuple[Store, str]]:
    """Every place and name under which this computer keeps the board's password."""
    from ...api import webrepl

    return webrepl.kept(app.device(), state, app.settings.devices, reporter=app.reporter)


def _save(app: App, state: WebreplState, secret: Secret | None) -> None:
    from ...api import webrepl

    place = webrepl.keep(state, app.settings.devices, secret, reporter=app.reporter) if secret else None
    if place is None:
        app.warn("the password was not saved: the board has no address yet" if secret else "no password to save")
        return
    app.note(f"Saved the password of {place[1]} in {place[0].name}")
