"""Every limit on what comes from outside, in one table: boards, files, packages, networks, firmware.

A limit that is not here does not exist for the user: `docs/reference/limits.md` is rendered from `LIMITS`.
Whoever holds a limit imports it by name; tests shrink one with `monkeypatch.setattr(limits, NAME, value)`, so
code reads `limits.NAME` at the moment of use instead of importing the number.
"""

from __future__ import annotations

from typing import NamedTuple


class Limit(NamedTuple):
    """One row of the table.

    Attributes:
        name: the constant below that holds the number.
        unit: bytes, seconds, entries, levels, characters.
        what: what is limited, for the reference page.
        held: the module that checks it, `upytool.documents` for instance.
    """

    name: str
    unit: str
    what: str
    held: str


# -- documents: JSON, TOML, ignore and requirement files ---------------------------------------------
DOCUMENT_BYTES = 8 << 20
DOCUMENT_DEPTH = 64
DOCUMENT_VALUES = 500_000
DOCUMENT_INTEGER_BITS = 64

# -- what is typed or piped in -----------------------------------------------------------------------
STDIN_BYTES = 256 << 20

# -- paths that come from outside --------------------------------------------------------------------
# LittleFS takes 255 bytes a name, FAT 255 characters. Deep trees, made by chdir and mkdir, have long paths.
NAME_BYTES = 255
PATH_BYTES = 4096
PACKAGE_PATH_BYTES = 512

# -- HTTP --------------------------------------------------------------------------------------------
HTTP_BYTES = 16 << 20
HTTP_TOTAL_BYTES = 128 << 20
HTTP_TOTAL_SECONDS = 900.0
HTTP_HEADER_BYTES = 256 << 10
HTTP_HEADER_SECONDS = 30.0
HTTP_SECONDS = 120.0
HTTP_REDIRECTS = 5
FIRMWARE_BYTES = 64 << 20
FIRMWARE_SECONDS = 300.0
FIRMWARE_LINKS = 5_000

# -- archives ----------------------------------------------------------------------------------------
ARCHIVE_ENTRIES = 1_000
ARCHIVE_BYTES = 256 << 20
ARCHIVE_RATIO = 200
BACKUP_ENTRIES = 100_000

# -- packages ----------------------------------------------------------------------------------------
PACKAGES = 500
PACKAGE_ENTRIES = 5_000
PACKAGE_FILES = 5_000
PACKAGE_DEPTH = 50
REQUIREMENT_LISTS = 50

# -- firmware ------------------------------------------------------------------------------------------
IMAGE_BYTES = 128 << 20

# -- flashing: Espressif's bootloaders, through esptool --------------------------------------------------
ESP_CONNECT_SECONDS = 30.0
ESP_STUB_SECONDS = 20.0
ESP_GREETING_SECONDS = 3.0
ESP_CALL_SECONDS = 30.0
ESP_SECONDS_PER_MIB = 45.0
# -- simulated boards --------------------------------------------------------------------------------
SIM_CALL_BYTES = 256
SIM_CALL_SECONDS = 5.0
SIM_CALLERS = 16
# -- boards: what one answer may hold, and how long it may take --------------------------------------
ANSWER_BYTES = 8 << 20
ANSWER_DEPTH = 16
ANSWER_VALUES = 1_000_000
ANSWER_INTEGER_BITS = 64
ANSWER_SECONDS = 600
LISTING_ENTRIES = 250_000
LISTING_CHARACTERS = 64 << 20
JSON_LEVELS = 200
OUTPUT_BYTES = 64 << 20
BLE_BYTES = 4 << 20
BLE_DEVICES = 1024

# -- waits for boards --------------------------------------------------------------------------------
PROMPT_SECONDS = 11.0
SILENCE_SECONDS = 30.0
BOARD_SECONDS = 30.0
BOARD_LONG_SECONDS = 600.0
BOARD_PACKAGE_SECONDS = 60.0
SIM_BOOT_SECONDS = 600.0

# -- boards on the network ------------------------------------------------------------------------------
AIR_BOARDS = 256

# -- mounted directories, and paths on the command line -----------------------------------------------
MOUNT_DESCRIPTORS = 64
MOUNT_FILES = 4096
ARGUMENT_PATH_BYTES = 3072
JSON_OUTPUT_BYTES = 16 << 20

LIMITS: tuple[Limit, ...] = (
    Limit("DOCUMENT_BYTES", "bytes", "a JSON, TOML or text file that upytool parses", "upytool.documents"),
    Limit("DOCUMENT_DEPTH", "levels", "nesting in a JSON or TOML document", "upytool.documents"),
    Limit("DOCUMENT_VALUES", "entries", "values in a JSON or TOML document", "upytool.documents"),
    Limit("DOCUMENT_INTEGER_BITS", "bits", "an integer in a JSON or TOML document", "upytool.documents"),
    Limit("STDIN_BYTES", "bytes", "stdin of `cp - :FILE`, which is read whole", "upytool.cli.commands.cp"),
    Limit("NAME_BYTES", "bytes", "one name of a path from a package, a record, a lock, a backup", "upytool.inner_path"),
    Limit("PATH_BYTES", "bytes", "such a path as a whole", "upytool.inner_path"),
    Limit("PACKAGE_PATH_BYTES", "bytes", "the path of a package's file", "upytool.inner_path"),
    Limit("HTTP_BYTES", "bytes", "one download, as it came and unpacked", "upytool.net.download"),
    Limit("HTTP_TOTAL_BYTES", "bytes", "all files of an install; all its package.json", "upytool.net.body"),
    Limit("HTTP_TOTAL_SECONDS", "seconds", "all files of an install; all its package.json", "upytool.net.download"),
    Limit("HTTP_HEADER_BYTES", "bytes", "the head of an HTTP answer, `100 Continue` before it", "upytool.net.wire"),
    Limit("HTTP_HEADER_SECONDS", "seconds", "until the head of an HTTP answer is complete", "upytool.net.wire"),
    Limit("HTTP_SECONDS", "seconds", "one download with its redirects and retries", "upytool.net.download"),
    Limit("HTTP_REDIRECTS", "redirects", "redirects of one download", "upytool.net.download"),
    Limit("FIRMWARE_BYTES", "bytes", "one firmware download", "upytool.releases.source"),
    Limit("FIRMWARE_SECONDS", "seconds", "one firmware download with its retries", "upytool.releases.source"),
    Limit("FIRMWARE_LINKS", "entries", "links that are looked at on a board's page", "upytool.releases.page"),
    Limit("ARCHIVE_ENTRIES", "entries", "files in a firmware archive", "upytool.releases.archive"),
    Limit("ARCHIVE_BYTES", "bytes", "a firmware archive, unpacked", "upytool.releases.archive"),
    Limit("ARCHIVE_RATIO", "times", "a file in a firmware archive to its packed size", "upytool.releases.archive"),
    Limit("BACKUP_ENTRIES", "entries", "members of a backup", "upytool.device.backup_file"),
    Limit("PACKAGES", "packages", "packages of one install, lock or record", "upytool.packages.resolver"),
    Limit("PACKAGE_ENTRIES", "entries", "files or dependencies of a package", "upytool.packages.manifest"),
    Limit("PACKAGE_FILES", "files", "files of one install", "upytool.packages.resolver"),
    Limit("PACKAGE_DEPTH", "levels", "packages that need one another, in `mip tree`", "upytool.packages.inspect"),
    Limit("REQUIREMENT_LISTS", "files", "`-r` lists that take others in", "upytool.packages.requirements"),
    Limit("IMAGE_BYTES", "bytes", "a firmware file, flash dump or file system image", "upytool.image.base"),
    Limit("ESP_CONNECT_SECONDS", "seconds", "connecting to an Espressif bootloader", "upytool.flashers.esp_link"),
    Limit("ESP_STUB_SECONDS", "seconds", "loading and starting esptool's stub", "upytool.flashers.esp_link"),
    Limit("ESP_GREETING_SECONDS", "seconds", "silence of a stub that is to start", "upytool.flashers.esp_link"),
    Limit("ESP_CALL_SECONDS", "seconds", "an Espressif chip without progress", "upytool.flashers.esp_link"),
    Limit("ESP_SECONDS_PER_MIB", "seconds", "added for each MiB that it hashes or erases", "upytool.flashers.esp_link"),
    Limit("SIM_CALL_BYTES", "bytes", "what a caller says at a simulated board's control port", "upytool.sim.control"),
    Limit("SIM_CALL_SECONDS", "seconds", "what it may take to say it, in all", "upytool.sim.control"),
    Limit("SIM_CALLERS", "entries", "callers that have not said it yet; the oldest goes", "upytool.sim.control"),
    Limit("ANSWER_BYTES", "bytes", "one answer of a board", "upytool.device.session"),
    Limit("ANSWER_DEPTH", "levels", "nesting in an answer of a board", "upytool.device.answers"),
    Limit("ANSWER_VALUES", "entries", "values in an answer of a board", "upytool.device.answers"),
    Limit("ANSWER_INTEGER_BITS", "bits", "an integer in an answer of a board", "upytool.device.answers"),
    Limit("ANSWER_SECONDS", "seconds", "one answer of a board during a transfer, in all", "upytool.protocol.transfer"),
    Limit("LISTING_ENTRIES", "entries", "files and directories in one listing", "upytool.device.transfer"),
    Limit("LISTING_CHARACTERS", "characters", "the paths of one listing together", "upytool.device.transfer"),
    Limit("JSON_LEVELS", "levels", "directories in `tree --json`", "upytool.cli.commands.tree"),
    Limit("OUTPUT_BYTES", "bytes", "collected output (`eval`, the library's `exec`)", "upytool.device.session"),
    Limit("BLE_BYTES", "bytes", "that gather over `ble://` while nobody reads", "upytool.transport.ble"),
    Limit("BLE_DEVICES", "entries", "Bluetooth LE devices that are heard at once", "upytool.transport.ble_scan"),
    Limit("PROMPT_SECONDS", "seconds", "until a board shows its prompt", "upytool.protocol.raw_repl"),
    Limit("SILENCE_SECONDS", "seconds", "a silent board in a transfer (`--timeout`)", "upytool.protocol.pace"),
    Limit("BOARD_SECONDS", "seconds", "a small question to a board", "upytool.device.session"),
    Limit("BOARD_LONG_SECONDS", "seconds", "what goes through all files of a board", "upytool.device.fs_ops"),
    Limit("BOARD_PACKAGE_SECONDS", "seconds", "a step of `mip` on the board", "upytool.packages.board"),
    Limit("SIM_BOOT_SECONDS", "seconds", "until a simulated board shows its port", "upytool.sim.registry"),
    Limit("AIR_BOARDS", "entries", "hosts and services that answer `devs --air`", "upytool.discovery.air"),
    Limit("MOUNT_DESCRIPTORS", "files", "open here for a board with a mounted directory", "upytool.device.folder"),
    Limit("MOUNT_FILES", "files", "that a board has open in a mounted directory", "upytool.device.folder"),
    Limit("ARGUMENT_PATH_BYTES", "bytes", "a path on the command line", "upytool.cli.params"),
    Limit("JSON_OUTPUT_BYTES", "bytes", "what one command prints, in a --json document", "upytool.cli.ui.json"),
)
