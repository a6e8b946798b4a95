"""`upytool info`."""

from __future__ import annotations

from ..app import App, pass_app
from ..group import define
from ..ui.style import Style
from ..ui.text import rows, size


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
    from ...api.boards import facts

    found = facts(app.device())
    info = found.info

    def text(style: Style) -> list[str]:
        lines = [
            ("port", found.port),
            ("board", info.machine or "?"),
            ("build", info.build or "not told (firmware before 1.25)"),
            ("firmware", info.firmware),
            ("cpu", f"{info.frequency / 1e6:g} MHz" if info.frequency else "?"),
            ("unique id", info.unique_id or "?"),
            ("memory", f"{size(info.mem_free)} free of {size(info.mem_free + info.mem_alloc)}"),
            (".mpy files", found.mpy),
        ]
        for mount in found.mounts:
            lines.append((f"files {mount.path}", f"{size(mount.free)} free of {size(mount.total)}"))
        return rows(style, ["", ""], lines)

    app.emit(found.data(), text)
