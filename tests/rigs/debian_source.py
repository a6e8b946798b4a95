"""Source packages from Debian's archive, fetched file by file by apt with lists of their own.

The machine's own apt lists and sources stay as they are: every command here gets its own sources list, list
directory and cache through apt's Dir options. The mirror is the machine's own, read from its apt
configuration at run time. Releases older or newer than the machine's are asked for by name (trixie, sid).

Every pinned file has its SHA-256 here, taken from Debian's signed index, so a file is accepted for what it
is, whatever delivered it. apt checks the index's signature too, with the archive keyring of the machine.
"""

from __future__ import annotations

import dataclasses
import hashlib
import shutil
import tempfile
from pathlib import Path

from tests.rigs.base import RegistryRefused, RigBroken, RigUnavailable, apt_install, cache_root, locked, run_step

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


@dataclasses.dataclass(frozen=True)
class Pin:
    """One file of the archive; `kind` is "orig" (a source package's tarball) or "deb" (a binary package)."""

    name: str
    kind: str
    package: str
    version: str
    sha256: str | None = None  # None: a package that stable releases update in place; apt's own check holds


PINS = {
    pin.name: pin
    for pin in (
        Pin(
            "micropython-1.26.1",
            "orig",
            "micropython",
            "1.26.1+ds",
            "f5ad2ec89d3e921f753d448955af98b6005655f84ba26087dde6ba0e8d062f34",
        ),
        Pin(
            "micropython-1.25.0",
            "orig",
            "micropython",
            "1.25.0+ds",
            "7b25be99a502f070b2de81dafc08da7051d992325d6e67daa9045a918fffdbea",
        ),
        Pin(
            "pico-sdk",
            "orig",
            "pico-sdk",
            "2.1.1",
            "179c5531e75ac7f82d0679e70b6e8881f871738dc0ef17baf3b4ff4679291c41",
        ),
        Pin("tinyusb", "deb", "tinyusb-source", "0.18.0+dfsg"),
        Pin("mbedtls", "orig", "mbedtls", "3.6."),
    )
}


def source_tree(name: str) -> Path:
    """The unpacked tree of pin `name`, read-only by convention: a build writes elsewhere or copies it."""
    pin = PINS[name]
    final = cache_root() / f"src-{name}"
    with locked("src"):
        if final.is_dir():
            return final
        file = _fetched(pin)
        scratch = Path(tempfile.mkdtemp(prefix=".src-", dir=cache_root()))
        try:
            if pin.kind == "deb":
                run_step(["dpkg-deb", "-x", str(file), str(scratch)])
                inside = scratch / "usr" / "src" / name
            else:
                apt_install("xz-utils", "bzip2")
                run_step(["tar", "-C", str(scratch), "-xf", str(file)])
                inside = next(scratch.iterdir())
            inside.rename(final)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    return final


def building_copy(source: Path, tree: Path) -> None:
    """Copy a MicroPython tree for builds: without what none reads, with an empty micropython-lib."""
    shutil.copytree(source, tree, symlinks=True, ignore=shutil.ignore_patterns("docs", "tests", "examples", "logo"))
    library = tree / "lib" / "micropython-lib"
    library.mkdir(exist_ok=True)
    (library / "README.md").touch()


def micropython_tree() -> tuple[str, Path]:
    """(version, tree) of the newest MicroPython source that the archive still has.

    1.26.1 lives in the moving release (sid), so one day it is gone; the stable release's 1.25.0 then takes
    its place.
    """
    try:
        return "1.26.1", source_tree("micropython-1.26.1")
    except RegistryRefused:
        return "1.25.0", source_tree("micropython-1.25.0")


def _fetched(pin: Pin) -> Path:
    directory = cache_root() / "dl" / pin.name
    have = [file for file in directory.glob("*") if file.is_file()] if directory.is_dir() else []
    if have and _right(have[0], pin):
        return have[0]
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    try:
        Archive().fetch(pin, directory)
        files = [file for file in directory.iterdir() if file.is_file()]
        if len(files) != 1:
            raise RegistryRefused(f"Debian's archive delivered no file for {pin.package} {pin.version}")
        if not _right(files[0], pin):
            raise RigBroken(f"{files[0].name} has another SHA-256 than Debian published for {pin.version}")
    except BaseException:
        shutil.rmtree(directory, ignore_errors=True)
        raise
    return files[0]


def _right(file: Path, pin: Pin) -> bool:
    return pin.sha256 is None or hashlib.sha256(file.read_bytes()).hexdigest() == pin.sha256


class Archive:
    """Debian's archive through apt, with lists of its own, refreshed when a package is missing in them."""

    def __init__(self) -> None:
        self.home = cache_root() / "apt"
        for part in ("lists/partial", "cache/archives/partial"):
            (self.home / part).mkdir(parents=True, exist_ok=True)

    def fetch(self, pin: Pin, into: Path) -> None:
        """Download the pinned file; RegistryRefused with apt's words if the archive refuses."""
        version = self._version(pin)
        if version is None:
            self._refresh()
            version = self._version(pin)
        if version is None:
            raise RegistryRefused(f"Debian's archive has no {pin.package} {pin.version} any more (trixie, sid)")
        if pin.kind == "deb":
            command = ["apt-get", *self._options(), "download", f"{pin.package}={version}"]
        else:
            # --tar-only: a mirror may refuse the .dsc or the debian.tar, which are not needed here.
            command = [
                "apt-get",
                *self._options(),
                "source",
                "--download-only",
                "--tar-only",
                f"{pin.package}={version}",
            ]
        try:
            run_step(command, cwd=into)
        except RigBroken as failed:
            refused = [line for line in str(failed).splitlines() if line.startswith("E: Failed to fetch")]
            if not refused:
                raise
            raise RegistryRefused(f"Debian's archive refuses {pin.package} {version}: {refused[0][3:]}") from failed

    def _version(self, pin: Pin) -> str | None:
        verb = "show" if pin.kind == "deb" else "showsrc"
        try:
            shown = run_step(["apt-cache", *self._options(), verb, pin.package], timeout=60)
        except RigBroken:
            return None
        versions = [line.split(": ", 1)[1].strip() for line in shown.splitlines() if line.startswith("Version: ")]
        exact = not pin.version.endswith(".")
        fitting = [v for v in versions if v.startswith(pin.version + "-" if exact else pin.version)]
        return fitting[0] if fitting else None

    def _options(self) -> list[str]:
        settings = {
            "Dir::Etc::sourcelist": self.home / "sources.list",
            "Dir::Etc::sourceparts": "/dev/null",
            "Dir::State::lists": self.home / "lists",
            "Dir::State::status": "/dev/null",
            "Dir::Cache": self.home / "cache",
            "APT::Sandbox::User": "",  # the cache may lie where apt's own user cannot write
            "Acquire::Retries": "3",
            "Acquire::http::Timeout": "30",
            "Acquire::Languages": "none",
            "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled": "false",
            "APT::Update::Post-Invoke-Success::": "true",
        }
        return ["-q", *(part for name, value in settings.items() for part in ("-o", f"{name}={value}"))]

    def _refresh(self) -> None:
        if not shutil.which("apt-get"):
            raise RigUnavailable("the rigs are built from Debian's source packages, and apt-get is not here")
        mirror = _mirror()
        signed = f"signed-by={KEYRING}" if KEYRING.exists() else ""
        self._write_list(mirror, signed)
        try:
            run_step(["apt-get", *self._options(), "update", "--error-on=any"], timeout=240)
        except RigBroken as failed:
            text = str(failed)
            if "NO_PUBKEY" not in text and "not signed" not in text:
                raise RegistryRefused(f"Debian's archive does not answer: {_first_error(text)}") from failed
            # A machine of an older release may not know the key of a newer one. The files that matter are
            # pinned by SHA-256 in this module, so the index may come unsigned then.
            self._write_list(mirror, "trusted=yes")
            try:
                run_step(["apt-get", *self._options(), "update", "--error-on=any"], timeout=240)
            except RigBroken as again:
                raise RegistryRefused(f"Debian's archive does not answer: {_first_error(str(again))}") from again

    def _write_list(self, mirror: str, option: str) -> None:
        marks = f"[{option}] " if option else ""
        lines = [f"deb-src {marks}{mirror} {release} main" for release in ("trixie", "sid")]
        lines.append(f"deb {marks}{mirror} trixie main")
        (self.home / "sources.list").write_text("\n".join(lines) + "\n")


def _first_error(text: str) -> str:
    return next((line for line in text.splitlines() if line.startswith(("E:", "Err:"))), text.strip()[-200:])


def _mirror() -> str:
    """The machine's own Debian mirror: the first archive of its apt sources that is not the security one."""
    listed = run_step(
        ["apt-get", "indextargets", "--no-release-info", "--format", "$(REPO_URI) $(COMPONENT)"], timeout=60
    )
    for line in listed.splitlines():
        uri, _, component = line.partition(" ")
        if component == "main" and uri.rstrip("/").endswith("/debian"):
            return uri
    raise RigUnavailable(
        "apt has no Debian archive among its sources, so there is no mirror to ask for source packages"
    )
