"""The MicroPython tree that is built: a folder of the user's, or a commit fetched by git into the cache.

A tree knows its version (py/mpconfig.h), its commit and whether somebody changed it; what a build embeds of that is
decided here, so that two computers embed the same.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from ..errors import BuildError, NetworkError, OfflineError, UsageError
from ..events import NULL, Reporter, Task

UPSTREAM = "https://github.com/micropython/micropython.git"
FETCH_TIMEOUT, ASK_TIMEOUT = 1800.0, 60.0
_RELEASE = re.compile(r"v?(\d+\.\d+(?:\.\d+)?)")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_PART = re.compile(r"#define\s+MICROPY_VERSION_(MAJOR|MINOR|MICRO|PRERELEASE)\s+\(?(\d+)")


@dataclass(frozen=True)
class Tree:
    """A MicroPython tree.

    Attributes:
        path: absolute.
        version: "1.27.0", or "1.28.0-preview".
        commit: 40 hex digits; "" where the tree is not a git checkout.
        tag: what its firmware calls itself, "v1.27.0" for instance.
        dirty: tracked files were changed.
        time: of the commit, seconds since 1970; 0 where there is none.
        origin: the URL it was fetched from, "" for a folder of the user's; ref: as it was asked for.
    """

    path: Path
    version: str
    commit: str = ""
    tag: str = ""
    dirty: bool = False
    time: int = 0
    origin: str = ""
    ref: str = ""

    @property
    def release(self) -> tuple[int, int, int]:
        major, minor, micro = (int(part) for part in self.version.partition("-")[0].split("."))
        return major, minor, micro


def open_tree(
    source: str, version: str, root: Path, cache: Path, *, offline: bool, reporter: Reporter = NULL, tree: Path | None
) -> Tree:
    """The tree that a project names.

    Args:
        source: a folder (relative to `root`), `git+URL#ref` or a git URL with `#ref`, a release ("v1.27.0"), or "".
        version: of MicroPython, where `source` is "": "1.27", "latest", "preview" or "".
        cache: where fetched trees live.
        tree: a folder that is taken before all that.

    Raises: UsageError (it is not a tree), OfflineError, NetworkError, BuildError.
    """
    if tree is not None:
        return describe(tree)
    if source and "://" not in source and not source.startswith("git@"):
        place = root / Path(source).expanduser()
        if place.is_dir():
            return describe(place)
        if not _RELEASE.fullmatch(source) and source not in ("latest", "preview"):
            raise UsageError("usage.no-tree", path=place)
        return _fetched(UPSTREAM, source, cache, offline, reporter)
    if source:
        url, _, ref = source.removeprefix("git+").partition("#")
        return _fetched(url, ref or version, cache, offline, reporter)
    return _fetched(UPSTREAM, version, cache, offline, reporter)


def describe(place: Path) -> Tree:
    """What a folder holds. Raises: UsageError when it is not a MicroPython tree."""
    path = place.resolve()
    head = path / "py" / "mpconfig.h"
    if not head.is_file() or not (path / "ports").is_dir():
        raise UsageError("usage.not-a-tree", path=place)
    parts = dict(_PART.findall(head.read_text("utf-8", "replace")))
    if "MAJOR" not in parts:
        raise UsageError("usage.tree-no-version", path=head)
    version = f"{parts['MAJOR']}.{parts['MINOR']}.{parts['MICRO']}"
    if parts.get("PRERELEASE", "0") != "0":
        version += "-preview"
    # Git looks for a repository upwards; a plain folder below somebody's own repository is not its tree.
    if not (path / ".git").exists() or not _can_git():
        return Tree(path, version, tag=f"v{version}")
    commit = _ask(path, "rev-parse", "HEAD")
    if not _COMMIT.fullmatch(commit):
        return Tree(path, version, tag=f"v{version}")
    dirty = bool(_ask(path, "status", "--porcelain", "--untracked-files=no", "--ignore-submodules=dirty"))
    said = _ask(path, "describe", "--tags", "--match", "v[1-9].*")
    name, _, rest = said.partition("-")
    tag = f"{name}-{rest.replace('-', '.')}" if rest else name
    if not tag:  # a checkout without history, or without tags
        tag = f"v{version}" + (f".g{commit[:10]}" if "-" in version else "")
    when = _ask(path, "show", "-s", "--format=%ct", "HEAD")
    return Tree(path, version, commit, tag + (".dirty" if dirty else ""), dirty, int(when) if when.isdecimal() else 0)


def submodule_state(tree: Tree, names: Iterable[str]) -> tuple[list[str], dict[str, str]]:
    """(those that are missing or empty, commit of each of the others where git knows it)."""
    missing, commits = [], {}
    for name in names:
        place = tree.path / name
        if not place.is_dir() or not any(place.iterdir()):
            missing.append(name)
        elif tree.commit and (place / ".git").exists():
            commits[name] = _ask(place, "rev-parse", "HEAD")
    return missing, commits


def fetch_submodules(tree: Tree, names: Sequence[str], *, offline: bool, reporter: Reporter = NULL) -> None:
    """Bring in submodules that are missing.

    Raises: BuildError naming them when the tree is not a git checkout; OfflineError; NetworkError.
    """
    if not names:
        return
    shown = ", ".join(names)
    if not tree.commit:
        raise BuildError("build.tree-lacks", path=tree.path, submodules=list(names), version=tree.version)
    if offline:
        raise OfflineError("offline.tree-lacks", path=tree.path, submodules=list(names))
    with Task(reporter, f"fetching {shown}", None, "steps"):
        _git(tree.path, "submodule", "sync", "--", *names)
        _git(tree.path, "submodule", "update", "--init", "--depth", "1", "--", *names, timeout=FETCH_TIMEOUT)


# -- git -----------------------------------------------------------------------------------------------------


def _fetched(url: str, ref: str, cache: Path, offline: bool, reporter: Reporter) -> Tree:
    from filelock import FileLock

    if not _can_git():
        raise BuildError("build.no-git")
    if url.startswith("-") or ref.startswith("-") or "\n" in url + ref:
        raise UsageError("usage.not-a-git-source", url=url, ref=ref)
    released = _RELEASE.fullmatch(ref)
    if ref in ("", "latest"):
        if offline:
            raise OfflineError("offline.latest")
        ref = _newest_tag(url)
    elif ref == "preview":
        ref = "master"
    elif released:  # the tags are v1.19 and v1.19.1, and from v1.20.0 on always three numbers
        ref = "v" + released[1] + (".0" if released[1].count(".") == 1 and _minor(released[1]) >= 20 else "")
    slug = re.sub(r"[^A-Za-z0-9.]+", "-", ref).strip("-")[:40]
    place = cache / "trees" / f"{slug}-{sha256(f'{url}#{ref}'.encode()).hexdigest()[:12]}"
    place.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(str(place) + ".lock", timeout=FETCH_TIMEOUT):
        # A tag and a commit stay what they are; a branch moves.
        fixed = bool(_COMMIT.fullmatch(ref) or _RELEASE.fullmatch(ref))
        have = (place / "py" / "mpconfig.h").is_file()
        if offline and not have:
            raise OfflineError("offline.no-source", ref=ref, url=url)
        if not have or not (fixed or offline):
            with Task(reporter, f"fetching MicroPython {ref}", None, "steps"):
                _checkout(url, ref, place)
        tree = describe(place)
    tag = ref if _RELEASE.fullmatch(ref) and ref.startswith("v") and not tree.dirty else tree.tag
    return Tree(tree.path, tree.version, tree.commit, tag, tree.dirty, tree.time, url, ref)


def _minor(release: str) -> int:
    return int(release.split(".")[1])


def _checkout(url: str, ref: str, place: Path) -> None:
    place.mkdir(parents=True, exist_ok=True)
    _git(place, "init", "--quiet")
    _git(place, "config", "remote.origin.url", url)
    depth = ("--depth", "1")
    try:
        _git(place, "fetch", "--quiet", *depth, "--no-tags", "--", "origin", ref, timeout=FETCH_TIMEOUT)
        wanted = "FETCH_HEAD"
    except NetworkError as error:
        # A server may give no single commit, and an abbreviated one is not a name for it: then all of them.
        if not re.fullmatch(r"[0-9a-f]{7,40}", ref):
            raise NetworkError("network.git-no-ref", ref=ref, url=url, cause=error) from error
        heads = "+refs/heads/*:refs/remotes/origin/*"
        _git(place, "fetch", "--quiet", "--tags", "--", "origin", heads, timeout=FETCH_TIMEOUT)
        wanted = ref
    _git(place, "checkout", "--quiet", "--force", "--detach", wanted, timeout=FETCH_TIMEOUT)


def _newest_tag(url: str) -> str:
    found = []
    for line in _git(Path.cwd(), "ls-remote", "--tags", "--refs", "--", url, timeout=ASK_TIMEOUT).splitlines():
        name = line.rpartition("/")[2]
        if name.startswith("v") and _RELEASE.fullmatch(name):
            found.append((tuple(int(part) for part in name[1:].split(".")), name))
    if not found:
        raise NetworkError("network.no-release", url=url)
    return max(found)[1]


def _can_git() -> bool:
    from shutil import which

    return which("git") is not None


def _environment() -> dict[str, str]:
    # Other protocols of git start programs that a URL names ("ext::").
    quiet = {"GIT_TERMINAL_PROMPT": "0", "GIT_ALLOW_PROTOCOL": "https:http:ssh:git:file", "LC_ALL": "C"}
    kept = {name: value for name, value in os.environ.items() if name not in ("GIT_DIR", "GIT_WORK_TREE")}
    return {**kept, **quiet}


def _git(place: Path, *words: str, timeout: float = ASK_TIMEOUT) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(place), *words], stdin=subprocess.DEVNULL, capture_output=True, text=True,
            encoding="utf-8", errors="replace", timeout=timeout, env=_environment(),
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise NetworkError("network.git-timed-out", command=words[0], seconds=timeout) from None
    except OSError as error:
        raise BuildError("build.git-not-started", reason=error.strerror or error) from error
    if done.returncode:
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        said = next((line for line in reversed(lines) if line.startswith(("fatal:", "error:"))), (lines or ["?"])[-1])
        raise NetworkError("network.git", command=words[0], reason=said.partition(":")[2].strip() or said)
    return done.stdout


def _ask(place: Path, *words: str) -> str:
    """One answer of git about a checkout, "" where it has none."""
    try:
        return _git(place, *words).strip()
    except (NetworkError, BuildError):
        return ""
