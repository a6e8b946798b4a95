"""Plans and results of flashing, in words for people and in data for programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ..errors import FlashError
from .ui.style import Style
from .ui.text import rows, seconds, size

if TYPE_CHECKING:
    from ..flashers.base import FlashPlan, FlashResult, FlashTarget
    from ..flashers.many import Outcome


# -- words ----------------------------------------------------------------------------------------


def plan_lines(plan: FlashPlan, style: Style, backup: str = "") -> list[str]:
    """The plan for a person: a few aligned lines."""
    target, image = plan.target, plan.image
    lines: list[tuple[str, str]] = [("Board", _board(target))]
    if image is not None:
        lines.append(("Firmware", _firmware(plan)))
    lines.append(("How", _how(plan)))
    lines.append(("Files", f"{_EFFECTS[plan.fs_effect]}: {plan.fs_note}" if plan.fs_note else _EFFECTS[plan.fs_effect]))
    if backup:
        lines.append(("Backup", backup))
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


def _board(target: FlashTarget) -> str:
    name = "-".join(filter(None, (target.board, target.variant)))
    what = name or target.machine or (target.usb.bootloader if target.usb is not None else "") or target.chip
    if not what and target.volume is not None:
        what = target.volume.info.model or target.volume.label
    if not what and target.port is not None:
        what = target.port.what
    parts = [what or "a board that does not say what it is"]
    if name and target.machine:
        parts.append(f"({target.machine})")
    if target.state == "bootloader":
        said = target.usb is not None and target.usb.bootloader
        where = target.volume.path if target.volume is not None and target.usb is None else target.selector
        return " ".join(parts) + (" on " if said and not name else ", in its bootloader on ") + where
    where = target.selector if target.selector.startswith("sim:") else target.address or target.selector
    return " ".join(parts) + f" on {where}" + (", no REPL answers" if target.state == "unknown" else "")


def _firmware(plan: FlashPlan) -> str:
    from ..flashers.chain import image_board, image_version

    image = plan.image
    assert image is not None
    version, board = image_version(image), image_board(image)
    words = plan.image_name
    if image.identity.implementation:
        before = plan.target.version
        words += f": {image.identity.implementation} "
        words += f"{before} -> {version}" if before and before != version else version
    if board:
        words += f" for {board}"
    if version and plan.target.version == version:
        words += ", the version that runs now"
    return f"{words}, {size(image.size)}" + (f", sha256 {plan.sha256[:12]}" if plan.sha256 else "")


def _how(plan: FlashPlan) -> str:
    from ..flashers.chain import DRIVES

    way = plan.way_in.split("\n", 1)[0]
    parts = [f"into the bootloader: {way}"] if way else []
    kind = {"all": "erase the whole flash, then write it", "fs": "erase the file system, write what differs"}
    if any(step.startswith("compare") for step in plan.steps):
        parts.append(f"{plan.flasher}: compare only")
    elif plan.flasher == "ota" and not plan.slot:
        parts.append(f"{plan.flasher}: nothing to write, the board runs it already")
        parts += filter(None, [confirm_step(plan)])
    elif plan.slot:
        parts.append(f"{plan.flasher}: write the slot {plan.slot}, which does not run, read it back, then start it")
    else:
        back = ", read it back" if "read it back" in plan.steps else ""
        kind["changed"] = "copy it to the board's drive" if plan.flasher in DRIVES else "write what differs"
        parts.append(f"{plan.flasher}: {kind[plan.erase]}{back}")
    return "; ".join(parts)


def confirm_step(plan: FlashPlan) -> str:
    """What is said of confirming the firmware that runs, where nothing is written; "" where it is not."""
    return "" if plan.segments else next((step for step in plan.steps if step.startswith("confirm")), "")


def target_data(target: FlashTarget) -> dict[str, object]:
    """A board as JSON."""
    return {
        "selector": target.selector,
        "state": target.state,
        "location": target.location or None,
        "address": target.address or None,
        "board": target.board or None,
        "variant": target.variant or None,
        "version": target.version or None,
        "machine": target.machine or None,
        "chip": target.chip or None,
        "unique_id": target.unique_id or None,
    }


def plan_data(plan: FlashPlan) -> dict[str, object]:
    """A plan as JSON."""
    from ..flashers.chain import image_board, image_version

    image = plan.image
    return {
        "target": target_data(plan.target),
        "image": None
        if image is None
        else {
            "name": plan.image_name,
            "sha256": plan.sha256 or None,
            "format": image.format,
            "bytes": image.size,
            "chip": image.chip or None,
            "board": image_board(image) or None,
            "version": image_version(image) or None,
        },
        "flasher": plan.flasher,
        "slot": plan.slot or None,
        "way_in": plan.way_in or None,
        "segments": [list(each) for each in plan.segments],
        "erase": plan.erase,
        "files": {"effect": plan.fs_effect, "note": plan.fs_note},
        "warnings": list(plan.warnings),
        "steps": list(plan.steps),
    }


def result_data(result: FlashResult) -> dict[str, object]:
    """A result as JSON, with its plan."""
    done = result.programmed
    return {
        "plan": plan_data(result.plan),
        "programmed": None
        if done is None
        else {
            "total": done.total,
            "written": done.written,
            "erased": done.erased,
            "unchanged": done.unchanged,
            "verified": done.verified or None,
        },
        "backup": result.backup or None,
        "before": result.before or None,
        "after": result.after or None,
        "board": result.board_after or None,
        "address": result.address or None,
        "confirmed": result.confirmed,
        "seconds": round(result.seconds, 2),
        "warnings": list(result.warnings),
    }


def result_words(result: FlashResult) -> str:
    """One line: what was done and what the board says."""
    done = result.programmed
    erased = {"all": "Erased the whole flash\n", "fs": "Erased the file system\n"}.get(result.plan.erase, "")
    if done is None:
        return f"The board has {result.plan.image_name}: every byte is the same"
    if not done.written and result.plan.slot:  # back to what was complete
        slot = result.plan.slot
        words = f"Started the slot {slot}: it had {result.plan.image_name} already ({size(done.total)} compared)"
    elif not done.written:
        words = f"Nothing to write: the board has {result.plan.image_name} already ({size(done.total)} compared)"
        words += "; it is confirmed now" if confirm_step(result.plan) else ""
    else:
        words = f"Wrote {size(done.written)} in {seconds(result.seconds)}"
        words += f" ({size(done.unchanged)} were there already)" if done.unchanged else ""
        words += f", verified: {done.verified}" if done.verified else ", not read back"
    words = erased + words
    if result.after:
        words += f"\nThe board says: MicroPython {result.after}"
        words += f" on {result.board_after}" if result.board_after else ""
        selector = result.plan.target.selector
        where = selector if selector.startswith("sim:") else result.address
        words += f", its REPL is {where}" if where else ""
    return words


def outcome_rows(outcomes: Sequence[Outcome], style: Style) -> list[str]:
    """A table of several boards."""
    body = []
    for each in outcomes:
        result = each.result
        if result is not None:
            done = result.programmed
            wrote = "" if done is None else size(done.written) if done.written else "unchanged"
            said = f"{result.after} {result.board_after}".strip() or ("verified" if done and done.verified else "")
            body.append([each.target.selector, "ok", wrote, said])
        else:
            body.append([each.target.selector, "failed", "", str(each.error)])
    return rows(style, ["board", "how", "written", "now"], body)


def outcome_data(outcome: Outcome) -> dict[str, object]:
    """One of several boards as JSON."""
    if outcome.result is not None:
        return {"selector": outcome.target.selector, "ok": True, **result_data(outcome.result)}
    error: Any = outcome.error
    return {"selector": outcome.target.selector, "ok": False, "error": error.data()}


def failed(outcomes: Sequence[Outcome]) -> FlashError | None:
    """The error for a run in which some boards failed."""
    bad = [each for each in outcomes if not each.ok]
    if not bad:
        return None
    first = bad[0].error
    hint = "\n".join(filter(None, (f"{each.target.selector}: {getattr(each.error, 'hint', '')}" for each in bad[:4])))
    if len(outcomes) == 1 and isinstance(first, FlashError):
        return first
    return FlashError(f"{len(bad)} of {len(outcomes)} boards were not flashed", hint=hint)
