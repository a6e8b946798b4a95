"""WebREPL, MicroPython's REPL over the network: set it up on a board, change its password, turn it off.

    import upytool
    from upytool.api import webrepl
    from upytool.secret import Secret

    with upytool.connect() as board:
        state = webrepl.check_setup(board)
        webrepl.apply(board, webrepl.plan_setup(state, Secret("hunter2")))
        print(webrepl.start(board).selectors())           # ["ws://192.168.1.20"]

A plan is a list of files that are written as a whole, or removed; making it changes nothing, and showing it shows no
password. Those that this computer keeps are another matter: `kept`, `replace_kept`, `forget_kept`, `keep`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from ..errors import UsageError
from ..events import NULL, Reporter, notice
from ..secret import Secret

if TYPE_CHECKING:
    from ..config.secrets import Store as Store
    from ..device.device import Device
    from ..device.info import BoardInfo
    from ..device.webrepl_setup import Change as Change
    from ..device.webrepl_setup import WebreplState as WebreplState
    from ..device.webrepl_setup import Wifi as Wifi

__all__ = [
    "apply",
    "change_password",
    "check_address",
    "check_setup",
    "check_wifi",
    "disable",
    "forget_kept",
    "keep",
    "kept",
    "look",
    "over_the_air",
    "plan_disable",
    "plan_password",
    "plan_preview",
    "plan_setup",
    "prove",
    "replace_kept",
    "start",
]


def look(board: Device) -> WebreplState:
    """Read what a board has of WebREPL: whether it is installed, set up and running, and at which address."""
    from ..device import webrepl_setup as work

    return work.look(board)


def over_the_air(board: Device) -> bool:
    """Say whether this very connection is one that a restart of the board would end."""
    return not board.transport.survives_reset


def check_address(selector: str) -> None:
    """Refuse a WebREPL address that must not be stored as it is, with a password in it. Raises: UsageError."""
    from ..transport.webrepl_address import is_webrepl, parse_address

    if is_webrepl(selector):
        parse_address(selector)


# -- setting it up ------------------------------------------------------------------------------------


def check_setup(board: Device, *, wifi: bool = False) -> WebreplState:
    """Read what a board has, where WebREPL can be set up on it.

    Args:
        wifi: it is to join a network.

    Raises: UsageError for a connection over the air, or firmware that lacks what it takes.
    """
    from ..device import webrepl_setup as work

    if over_the_air(board):
        raise UsageError("usage.webrepl-over-the-air")
    state = work.look(board)
    work.require_webrepl(state, wifi=wifi)
    return state


def check_wifi(name: str, password: str) -> Wifi:
    """Make a network to join of its name and its password, "" for an open one. Raises: UsageError."""
    from ..device.webrepl_setup import check_wifi as check

    return check(name, password)


def plan_setup(
    state: WebreplState, password: Secret | None = None, wifi: Wifi | None = None, *, reporter: Reporter = NULL
) -> list[Change]:
    """Say which files make the board start WebREPL at boot.

    Args:
        state: from `check_setup`.
        password: None keeps that of the board.
        wifi: the network to join at boot; None leaves that alone.
        reporter: is warned of a boot.py that cannot work.

    Raises: RemoteError for a file that cannot be changed safely.
    """
    from ..device import webrepl_setup as work
    from ..device.webrepl_boot import read_boot

    changes = work.plan_setup(state, password, wifi)
    if not read_boot(state.boot or b"").readable:
        text = "boot.py on the board is not valid Python: the board may not run what is added to it"
        notice(reporter, text, "warning")
    return changes


def plan_preview(state: WebreplState, wifi: str | None = None, *, reporter: Reporter = NULL) -> list[Change]:
    """`plan_setup` for showing it: no password is needed, what stands in for them has their form.

    Args:
        wifi: the name of the network to join.
    """
    password = None if state.password else Secret("-")
    return plan_setup(state, password, check_wifi(wifi, "-" * 8) if wifi is not None else None, reporter=reporter)


def apply(board: Device, changes: Sequence[Change]) -> None:
    """Write and remove the files of a plan, each as a whole, in their order. Raises: RemoteOSError."""
    from ..device import webrepl_setup as work

    work.apply(board, changes)


def start(board: Device, *, reporter: Reporter = NULL) -> WebreplState:
    """Soft-reset a board so that its boot.py starts WebREPL, and wait until it is in its network.

    Args:
        reporter: hears of the wait, and is warned where WebREPL does not run then.

    Returns: what the board has then.

    Raises: RemoteError where it did not join its network.
    """
    from ..device import webrepl_setup as work

    state, said = work.restart(board, reporter=reporter)
    if not state.running:
        more = f"; the last that the board said is {said!r}" if said else ""
        notice(reporter, f"boot.py has not started WebREPL{more}", "warning")
    return state


def prove(
    board: Device, state: WebreplState, password: Callable[[str], Secret], *, reporter: Reporter = NULL
) -> tuple[str, BoardInfo]:
    """Log in over the network and ask the board what it is, at the first address that can be reached.

    Args:
        board: by its cable.
        state: has one address at least.
        password: gives the password for an address.

    Returns: the address, and the board's answer.

    Raises: TransportError of the first address where none can be reached; ProtocolError.
    """
    from ..device import webrepl_setup as work

    return work.prove(board, state.selectors(), password, reporter=reporter)


# -- changing it --------------------------------------------------------------------------------------


def plan_password(state: WebreplState, password: Secret | None = None) -> list[Change]:
    """Say what a new password changes; without one, what any would. Raises: RemoteError."""
    from ..device import webrepl_setup as work

    return work.plan_password(state, password or Secret("-"))


def change_password(board: Device, state: WebreplState, password: Secret) -> list[Change]:
    """Change a board's password; a WebREPL that runs asks for the new one from now on. Returns what was done."""
    from ..device import webrepl_setup as work

    changes = work.plan_password(state, password)
    work.apply(board, changes)
    if state.running and state.server:
        work.change_running(board, password)
    return changes


def plan_disable(state: WebreplState, *, passwords: bool = False) -> list[Change]:
    """Say what turns WebREPL off.

    Args:
        passwords: remove the passwords as well.
    """
    from ..device import webrepl_setup as work

    return work.plan_disable(state, passwords=passwords)


def disable(board: Device, state: WebreplState, changes: Sequence[Change]) -> bool:
    """Do what `plan_disable` says and stop WebREPL, unless this connection uses it.

    Returns: whether it still runs: until the board restarts.
    """
    from ..device import webrepl_setup as work

    work.apply(board, changes)
    if state.running and not over_the_air(board):
        work.change_running(board, None)
        return False
    return state.running


# -- what this computer keeps -------------------------------------------------------------------------


def kept(
    board: Device, state: WebreplState, aliases: Mapping[str, str], *, reporter: Reporter = NULL
) -> list[tuple[Store, str]]:
    """Every place and name under which this computer keeps a board's password."""
    from ..config.secrets import names_of, stores
    from ..transport.webrepl_address import is_webrepl

    selectors = [*state.all_selectors(), *([board.name] if is_webrepl(board.name) else [])]
    names = dict.fromkeys(name for selector in selectors for name in names_of(selector, aliases))
    places = stores(lambda text: notice(reporter, text, "warning"))
    return [(store, name) for store in places for name in names if store.get(name) is not None]


def replace_kept(places: Sequence[tuple[Store, str]], password: Secret) -> None:
    """Put a new password into the places that `kept` found."""
    for store, name in places:
        store.set(name, password)


def forget_kept(places: Sequence[tuple[Store, str]]) -> None:
    """Remove the passwords from the places that `kept` found."""
    for store, name in places:
        store.remove(name)


def keep(
    state: WebreplState, aliases: Mapping[str, str], password: Secret, *, reporter: Reporter = NULL
) -> tuple[Store, str] | None:
    """Keep a board's password on this computer: in its keyring, or else the user's configuration file.

    Returns: where, and under which name; None where the board has no address to keep it for.
    """
    from ..config.secrets import names_of, stores

    selectors = state.selectors()
    if not selectors:
        return None
    name = names_of(selectors[0], aliases)[0]
    store = list(stores(lambda text: notice(reporter, text, "warning")))[-1]
    store.set(name, password)
    return store, name
