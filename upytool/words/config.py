"""What the config room says when something fails."""

from __future__ import annotations

ERRORS: dict[str, tuple[str, ...]] = {
    "config.alias": ("{path}: devices.{alias} must be a string, a selector",),
    "config.bad-setting": ("{path}: {key} must be {expected}, not {value!r}",),
    "config.bad-variable": ("the environment variable {variable} is {value!r}, which is not {expected}",),
    "config.cannot-edit": ("cannot edit {path} automatically", "change {key} by hand: `upytool config edit`"),
    "config.cannot-write": ("cannot write {path}: {reason}",),
    "config.keyring-remove": ("the system keyring did not remove the password: {reason}",),
    "config.keyring-set": ("the system keyring refused the password: {reason}",),
    "config.macro-no-command": ("{origin}: the macro {signature!r} has no command",),
    "config.macro-not-strings": ("{origin}: the macro {signature!r} must be made of strings",),
    "config.not-a-string": ("{path}: {key} must be a string",),
    "config.not-a-table": ("{path}: {table} must be a table",),
    "config.not-shipped": ("{path} is missing from this installation", "install upytool again"),
    "config.project-starts-program": (
        "{path}: a project may not name a device that starts a program ({device})",
        "give it with --device, or in your own configuration (`upytool config path`)",
    ),
    "config.project-writes-file": (
        "{path}: a project may not name a device that writes a file ({device})",
        "give it with --device, or in your own configuration (`upytool config path`)",
    ),
    "password.characters": ("{which} holds a character that cannot be typed", "use letters, digits and punctuation"),
    "password.empty": ("{which} is empty", "it has 1 to {limit} characters"),
    "password.too-long": (
        "{which} is too long: {size} bytes",
        "WebREPL takes {limit} characters at most (bytes of UTF-8)",
    ),
    "path.invalid": ("{key}: {name!r} is not a valid path ({cause})",),
    "path.outside-project": (
        "{key}: {name} leads out of the project {root}",
        "name a path below the project's directory",
    ),
    "transport.password.unknown": (
        "{board} requires a password, and none is known for it",
        "set {variable}, or run the command in a terminal to be asked",
    ),
    "usage.macro-missing-argument": ("the macro {macro} needs the argument {argument}", "it is: {signature}"),
    "usage.macro-no-argument": ("the macro {macro} has no argument {argument}", "it is: {signature}"),
    "usage.no-current-directory": ("the current directory does not exist any more", "change to another one"),
}

NOTES: dict[str, str] = {
    "config.fix-file": "fix the file (`upytool config edit` opens your own)",
    "config.password": "the WebREPL password",
    "config.password-in": "the WebREPL password in {source}",
}
