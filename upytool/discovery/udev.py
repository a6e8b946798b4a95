"""The udev rules that let a user of this computer open a board, and the lines that install them.

Source: udev(7). `uaccess` is what systemd-logind gives to whoever sits at the computer; its own rule has the
number 73, so ours has to come before.
"""

from __future__ import annotations

RULES_FILE = "/etc/udev/rules.d/70-upytool.rules"


def serial_rule(vid: int, pid: int, group: str = "dialout") -> str:
    """For a serial port of this USB id.

    Args:
        group: who may open it besides; Arch Linux calls it uucp.
    """
    return (
        f'SUBSYSTEM=="tty", ATTRS{{idVendor}}=="{vid:04x}", ATTRS{{idProduct}}=="{pid:04x}", '
        f'MODE="0660", GROUP="{group}", TAG+="uaccess"'
    )


def usb_rule(vid: int, pid: int) -> str:
    """For a USB device that is not a serial port: a board in its bootloader."""
    return (
        f'SUBSYSTEM=="usb", ATTR{{idVendor}}=="{vid:04x}", ATTR{{idProduct}}=="{pid:04x}", '
        'MODE="0660", GROUP="plugdev", TAG+="uaccess"'
    )


def no_modem_rule(vid: int, pid: int) -> str:
    """ModemManager leaves the device alone."""
    return (
        f'SUBSYSTEM=="usb", ATTR{{idVendor}}=="{vid:04x}", ATTR{{idProduct}}=="{pid:04x}", '
        'ENV{ID_MM_DEVICE_IGNORE}="1"'
    )


def install(rule: str) -> str:
    """Lines for a shell that put the rule into its file and make it work."""
    return f"echo '{rule}' | sudo tee -a {RULES_FILE}\nsudo udevadm control --reload && sudo udevadm trigger"
