"""What all rigs share: their two errors, the build cache, bounded commands, and Debian packages."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
FIRMWARE = HERE / "firmware"


class RigUnavailable(Exception):
    """This machine cannot have the rig; the message says why. Tests are skipped, and fail where CI is set."""


class RegistryRefused(RigUnavailable):
    """A registry did not give what the rig is made of: nobody's fault here, so tests are skipped in CI too."""


class RigBroken(Exception):
    """A rig that should work does not: a build failed, an emulator ended, a board is mute."""


# Read once: a test may start a rig in an environment that it has cleared, and the rig is the same there. (It would
# be built anew, and one that does not start would be left out in CI.)
IN_CI = bool(os.environ.get("CI"))
NO_RIGS = bool(os.environ.get("UPYTOOL_NO_RIGS"))  # `make unit`: what needs one is marked so, and is not run
_CACHE = Path(
    os.environ.get("UPYTOOL_RIG_CACHE")
    or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "upytool" / "rigs"
).absolute()


def cache_root() -> Path:
    """Where downloads and builds are kept: $UPYTOOL_RIG_CACHE, else under the user's cache directory."""
    _CACHE.mkdir(parents=True, exist_ok=True)
    return _CACHE.resolve()


def recipe_key(*parts: str, files: Iterable[Path] = ()) -> str:
    """A short hash of everything an artefact is made from: texts (versions, options) and files."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part.encode() + b"\0")
    for file in sorted(files):
        digest.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def _no_clock() -> contextlib.AbstractContextManager[None]:
    return contextlib.nullcontext()


# What holds a test's clock while a rig is made; tests/rigs/fixtures.py sets it. Each step of making has a limit.
stopped_clock: Callable[[], contextlib.AbstractContextManager[None]] = _no_clock


@contextlib.contextmanager
def locked(name: str) -> Iterator[None]:
    """Hold a lock of the cache, so that two test runs do not build or install the same thing at once.

    All that is fetched, installed or built for a rig is, in here; a test's clock stands still meanwhile.
    """
    with stopped_clock(), open(cache_root() / f".{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def refuse_in_units(name: str) -> None:
    """Nothing is built or installed for `make unit`, not even where it is there already. Errors: RigBroken."""
    if NO_RIGS:
        raise RigBroken(f"{name} is a rig, and this run has none: mark the test with pytest.mark.rig")


def cached_build(name: str, key: str, build: Callable[[Path], None]) -> Path:
    """The directory of artefact `name` made by recipe `key`; `build(directory)` fills it when it is new.

    A directory appears under its final name only when complete; older recipes of the same name are removed.
    """
    refuse_in_units(name)
    final = cache_root() / f"{name}-{key}"
    if final.is_dir():
        return final
    with locked(name):
        if not final.is_dir():
            scratch = cache_root() / f".{name}"  # the same each time, so that ccache knows the names of files in it
            shutil.rmtree(scratch, ignore_errors=True)
            scratch.mkdir()
            try:
                build(scratch)
                scratch.chmod(0o755)  # the unix rig's board runs as another user
                scratch.rename(final)
            finally:
                shutil.rmtree(scratch, ignore_errors=True)
            for old in cache_root().glob(f"{name}-*"):
                if old != final and len(old.name) == len(final.name):
                    shutil.rmtree(old, ignore_errors=True)
    return final


# Seconds a step of a build may take: at low priority beside busy processes it takes many times what it takes alone.
STEP = 1200


def run_step(
    argv: list[str],
    *,
    timeout: float = STEP,
    cwd: Path | None = None,
    env: dict[str, str] | None = None,
    low: bool = True,
) -> str:
    """Run one bounded command at low priority for its output; RigBroken with its last words if it fails."""
    command = ["nice", *argv] if low else argv
    try:
        done = subprocess.run(
            command,
            cwd=cwd,
            env={**os.environ, "LC_ALL": "C", **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired as stopped:
        raise RigBroken(f"{argv[0]} did not end within {timeout:.0f} s") from stopped
    output = done.stdout.decode("utf-8", "replace")
    if done.returncode:
        raise RigBroken(f"{' '.join(argv[:4])} ended with {done.returncode}:\n{output[-3000:]}")
    return output


def build_environment() -> dict[str, str]:
    """What firmware is compiled in: one date, this Python, and through ccache where Debian gives it.

    Objects are kept below the cache and found again from any build folder there: rigs share most sources.
    """
    kept = cache_root()
    path = [str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]
    try:
        apt_install("ccache")
        path.insert(0, "/usr/lib/ccache")
    except RigUnavailable:
        pass  # it only takes longer
    return {
        "SOURCE_DATE_EPOCH": "1756684800",
        "PATH": os.pathsep.join(path),
        "CCACHE_DIR": str(kept / "ccache"),
        "CCACHE_BASEDIR": str(kept),
        "CCACHE_NOHASHDIR": "1",
        "CCACHE_MAXSIZE": "500M",
    }


def jobs() -> str:
    """The -j option for a build: every core this process may use."""
    return f"-j{len(os.sched_getaffinity(0))}"


def apt_install(*packages: str) -> None:
    """Install the Debian packages that are missing. Raises: RegistryRefused; RigUnavailable if this machine cannot."""
    missing = [package for package in packages if not _installed(package)]
    if not missing:
        return
    line = "apt-get install " + " ".join(missing)
    if not shutil.which("apt-get"):
        raise RigUnavailable(f"the rigs need Debian's packages ({' '.join(missing)}), and apt-get is not here")
    if os.geteuid():
        raise RigUnavailable(f"missing packages, and only root can install them: {line}")
    apt = [
        "apt-get",
        "-q",
        "-o",
        "DPkg::Lock::Timeout=300",
        "-o",
        "Acquire::Retries=3",
        "-o",
        "Acquire::http::Timeout=30",
    ]
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    with locked("apt"):
        missing = [package for package in missing if not _installed(package)]  # another rig may have been first
        if not missing:
            return
        try:
            run_step([*apt, "update"], timeout=180, env=quiet)
        except RigBroken:
            pass  # one refused list must not stop an installation that the other lists allow
        try:
            run_step([*apt, "install", "-y", "--no-install-recommends", *missing], env=quiet)
        except RigBroken as failed:
            refused = [
                text for text in str(failed).splitlines() if "Failed to fetch" in text or "Unable to locate" in text
            ]
            if refused:
                raise RegistryRefused(f"{line}: {refused[0]}") from failed
            raise


def _installed(package: str) -> bool:
    asked = subprocess.run(
        ["dpkg-query", "-W", "-f", "${db:Status-Status}", package],
        capture_output=True,
        text=True,
        check=False,
    )
    return asked.returncode == 0 and asked.stdout == "installed"
