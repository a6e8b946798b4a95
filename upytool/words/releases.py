"""What the releases room says when something fails."""

from __future__ import annotations

ERRORS: dict[str, tuple[str, ...]] = {
    "config.firmware-server": ("firmware server: {cause}",),
    "image.archive-bomb": (
        "{name} is not taken as a firmware archive: {entry} unpacks to {size:,} bytes",
        "take another kind of file",
    ),
    "image.archive-compression": (
        "{name} is not taken as a firmware archive: {entry} is packed in an unusual way",
        "take another kind of file",
    ),
    "image.archive-damaged": ("{name} is a damaged archive: {cause}", "download it again"),
    "image.archive-large": (
        "{name} is not taken as a firmware archive: unpacked it is larger than {limit:,} bytes",
        "take another kind of file",
    ),
    "image.archive-many-entries": (
        "{name} is not taken as a firmware archive: it has more than {limit:,} entries",
        "take another kind of file",
    ),
    "image.archive-path": (
        "{name} is not taken as a firmware archive: it holds {entry!r}: {reason}",
        "take another kind of file",
    ),
    "image.damaged-download": ("{name}: {cause}", "download it again"),
    "image.other-format": (
        "{name} is called .{ext}, but holds a {found}",
        "the server's file is not what its name says: take another kind or version",
    ),
    "local-file.cache-not-writable": (
        "cannot write {path}: {reason}",
        "free some space there, or name another directory with UPYTOOL_CACHE_DIR",
    ),
    "local-file.firmware-directory": ("{path} is a directory", "give a firmware file, a board's name or an address"),
    "local-file.locked": ("another program holds {path}", "try again when it is done"),
    "local-file.no-firmware": ("{path} does not exist", "give a firmware file, a board's name or an address"),
    "local-file.wrong-sha256": ("{path} is another file: its SHA-256 is {sha256}, wanted is {wanted}",),
    "network.changed-file": (
        "{url} gives another file than on {day}: its SHA-256 was {before} and now is {sha256}",
        "published files do not change: be careful. If you know that this one did, accept it with --sha256 {sha256}",
    ),
    "network.no-firmware": ("{server} has no firmware for {build}", "look at {page}, or give a file or an address"),
    "network.not-on-server": ("{name} is not on the server (404)",),
    "network.wrong-sha256": (
        "{url} gives another file than wanted: its SHA-256 is {sha256}, wanted is {wanted}",
        "compare both with what the publisher says",
    ),
    "offline.firmware": (
        "{name} is not on this computer, and --offline forbids to fetch it",
        "run the same command once without --offline, then it is there",
    ),
    "offline.no-firmware": (
        "no firmware for {build} is on this computer, and --offline forbids to look for it",
        "download it once without --offline, then it is there",
    ),
    "offline.no-version": (
        "MicroPython {version} for {build} is not on this computer, and --offline forbids to fetch it",
    ),
    "usage.address-without-name": (
        "{address} does not end with the name of a file: {cause}",
        "copy the address of the file itself",
    ),
    "usage.firmware-no-variant": ("{board} has no variant {variant}",),
    "usage.firmware-unknown-board": ("{server} has no firmware for {board}, and upytool knows no such board",),
    "usage.no-firmware-kind": ("{board} has no .{kind} firmware", "--kind takes: {known}"),
    "usage.no-release": ("there is no release for {build} yet", "--version=preview takes {version}"),
    "usage.no-version": ("there is no MicroPython {version} for {build}",),
    "usage.not-a-sha256": ("{text!r} is not a SHA-256", "it has 64 hexadecimal digits"),
    "usage.not-a-version": (
        "{text!r} is not a version",
        "latest, preview, a version such as 1.28 or 1.28.0, or a date YYYYMMDD",
    ),
    "usage.one-file": ("{spec} is a single file, so a {option} cannot be chosen", "leave out --{option}"),
    "usage.two-variants": ("two variants are wanted, {variant} and {other}",),
    "usage.two-versions": ("two versions are wanted, {wanted} and {other}",),
    "usage.unknown-firmware-kind": ("there is no firmware of kind {kind}", "one of {known}"),
}

NOTES: dict[str, str] = {
    "releases.guessed-look-at": "the packaged list says that there is such a file, but it may be wrong: look at {page}",
    "releases.look-at": "look at {page}",
    "releases.no-variants": "it has none at all",
    "releases.variants": "its variants: {known}",
    "releases.versions": "there is: {known}",
}
