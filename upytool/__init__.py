"""upytool: put firmware on MicroPython boards, move files and packages, run code.

    import upytool

    with upytool.connect() as board:
        print(board.exec("print(1 + 1)"))
        board.fs.put("main.py", "/main.py")

Names are loaded when first used (PEP 562), so that `import upytool` costs next to nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOMES = {
    "connect": "upytool.api.connect",
    "aconnect": "upytool.api.connect",
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
    "connect",
    "list_ports",
]

if TYPE_CHECKING:
    from .api.connect import aconnect, connect
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
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'upytool' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(home), name)


def __dir__() -> list[str]:
    return __all__
