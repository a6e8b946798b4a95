"""What the flashers room says when flashing an Espressif chip fails."""

from __future__ import annotations

ERRORS: dict[str, tuple[str, ...]] = {
    "flash.esp-boot-mode": (
        "{address} was reset but started its firmware, not the bootloader: {pins}",
        "tried: {reset}",
    ),
    "flash.esp-crashed": ("the program on {address} crashed ({reason}) instead of entering the bootloader",),
    "flash.esp-deaf": (
        "{address} is in its bootloader but does not hear this computer",
        "the wire from the adapter's TX to the chip's RX is broken, or something else holds that pin",
    ),
    "flash.esp-encrypted": (
        "{address}: flash encryption is on: the chip cannot start what is written in plain text",
        "nothing was changed; the owner of the keys has to make the image",
    ),
    "flash.esp-failed": (
        "{doing} failed on {address}: {reason}",
        "run the command again: what is there already is not written twice; a lower --baud helps with bad cables",
    ),
    "flash.esp-flash-size": ("{text!r} is not a flash size", "say keep, detect, or a size such as 4MB"),
    "flash.esp-lost-after-stub": (
        "{cause}, and the ROM's loader does not answer afterwards ({again})",
        "with --no-stub it works without the stub",
    ),
    "flash.esp-no-bootloader": (
        "no bootloader of an Espressif chip answers on {address}",
        "esptool says: {reason}",
        "tried: {reset}",
    ),
    "flash.esp-no-partition-table": (
        "the board has no partition table, so no slot for an application",
        "write the full .bin file first",
    ),
    "flash.esp-no-slot": ("the board has no application slot {name}", "its slots: running, {slots}"),
    "flash.esp-not-sectors": ("{address:#x} and {size:#x} are not multiples of {sector:#x}, the size of a sector",),
    "flash.esp-other-chip": ("another chip answers on {address} now: {chip}, it was {expected}",),
    "flash.esp-outside-flash": ("{start:#x} to {end:#x} is not all within the {size:MB} of flash",),
    "flash.esp-read-errors": (
        "the flash at {address:#x} could not be read without errors in {tries} tries",
        "try another cable, or --baud 115200",
    ),
    "flash.esp-secure-boot": (
        "{address}: secure boot is on: the chip starts nothing that is not signed with its key",
        "nothing was changed; the owner of the keys has to make the image",
    ),
    "flash.esp-secure-download": (
        (
            "{address}: this {chip} is in Secure Download Mode, which lets nobody read its flash or check what was "
            "written"
        ),
        "that is burnt into the chip for good: use the maker's own update",
    ),
    "flash.esp-setting": ("unknown {setting} for this chip: {name!r}", "say keep or one of {values}"),
    "flash.esp-silent": ("nothing answers on {address}", "tried: {reset}"),
    "flash.esp-stub": ("esptool's stub does not start on {address}", "write without it, which is slower: --no-stub"),
    "flash.esp-timed-out": ("{doing} did not end on {address} within {seconds:.0f} s", "tried: {reset}"),
    "flash.esp-unknown-chip": (
        "{address} is a chip that esptool does not know ({reason})",
        "update it: pip install --upgrade esptool",
    ),
    "flash.esp-verify-failed": (
        "verification failed: {address} holds something else than was written ({reason})",
        "power and cable are the usual reasons, a worn flash the rare one; try --baud 115200",
    ),
    "flash.esp8266-cannot-compare": ("the ESP8266's ROM cannot compare its flash", "leave out --no-stub"),
    "flash.esp8266-cannot-read": ("the ESP8266's ROM cannot read its flash", "leave out --no-stub"),
    "flash.out-of-time": ("no end within {seconds:g} s",),
    "image.esp-application-alone": (
        (
            "the file holds the application alone: without bootloader and partition table in front of it, the board "
            "would not start"
        ),
        (
            "take the full .bin file; or, to update a board that runs MicroPython already, write it into the slot "
            "that it starts from: --slot running"
        ),
    ),
    "image.esp-file-system-other-size": (
        (
            "the file system in the image is made for {made_for:MB} of flash: with {size:MB} in the header, the "
            "board would not mount it"
        ),
        "leave out --flash-size, or build the image for that size",
    ),
    "image.esp-file-system-too-large": (
        "the image and its file system are made for {made_for:MB} of flash, this board has {size:MB}",
        "build it for this board: `upytool build --flash-size {option}`",
    ),
    "image.esp-header-flash-size": (
        "the image's header states {stated:MB} of flash, this board has {size:MB}: it would not start",
        "take the variant for a smaller flash, or let upytool correct the header: --flash-size detect",
    ),
    "image.esp-not-accepted": ("{reason}",),
    "image.esp-not-an-application": (
        "the file is a whole firmware, which does not go into the slot {slot}",
        "leave out --slot, or take the .app-bin file",
    ),
    "image.esp-other-chip": (
        "the image is for {chip}, the connected chip is {board_chip}",
        "take the firmware for a board with {board_chip}",
    ),
    "image.esp-partition-outside": (
        (
            "the firmware is for {needed:MB} of flash, this board has {size:MB}: its partition {partition} ends "
            "behind it"
        ),
        "take the variant for a smaller flash",
    ),
    "image.esp-refused": ("{reason}", "take the firmware for this chip"),
    "image.esp-revision": (
        "the firmware needs revision {wanted} of the chip, this one is {revision}",
        "take a variant for this revision (its name often ends in -PRE or -REV)",
    ),
    "image.esp-slot-too-small": (
        "the application has {size} bytes, the slot {slot} {room}",
        "take the full .bin file, which brings its own partitions",
    ),
    "image.esp-too-large": (
        "the image ends at {end:#x}, behind the board's {size:MB} of flash",
        "take the variant for a smaller flash",
    ),
    "transport.lost.esp": (
        "{address} went away while {doing} ({cause})",
        "check cable and power (a hub without its own supply?), then run the command again",
    ),
    "transport.lost.esp-shared": (
        "{address} went away while {doing} (another program reads from it as well)",
        "check cable and power (a hub without its own supply?), then run the command again",
    ),
}

NOTES: dict[str, str] = {
    "flash.declines.esp-chip": "the image is for {chip}, and not firmware for an Espressif chip",
    "flash.declines.esp-format": "the image is a {format} file, and not firmware for an Espressif chip",
    "flash.declines.esp-uf2": (
        "a UF2 file holds the application alone, for a board with the TinyUF2 bootloader: copy it to the board's "
        "drive, or take the .bin file"
    ),
    "flash.esp-pins.boot-high": "GPIO{pin} was high at reset (it has to be low)",
    "flash.esp-pins.read": "it read its strapping pins as {bits:#x}",
    "flash.esp-pins.second-high": (
        "GPIO{pin} was low as it should be, but GPIO{second} was high: take off what is connected to it"
    ),
    "flash.esp-pins.second-low": (
        "GPIO{pin} was low as it should be, but GPIO{second} was low: take off what is connected to it"
    ),
    "flash.esp-reset.lines": "DTR and RTS, {tries} times",
    "flash.esp-reset.no-lines": "no reset, since this port has no DTR and RTS lines",
    "flash.esp-reset.over-socket": "no reset (a TCP socket has none): bring the board into its bootloader first",
    "flash.esp-reset.own-usb": "the reset of the chip's own USB",
    "flash.hint.esp-by-hand": (
        "by hand: hold {button}, press and release RESET (or plug the board in), then let go of BOOT; then run "
        "the command again"
    ),
    "flash.hint.esp-by-hand-nano": (
        "by hand: connect B1 to GND, press RST, take the wire away; then run the command again"
    ),
    "flash.state.esp-part-erased": "part of {start:#x} to {end:#x} is erased",
    "flash.state.esp-partly-erased": "part of the flash is erased: the board may not start",
    "flash.state.esp-partly-written": (
        "the flash between {start:#x} and {end:#x} is partly written: the board may not start"
    ),
}
