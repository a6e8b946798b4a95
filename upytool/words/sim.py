"""What the sim room says when something fails."""

from __future__ import annotations

ERRORS: dict[str, tuple[str, ...]] = {
    "device.ambiguous.simulated": ("several simulated boards are running: {names}", "choose one, {selector}"),
    "device.none.simulated": ("no simulated board {name} is running",),
    "device.none.simulated-any": ("no simulated board is running",),
    "sim.drive-full": ("{size} bytes do not fit on the drive", "choose another image"),
    "sim.drive-gone": ("the bootloader's drive went away", "it restarts after a whole image"),
    "sim.drive-no-file": ("the drive has no file {name}", "it has {files}"),
    "sim.drive-refused": ("the drive refused command {command:#04x}", "reset the board"),
    "sim.failed": ("the emulated pico failed", "see its log"),
    "sim.flash-size": ("cannot simulate a flash of {size} bytes", "take a multiple of {block} bytes"),
    "sim.name-taken": ("a simulated board named {name} is already running",),
    "sim.no-answer": ("the simulated board {name} does not answer", "`upytool sim stop {name}`"),
    "sim.no-drive": ("the USB device has no drive", "put the board into its bootloader"),
    "sim.no-file-system": (
        "the simulated flash {path} holds no readable file system",
        "start the board with --fresh to format it",
    ),
    "sim.no-usb": ("the simulated board {name} has no USB", "`upytool sim start pico`"),
    "sim.no-usb-device": ("there is no USB device", "put the board into its bootloader"),
    "sim.no-usb-port": (
        "{image} started no USB serial port on the emulated pico",
        "check that it is an image for RPI_PICO",
    ),
    "sim.not-reading": ("the simulated board does not read", "send Ctrl-C, or reset it"),
    "sim.not-rp2040": ("{path} holds nothing for an RP2040", "a pico takes an RPI_PICO .uf2 image"),
    "sim.not-started": ("the simulated board {name} did not start: {reason}", "its log is {log}"),
    "sim.not-stopping": ("the simulated board {name} does not stop", "end process {pid}"),
    "sim.not-uf2": ("{path} is not a UF2 file", "a pico takes an RPI_PICO .uf2 image"),
    "sim.refused": ("the simulated board {name} refused to {command}", "see its log"),
    "sim.running": ("a simulated {kind} board named {name} is already running", "`upytool sim stop {name}`"),
    "sim.start-timeout": (
        "the simulated board {name} did not start: no answer within {seconds:g} s",
        "its log is {log}",
    ),
    "sim.state-timeout": ("the simulated pico is in state {state}, not {wanted}", "reset it"),
    "sim.vm": ("{reason}",),
    "usage.no-bootsel": ("the simulated board {name} has no BOOTSEL button", "choose a pico"),
    "usage.no-bootsel-kind": ("a simulated {kind} board has no BOOTSEL button", "start a pico"),
    "usage.no-sim-image": ("a simulated {kind} board takes no image", "leave --image out, or start a pico"),
    "usage.sim-image-missing": ("image not found: {path}", "give the path of an RPI_PICO .uf2 file"),
    "usage.sim-kind": ("unknown simulated board {kind!r}", "choose one of {kinds}"),
    "usage.sim-name": (
        "{name!r} is not a valid name for a simulated board",
        "use letters, digits, - and _, at most 32",
    ),
    "usage.sim-selector": ("{selector} does not name a simulated board", "write sim, or sim:NAME"),
}

NOTES: dict[str, str] = {
    "sim.others-running": "running: {names}",
    "sim.start-kind": "`upytool sim start {kind}`",
    "sim.start-named": "`upytool sim start --name {name}`",
    "sim.start-one": "start one with `upytool sim start`",
    "sim.vm-ended": "the VM ended by itself",
    "sim.vm-exited": "the VM exited with status {status}",
    "sim.vm-stopped": "the VM stopped: {reason}",
}
