"""What the project room says when something fails."""

from __future__ import annotations

ERRORS: dict[str, tuple[str, ...]] = {
    "build.cannot-read-file": ("cannot read {path}: {reason}", "fix its permissions, or ignore it"),
    "build.link-outside": ("{path} is a link that leads out of the project", "put the file itself there"),
    "build.no-firmware": ("there is no firmware {path}", "name a file, or a board and a version"),
    "build.no-such-path": ("build.{key}: there is no {name} in {root}", "fix the path, or take it out"),
    "build.not-a-module": ("{name} is not a module", "other files go in as data: --data, or `data` of [build]"),
    "build.not-an-entry": (
        "{entry!r} is not an entry",
        'write "app" or "app:main", a module and what to call in it',
    ),
    "build.not-built": (
        "this project's firmware ([build] in {file}) is not built yet",
        "`upytool build` makes it; `upytool flash --board NAME` takes an official release in its place",
    ),
    "build.output-changed": (
        "{name} is not what {lock} says was built",
        "`upytool build` makes it; `upytool flash --board NAME` takes an official release in its place",
    ),
    "build.output-gone": (
        "this project's firmware {name} is not here",
        "`upytool build` makes it; `upytool flash --board NAME` takes an official release in its place",
    ),
    "build.output-outside": (
        "this project's firmware was written outside of the project",
        "name the file",
        "`upytool build` makes it; `upytool flash --board NAME` takes an official release in its place",
    ),
    "build.same-import": ("{one} and {other} would become the same module", "take one of them out"),
    "build.same-target": ("{target} comes from two places: {one} and {other}", "take one of them out, or rename it"),
    "config.build-lock-damaged": ("{path} is damaged: {reason!r}", "remove it: the next build writes a new one"),
    "config.build-lock-newer": ("{path} was written by a newer upytool", "pip install -U upytool"),
    "config.build-lock-other-firmware": (
        "{name} is not the firmware that {lock} pins",
        "bring that one back; `upytool build` brings the lock up to date",
    ),
    "config.build-lock-stale": (
        "the project asks for something else than {name} pins",
        "`upytool build` brings the lock up to date",
    ),
    "config.build-lock-unreadable": ("{cause}", "remove it: the next build writes a new one"),
    "config.project-table": ("{path}: [{table}] must be a table", "fix the file"),
    "config.unknown-key": ("{path}: [{table}] knows no {key!r}", "it knows {known}"),
    "config.wrong-value": ("{path}: {key} must be {expected}", "fix the file"),
    "usage.no-lock": ("there is no {name} to build from", "`upytool build` makes it"),
    "usage.nothing-to-build": (
        "there is nothing to put into firmware",
        "name modules on the line (`upytool build src --board RPI_PICO`) or in [build] of upytool.toml",
    ),
}

NOTES: dict[str, str] = {
    "project.fix-it": "fix it, or run the command elsewhere",
}
