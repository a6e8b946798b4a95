"""`upytool info`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..app import App, pass_app
from ..group import define
from ..ui.style import Style
from ..ui.text import rows, size

if TYPE_CHECKING:
    from ...device.info import BoardInfo


@define(
    "info",
    examples=[
        ("upytool info", "what is this board?"),
        ("upytool info --json", "the same for a program"),
    ],
)
@pass_app
def command(app: App) -> None:
    """Show what the board is: firmware, chip, memory, file systems, and which .mpy files it loads."""
    device = app.device()
    info = device.info
    mounts = device.fs.df()
    data = facts(info)
    data["port"] = device.name
    data["mounts"] = [
        {"path": mount.path, "total": mount.total, "used": mount.used, "free": mount.free} for mount in mounts
    ]

    def text(style: Style) -> list[str]:
        lines = [
            ("port", device.name),
            ("board", info.machine or "?"),
            ("build", info.build or "not told (firmware before 1.25)"),
            ("firmware", info.firmware),
            ("cpu", f"{info.frequency / 1e6:g} MHz" if info.frequency else "?"),
            ("unique id", info.unique_id or "?"),
            ("memory", f"{size(info.mem_free)} free of {size(info.mem_free + info.mem_alloc)}"),
            (".mpy files", mpy_text(info)),
        ]
        for mount in mounts:
            lines.append((f"files {mount.path}", f"{size(mount.free)} free of {size(mount.total)}"))
        return rows(style, ["", ""], lines)

    app.emit(data, text)


def mpy_text(info: BoardInfo) -> str:
    """Which compiled files the board loads, for a person."""
    if not info.mpy:
        return "none"
    native = f", native code for {info.arch}" if info.arch else ", no native code"
    return f"version {info.mpy_version}.{info.mpy_sub_version}{native}"


def facts(info: BoardInfo) -> dict[str, Any]:
    """A BoardInfo as JSON data."""
    return {
        "implementation": info.implementation,
        "version": list(info.version),
        "firmware": info.firmware,
        "machine": info.machine,
        "build": info.build,
        "platform": info.platform,
        "unique_id": info.unique_id,
        "frequency": info.frequency,
        "mem_free": info.mem_free,
        "mem_alloc": info.mem_alloc,
        "mpy": {"version": info.mpy_version, "sub_version": info.mpy_sub_version, "arch": info.arch},
        "small_int_bits": info.small_int_bits,
        "sys_path": list(info.sys_path),
        "modules": sorted(info.modules),
    }
