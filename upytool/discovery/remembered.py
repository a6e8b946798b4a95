"""Which USB devices have answered as MicroPython before, kept between runs.

A small JSON file: `{"version": 1, "devices": {KEY: {"board": ..., "seen": ..., "baud": ..., "frozen": ..., ...}}}`, KEY
being `SerialPort.key`. A file that is damaged or from another version counts as empty; it is replaced whole, so
that a reader sees the old or the new one. The caller says where it is (the state directory).
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace

from .. import documents
from ..errors import ConfigError
from .ports import SerialPort

FILE_NAME = "devices.json"
VERSION = 1
MOST = 200
WEEK = 7 * 86400  # for so long a board without our modules is believed to have none


@dataclass(frozen=True, slots=True)
class Entry:
    """One remembered device.

    Attributes:
        board: what it said it is, '' if not asked.
        seen: when it answered last, seconds since 1970.
        baud: the rate it was reached with, None for the default.
        frozen: whether its firmware has our transfer modules (device.frozen), None if not asked.
        asked: when that was found out last, seconds since 1970.
        refused: when it refused a program of ours as bytecode (device.precompiled), seconds since 1970; 0: it has not.
    """

    board: str = ""
    seen: int = 0
    baud: int | None = None
    frozen: bool | None = None
    asked: int = 0
    refused: int = 0


class Remembered:
    """The remembered devices.

    Args:
        path: of the file; None keeps everything in memory.
        clock: seconds since 1970.
    """

    def __init__(self, path: str | None, clock: Callable[[], float] = time.time) -> None:
        self._path, self._clock = path, clock
        self._entries: dict[str, Entry] | None = None

    @property
    def entries(self) -> dict[str, Entry]:
        """By `SerialPort.key`; read from the file when first asked for."""
        if self._entries is None:
            self._entries = self._load()
        return self._entries

    def get(self, port: SerialPort) -> Entry | None:
        """What is known of the device, None when it has not answered yet."""
        return self.entries.get(port.key) if port.key else None

    def frozen(self, port: SerialPort) -> bool | None:
        """Whether the device has our transfer modules; None when that is to be asked (again, after a week)."""
        entry = self.get(port)
        if entry is None or (not entry.frozen and self._clock() - entry.asked > WEEK):
            return None
        return entry.frozen

    def bytecode(self, port: SerialPort) -> bool:
        """Whether programs may go to it as bytecode: not for a week after it refused one."""
        entry = self.get(port)
        return entry is None or self._clock() - entry.refused > WEEK

    def remember(
        self,
        port: SerialPort,
        *,
        board: str = "",
        baud: int | None = None,
        frozen: bool | None = None,
        bytecode: bool = True,
    ) -> None:
        """The device answered as MicroPython. A file that cannot be written is not an error."""
        if not port.key:
            return
        known = self.get(port)
        old = known or Entry()
        now = int(self._clock())
        answer, asked = old.frozen, old.asked
        if frozen is not None and (frozen is not answer or now - asked > WEEK):
            answer, asked = frozen, now
        refused = 0 if bytecode else now if now - old.refused > WEEK else old.refused
        entry = Entry(board or old.board, now, baud if baud is not None else old.baud, answer, asked, refused)
        # Once an hour is enough to know when it was seen: most runs write nothing.
        if known and replace(entry, seen=old.seen) == old and now - old.seen < 3600:
            return
        self._entries = self._load()
        self._entries[port.key] = entry
        self._save()

    def renew(self, port: SerialPort) -> None:
        """The device got other firmware: what was known of the old one is asked again."""
        known = self._load().get(port.key) if port.key else None
        if known is not None and (known.asked or known.board or known.refused):
            self._entries = self._load()
            self._entries[port.key] = replace(known, board="", frozen=None, asked=0, refused=0)
            self._save()

    def forget(self, port: SerialPort) -> bool:
        """Forget one device; False when it was not known."""
        self._entries = self._load()
        known = self._entries.pop(port.key, None) is not None
        if known:
            self._save()
        return known

    def _load(self) -> dict[str, Entry]:
        if self._path is None:
            return dict(self._entries or {})
        try:
            data = documents.read_json(self._path)
        except ConfigError:
            return {}
        if not isinstance(data, dict) or data.get("version") != VERSION:
            return {}
        devices = data.get("devices")
        entries = {}
        for key, value in devices.items() if isinstance(devices, dict) else ():
            if not isinstance(value, dict):
                continue
            board, seen, baud = value.get("board", ""), value.get("seen", 0), value.get("baud")
            if isinstance(board, str) and isinstance(seen, int) and (baud is None or isinstance(baud, int)):
                frozen, asked = value.get("frozen"), value.get("asked", 0)
                if not isinstance(frozen, bool) or not isinstance(asked, int):
                    frozen, asked = None, 0
                refused = value.get("refused", 0)
                entries[str(key)] = Entry(board, seen, baud, frozen, asked, refused if isinstance(refused, int) else 0)
        return entries

    def _save(self) -> None:
        if self._path is None:
            return
        import json

        from ..whole_file import write_whole

        newest = sorted(self.entries.items(), key=lambda item: item[1].seen, reverse=True)[:MOST]
        text = json.dumps({"version": VERSION, "devices": {key: asdict(entry) for key, entry in newest}}, indent=1)
        with contextlib.suppress(OSError):
            os.makedirs(os.path.dirname(self._path), mode=0o700, exist_ok=True)
            write_whole(self._path, text.encode() + b"\n", private=True)
