"""upytool: put firmware on MicroPython boards, move files and packages, run code.

    import upytool

    with upytool.connect() as board:
        print(board.exec("print(1 + 1)"))
        board.fs.put("main.py", "/main.py")

What the command line can do is here, too, by job: `upytool.build`, `upytool.firmware`, `upytool.images` ... are the
modules of `upytool.api`. Names are loaded when first used (PEP 562), so that `import upytool` costs next to nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

# The jobs: modules of `upytool.api` under their own names. `boards` and `packages` are directories of this package,
# which a program would get in their place: of these two there is a function, the one that most programs want.
_JOBS = (
    "bootloader",
    "build",
    "catalogue",
    "compile",
    "console",
    "files",
    "firmware",
    "flash",
    "health",
    "images",
    "manifests",
    "raw_flash",
    "rescue",
    "romfs",
    "run",
    "sims",
    "webrepl",
)
# name -> the module that has it, and what it is called there if not the same
_HOMES = {
    "connect": "upytool.api.connect",
    "aconnect": "upytool.api.connect",
    "find_boards": "upytool.api.boards:find",
    "install": "upytool.api.packages",
    "Device": "upytool.device.device",
    "AsyncDevice": "upytool.device.aio_device",
    "RemotePath": "upytool.device.fs",
    "list_ports": "upytool.discovery.ports",
    "AmbiguousDeviceError": "upytool.errors",
    "BoardResetError": "upytool.errors",
    "ConnectionLostError": "upytool.errors",
    "DeviceTimeoutError": "upytool.errors",
    "NoDeviceError": "upytool.errors",
    "RemoteException": "upytool.errors",
    "RemoteExit": "upytool.errors",
    "RemoteOSError": "upytool.errors",
    "UpytoolError": "upytool.errors",
}

__all__ = [
    "AmbiguousDeviceError",
    "AsyncDevice",
    "BoardResetError",
    "ConnectionLostError",
    "Device",
    "DeviceTimeoutError",
    "NoDeviceError",
    "RemoteException",
    "RemoteExit",
    "RemoteOSError",
    "RemotePath",
    "UpytoolError",
    "__version__",
    "aconnect",
    "bootloader",
    "build",
    "catalogue",
    "compile",
    "connect",
    "console",
    "files",
    "find_boards",
    "firmware",
    "flash",
    "health",
    "images",
    "install",
    "list_ports",
    "manifests",
    "raw_flash",
    "rescue",
    "romfs",
    "run",
    "sims",
    "webrepl",
]

if TYPE_CHECKING:
    from .api import (
        bootloader,
        build,
        catalogue,
        compile,
        console,
        files,
        firmware,
        flash,
        health,
        images,
        manifests,
        raw_flash,
        rescue,
        romfs,
        run,
        sims,
        webrepl,
    )
    from .api.boards import find as find_boards
    from .api.connect import aconnect, connect
    from .api.packages import install
    from .device.aio_device import AsyncDevice
    from .device.device import Device
    from .device.fs import RemotePath
    from .discovery.ports import list_ports
    from .errors import (
        AmbiguousDeviceError,
        BoardResetError,
        ConnectionLostError,
        DeviceTimeoutError,
        NoDeviceError,
        RemoteException,
        RemoteExit,
        RemoteOSError,
        UpytoolError,
    )


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name in _JOBS:
        return import_module(f"upytool.api.{name}")
    home, _, there = _HOMES.get(name, "").partition(":")
    if not home:
        raise AttributeError(f"module 'upytool' has no attribute {name!r}")
    return getattr(import_module(home), there or name)


def __dir__() -> list[str]:
    return __all__
