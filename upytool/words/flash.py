"""What the flashers room says about a run: its plan, its steps, and the states that they leave a board in."""

from __future__ import annotations

ERRORS: dict[str, tuple[str, ...]] = {
    "config.flasher": ("the flasher {name} of a plug-in cannot be loaded: {kind}: {cause}", "it comes from {origin}"),
    "device.ambiguous.bootloaders": (
        "{count} boards entered their bootloaders, and nothing tells which is the one",
        "flash them one at a time, or name one by its place: -d usb:1-2",
    ),
    "device.ambiguous.simulators": ("{count} simulated boards are running",),
    "device.none.no-drive": ("{path} is not a UF2 drive: it has no INFO_UF2.TXT",),
    "differences.flash": (
        "the board's flash does not match {name}: {bytes} bytes differ {where}",
        "`upytool flash` without --verify-only writes it",
    ),
    "error.unexpected": ("unexpected {kind}: {cause}",),
    "flash.bootloader-needs-cable": (
        "cannot flash {address} over the air: the bootloader needs a cable",
        (
            "nothing was changed; an ESP32 with OTA slots needs neither a cable nor --tool, any other board a USB "
            "port (see `upytool devs`)"
        ),
    ),
    "flash.broke-off": ("{cause}",),
    "flash.broke-off-while": ("{cause}, while {doing}",),
    "flash.cannot-erase-all": (
        "{flasher} cannot erase the whole flash of this board",
        "take another way in: --tool picoboot, dfu or esptool; `upytool wipe` removes the files alone",
    ),
    "flash.cannot-erase-part": (
        "{flasher} cannot erase a part of this board's flash",
        "take another way in: --tool picoboot, dfu or esptool; `upytool wipe` removes the files alone",
    ),
    "flash.cannot-keep-files": (
        "the files cannot be kept: {effect}",
        "save them first (--backup FILE), and leave --keep-fs out",
    ),
    "flash.cannot-over-the-air": ("cannot flash {name} over the air: {reason}",),
    "flash.cannot-read": ("{flasher} cannot read this board's flash", "look into the firmware's file instead"),
    "flash.cannot-write-there": ("this firmware cannot be put on {name} ({reasons})",),
    "flash.compare-no-reading": (
        "{flasher} cannot read this board's flash, so there is nothing to compare with",
        "take another way in: --tool picoboot, dfu or esptool",
    ),
    "flash.erase-nothing": ("nothing to erase: the range is empty",),
    "flash.erase-part-of-sectors": (
        "cannot erase {start:#x} to {stop:#x}: flash is erased in whole sectors",
        "the sectors that it touches are {first:#x} to {end:#x}",
    ),
    "flash.file-system-nowhere": (
        "neither the board nor the firmware says where the file system is",
        "--erase erases the whole flash; `upytool wipe` removes the files by way of the REPL",
    ),
    "flash.firmware-too-large": (
        "the firmware does not fit: it ends at {end:#x}, the flash of {size} KiB at {limit:#x}",
        "take the build for this board's flash size",
    ),
    "flash.new-firmware-silent": (
        "the new firmware does not answer: {cause}",
        "press its reset button once, then ask it: `upytool info`",
    ),
    "flash.no-backup-without-reading": (
        "{flasher} cannot read this board's flash, so there is no backup",
        "leave --backup out, or save the files while the firmware runs: `upytool backup`",
    ),
    "flash.no-bootloader-came": ("no bootloader of {name} came within {seconds:g} s",),
    "flash.no-serial-port-came": (
        "no serial port of {name} came within {seconds:g} s",
        "press its reset button once, or plug it in again; `upytool devs` shows what is there",
    ),
    "flash.no-way-in": ("there is no way into the flash of {name} ({reasons})",),
    "flash.not-in-bootloader": ("{name} did not enter its bootloader",),
    "flash.not-opened": ("no flasher opened the bootloader",),
    "flash.ota-no-slots": ("unexpected response from the board: it has no slots any more", "reset it, then retry"),
    "flash.ota-not-kept": ("the board refuses to keep {running}: {reason}", "reset it, then retry"),
    "flash.ota-not-startable": (
        "the board refuses to start {slot}: {reason}",
        "the firmware may need another revision of the chip, or the bootloader a signature",
    ),
    "flash.ota-silent": ("the board does not answer after its restart: {cause}",),
    "flash.ota-went-back": (
        "the new firmware in {slot} did not start, and the board went back",
        "it may be for another board or variant; by cable `upytool monitor` shows why it does not start",
    ),
    "flash.ota-went-back-meanwhile": ("the board was reset meanwhile, and went back to {slot}",),
    "flash.other-chip": ("the firmware is for {chip}, {name} has {board_chip}",),
    "flash.other-port": ("the firmware is for MicroPython's port {port}, {name} is of the port {board_port}",),
    "flash.outside-flash": ("{start:#x} to {stop:#x} is not all flash of this board",),
    "flash.plan-without-firmware": ("the plan has no firmware", "make it with upytool.flash.plan"),
    "flash.plan-without-slot": ("the plan has no firmware or no slot", "make it with upytool.flash.plan"),
    "flash.rescue-no-reading": (
        "the bootloader of {name} does not let flash be read",
        "without that, its files can only be erased: `upytool erase`",
    ),
    "flash.rescue-verify-failed": (
        "verification failed: the file system on the board does not match what was written",
        "try again; if it stays so, `upytool erase` and flash the board anew",
    ),
    "flash.sector-forbids": ("the bootloader does not let the sector at {address:#x} be {access}",),
    "flash.short-read": ("{flasher} read {count} of {size} bytes", "try again"),
    "flash.size-unknown": (
        "the size of this board's flash is unknown",
        "`upytool read-flash part.bin --range 0 0x100000` reads a part",
    ),
    "flash.vendor-tool": ("{reason}",),
    "flash.verify-failed": (
        "verification failed: flash does not match {image} {where}",
        "check the cable or hub; the flash may be worn out",
    ),
    "image.no-esp-application": ("the file holds no application for an ESP32", "use the board's .bin or .app-bin file"),
    "image.no-file-system-on-chip": (
        "no file system was found in the board's flash",
        "where it is known to be somewhere: --region START,SIZE",
    ),
    "image.ota-flash-size": (
        "the firmware is built for {stated:MB} of flash, this board has {size:MB}",
        "use the variant for a smaller flash",
    ),
    "image.ota-not-micropython": (
        "the file is not MicroPython: over the air, new firmware has to answer at its REPL to be confirmed",
        "use a cable",
    ),
    "image.ota-slot-too-small": (
        "the application does not fit: {size} bytes, and {slot} has {room}",
        "use the build for OTA (a variant that ends in OTA), or leave modules out",
    ),
    "image.outside-flash": ("the image writes to {address:#x}, which is not a flash of this board",),
    "interrupted.declined.files-lost": ("aborted: {effect}, and that was not confirmed",),
    "interrupted.declined.no-rollback": (
        "aborted: this board has no rollback: if the new firmware does not start, going back takes a cable",
    ),
    "interrupted.not-begun": ("not begun: another board was interrupted", "nothing was changed on it"),
    "interrupted.while": ("interrupted while {doing}",),
    "interrupted.while-identifying": ("interrupted while asking {name} what it is", "nothing was changed on the board"),
    "protocol.timeout.no-repl-after-flash": ("no REPL within {seconds:g} s ({cause})", "press its reset button"),
    "protocol.timeout.no-restart": ("it did not restart",),
    "transport.lost.while-identifying": (
        "{name} went away while it was asked what it is",
        "nothing was changed on it; check the cable, then run the same command again",
    ),
    "usage.flasher": ("unknown flasher {name!r}", "one of {known}"),
    "usage.ota-flag": (
        "{flag} cannot be used over the air",
        "only the application is written; use a cable for the rest",
    ),
    "usage.ota-no-verify": ("--no-verify cannot be used over the air", "only verified firmware is started"),
    "usage.ota-no-wait": (
        "--no-wait cannot be used over the air",
        "new firmware has to answer, or the board goes back to the old one",
    ),
    "usage.ota-whole-backup": ("the whole flash cannot be saved over the air", "--backup FILE.tar saves the files"),
    "usage.usb-selector": (
        "{text!r} is not a USB selector",
        "usb:2e8a:0003, usb:2e8a:0005/SERIAL or usb:1-2.3 (a place)",
    ),
}

NOTES: dict[str, str] = {
    "flash.choice": "{selector:<{width}}  {name}",
    "flash.hint.again": "run the same command again: what is there already is not written twice",
    "flash.hint.any-tool": "leave --tool out, and upytool chooses",
    "flash.hint.boards-of-port": "boards of this kind: `upytool firmware list --port {port}`",
    "flash.hint.boards-with-chip": "boards with this chip: `upytool firmware search {chip}`",
    "flash.hint.by-hand": "by hand: {steps}",
    "flash.hint.by-hand-any": "by hand, whichever kind the board is of:\n  {steps}",
    "flash.hint.choice": "  -d {selector:<{width}}  {name}",
    "flash.hint.firmware-for-board": "firmware for this board: `upytool firmware list {board}`",
    "flash.hint.inspect": (
        "`upytool firmware inspect FILE` says what a file is for; `upytool devs` says what is plugged in"
    ),
    "flash.hint.name-one": "name one (`flash` takes them all with --all):",
    "flash.hint.not-seen": "if it is there and upytool does not see it: `upytool doctor`",
    "flash.hint.or-roll-back": "or bring back what was on it: `upytool {words}`",
    "flash.hint.ota-by-usb": "nothing was changed; connect the board by USB and name its port (see `upytool devs`)",
    "flash.hint.ota-confirm": "once it answers, confirm the new firmware by running it again: `upytool {words}`",
    "flash.hint.ota-without-tool": "nothing was changed; run it again without --tool",
    "flash.hint.plug-in": (
        "plug it in with a USB cable that carries data; one without firmware has to be put into its bootloader:"
    ),
    "flash.hint.roll-back": "bring back what was on it: `upytool {words}`",
    "flash.hint.run-again": "run it again: `upytool {words}`",
    "flash.hint.selectors": "see `upytool devs` and `upytool help selectors`",
    "flash.hint.sim-list": "`upytool sim list` shows those that run",
    "flash.hint.start-again": "start it again: `upytool -d {name} reset`",
    "flash.hint.then-again": "then run the same command again",
    "flash.hint.way": "  {steps}",
    "flash.ota-refusal.encrypted": "its flash is encrypted",
    "flash.ota-refusal.no-slots": "its partition table has no OTA slots",
    "flash.ota-refusal.not-esp32": "only ESP32 boards have OTA slots",
    "flash.ota-refusal.one-slot": "its partition table has one OTA slot, and an update needs another",
    "flash.ota-refusal.signed": "its firmware is signed (Secure Boot)",
    "flash.state.done": "the firmware is on the board and verified",
    "flash.state.erasing": "the flash is partly erased: what was on the board does not start any more",
    "flash.state.files-damaged": "its files may be damaged",
    "flash.state.firmware-is-there": "the firmware is on the board",
    "flash.state.in-loader": "the board is in its bootloader; firmware and files are unchanged",
    "flash.state.ota-chosen": "the board runs {old}; its next reset starts {slot}, which is verified",
    "flash.state.ota-confirmed": "the board runs {slot}, the new firmware, which is confirmed",
    "flash.state.ota-either": "the board starts {old} or {slot}: both are complete",
    "flash.state.ota-partly-written": "{slot} is partly written and not started; the board starts {old} as before",
    "flash.state.ota-perhaps-confirmed": "nothing was written; {slot} may be confirmed or not",
    "flash.state.ota-runs": "nothing was written; the board runs {slot}",
    "flash.state.ota-started": (
        "the board was told to start {slot}, which is not confirmed: its next reset starts {old}"
    ),
    "flash.state.ota-started-no-rollback": (
        "the board was told to start {slot}, which is not confirmed: without a rollback only a cable brings back {old}"
    ),
    "flash.state.ota-starts": "nothing was written; the board starts {old}",
    "flash.state.ota-went-back": "the board runs {old} as before; {slot} is not started again",
    "flash.state.ota-written": (
        "{slot} holds the new firmware, verified and not started; the board starts {old} as before"
    ),
    "flash.state.runs-again": "nothing was changed on the board, and its firmware runs again",
    "flash.state.unchanged": "nothing was changed on the board",
    "flash.state.writing": "the firmware is only partly written: the board does not start it until all of it is there",
    "flash.state.written": "the firmware is written, but it is not proven that it is right",
}
