"""Compilers in a container: docker or podman, with an image that is pinned by its digest."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import BuildError, OfflineError
from ..events import NULL, Reporter, Task

PULL_TIMEOUT, ASK_TIMEOUT = 3600.0, 60.0
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True)
class Container:
    """A container program and an image.

    Attributes:
        program: "docker" or "podman".
        image: what is started, by digest; digest: "sha256:..." for the lock; tag: as it was asked for.
        mounts: folders that it sees, under their own paths where the system has such paths.
        network: whether what runs in it reaches a network (ESP-IDF fetches components while it configures).
    """

    program: str
    image: str
    digest: str
    tag: str
    mounts: tuple[Path, ...] = ()
    network: bool = False

    def path(self, place: Path) -> str:
        """How the container calls a folder of this computer."""
        return container_path(str(place))

    def command(self, words: Sequence[str], cwd: Path, environment: Mapping[str, str], name: str) -> list[str]:
        """The line that runs `words` in the container."""
        line = [self.program, "run", "--rm", "--init", "--name", name]
        if not self.network:
            line += ["--network", "none"]
        if hasattr(os, "getuid"):
            if self.program == "podman":
                line += ["--userns", "keep-id"]
            else:
                # Files of the build are the user's own, not root's.
                line += ["--user", f"{os.getuid()}:{os.getgid()}"]
        for place in _outermost(self.mounts):
            line += ["--volume", f"{place}:{self.path(place)}"]
        line += ["--workdir", self.path(cwd)]
        for key, value in sorted({"HOME": "/tmp", **environment}.items()):
            line += ["--env", f"{key}={value}"]
        return [*line, self.image, *words]


def container_path(place: str) -> str:
    """`C:\\x\\y` is /c/x/y inside; a path with "/" stays as it is."""
    drive = re.match(r"([A-Za-z]):[\\/]", place)
    if drive is None:
        return place
    return f"/{drive[1].lower()}/" + place[3:].replace("\\", "/")


def _outermost(places: Iterable[Path]) -> list[Path]:
    """Without those that lie in another."""
    every = sorted(set(places))
    return [place for place in every if not any(other in place.parents for other in every)]


def find_program(choice: str) -> str:
    """The container program, "" where there is none. Args: choice: "auto", "docker" or "podman".

    Of "auto" one that runs: an installed docker whose service is down is none.
    """
    names = ("docker", "podman") if choice == "auto" else (choice,)
    found = [name for name in names if shutil.which(name)]
    return next((name for name in found if choice != "auto" or _answers(name)), "")


def _answers(program: str) -> bool:
    try:
        return subprocess.run([program, "info"], capture_output=True, timeout=ASK_TIMEOUT).returncode == 0
    except (OSError, subprocess.SubprocessError):
        return False


def open_container(
    choice: str, tag: str, mounts: Iterable[Path], *, offline: bool, network: bool = False, reporter: Reporter = NULL
) -> Container:
    """A container of an image, pulled where it is not here.

    Raises: BuildError (no program, it does not run, no such image), OfflineError.
    """
    program = find_program(choice)
    if not program:
        raise BuildError("build.no-container", program="docker or podman" if choice == "auto" else choice)
    said = _inspect(program, tag)
    if said is None:
        if offline:
            raise OfflineError("offline.container-image", tag=tag, program=program)
        with Task(reporter, f"fetching {tag}", None, "steps"):
            done = _run([program, "pull", tag], PULL_TIMEOUT)
        if done.returncode:
            words = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
            raise BuildError("build.container-fetch", program=program, tag=tag, reason=words)
        said = _inspect(program, tag)
    if said is None:
        raise BuildError("build.container-digest", program=program, tag=tag)
    names = [word for word in said.split() if "@" in word]
    found = _DIGEST.search(names[0] if names else said)
    if found is None:
        raise BuildError("build.container-no-digest", program=program, tag=tag)
    return Container(program, names[0] if names else found[0], found[0], tag, tuple(mounts), network)


def stop_container(program: str, name: str) -> None:
    """End a container by its name; it may be gone already."""
    _run([program, "kill", name], ASK_TIMEOUT)


def _inspect(program: str, tag: str) -> str | None:
    """Repository digests and id of an image that is here."""
    wanted = "{{range .RepoDigests}}{{.}} {{end}}{{.Id}}"
    done = _run([program, "image", "inspect", "--format", wanted, tag], ASK_TIMEOUT)
    return done.stdout.strip() if done.returncode == 0 else None


def _run(command: list[str], timeout: float) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, encoding="utf-8", errors="replace",
            timeout=timeout,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise BuildError("build.timed-out", command=f"{command[0]} {command[1]}", seconds=timeout) from None
    except OSError as error:
        raise BuildError("build.not-started", command=command[0], reason=error.strerror or error) from error
