"""`upytool doctor`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ...errors import DifferencesFound, LocalFileError
from ...words import Said
from ..app import App, pass_app
from ..group import define
from ..ui.style import Style

if TYPE_CHECKING:
    from ...api.health import Check


@define(
    "doctor",
    examples=[
        ("upytool doctor", "why is the board not found, or not opened?"),
        ("upytool doctor --report doctor.txt", "also write it to a file, to share it"),
        ("upytool doctor --offline --json", "without the network, for a program"),
    ],
)
@click.option(
    "--report", type=click.Path(dir_okay=False), metavar="FILE", help="Write a report to FILE (.json or text)."
)
@pass_app
def command(app: App, report: str | None) -> None:
    """Look for what stands between this computer and its boards, and say what fixes it.

    Rights of ports and bootloaders (with the udev rule for that very device), programs that hold or take them,
    missing drivers, drives that are not mounted, WSL and containers, upytool's parts, configuration, directories
    and network. No port is opened, nothing is changed. The exit code is 1 where a problem was found.
    """
    from ...api import health

    checks = health.examine(app.settings)
    data = health.report(checks)
    if report:
        _write(report, data)
    app.emit(data, lambda style: lines(checks, style))
    if report:
        app.note(f"The report is in {report}")
    problems = [check for check in checks if check.verdict == "problem"]
    if problems:
        raise DifferencesFound(
            "differences.problems",
            problems=[check.name for check in problems],
            hint=() if app.settings.json else Said("cli.fixes-above"),
        )
    app.note("No problem was found")


def lines(checks: list[Check], style: Style) -> list[str]:
    """The checks for a person: problems with what fixes them; for a program one line each, separated by tabs."""
    if not style.tty:
        return ["\t".join((check.verdict, check.name, check.message)) for check in checks]
    marks = {
        "ok": style.good(style.glyph("✓", "ok")),
        "note": style.warning(style.glyph("•", "--")),
        "problem": style.error(style.glyph("✗", "!!")),
    }
    found = []
    for check in checks:
        found.append(f"{marks[check.verdict]} {style.strong(check.name)}: {check.message}")
        found += [f"    {line}" for line in check.remedy.splitlines()]
    return found


def _write(path: str, data: dict[str, Any]) -> None:
    if path.lower().endswith(".json"):
        import json

        text = json.dumps(data, indent=2, ensure_ascii=False) + "\n"
    else:
        rows = ["upytool doctor", ""]
        rows += [f"{name} {number}" for name, number in data["versions"].items()]
        rows += [" ".join(data["system"].values()), ""]
        for check in data["checks"]:
            rows.append("[{verdict}] {name}: {message}".format(**check))
            rows += [f"    {line}" for line in check["remedy"].splitlines()]
        text = "\n".join(rows) + "\n"
    try:
        from ...whole_file import write_whole

        # A path of /proc/mounts need not be UTF-8.
        write_whole(path, text.encode("utf-8", "backslashreplace"))
    except OSError as error:
        raise LocalFileError("local-file.cannot-write", path=path, reason=error.strerror) from None
