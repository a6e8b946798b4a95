"""`upytool rtc`."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import click

from ...errors import RemoteError, RemoteException, UsageError
from ..app import App, pass_app
from ..group import define


@define(
    "rtc",
    examples=[
        ("upytool rtc", "what time does the board think it is?"),
        ("upytool rtc --set", "set it to this computer's local time"),
        ("upytool rtc --set --utc", "set it to UTC"),
        ("upytool rtc --set --to 2026-01-31T12:00:00", "set it to a given time"),
    ],
)
@click.option("--set", "-s", "set_", is_flag=True, help="Set the clock.")
@click.option("--utc", "-u", is_flag=True, help="Use UTC instead of local time.")
@click.option("--to", metavar="TIME", help="Time to set, as YYYY-MM-DDTHH:MM:SS.")
@pass_app
def command(app: App, set_: bool, utc: bool, to: str | None) -> None:
    """Show the board's clock, or set it.

    The text is machine.RTC().datetime() as the board gives it: year, month, day, weekday (Monday is 0), hour,
    minute, second, subseconds. How far it is from this computer's clock is said on stderr.
    """
    device = app.device()
    zone = "UTC" if utc else "local time"
    if to is not None and not set_:
        raise UsageError("usage.rtc-to")
    try:
        if set_:
            answer = device.call("rtc", _eight(_wanted(to, utc)))
        else:
            answer = device.call("rtc", again=True)
    except RemoteException as error:
        # The traceback is one of our program's, which tells nobody anything.
        if error.kind in ("ImportError", "AttributeError"):
            raise RemoteError("remote.no-rtc") from error
        raise RemoteError("remote.rtc-refused", cause=error) from error
    if not isinstance(answer, tuple):
        raise RemoteError("remote.unexpected")
    moment = _moment(answer)
    skew = None if moment is None else (moment - _now(utc)).total_seconds()
    app.emit({"datetime": list(answer), "skew_seconds": skew, "zone": zone}, repr(answer))
    if skew is not None and to is None:
        app.note(_skew_text(skew, zone))


def _now(utc: bool) -> datetime:
    return (datetime.now(UTC) if utc else datetime.now()).replace(tzinfo=None)


def _wanted(to: str | None, utc: bool) -> datetime:
    if to is None:
        # Subseconds are written in a unit that differs from port to port: set on the full second instead.
        now = time.time()
        time.sleep(max(0.0, 1.0 - now % 1 - 0.02))
        return (_now(utc) + timedelta(seconds=0.5)).replace(microsecond=0)
    try:
        return datetime.fromisoformat(to).replace(tzinfo=None, microsecond=0)
    except ValueError as error:
        raise UsageError("usage.time", text=to) from error


def _eight(moment: datetime) -> tuple[int, ...]:
    """What RTC.datetime() takes (docs/library/machine.RTC.rst); the subseconds are 0 on every port."""
    return (
        moment.year, moment.month, moment.day, moment.weekday(),
        moment.hour, moment.minute, moment.second, 0,
    )  # fmt: skip


def _moment(answer: tuple[int, ...]) -> datetime | None:
    try:
        year, month, day, _, hour, minute, second = answer[:7]
        return datetime(year, month, day, hour, minute, second)
    except (TypeError, ValueError):
        return None


def _skew_text(skew: float, zone: str) -> str:
    if abs(skew) < 2:
        return f"The board's clock agrees with this computer's {zone}"
    unit, amount = "s", abs(skew)
    for name, length in (("days", 86400), ("h", 3600), ("min", 60)):
        if amount >= 2 * length:
            unit, amount = name, amount / length
            break
    return f"The board's clock is {amount:.0f} {unit} {'ahead of' if skew > 0 else 'behind'} {zone}"
