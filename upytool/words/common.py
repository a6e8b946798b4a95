"""What the errors of upytool.errors say themselves."""

from __future__ import annotations

ERRORS: dict[str, tuple[str, ...]] = {
    "missing-extra": (
        "{feature} needs an optional part of upytool that is not installed",
        'pip install "upytool[{extra}]"',
    ),
    "protocol.bootloader": (
        "{name} is in its bootloader, waiting for firmware",
        "to flash it, run `upytool flash`; to start the firmware it has, reset it without holding BOOT",
    ),
    "remote.exception": ("{line}",),
    "remote.exception.silent": ("the program on the board failed",),
    "remote.exit": ("the program on the board exited with status {status}",),
    "remote.reset": (
        "the board was reset while the program ran",
        "to see what it prints when it starts, run `upytool monitor`",
    ),
    "files.not-permitted": ("operation not permitted on the board",),
    "files.not-found": ("no such file or directory on the board",),
    "files.input-output": ("input/output error on the board",),
    "files.bad-number": ("bad file number on the board",),
    "files.no-memory": ("the board is out of memory",),
    "files.permission-denied": ("permission denied on the board",),
    "files.busy": ("busy on the board",),
    "files.exists": ("exists already on the board",),
    "files.other-file-system": ("not on the same file system of the board",),
    "files.not-mounted": ("no file system is mounted there on the board",),
    "files.not-a-directory": ("not a directory on the board",),
    "files.is-a-directory": ("is a directory on the board",),
    "files.invalid-argument": ("invalid argument for the board's file system",),
    "files.too-many-open": ("too many open files on the board",),
    "files.too-large": ("file too large for the board's file system",),
    "files.no-space": ("no space left on the board",),
    "files.cannot-seek": ("the board cannot seek there",),
    "files.read-only": ("the board's file system is read-only",),
    "files.name-too-long": ("file name too long for the board's file system",),
    "files.not-empty": ("directory not empty on the board",),
    "files.not-supported": ("not supported by the board's file system",),
    "files.timed-out": ("timed out on the board",),
    "files.error": ("error {errno}",),
    "build.compile": ("{where}: {reason}", "fix it, or leave the file out"),
    "build.compile.native": (
        "{where}: {reason}",
        "it holds native, viper or assembler code: name the board's architecture (--arch), or keep the .py",
    ),
    "interrupted": ("interrupted",),
    "local-file.cannot-write": ("cannot write {path}: {reason}",),
    "interrupted.declined": ("cancelled",),
}

NOTES: dict[str, str] = {
    "protocol.disturbed.hint": "a timer or thread on the board may print: `upytool soft-reset` stops it",
}
