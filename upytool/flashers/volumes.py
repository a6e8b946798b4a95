"""The UF2 drives of this computer: small FAT volumes with an INFO_UF2.TXT (or a debug probe's DETAILS.TXT).

A drive is looked at only where it is removable, FAT and small, so that no network share or tape robot is touched;
what cannot be read, or does not answer, is left out. Where it is plugged in comes from sysfs (Linux) and diskutil and
ioreg (macOS). Roots and commands are arguments: recorded systems are tested everywhere.

Sources: Linux' Documentation/filesystems/proc.rst (/proc/mounts, its octal escapes), sysfs-bus-usb; diskutil(8);
Microsoft's GetLogicalDrives, GetDriveTypeW, GetVolumeInformationW; the drives' labels are constants of the boot
loaders.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ..discovery import holders
from .mounted import DETAILS, INFO, LOOK_LIMIT, DriveStuck, MountedVolume, beginning, identity_of, within
from .uf2_drive import DriveInfo, Volume, parse_info

__all__ = ["MountedVolume", "Unmounted", "find_unmounted", "find_volumes", "mac_location", "mac_places", "run_command"]

CURRENT = "CURRENT.UF2"
LARGEST = 300 << 20
INFO_LIMIT = 16 << 10
MOST = 64  # volumes that are looked at
COMMAND_LIMIT = 10.0
_FAT = frozenset(("vfat", "msdos", "fat", "fat12", "fat16", "fat32", "exfat", "fuseblk", "9p", "drvfs"))
# Labels of UF2 drives: those of the boot ROMs, and what the boards' bootloaders end on by custom.
_LABEL = re.compile(r"RPI-RP2|RP2350|\w+BOOT|\w*(?:UF2|XPL)|XIAO-SENSE|Arduino|METROM\d?\w*|DAPLINK|RT\d{4}-?\w*", re.I)

Run = Callable[[Sequence[str]], bytes]


def run_command(arguments: Sequence[str]) -> bytes:
    """The output of a command, b"" where it is not there or takes more than 10 s: diskutil is slow."""
    return holders.run_command(arguments, COMMAND_LIMIT)


@dataclass(frozen=True, slots=True)
class Unmounted:
    """A drive that is plugged in and not mounted.

    Attributes:
        device: its block device, "/dev/sda1".
        label: of its file system; command: the line that mounts it; location: where on the USB.
    """

    device: str
    label: str
    command: str
    location: str = ""


def find_volumes(platform: str = sys.platform, *, root: str = "/", run: Run = run_command) -> list[Volume]:
    """The drives that are mounted.

    Args:
        platform: as sys.platform; root: where /proc, /sys, /dev and /Volumes are; run: runs a command.
    """
    candidates: Iterator[_Mount] = iter(())
    if platform == "win32":
        from .volumes_windows import drives

        with contextlib.suppress(DriveStuck):
            listed = within(2 * LOOK_LIMIT, "the drives", lambda: list(drives(LARGEST)))
            candidates = (_Mount(*each) for each in listed)
    elif platform == "darwin":
        candidates = _mac_mounts(root, run)
    else:
        candidates = _linux_mounts(root)
    found: list[Volume] = []
    for count, mount in enumerate(candidates):
        if count >= MOST:
            break
        volume = _look(mount)
        if volume is not None:
            found.append(volume)
    return found


def find_unmounted(platform: str = sys.platform, *, root: str = "/") -> list[Unmounted]:
    """Drives of bootloaders that this Linux sees and has not mounted (no desktop, a server); else []."""
    if not platform.startswith("linux"):
        return []
    mounted = {device for device, *_ in _mount_table(root)}
    found = []
    for name in _listdir(os.path.join(root, "sys/class/block"))[: MOST * 4]:
        node = f"/dev/{name}"
        if not re.fullmatch(r"sd[a-z]+\d*", name) or node in mounted:
            continue
        base = os.path.join(root, "sys/class/block", name)
        if _number(base, "size") * 512 > LARGEST or not _number(base, "size"):
            continue
        # A disk with a partition is not the file system itself.
        if any(re.fullmatch(rf"{name}\d+", entry) for entry in _listdir(base)):
            continue
        location = _usb_place(base)
        label = _label_of(root, node)
        if location and _LABEL.fullmatch(label or _model(base)):
            found.append(Unmounted(node, label, f"udisksctl mount -b {node}", location))
    return found


# -- one volume ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Mount:
    path: str
    label: str = ""
    device: str = ""
    location: str = ""


def _look(mount: _Mount) -> MountedVolume | None:
    """The volume at a mount point, None where it is not a bootloader's, cannot be read or does not answer."""
    try:
        names = within(LOOK_LIMIT, mount.path, lambda: {name.upper(): name for name in os.listdir(mount.path)[:512]})
        own = next((names[each] for each in (INFO, DETAILS) if each in names), None)
        if own is None:
            return None
        text = within(LOOK_LIMIT, mount.path, lambda: _text(os.path.join(mount.path, own)))
    except (OSError, DriveStuck):
        return None
    if own.upper() == INFO:
        info = parse_info(text)
    elif "daplink" in text.lower() or "interface version" in text.lower():
        info = DriveInfo("daplink", *_probe_words(text), text=text)
    else:
        return None
    identity = identity_of(mount.device) if mount.device else (0, 0)
    return MountedVolume(
        mount.path, info, mount.label or os.path.basename(mount.path.rstrip("\\/")), mount.location,
        CURRENT in names and info.kind == "uf2", mount.device if identity != (0, 0) else "", identity,
    )  # fmt: skip


def _probe_words(text: str) -> tuple[str, str, str]:
    """Loader, model and board id of a DETAILS.TXT ("Unique ID", "Interface Version", ...)."""
    fields = dict(re.findall(r"^#?\s*([\w /()-]+?)\s*[:=]\s*(.+?)\s*$", text, re.M))
    version = fields.get("Interface Version") or fields.get("Version") or ""
    return f"DAPLink {version}".strip(), fields.get("Target", ""), fields.get("Unique ID", "")[:4]


def _text(path: str) -> str:
    try:
        return beginning(path, INFO_LIMIT).decode("utf-8", "replace")
    except OSError:
        return ""


# -- Linux ---------------------------------------------------------------------------------------


def _mount_table(root: str) -> list[tuple[str, str, str]]:
    """(device, mount point, file system) of /proc/mounts."""
    try:
        with open(os.path.join(root, "proc/mounts"), "rb") as file:
            lines = file.read(1 << 20).decode("utf-8", "surrogateescape").splitlines()
    except OSError:
        return []
    rows = []
    for line in lines:
        parts = line.split(" ")
        if len(parts) >= 3:
            rows.append((_unescape(parts[0]), _unescape(parts[1]), parts[2]))
    return rows


def _unescape(text: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), text)


def _linux_mounts(root: str) -> Iterator[_Mount]:
    for device, point, kind in _mount_table(root):
        if kind not in _FAT:
            continue
        path = os.path.join(root, point.lstrip("/"))
        if kind in ("9p", "drvfs"):
            # WSL: Windows' drives, the system's own among them. Only a small one may be a board.
            if re.fullmatch(r"/mnt/[a-z]", point) and 0 < _capacity(path) <= LARGEST:
                yield _Mount(path)
            continue
        if not device.startswith("/dev/"):
            continue
        base = os.path.join(root, "sys/class/block", os.path.basename(device))
        size = _number(base, "size") * 512 if os.path.isdir(base) else _capacity(path)
        if 0 < size <= LARGEST:
            node = os.path.join(root, device.lstrip("/"))
            yield _Mount(path, _label_of(root, device) or os.path.basename(point), node, _usb_place(base))


def _capacity(path: str) -> int:
    try:
        found = within(LOOK_LIMIT, path, lambda: os.statvfs(path))
    except (OSError, AttributeError, DriveStuck):
        return 0
    return found.f_blocks * found.f_frsize


def _usb_place(base: str) -> str:
    """ "1-2.3" of a block device: the last part of its sysfs path that names a USB device."""
    places = re.findall(r"/(\d+-[\d.]+)(?=/|$)", os.path.realpath(base))
    return places[-1] if places else ""


def _label_of(root: str, device: str) -> str:
    """The label of a device, by the links that udev makes; "" where it makes none."""
    folder = os.path.join(root, "dev/disk/by-label")
    for name in _listdir(folder):
        with contextlib.suppress(OSError):
            if os.path.basename(os.readlink(os.path.join(folder, name))) == os.path.basename(device):
                return re.sub(r"\\x([0-9a-fA-F]{2})", lambda match: chr(int(match[1], 16)), name)
    return ""


def _model(base: str) -> str:
    """The SCSI model without a trailing number, from the disk's own folder or (a partition) the one above."""
    real = os.path.realpath(base)
    for folder in (real, os.path.dirname(real)):
        text = _text(os.path.join(folder, "device", "model")).strip()
        if text:
            # The boot ROM of the RP2040 answers INQUIRY with maker "RPI" and product "RP2", the RP2350's with "RP2350".
            return "RPI-RP2" if text == "RP2" else text
    return ""


def _number(base: str, name: str) -> int:
    try:
        return int(_text(os.path.join(base, name)).strip() or 0)
    except ValueError:
        return 0


def _listdir(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []


# -- macOS ---------------------------------------------------------------------------------------


def _mac_mounts(root: str, run: Run) -> Iterator[_Mount]:
    """Volumes under /Volumes that have the file; diskutil is asked for those alone (it is slow)."""
    places: dict[str, str] | None = None
    for name in _listdir(os.path.join(root, "Volumes")):
        path = os.path.join(root, "Volumes", name)
        try:
            entries = within(LOOK_LIMIT, path, lambda path=path: _listdir(path))  # type: ignore[misc]
        except DriveStuck:  # a network share, say
            continue
        if os.path.islink(path) or not {INFO, DETAILS} & {entry.upper() for entry in entries[:512]}:
            continue
        facts = _plist(run(["diskutil", "info", "-plist", path]))
        size = facts.get("TotalSize") or facts.get("Size") or 0
        if not isinstance(size, int) or size > LARGEST or facts.get("BusProtocol") not in (None, "USB"):
            continue
        device = str(facts.get("DeviceIdentifier") or "")
        if device and places is None:
            places = mac_places(run(["ioreg", "-a", "-l", "-r", "-c", "IOUSBHostDevice"]))
        node = f"/dev/{device}" if device else ""
        yield _Mount(path, str(facts.get("VolumeName") or name), node, (places or {}).get(device, ""))


def _plist(data: bytes) -> dict[str, object]:
    import plistlib

    try:
        found = plistlib.loads(data) if data else {}
    except Exception:  # plistlib lets expat's and struct's errors through
        return {}
    return found if isinstance(found, dict) else {}


def mac_places(data: bytes) -> dict[str, str]:
    """BSD disk name -> location ("20-1.3") out of `ioreg -a -l -r -c IOUSBHostDevice`.

    The location id has the bus in its top byte and a hub port in each nibble below, as pyserial reads it.
    """
    import plistlib

    try:
        tree = plistlib.loads(data) if data else []
    except Exception:
        return {}
    found: dict[str, str] = {}
    todo: list[tuple[object, str]] = [(tree, "")]
    for _ in range(100_000):
        if not todo:
            break
        node, place = todo.pop()
        if isinstance(node, list):
            todo += [(each, place) for each in node]
        elif isinstance(node, dict):
            number = node.get("locationID")
            if isinstance(number, int):
                place = mac_location(number)
            disk = node.get("BSD Name")
            if isinstance(disk, str) and place:
                found[disk] = place
            todo.append((node.get("IORegistryEntryChildren", []), place))
    return found


def mac_location(number: int) -> str:
    """ "20-1.3" of the location id 0x14130000."""
    ports = [number >> shift & 0xF for shift in range(20, -4, -4)]
    named = ".".join(str(port) for port in ports if port)
    return f"{number >> 24}-{named}" if named else f"{number >> 24}"
