"""What the flashers room says about USB, PICOBOOT, picotool and drives (UF2, DAPLink)."""

from __future__ import annotations

ERRORS: dict[str, tuple[str, ...]] = {
    "flash.daplink-cannot": (
        "flash cannot {step} through the drive of a debug probe",
        "pyocd does it over the same cable",
    ),
    "flash.daplink-gone": (
        "the debug probe's drive did not come back within {seconds:g} s",
        "unplug the board, plug it in, and look for FAIL.TXT on the drive",
    ),
    "flash.daplink-no-drive": ("the drive of {name} is not there", "plug in the board's debug USB port"),
    "flash.daplink-reports": (
        "the debug probe reports: {reason}",
        (
            "check that the file is for this board and that the target is powered; unplug the board, plug it in, try "
            "again"
        ),
    ),
    "flash.daplink-went-away": (
        "{path} went away in the middle of the file",
        (
            "check that the file is for this board and that the target is powered; unplug the board, plug it in, try "
            "again"
        ),
    ),
    "flash.drive-refuses": ("{path} does not take the file: {cause}",),
    "flash.no-picoboot": ("{name} has no PICOBOOT interface", "it takes UF2 files on its drive: --tool uf2"),
    "flash.not-an-rp2350": ("{name} does not answer as an RP2350 in BOOTSEL mode does", "check that it is one"),
    "flash.not-in-bootsel": ("the board is not in BOOTSEL mode", "hold BOOTSEL while you plug it in"),
    "flash.picoboot-not-erased": (
        "the flash at {address:#x} is not empty after it was erased",
        "erase it again; if that does not help, the flash chip is worn out or protected",
    ),
    "flash.picoboot-verify-failed": (
        "verification failed: the flash at {address:#x} does not hold what was written, twice",
        "the flash chip is worn out, protected or smaller than the image; try a good cable first",
    ),
    "flash.picotool-ended": ("picotool ended with status {status}",),
    "flash.picotool-failed": ("picotool: {reason}",),
    "flash.picotool-not-erased": ("the flash is not empty after picotool erased it",),
    "flash.picotool-not-installed": (
        "the program picotool is not installed",
        "install it (github.com/raspberrypi/picotool), or go without: --tool picoboot",
    ),
    "flash.picotool-not-started": (
        "picotool does not start: {reason}",
        "install it (github.com/raspberrypi/picotool), or go without: --tool picoboot",
    ),
    "flash.picotool-other-program": (
        "{path} is another program called picotool",
        "install it (github.com/raspberrypi/picotool), or go without: --tool picoboot",
    ),
    "flash.picotool-saved-nothing": ("picotool saved nothing: {reason}",),
    "flash.picotool-short-read": ("picotool read {count} of {size} bytes",),
    "flash.picotool-timed-out": (
        "picotool {command} did not end within {seconds:.0f} seconds",
        "plug the board in again with BOOTSEL held, then retry; or --tool picoboot",
    ),
    "flash.rp2-no-partition": (
        "no partition of this chip takes {family}",
        "take another firmware, or erase the flash with its partition table: `upytool flash --erase all`",
    ),
    "flash.rp2-other-chip": (
        "the firmware is for the {chip}, this board has an {board_chip}",
        "take the board's firmware for the {board_chip}",
    ),
    "flash.rp2-other-port": (
        "the firmware is for {chip}, this board has an {board_chip}",
        "take one for the {board_chip}",
    ),
    "flash.rp2-partition-too-small": (
        "the image is {over} bytes too large for its partition of {room} KiB",
        "make the partition larger, or erase the flash with its partition table: `upytool flash --erase all`",
    ),
    "flash.rp2-radio-firmware": ("the file holds the firmware of the radio, not of the board",),
    "flash.rp2-ram-image": ("the image is made for RAM, not for flash", "take the board's normal firmware"),
    "flash.rp2-too-large": (
        "the image needs {needed} KiB of flash, this board has {room} KiB",
        "take the firmware of this very board",
    ),
    "flash.rp2-two-architectures": (
        "the UF2 file holds firmware for both kinds of processor of the RP2350",
        "take one for one kind",
    ),
    "flash.takes-no-data": ("the flash takes no data", "it is worn out, protected, or not connected"),
    "flash.two-readings": ("two readings of the same flash differ", "use another cable or USB port"),
    "flash.uf2-bare-bytes": (
        "bare bytes cannot go to {path}: a UF2 drive takes whole firmware files",
        "flash a .uf2 file of the board",
    ),
    "flash.uf2-cannot-erase": (
        "a UF2 drive cannot erase: it only takes firmware",
        "on a Raspberry Pi chip: --tool picoboot",
    ),
    "flash.uf2-cannot-start": (
        "a UF2 drive ({path}) cannot be told to start the firmware",
        "press the board's reset button once",
    ),
    "flash.uf2-current-unreadable": ("CURRENT.UF2 on {path} cannot be read: {cause}",),
    "flash.uf2-no-current": (
        "the bootloader on {path} cannot be read: its drive has no CURRENT.UF2",
        "on a Raspberry Pi chip PICOBOOT reads: --tool picoboot",
    ),
    "flash.uf2-no-drive": (
        "the UF2 drive of {name} is not there",
        (
            "bring the board into its bootloader: `upytool bootloader`; a drive that is not mounted shows in "
            "`upytool doctor`"
        ),
    ),
    "flash.uf2-not-held": ("CURRENT.UF2 does not hold {start:#x}-{stop:#x}", "it ends before"),
    "flash.uf2-not-taken": (
        "the bootloader did not take the file: {path} is still there {seconds:g} s after the last block",
        "check that the file is for this board and chip: `upytool firmware inspect FILE`",
    ),
    "flash.uf2-part-of-sectors": (
        "a UF2 drive writes whole sectors of 4096 bytes, and these bytes do not fill theirs",
        "--tool picoboot keeps the rest of a sector",
    ),
    "flash.uf2-went-away": (
        "{path} went away after {count} of {size} bytes",
        "bring the board into its bootloader again (`upytool bootloader`) and run the same command",
    ),
    "image.daplink-format": (
        "a debug probe's drive takes HEX and raw files, this is a {format}",
        "take the .hex or .bin file of the board",
    ),
    "image.daplink-other-port": ("the file is for the port {port}, the board is of {board_port}",),
    "image.rp2-nothing-for-flash": ("the image holds nothing for the flash",),
    "image.rp2-outside-flash": ("the image writes to {start:#x}..{end:#x}, which is not a flash of this board",),
    "image.uf2-behind-softdevice": (
        "the firmware begins at {start:#x}, the bootloader starts what is at {base:#x} (SoftDevice {soft})",
        "take the .uf2 file that is made for this very board",
    ),
    "image.uf2-in-softdevice": (
        (
            "the firmware begins at {start:#x}, inside of the board's SoftDevice {soft} (up to {base:#x}): it would "
            "destroy it"
        ),
        "take the .uf2 file that is made for this very board",
    ),
    "image.uf2-no-family": (
        "the UF2 file names no family: the boot ROM would ignore all of it",
        "take the .uf2 file of the board",
    ),
    "image.uf2-no-place": (
        "this {format} cannot go to a UF2 drive: it does not say where it belongs there",
        "take the .uf2 file of the board",
    ),
    "image.uf2-nrf-by-address": (
        (
            "this {format} is not made into a UF2 file for an nRF board: it could overwrite the SoftDevice or lie "
            "where the bootloader does not look"
        ),
        "take the .uf2 file that is made for this very board",
    ),
    "image.uf2-other-chip": (
        "the file is for {family}, the board in its bootloader is a {board}: it would ignore all of it",
        "take the firmware for the {chip}",
    ),
    "local-file.drive-cannot-create": ("{name} cannot be made: {reason}",),
    "local-file.drive-cannot-read": ("{path} cannot be read: {reason}",),
    "local-file.drive-file-too-large": ("{path} is larger than {limit} bytes",),
    "local-file.drive-stuck": ("{path} does not answer", "unplug the board, plug it in again, then retry"),
    "protocol.picoboot-no-acknowledgement": ("data came where an empty packet was due",),
    "protocol.picoboot-received": ("only {count} of {size} bytes came",),
    "protocol.picoboot-sent": ("only {count} of {size} bytes were taken",),
    "protocol.picoboot.failed": (
        "the boot ROM did not {command}: {reason}",
        "plug the board in again with BOOTSEL held, without a hub if there is one, then retry",
    ),
    "protocol.picoboot.refused": ("the boot ROM {reason}, asked to {command}",),
    "protocol.picoboot.stalled": (
        "the boot ROM did not {command}: it refused the transfer, and does not say why",
        "plug the board in again with BOOTSEL held, without a hub if there is one, then retry",
    ),
    "protocol.picoboot.timed-out": (
        "the boot ROM did not {command}: it did not answer in time",
        "plug the board in again with BOOTSEL held, without a hub if there is one, then retry",
    ),
    "protocol.usb": (
        "{name} did not {doing}: {reason}",
        "unplug it and plug it in again; another cable or USB port may help",
    ),
    "protocol.usb-stall.refused": ("{name} refused to {doing}", "unplug it and plug it in again, then retry"),
    "protocol.usb-timeout.timed-out": ("{name} did not {doing} in time", "unplug it and plug it in again, then retry"),
    "transport.busy.usb": (
        "{name} is in use by another program",
        "close it there (another flashing tool, an IDE), then try again",
    ),
    "transport.lost.picotool": (
        "picotool does not find {name} any more",
        "plug it in again with BOOTSEL held, then retry",
    ),
    "transport.lost.usb": (
        "the USB connection to {name} was lost",
        "check cable and hub, plug the board in again, then retry",
    ),
    "transport.missing.usb": ("{name} is gone", "see what is plugged in: `upytool devs`"),
    "transport.permission.picotool": ("permission denied: picotool cannot open {name}",),
    "transport.permission.usb": ("permission denied: {name}",),
    "transport.unusable.libusb": (
        "libusb, which reaches USB devices, cannot be loaded: {reason}",
        "pip install --force-reinstall libusb-package",
    ),
    "transport.unusable.no-libusb": (
        "libusb, which reaches USB devices, cannot be loaded",
        "pip install --force-reinstall libusb-package",
    ),
    "transport.unusable.usb": (
        "cannot open {name}: {reason}",
        "unplug it and plug it in again; another cable or USB port may help",
    ),
    "transport.unusable.usb-list": (
        "the USB devices cannot be listed: {cause}",
        "check that USB is allowed for this user, and in this container",
    ),
    "transport.unusable.usb-no-driver": ("Windows has no driver that opens {name}",),
}

NOTES: dict[str, str] = {
    "flash.hint.again.bootsel": (
        "hold BOOTSEL while you plug the board in, then run the same command again: only what is missing is "
        "written then"
    ),
    "flash.hint.by-drive": "a board with a UF2 drive takes `upytool flash --tool uf2`",
    "flash.hint.close-others": (
        "close other programs that use the board (a virtual machine may hold it), unplug it and plug it in again"
    ),
    "flash.hint.drive-of-another": (
        "{path} is mounted for another user: unmount it, then `udisksctl mount -b DEVICE` mounts it for you"
    ),
    "flash.hint.drive-read-only": (
        "{path} is mounted read-only: mount it for writing, or (WSL2) use Windows' own upytool"
    ),
    "flash.hint.no-driver": "or go without a driver: a board with a UF2 drive takes `upytool flash --tool uf2`",
    "flash.hint.udev": "a udev rule allows it; then unplug the board and plug it in again:\n{commands}",
    "flash.hint.uf2-try-again": "reset the board into its bootloader and try again",
    "flash.hint.winusb": (
        "Windows needs the WinUSB driver for it: in Zadig choose the device's bootloader interface (never the "
        "one of its drive) and install WinUSB"
    ),
    "flash.state.all-erased-in-part": "the flash is erased in part",
    "flash.state.erased-in-part": "the flash from {start:#x} to {end:#x} is erased in part",
    "flash.state.first-sector-erased": "the first sector of the flash is erased",
    "flash.state.in-bootloader": "the board is in its bootloader",
    "flash.state.in-bootloader-as-before": "the board is in its bootloader, with what it had before",
    "flash.state.incomplete": "the firmware on the board is incomplete; its bootloader is untouched",
    "flash.state.perhaps-incomplete": "the firmware on the board may be incomplete",
    "flash.state.range-written-in-part": (
        "the flash between {start:#x} and {end:#x} is written in part; the rest is unchanged"
    ),
    "flash.state.starts-bootsel": (
        "the flash is written in part; its first sector is empty, so that the board starts nothing and comes up "
        "in BOOTSEL mode when it is plugged in"
    ),
    "flash.state.unknown": "what is on the board now is not known",
    "flash.state.written-in-part": "the flash is written in part; it may start what is on it",
}
