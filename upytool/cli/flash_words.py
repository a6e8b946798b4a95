"""Plans and results of flashing in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ..errors import FlashError
from ..words import Said
from .app import App
from .ui.style import Style
from .ui.text import rows, seconds, size

if TYPE_CHECKING:
    from ..api.flash import Flashable, FlashOutcome, FlashPlan, FlashResult


# -- plans ----------------------------------------------------------------------------------------


def show_dry(app: App, data: Any, plans: Sequence[FlashPlan]) -> None:
    """Print plans that are not applied, as text or data."""

    def blocks(style: Style) -> Iterator[str]:
        for number, plan in enumerate(plans):
            yield from [""] if number else []
            yield from plan_lines(plan, style)

    app.emit(data, blocks)
    app.note("Dry run: nothing was changed")


def show(app: App, plans: Sequence[FlashPlan]) -> None:
    """Tell plans on stderr, before the question."""
    if app.settings.json:
        return
    for number, plan in enumerate(plans):
        for line in ([""] if number else []) + plan_lines(plan, app.streams.err_style):
            app.note(line)


def plan_lines(plan: FlashPlan, style: Style) -> list[str]:
    """The plan for a person: a few aligned lines."""
    flow, backup = plan.flow, plan.backup
    files = _EFFECTS[flow.fs_effect]
    lines = [
        ("Board", _board(plan.board)),
        ("Firmware", _firmware(plan)),
        ("How", _how(plan)),
        ("Files", f"{files}: {flow.fs_note}" if flow.fs_note else files),
    ]
    if backup is not None:
        what = "the files" if backup.kind == "save-files" else "the whole flash"
        lines.append(("Backup", f"{what}, in {backup.path}"))
    lines += [("Warning", warning) for warning in plan.warnings]
    width = max(len(name) for name, _ in lines)

    def dress(name: str) -> str:
        return style.warning(f"{name:<{width}}") if name == "Warning" else style.strong(f"{name:<{width}}")

    room = style.width - width - 2 if style.tty else 0
    return [
        f"{dress(name) if first else ' ' * width}  {part}"
        for name, text in lines
        for first, part in _folded(text, room)
    ]


def _folded(text: str, room: int) -> Iterator[tuple[bool, str]]:
    """(whether it is the first, the line) of lines of `room` columns; as one line where it is 0."""
    from textwrap import wrap

    parts = wrap(text, room, break_long_words=False, break_on_hyphens=False) if room >= 20 else [text]
    yield from ((not number, part) for number, part in enumerate(parts))


_EFFECTS = {
    "kept": "kept",
    "erased": "LOST",
    "moved": "LOST",
    "overwritten": "LOST",
    "replaced": "replaced",
    "unknown": "not known",
    "none": "none",
}


def _board(board: Flashable) -> str:
    target = board.target
    name = "-".join(filter(None, (target.board, target.variant)))
    what = name or target.machine or (target.usb.bootloader if target.usb is not None else "") or target.chip
    if not what and target.volume is not None:
        what = target.volume.info.model or target.volume.label
    if not what and target.port is not None:
        what = target.port.what
    parts = [what or "an unidentified board"]
    if name and target.machine:
        parts.append(f"({target.machine})")
    if target.state == "bootloader":
        said = target.usb is not None and target.usb.bootloader
        where = target.volume.path if target.volume is not None and target.usb is None else target.selector
        return " ".join(parts) + (" on " if said and not name else ", in its bootloader on ") + where
    where = target.selector if target.selector.startswith("sim:") else target.address or target.selector
    return " ".join(parts) + f" on {where}" + (", no REPL answers" if target.state == "unknown" else "")


def _firmware(plan: FlashPlan) -> str:
    image, version, board = plan.firmware.image, plan.firmware.version, plan.firmware.board
    words = plan.flow.image_name
    if image.identity.implementation:
        before = plan.target.version
        words += f": {image.identity.implementation} "
        words += f"{before} -> {version}" if before and before != version else version
    if board:
        words += f" for {board}"
    if version and plan.target.version == version:
        words += ", the version that runs now"
    return f"{words}, {size(image.size)}" + (f", sha256 {plan.firmware.sha256[:12]}" if plan.firmware.sha256 else "")


def _how(plan: FlashPlan) -> str:
    flow = plan.flow
    way = flow.way_in.split("\n", 1)[0]
    parts = [f"into the bootloader: {way}"] if way else []
    kind = {"all": "erase the whole flash, then write it", "fs": "erase the file system, write what differs"}
    if flow.has("compare"):
        parts.append(f"{flow.flasher}: compare only")
    elif flow.flasher == "ota" and not flow.slot:
        parts.append(f"{flow.flasher}: nothing to write, the board runs it already")
        parts += [f"confirm {step.slot}, which runs" for step in plan.steps if step.kind == "confirm"]
    elif flow.slot:
        parts.append(f"{flow.flasher}: write the slot {flow.slot}, which does not run, read it back, then start it")
    else:
        back = ", read it back" if flow.has("read-back") else ""
        kind["changed"] = "copy it to the board's drive" if plan.to_drive else "write what differs"
        parts.append(f"{flow.flasher}: {kind[flow.erase]}{back}")
    return "; ".join(parts)


# -- results --------------------------------------------------------------------------------------


def result_words(result: FlashResult) -> str:
    """One line: what was done and what the board says."""
    done, flow = result.programmed, result.plan.flow
    erased = {"all": "Erased the whole flash\n", "fs": "Erased the file system\n"}.get(flow.erase, "")
    if done is None:
        return f"The board has {flow.image_name}: every byte is the same"
    if not done.written and flow.slot:  # back to what was complete
        words = f"Started the slot {flow.slot}: it had {flow.image_name} already ({size(done.total)} compared)"
    elif not done.written:
        words = f"Nothing to write: the board has {flow.image_name} already ({size(done.total)} compared)"
        words += "; it is confirmed now" if result.plan.confirms else ""
    else:
        words = f"Wrote {size(done.written)} in {seconds(result.done.seconds)}"
        words += f" ({size(done.unchanged)} were there already)" if done.unchanged else ""
        words += f", verified: {done.verified}" if done.verified else ", not read back"
    words = erased + words
    if result.after:
        words += f"\nThe board says: MicroPython {result.after}"
        words += f" on {result.done.board_after}" if result.done.board_after else ""
        selector = result.plan.target.selector
        where = selector if selector.startswith("sim:") else result.done.address
        words += f", its REPL is {where}" if where else ""
    return words


def outcome_rows(outcomes: Sequence[FlashOutcome], style: Style) -> list[str]:
    """A table of several boards."""
    body = []
    for each in outcomes:
        result = each.result
        if result is not None:
            done = result.programmed
            wrote = "" if done is None else size(done.written) if done.written else "unchanged"
            said = f"{result.after} {result.done.board_after}".strip() or ("verified" if done and done.verified else "")
            body.append([each.plan.target.selector, "ok", wrote, said])
        else:
            body.append([each.plan.target.selector, "failed", "", str(each.error)])
    return rows(style, ["board", "how", "written", "now"], body)


def failed(outcomes: Sequence[FlashOutcome]) -> FlashError | None:
    """The error for a run in which some boards failed."""
    bad = [each for each in outcomes if not each.ok]
    if not bad:
        return None
    first = bad[0].error
    hints = [
        Said("cli.board-hint", board=each.plan.target.selector, hint=hint)
        for each in bad[:4]
        for hint in (each.error.hints if each.error is not None else ())
    ]
    if len(outcomes) == 1 and isinstance(first, FlashError):
        return first
    return FlashError("flash.some-failed", failed=len(bad), count=len(outcomes), hint=hints)
