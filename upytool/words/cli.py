"""What the command line says when something fails."""

from __future__ import annotations

ERRORS: dict[str, tuple[str, ...]] = {
    "config.editor-failed": ("the editor {editor} ended with status {status}",),
    "config.editor-not-started": (
        "cannot start the editor {editor}: {reason}",
        "set $EDITOR",
    ),
    "config.plugin-kind": ("the plug-in command {name} ({origin}) is not a click.Command",),
    "config.plugin-not-loaded": (
        "the plug-in command {name} cannot be loaded: {kind}: {reason}",
        "it comes from {origin}",
    ),
    "differences.build": ("this build gives {sha256:.12}, {lock} has {locked:.12}",),
    "differences.found": ("{left} and {right} differ: {summary}",),
    "differences.manifest": (
        "findings in {path}: {count}",
        "`upytool manifest explain` shows what goes in",
    ),
    "differences.packages": (
        "problems found: {count}",
        "`upytool mip install NAME` repairs a package",
    ),
    "differences.problems": ("problems found: {problems}",),
    "differences.sync": (
        "{left} and {right} differ",
        "the same command without --check makes them equal",
    ),
    "flash.some-failed": ("{failed} of {count} boards were not flashed",),
    "local-file.after-editing": (
        "cannot read {path} after editing: {reason}",
        "nothing was written to the board",
    ),
    "local-file.directory-removed": (
        "the working directory was removed",
        "change to another directory (`cd`)",
    ),
    "local-file.no-copy-to-edit": ("cannot make a copy to edit: {reason}",),
    "local-file.output": (
        "cannot write the output: {reason}",
        "free some space, or send it elsewhere",
    ),
    "local-file.refused": ("{reason}", "-vv shows where it happened"),
    "local-file.stdin-too-large": (
        "stdin has more than {limit:,} bytes",
        "write it to a file, and copy the file",
    ),
    "remote.flash-not-known": (
        "this board does not say where its flash is, so no file system can be made on it",
        "`upytool wipe` without --format removes the files",
    ),
    "remote.nested-too-deeply": (
        ":{path} is nested more than {limit} levels deep",
        "show it without --json",
    ),
    "remote.no-rtc": (
        "this firmware has no machine.RTC",
        "the board has no clock to set",
    ),
    "remote.rtc-refused": ("the board refused the time: {cause}",),
    "remote.unexpected": (
        "unexpected response from the board",
        "try again",
    ),
    "unexpected": ("unexpected {kind}: {reason}", "this is a bug in upytool; -vv shows its traceback"),
    "usage.bad-value": ("{name} must be {expected}, not {value!r}",),
    "usage.board-chosen": ("--port and --mcu cannot be used with a board",),
    "usage.board-name": (
        "{text!r} is not a name",
        "write a name after the colon: `:NAME`",
    ),
    "usage.command-line": ("{problem}",),
    "usage.command-option-needs-value": ("{option} of {command} needs a value",),
    "usage.config-password": (
        "`config` does not handle {table}: a password on the command line can be seen by others",
        "use `upytool webrepl password`, or `upytool config edit`",
    ),
    "usage.confirmation-required": (
        "confirmation required: {question}",
        "give --yes to go ahead without being asked",
    ),
    "usage.cp-arguments": (
        "cp needs at least one source and a target",
        "`upytool cp main.py :`",
    ),
    "usage.cp-stdin": ("`-` needs one source and one target, and the other one on the board",),
    "usage.diff-arguments": (
        "diff takes two paths, or one backup",
        "`upytool diff src :/app`",
    ),
    "usage.editor-command": (
        "{command!r} is not a command line",
        "fix $VISUAL or $EDITOR",
    ),
    "usage.editor-failed": ("the editor ended with status {status}; nothing was written to the board",),
    "usage.editor-not-started": (
        "cannot start the editor {editor!r}: {reason}",
        "set $VISUAL or $EDITOR",
    ),
    "usage.exit-key": (
        "{name!r} is not a key to leave with",
        "write ctrl-q, for instance",
    ),
    "usage.given-twice": ("{option} is given twice with different values",),
    "usage.image-add-arguments": (
        "image add needs files",
        "`upytool image add firmware.uf2 main.py`",
    ),
    "usage.image-rm-arguments": (
        "image rm needs the paths to remove",
        "`upytool image rm firmware.uf2 main.py`",
    ),
    "usage.local-with-colon": (
        "--local copies between paths without a colon",
        "drop --local",
    ),
    "usage.locked-packages": ("--locked installs what the lock says, and no other packages",),
    "usage.mv-arguments": ("mv needs at least one source and a target", "`upytool mv :a.py :b.py`"),
    "usage.needs-subcommand": (
        "{group} needs a command",
        "one of {names}",
    ),
    "usage.needs-value": (
        "{option} needs a value",
        "{option} {metavar}",
    ),
    "usage.no-editor": (
        "no editor was found",
        "set $VISUAL or $EDITOR",
    ),
    "usage.no-side-on-board": ("neither side is on the board",),
    "usage.not-set": (
        "{name} is not set",
        "`upytool config set {name} VALUE`",
    ),
    "usage.not-unicode": (
        "'{text}' is not valid Unicode text",
        "rename the file, or set the locale to UTF-8 (LC_ALL=C.UTF-8)",
    ),
    "usage.null-character": ("a path holds a null character",),
    "usage.only-one-of": ("only one of {options} can be used",),
    "usage.password-encoding": ("the password on stdin is not valid UTF-8",),
    "usage.password-required": ("a password is required: {name}",),
    "usage.password-stdin": (
        "--password-stdin reads from a pipe or a file",
        "without it, upytool asks",
    ),
    "usage.passwords-differ": ("the two passwords differ",),
    "usage.region-without-bootloader": ("--region needs --bootloader",),
    "usage.replace-backup": (
        "{path} exists, and this board does not run: its flash may be worth less than what was saved",
        "give --backup another name, or leave it out",
    ),
    "usage.romfs-build-arguments": (
        "romfs build needs the directory to make an image of",
        "`upytool romfs build lib`",
    ),
    "usage.romfs-deploy-arguments": (
        "romfs deploy needs a directory or an image",
        "`upytool romfs deploy lib`",
    ),
    "usage.romfs-no-mpy": ("--arch and --mpy-version cannot be used with --no-mpy",),
    "usage.rtc-to": (
        "--to gives the time for --set",
        "`upytool rtc --set --to TIME`",
    ),
    "usage.sleep-seconds": ("sleep takes 0 to 86400 seconds",),
    "usage.sync-arguments": (
        "sync takes two directories, one of them on the board",
        "`upytool sync src :/app`",
    ),
    "usage.takes-no-value": ("{option} takes no value",),
    "usage.time": (
        "{text!r} is not a time",
        "write it as 2026-01-31T12:00:00",
    ),
    "usage.unknown-command": ("unknown command {name}",),
    "usage.unknown-command-option": ("{command} has no option {option}",),
    "usage.unknown-option": ("unknown option {option}",),
    "usage.unknown-setting": ("unknown setting {name}",),
    "usage.unknown-subcommand": ("{group} has no command {name}",),
    "usage.unknown-topic": ("unknown command or topic {name}",),
    "usage.variable": (
        "{text!r} is not NAME=VALUE",
        "write --var NAME=VALUE",
    ),
    "usage.versions-of-board": (
        "--versions needs a board",
        "`upytool firmware list RPI_PICO --versions`",
    ),
    "usage.windows-path": (
        "{path} is a path of Windows, not of the board",
        "Git Bash rewrites words that begin with a slash: set MSYS_NO_PATHCONV=1, or leave the first `/` out",
    ),
}

NOTES: dict[str, str] = {
    "cli.board-hint": "{board}: {hint}",
    "cli.board-path": "a path on the board begins with a colon: `upytool cp {words}`",
    "cli.command-options": "`upytool help {command}` lists its options",
    "cli.commands": "`upytool --help` lists the commands",
    "cli.commands-and-topics": "`upytool --help` lists them",
    "cli.did-you-mean": "did you mean {name}?",
    "cli.did-you-mean-one": "did you mean {names} or {last}?",
    "cli.diff-text": "`--text` shows what changed in text files",
    "cli.differs-above": "what differs is listed above",
    "cli.fixes-above": "what fixes each is listed above",
    "cli.free-or-other-file": "free some space, or name another file",
    "cli.help": "`upytool help {command}`",
    "cli.local": "--local copies on this computer",
    "cli.name-a-file": "name a file; `upytool wipe` removes all files",
    "cli.nothing-runs": "nothing runs in a bootloader",
    "cli.one-board": "name one board with -d",
    "cli.options": "`upytool help options` lists those of every command",
    "cli.password-stdin": "give it on stdin with --password-stdin",
    "cli.password-variable": "set {variable}, or give it on stdin with --password-stdin",
    "cli.remove-tree": "`upytool rm -r :{path}` removes it with all that is in it",
    "cli.report": "the details are in {path}; please send them in",
    "cli.same-inputs": "the same inputs gave other bytes: please report this",
    "cli.settings": "`upytool config list` shows them",
    "cli.several-boards": "several boards in one line: `connect A ... disconnect connect B ...`",
    "cli.subcommands": "it has {names}",
    "cli.where": "-vv shows where it happened",
    "cli.your-text": "your text is in {path}",
}
