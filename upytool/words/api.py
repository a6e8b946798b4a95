"""What the library's operations say when something fails."""

from __future__ import annotations

ERRORS: dict[str, tuple[str, ...]] = {
    "build.no-repl": (
        "{name} is built, but when it was started no REPL answered",
        "its program may have switched USB off, reset the chip, or swallow Ctrl-C",
    ),
    "build.not-emulated": ("{name} is built, but {cause}",),
    "build.program-fails": ("{name} is built, but its program fails: {reason}",),
    "device.none.flashable": ("none of the boards can be flashed with this",),
    "flash.cannot-enter": ("{board} cannot be sent into its bootloader",),
    "flash.cannot-read-flash": (
        "{flasher} cannot read this board's flash",
        "choose another flasher with --tool",
    ),
    "flash.no-answer": ("no REPL answers, and no bootloader was found",),
    "flash.no-file-system-known": (
        "this board does not say where its file system is",
        "give it: --range ADDRESS SIZE",
    ),
    "flash.nothing-answers": ("nothing answers on {port}: no REPL, and no bootloader of an ESP chip",),
    "flash.simulated-no-bootloader": (
        "the simulated board {name} has no bootloader",
        "one that has: `upytool sim start pico`",
    ),
    "flash.size-not-known": (
        "this board does not say how large its flash is",
        "say which part: --range ADDRESS SIZE",
    ),
    "image.file-readback": (
        "the new file does not read back as it should",
        "please report this",
    ),
    "image.layout-unknown": (
        "the flash layout of {board} with MicroPython {version} is not known",
        "give --size, and --kind and --block-size where they differ from 4096-byte LittleFS",
    ),
    "image.no-file": (
        "file not found: {path}",
        "for a release give the board's name: `upytool flash --board NAME`",
    ),
    "image.not-romfs": ("the image holds {kind}, not ROMFS", "build one: `upytool romfs build`"),
    "image.not-romfs-unknown": ("the image holds no known file system, not ROMFS", "build one: `upytool romfs build`"),
    "image.partition-empty": (
        "ROMFS partition {partition} holds no image",
        "`upytool romfs deploy` puts one there",
    ),
    "image.romfs-readback": (
        "the image does not read back as what was put in",
        "please report this",
    ),
    "image.unreadable-file-system": (
        "{title} of {name} holds no readable file system: {problem}",
        "the firmware makes one at its first start",
    ),
    "image.wrong-sha256": (
        "checksum mismatch: the SHA-256 of {name} is {sha256}, not {wanted}",
        "download or copy it again",
    ),
    "local-file.cannot-read": (
        "cannot read {name}: {reason}",
        "check the path",
    ),
    "local-file.compiled-stream": ("{name} is compiled, and the REPL takes source only", "copy it and import it"),
    "local-file.compiled": (
        "{name} is compiled, and the REPL takes source only",
        "copy it and import it: `upytool cp {name} : + exec 'import {module}'`",
    ),
    "local-file.directory-not-writable": (
        "permission denied: cannot write to {path}",
        "choose another directory",
    ),
    "local-file.drive-read": ("cannot read {name} from {path}: {cause}",),
    "local-file.drive-too-large": ("{name} on {path} is larger than {limit} bytes",),
    "local-file.drive-write": ("cannot write {name} to {path}: {cause}",),
    "local-file.too-large": ("{name} is larger than the limit of {limit:,} bytes",),
    "usage.arch-flag": (
        "unknown processor extension {name}",
        "one of {known}",
    ),
    "usage.arch-flags": (
        "--arch-flags are for rv32imc alone",
        "leave them out, or add --arch rv32imc",
    ),
    "usage.at-container": (
        "{name} is {kind}, which says itself where its bytes belong",
        "leave --at out",
    ),
    "usage.at-file": (
        "--at takes a FILE, and one board",
        "`upytool flash --at 0x0 saved.bin`",
    ),
    "usage.board-without-version": (
        "--board needs --version",
        "the layout of a board changes with it",
    ),
    "usage.conflicting-options": ("{option} cannot be used with {other}",),
    "usage.emitter-architecture": (
        "--emitter {emitter} makes machine code, which needs an architecture",
        "name it: --arch armv6m, or --board NAME",
    ),
    "usage.file-and-board": (
        "FILE cannot be used with --board",
        "give one of them",
    ),
    "usage.firmware-for-several": (
        "several boards may need different firmware",
        "name it: FILE or --board NAME",
    ),
    "usage.flash-size": (
        "{size!r} is not the size of a flash",
        "write --flash-size 4MB",
    ),
    "usage.manifest-no-tree": (
        "--port and --board need a MicroPython tree",
        "give one with --tree",
    ),
    "usage.micropython-version": (
        "{version!r} is not a version of MicroPython",
        "write 1.26 or 1.26.1",
    ),
    "usage.mkfs-size": ("mkfs needs --size, or --board with --version",),
    "usage.name-of-several": (
        "--name is for one module",
        "leave it out: each gets its own path",
    ),
    "usage.no-board-with": ("no board has the {attribute} {wanted}",),
    "usage.no-emulator": (
        "{name} is built, but no emulator runs firmware for {chip}",
        "leave --check out: it starts RP2040 firmware alone",
    ),
    "usage.no-lock-to-compare": (
        "there is no {name} to compare with",
        "`upytool build` makes it",
    ),
    "usage.no-manifest": (
        "manifest not found: {path}",
        "fix the path, or leave it out",
    ),
    "usage.no-modules": (
        "there is no module to compile",
        "main.py and boot.py stay sources",
    ),
    "usage.no-mpy-for-version": (
        "MicroPython {version} loads no .mpy files that can be made here",
        "1.9 is the first",
    ),
    "usage.no-project": (
        "sync needs two directories: there is no upytool.toml here or above",
        "`upytool sync src :/app`",
    ),
    "usage.no-source": (
        "file not found: {path}",
        "name .py files, or a directory of them",
    ),
    "usage.no-sync-table": ("sync needs two directories: {file} has no [sync] table", "`upytool sync src :/app`"),
    "usage.not-in-manifest": ("{name} is not in the manifest",),
    "usage.not-py": (
        "{path} is not a .py file",
        "only Python modules are compiled",
    ),
    "usage.nothing-compiled": (
        "nothing can be compiled: {reason}",
        "mount without --mpy",
    ),
    "usage.nothing-to-install": (
        "there is nothing to install",
        "name packages, or list them in [packages] of upytool.toml: `upytool help mip install`",
    ),
    "usage.option-of-release": (
        "{option} is for releases, not for a file",
        "leave {option} out",
    ),
    "usage.output-of-board": (
        "-o makes a file, but a board is changed in place",
        "leave -o out",
    ),
    "usage.output-one-file": (
        "-o {output} is one file, for one module",
        "name a directory for several: -o build",
    ),
    "usage.path-missing": (
        "no such file or directory: {path}",
        "name files and directories that exist",
    ),
    "usage.read-only": ("{name} is open for reading only",),
    "usage.several-boards-fit": (
        "{machine!r} may be one of several: {names}",
        "say which: --board NAME",
    ),
    "usage.several-simulated": (
        "several simulated boards are running",
        "name one of {names}",
    ),
    "usage.sha256": ("--sha256 takes the 64 hexadecimal digits of a SHA-256",),
    "usage.unidentified": (
        "{board}: could not identify the board",
        "name it: --board NAME; `upytool firmware search WORD` finds names",
    ),
    "usage.unidentified-maybe": (
        "{board}: could not identify the board: it may be {maybe}",
        "name it: --board NAME; `upytool firmware search WORD` finds names",
    ),
    "usage.unknown-address": (
        "nothing is known of {url}",
        "`upytool firmware cache --json` lists addresses",
    ),
    "usage.version-of-file": (
        "--version cannot be used with --firmware FILE",
        "the file has its version",
    ),
    "usage.version-twice": (
        "--firmware {version} and --version say the same",
        "leave one of them out",
    ),
    "usage.webrepl-over-the-air": (
        "setting up WebREPL restarts the board, which would end this connection",
        "connect the board by USB or a serial port; `upytool webrepl password` works over the air",
    ),
}

NOTES: dict[str, str] = {
    "api.rescue-without-prompt": "without a prompt: `upytool rescue --bootloader`",
    "api.did-you-mean": "did you mean {names}?",
    "api.left-out": "{board}: {cause}",
    "api.manifest-all": "without a name, everything that is in is listed",
    "api.there-are": "there are {names}",
    "api.waits-in-bootloader": "the board is in its bootloader; start it again: `upytool -d {board} reset`",
}
