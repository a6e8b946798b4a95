"""What the flashers room says when flashing by DFU fails, by itself or through dfu-util."""

from __future__ import annotations

ERRORS: dict[str, tuple[str, ...]] = {
    "flash.dfu-encrypted-only": (
        "this board's mboot takes encrypted firmware alone ({cause})",
        "its maker's packed .dfu file goes in with `dfu-util -a 0 -D FILE`",
    ),
    "flash.dfu-layout": (
        "the bootloader describes its memory in a way that cannot be read: {text!r}",
        (
            'give the layout: --layout "@Internal Flash/0x08000000/04*16Kg,01*64Kg,07*128Kg" is that of an STM32F4 '
            "with 1 MB"
        ),
    ),
    "flash.dfu-layout-unknown": (
        "a GD32VF103 reports a wrong memory layout, and its part number does not tell the size of its flash",
        'give the layout: --layout "@Internal Flash/0x08000000/128*1Kg" is that of one with 128 KB',
    ),
    "flash.dfu-no-addresses": (
        "the file does not say where in flash it belongs",
        "take the .dfu or .hex file of this firmware",
    ),
    "flash.dfu-no-memory": ("the bootloader has no memory at 0x{address:08x}", "it offers {areas}"),
    "flash.dfu-no-proof": ("the firmware was written but could not be read back: {cause}",),
    "flash.dfu-no-reading": ("this bootloader does not let its memory be read", "flash without a backup"),
    "flash.dfu-not-accepted": ("{reason}", "take the firmware file for this very board: `upytool firmware list`"),
    "flash.dfu-not-blank": (
        "0x{address:08x} and {size} bytes are not all blank after erasing: a sector is write-protected",
        "take the write protection off in the option bytes (STM32CubeProgrammer)",
    ),
    "flash.dfu-not-readable": ("the bootloader does not let 0x{address:08x} be read", "it offers {areas}"),
    "flash.dfu-not-ready": (
        "the bootloader does not get ready",
        "unplug the board, plug it in again in its bootloader, then retry",
    ),
    "flash.dfu-not-started": ("the firmware could not be started: {cause}", "press the board's reset button"),
    "flash.dfu-not-writable": ("the bootloader does not allow writing at 0x{address:08x}", "it offers {areas}"),
    "flash.dfu-onto-mboot": (
        "the firmware begins where this board's bootloader mboot is: it is a build for boards without mboot",
        (
            "take the build for this board with mboot (it begins later), or put it on with ST's own bootloader "
            "(BOOT0 at reset), which replaces mboot"
        ),
    ),
    "flash.dfu-other-chip": ("the firmware is for {chip}, the board is an STM32", "take a .dfu file for this board"),
    "flash.dfu-other-device": (
        "the file is for the USB id {wanted}, the device is {found}",
        "take the firmware for this very board: `upytool firmware list`",
    ),
    "flash.dfu-read-protected": (
        "the chip is read-protected, so its bootloader refuses",
        (
            "lifting the protection wipes the whole chip, files included, so upytool never does it: "
            "STM32CubeProgrammer does, and so does `dfu-util -a 0 -s :unprotect:force`"
        ),
    ),
    "flash.dfu-refused": ("{cause}",),
    "flash.dfu-runs-firmware": (
        "the device runs its firmware, not its bootloader",
        "start its bootloader: `upytool bootloader`, or by its button",
    ),
    "flash.dfu-sector-bad": (
        "the sector at 0x{address:08x} does not hold what was written to it, after {attempts} attempts",
        "another cable or USB port may help; else this sector of the flash is worn out or write-protected",
    ),
    "flash.dfu-system-memory": (
        "0x{address:08x} is in the chip's system memory: firmware never goes there",
        "it offers {areas}",
    ),
    "flash.dfu-too-many-blocks": (
        "the file has more blocks than DFU can count",
        "check that it is firmware: `upytool firmware inspect FILE`",
    ),
    "flash.dfu-util-broke-off": ("dfu-util: {cause}",),
    "flash.dfu-util-failed": ("dfu-util gave up: {reason}",),
    "flash.dfu-util-layout": ("dfu-util takes no memory layout", "use --layout without --tool dfu-util"),
    "flash.dfu-util-not-installed": (
        "the program dfu-util is not installed",
        (
            "install it (Debian: sudo apt install dfu-util; macOS: brew install dfu-util), or leave --tool out: "
            "upytool needs no other program for DFU"
        ),
    ),
    "flash.dfu-util-short-read": ("dfu-util read {count} of {size} bytes",),
    "flash.dfu-util-timed-out": ("dfu-util did not end in time",),
    "flash.dfu-util-verify-failed": (
        (
            "verification failed: flash from 0x{address:08x} does not hold what was written to it: it is "
            "write-protected or worn out"
        ),
    ),
    "flash.dfu-verify-failed": ("verification failed: the device holds other bytes than were sent to it",),
    "flash.dfu-waits-for-reset": (
        "the bootloader waits for a reset",
        "unplug the board, plug it in again and start over",
    ),
    "flash.dfu-whole-files-only": (
        "this bootloader takes firmware files as a whole and cannot reach single addresses",
        "use the chip's own bootloader for that",
    ),
    "flash.dfu-write-protected": (
        "the sector at 0x{address:08x} keeps its old content: it is write-protected",
        "take the write protection off in the option bytes (STM32CubeProgrammer)",
    ),
    "flash.no-dfu-loader": ("{name} is not in a DFU bootloader", "`upytool bootloader` brings it there"),
    "flash.no-loader": ("{name} is not in its bootloader", "`upytool bootloader` brings it there"),
    "protocol.dfu-sent": ("the bootloader sent {count} of {size} bytes",),
    "protocol.dfu-state": ("the bootloader is in state {status} in the middle of a write",),
    "protocol.dfu-status-length": ("the bootloader's status has {count} bytes, not {size}",),
    "protocol.dfu-took": ("the bootloader took {count} of {size} bytes",),
    "protocol.dfu.busy": ("the bootloader stays busy for more than {seconds:.0f} s",),
    "protocol.dfu.refused": ("{reason}",),
    "protocol.dfu.refused-in-words": ('the bootloader says "{text}"',),
    "transport.missing.dfu-util": (
        "dfu-util does not see {name}",
        "is it in its bootloader? `dfu-util -l` lists what it sees",
    ),
    "transport.missing.dfu-util-gone": ("dfu-util does not see the device any more", "see `dfu-util -l`"),
    "transport.permission.dfu-util": ("dfu-util may not open the device",),
}

NOTES: dict[str, str] = {
    "flash.declines.dfu-application-alone": (
        "this device takes the application alone (.app-bin), not the whole flash (.bin)"
    ),
    "flash.declines.dfu-chip": "this device is an {board_chip}, the firmware is for {chip}",
    "flash.declines.dfu-format": "this device takes a bare file without addresses, not {format}",
    "flash.hint.again.dfu": (
        "bring the board into its bootloader (BOOT0 at reset, or mboot's button) and run the same command again: "
        "it goes on with what is missing"
    ),
    "flash.hint.again.in-bootloader": "bring the board into its bootloader again and run the same command again",
    "flash.hint.this-very-board": "take firmware for this very board",
    "flash.state.dfu-damaged": "the new firmware is damaged",
    "flash.state.dfu-erasing": "erasing is incomplete; the bootloader is untouched",
    "flash.state.dfu-incomplete": (
        "the firmware on the board is incomplete ({done} of {total} sectors written) and will not start; the "
        "bootloader is untouched"
    ),
    "flash.state.dfu-may-be-erased": "the firmware may be erased; the bootloader is untouched",
    "flash.state.dfu-not-placed": (
        "the new firmware is not complete and was not put into its place; the bootloader is untouched"
    ),
    "flash.state.dfu-step-incomplete": (
        "{step} is incomplete ({done} of {total} sectors done); the bootloader is untouched"
    ),
    "flash.state.dfu-will-not-start": (
        "the firmware on the board is incomplete and will not start; the bootloader is untouched"
    ),
}
