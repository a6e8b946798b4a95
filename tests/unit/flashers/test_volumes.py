"""Finding UF2 drives: recorded systems in a directory, and the real writing to a real directory."""

from __future__ import annotations

import ctypes
import errno
import os
import plistlib
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from upytool.errors import FlashError, LocalFileError
from upytool.flashers import mounted, volumes
from upytool.flashers.base import FlashOptions, FlashTarget
from upytool.flashers.mounted import DriveStuck
from upytool.flashers.uf2_drive import parse_info
from upytool.flashers.uf2_volume import Uf2Flasher
from upytool.flashers.volumes import MountedVolume, find_unmounted, find_volumes, mac_location, mac_places
from upytool.flashers.volumes_windows import drives
from upytool.image.base import FirmwareImage
from upytool.image.memory import Memory
from upytool.image.uf2 import write_uf2

RP2 = "UF2 Bootloader v3.0\r\nModel: Raspberry Pi RP2\r\nBoard-ID: RPI-RP2\r\n"
SAMD = "UF2 Bootloader v3.15.0 SFHWRO\r\nModel: ItsyBitsy M4 Express\r\nBoard-ID: SAMD51G19A-Itsy-v0\r\n"
DAPLINK = (
    "# DAPLink Firmware - see https://daplink.io\r\nUnique ID: 0226000041114e4500\r\nHIC ID: 97969902\r\n"
    "Auto Reset: 0\r\nInterface Version: 0254\r\nRemount count: 3\r\n"
)
posix = pytest.mark.skipif(sys.platform == "win32", reason="symbolic links and device nodes")


class Linux:
    """A MODEL of a Linux system's files."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "proc").mkdir()
        (root / "proc/mounts").write_text("proc /proc proc rw 0 0\n")
        (root / "dev/disk/by-label").mkdir(parents=True)
        (root / "sys/class/block").mkdir(parents=True)

    def disk(self, name: str, place: str, *, size: int, label: str = "", model: str = "") -> None:
        whole = name.rstrip("0123456789")
        base = self.root / f"sys/devices/pci0/usb1/{place}/{place}:1.0/host0/block/{whole}"
        (base / "device").mkdir(parents=True, exist_ok=True)
        (base / "device/model").write_text(model)
        folder = base if name == whole else base / name
        folder.mkdir(exist_ok=True)
        (folder / "size").write_text(f"{size // 512}\n")
        for each in {whole, name}:
            link = self.root / "sys/class/block" / each
            if not link.exists():
                link.symlink_to(base if each == whole else folder)
        if not (base / "size").exists():
            (base / "size").write_text(f"{size // 512}\n")
        (self.root / "dev" / name).write_bytes(b"")
        if label:
            (self.root / "dev/disk/by-label" / label.replace(" ", "\\x20")).symlink_to(f"../../{name}")

    def mount(self, device: str, point: str, kind: str = "vfat", **files: str) -> Path:
        path = self.root / point.lstrip("/")
        path.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            stem, _, ending = name.rpartition("_")
            (path / f"{stem}.{ending}").write_bytes(text.encode())
        with (self.root / "proc/mounts").open("a") as file:
            escaped = point.replace(" ", "\\040")
            file.write(f"{device} {escaped} {kind} rw,relatime 0 0\n")
        return path

    def volumes(self) -> list[Any]:
        return find_volumes("linux", root=str(self.root))


@pytest.fixture
def linux(tmp_path: Path) -> Linux:
    return Linux(tmp_path)


@posix
def test_a_drive_with_its_place(linux: Linux) -> None:
    linux.disk("sda1", "1-2.3", size=128 << 20, label="RPI-RP2")
    path = linux.mount("/dev/sda1", "/media/me/RPI-RP2", INFO_UF2_TXT=RP2)
    [drive] = linux.volumes()
    assert (drive.path, drive.label, drive.location, drive.has_current) == (str(path), "RPI-RP2", "1-2.3", False)
    assert (drive.info.chip, drive.info.mcu_port, drive.info.board_id) == ("rp2040", "rp2", "RPI-RP2")
    assert drive.present()
    (linux.root / "dev/sda1").unlink()
    assert not drive.present()


@posix
def test_a_node_of_the_same_name_is_another_drive(linux: Linux) -> None:
    linux.disk("sda1", "1-2", size=8 << 20)
    linux.mount("/dev/sda1", "/media/X", INFO_UF2_TXT=SAMD)
    [drive] = linux.volumes()
    old = linux.root / "dev/sda1"
    old.rename(linux.root / "dev/kept")  # so that the new one cannot get the old inode
    old.write_bytes(b"")
    assert not drive.present()


@posix
def test_names_with_blanks_and_small_letters(linux: Linux) -> None:
    linux.disk("sdb", "2-1", size=8 << 20)
    linux.mount("/dev/sdb", "/run/media/a b/ITSY BOOT", info_uf2_TXT=SAMD, CURRENT_UF2="x")
    [drive] = linux.volumes()
    assert drive.path.endswith("a b/ITSY BOOT")
    assert drive.has_current


@posix
def test_what_is_no_boot_loader_is_left_out(linux: Linux) -> None:
    linux.disk("sda1", "1-1", size=64 << 20)
    linux.mount("/dev/sda1", "/media/stick", README_TXT="hello")
    linux.disk("sdb1", "1-2", size=32 << 30)
    linux.mount("/dev/sdb1", "/media/large", INFO_UF2_TXT=RP2)
    linux.mount("server:/share", "/media/net", "nfs4", INFO_UF2_TXT=RP2)
    linux.mount("/dev/sdc1", "/media/ext", "ext4", INFO_UF2_TXT=RP2)
    linux.disk("sdd1", "1-4", size=64 << 20)
    linux.mount("/dev/sdd1", "/media/gone")
    (linux.root / "media/gone").rmdir()
    assert linux.volumes() == []


@posix
def test_an_unreadable_info_is_no_crash(linux: Linux) -> None:
    linux.disk("sda1", "1-2", size=8 << 20)
    path = linux.mount("/dev/sda1", "/media/X")
    (path / "INFO_UF2.TXT").mkdir()
    [drive] = linux.volumes()
    assert drive.info.chip == ""


@posix
def test_the_drive_of_a_debug_probe(linux: Linux) -> None:
    linux.disk("sda", "1-5", size=64 << 20)
    linux.mount("/dev/sda", "/media/DAPLINK", DETAILS_TXT=DAPLINK)
    linux.disk("sdb", "1-6", size=64 << 20)
    linux.mount("/dev/sdb", "/media/camera", DETAILS_TXT="photos of a holiday")
    [drive] = linux.volumes()
    assert (drive.info.kind, drive.info.loader, drive.info.board_id) == ("daplink", "DAPLink 0254", "0226")


@posix
def test_wsl(linux: Linux, monkeypatch: pytest.MonkeyPatch) -> None:
    linux.mount("C:\\134", "/mnt/c", "9p", INFO_UF2_TXT=RP2)
    linux.mount("E:\\134", "/mnt/e", "9p", INFO_UF2_TXT=RP2)
    small = {str(linux.root / "mnt/e"): 128 << 20}
    monkeypatch.setattr(volumes, "_capacity", lambda path: small.get(path, 1 << 40))
    assert [drive.path for drive in linux.volumes()] == [str(linux.root / "mnt/e")]


@posix
def test_not_mounted_drives_get_one_line(linux: Linux) -> None:
    linux.disk("sda1", "1-2.3", size=128 << 20, label="RPI-RP2", model="RP2")
    linux.disk("sdb", "1-3", size=8 << 20, label="ITSYM4BOOT")
    linux.disk("sdc1", "1-4", size=100 << 20, label="BOOT")
    linux.disk("sdd1", "1-5", size=16 << 30, label="RP2350")
    # A second Pico: udev has one link for both labels, so that the SCSI model has to tell.
    linux.disk("sde1", "1-6", size=128 << 20, model="RP2")
    found = find_unmounted("linux", root=str(linux.root))
    assert [(each.device, each.location) for each in found] == [
        ("/dev/sda1", "1-2.3"),
        ("/dev/sdb", "1-3"),
        ("/dev/sde1", "1-6"),
    ]
    assert found[0].command == "udisksctl mount -b /dev/sda1"
    linux.mount("/dev/sda1", "/media/RPI-RP2", INFO_UF2_TXT=RP2)
    assert "/dev/sda1" not in [each.device for each in find_unmounted("linux", root=str(linux.root))]
    assert find_unmounted("darwin", root=str(linux.root)) == []


def test_no_files_at_all(tmp_path: Path) -> None:
    assert find_volumes("linux", root=str(tmp_path)) == []
    assert find_unmounted("linux", root=str(tmp_path)) == []
    assert find_volumes("darwin", root=str(tmp_path), run=lambda _: b"") == []


# -- macOS -----------------------------------------------------------------------------------------

IOREG: list[dict[str, Any]] = [
    {
        "IORegistryEntryName": "Hub",
        "locationID": 0x14100000,
        "IORegistryEntryChildren": [
            {
                "IORegistryEntryName": "RP2 Boot",
                "locationID": 0x14130000,
                "IORegistryEntryChildren": [
                    {"BSD Name": "disk4", "IORegistryEntryChildren": [{"BSD Name": "disk4s1"}]},
                ],
            }
        ],
    }
]


def mac_commands(facts: dict[str, Any]) -> Any:
    def run(arguments: Sequence[str]) -> bytes:
        return plistlib.dumps(facts) if arguments[0] == "diskutil" else plistlib.dumps(IOREG)

    return run


def test_macos(tmp_path: Path) -> None:
    drive = tmp_path / "Volumes/RPI-RP2"
    drive.mkdir(parents=True)
    (drive / "INFO_UF2.TXT").write_text(RP2)
    (tmp_path / "Volumes/Macintosh HD").mkdir()
    facts = {"VolumeName": "RPI-RP2", "TotalSize": 134_217_728, "BusProtocol": "USB", "DeviceIdentifier": "disk4s1"}
    [found] = find_volumes("darwin", root=str(tmp_path), run=mac_commands(facts))
    assert (found.path, found.label, found.location) == (str(drive), "RPI-RP2", "20-1.3")
    large = {**facts, "TotalSize": 1 << 40}
    assert find_volumes("darwin", root=str(tmp_path), run=mac_commands(large)) == []


def test_macos_with_silent_commands(tmp_path: Path) -> None:
    drive = tmp_path / "Volumes/RPI-RP2"
    drive.mkdir(parents=True)
    (drive / "INFO_UF2.TXT").write_text(RP2)
    [found] = find_volumes("darwin", root=str(tmp_path), run=lambda _: b"no plist at all")
    assert (found.label, found.location) == ("RPI-RP2", "")


@pytest.mark.parametrize(
    ("number", "place"),
    [(0x14130000, "20-1.3"), (0x01100000, "1-1"), (0x14123456, "20-1.2.3.4.5.6")],
)
def test_location_ids(number: int, place: str) -> None:
    """pyserial writes the same numbers so (tools/list_ports_osx.py, location_to_string)."""
    assert mac_location(number) == place


def test_odd_registries() -> None:
    assert mac_places(b"") == {}
    assert mac_places(plistlib.dumps({"BSD Name": "disk1"})) == {}


# -- Windows ---------------------------------------------------------------------------------------


class Kernel:
    """A MODEL of kernel32 with three drives: C: fixed, E: a Pico, F: an empty card reader."""

    def __init__(self) -> None:
        self.modes: list[int] = []

    def SetThreadErrorMode(self, mode: int, before: Any) -> int:
        self.modes.append(mode)
        return 1

    def GetLogicalDrives(self) -> int:
        return 1 << 2 | 1 << 4 | 1 << 5

    def GetDriveTypeW(self, path: str) -> int:
        return 3 if path == "C:\\" else 2

    def GetVolumeInformationW(self, path: str, label: Any, size: int, *rest: Any) -> int:
        if path == "F:\\":
            return 0
        label.value = "RPI-RP2"
        rest[3].value = "FAT"
        return 1

    def GetDiskFreeSpaceExW(self, path: str, free: Any, total: Any, all_free: Any) -> int:
        ctypes.cast(total, ctypes.POINTER(ctypes.c_ulonglong))[0] = 128 << 20
        return 1


def test_windows_drive_letters() -> None:
    kernel = Kernel()
    assert list(drives(300 << 20, kernel)) == [("E:\\", "RPI-RP2")]
    assert list(drives(1 << 20, kernel)) == []
    assert kernel.modes[:2] == [0x8001, 0]  # no dialog for the empty reader, and as it was afterwards


# -- writing ---------------------------------------------------------------------------------------


def volume(path: Path) -> MountedVolume:
    return MountedVolume(str(path), parse_info(SAMD))


def test_the_file_arrives(tmp_path: Path) -> None:
    (tmp_path / "INFO_UF2.TXT").write_text(SAMD)
    data, seen = os.urandom(300_000), [0]

    def advance(count: int) -> None:
        seen[0] += count

    assert volume(tmp_path).send("NEW.UF2", data, advance) == len(data) == seen[0]
    assert (tmp_path / "NEW.UF2").read_bytes() == data
    assert volume(tmp_path).read("NEW.UF2", 300_000) == data
    assert volume(tmp_path).present()
    with pytest.raises(LocalFileError):
        volume(tmp_path).read("NEW.UF2", 1000)
    with pytest.raises(LocalFileError):
        volume(tmp_path).read("CURRENT.UF2", 1000)


def test_the_drive_goes_at_the_last_sync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    count, real = [0], os.fsync

    def fsync(handle: int) -> None:
        count[0] += 1
        if count[0] == 3:
            raise OSError(errno.EIO, "Input/output error")
        real(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    data = bytes(2 * mounted.SYNC + 512)
    assert volume(tmp_path).send("NEW.UF2", data, lambda _: None) == len(data)


@pytest.mark.parametrize("call", ["write", "fsync"])
def test_the_drive_goes_in_the_middle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    count, real = [0], getattr(os, call)

    def broken(handle: int, *rest: Any) -> Any:
        count[0] += 1
        if count[0] == (2 if call == "fsync" else mounted.SYNC // mounted.CHUNK + 1):
            raise OSError(errno.ENODEV, "No such device")
        return real(handle, *rest)

    monkeypatch.setattr(os, call, broken)
    assert volume(tmp_path).send("NEW.UF2", bytes(4 * mounted.SYNC), lambda _: None) == mounted.SYNC


def test_short_writes_are_gone_on_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    monkeypatch.setattr(os, "write", lambda handle, data: real(handle, data[:1000]))
    data = os.urandom(70_000)
    assert volume(tmp_path).send("NEW.UF2", data, lambda _: None) == len(data)
    assert (tmp_path / "NEW.UF2").read_bytes() == data


@pytest.mark.parametrize(("number", "word"), [(errno.EROFS, "read-only"), (errno.EACCES, "another user")])
def test_a_drive_that_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, word: str) -> None:
    def refuse(*_: Any) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(LocalFileError) as caught:
        volume(tmp_path).send("NEW.UF2", b"x", lambda _: None)
    assert word in caught.value.hint


# -- a drive that hangs ----------------------------------------------------------------------------


@pytest.fixture
def hung() -> Iterator[threading.Event]:
    """Whoever waits for it is a system call that does not return, until the test ends."""
    release = threading.Event()
    yield release
    release.set()
    for thread in list(mounted._stuck.values()):
        thread.join(5)
    mounted._stuck.clear()


def test_a_call_that_does_not_return_is_left_behind(hung: threading.Event) -> None:
    with pytest.raises(DriveStuck) as caught:
        mounted.within(0.05, "/media/pico", hung.wait)
    assert "does not answer" in caught.value.message
    before = threading.active_count()
    with pytest.raises(DriveStuck):  # the next call does not add another thread to it
        mounted.within(5, "/media/pico", lambda: 1)
    assert threading.active_count() == before
    assert mounted.within(5, "/media/other", lambda: None) is None
    hung.set()
    mounted._stuck["/media/pico"].join(5)
    assert mounted.within(5, "/media/pico", lambda: 2) == 2


def test_writing_to_a_drive_that_hangs_ends(
    tmp_path: Path, hung: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "INFO_UF2.TXT").write_text(SAMD)
    monkeypatch.setattr(mounted, "STEP_LIMIT", 0.05)
    monkeypatch.setattr(os, "fsync", lambda handle: hung.wait())
    drive = volume(tmp_path)
    loader = Uf2Flasher().open(FlashTarget("bootloader", "x", volume=drive), FlashOptions())
    image = FirmwareImage.read(write_uf2([(0x55114460, Memory.of([(0x4000, bytes(300_000))]))]), name="x.uf2")
    with pytest.raises(FlashError) as caught:
        loader.program(image, FlashOptions())
    assert "does not answer" in caught.value.message
    assert caught.value.state.code == "flash.state.incomplete"
    assert not drive.present()


@posix
def test_a_drive_that_hangs_is_left_out(linux: Linux, hung: threading.Event, monkeypatch: pytest.MonkeyPatch) -> None:
    linux.disk("sda1", "1-2.3", size=128 << 20)
    place = linux.mount("/dev/sda1", "/media/me/RPI-RP2", INFO_UF2_TXT=RP2)
    assert [each.path for each in linux.volumes()] == [str(place)]
    list_one = os.listdir
    monkeypatch.setattr(mounted, "LOOK_LIMIT", 0.05)
    monkeypatch.setattr(volumes, "LOOK_LIMIT", 0.05)
    monkeypatch.setattr(os, "listdir", lambda path: hung.wait() if path == str(place) else list_one(path))
    assert linux.volumes() == []
