"""What a source build freezes, laid out in its build folder: the project's modules, and a manifest over everything.

MicroPython's makemanifest.py goes by file times: it misses a changed -O, an older file in place of a newer one, and a
file that is gone. So what was frozen is remembered here by content, and what no longer fits is removed before it runs.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from .. import documents
from ..config.shipped import shipped
from ..errors import BuildError, ConfigError
from ..events import NULL, Reporter
from ..whole_file import write_whole
from .base import SAFE_BOOT, Item, Recipe
from .freeze_manifest import Finding, FreezeManifest
from .manifest_runner import run_manifest
from .source_board import BoardFacts, SourceBoard
from .tree_manifest import disagreements, run_tree_manifest

HOME = "upytool"  # our folder inside of a build folder
LIBRARY = "lib/"


@dataclass
class Staged:
    """The frozen side of a build.

    Attributes:
        manifest: the file that the build is given.
        modules: target in the firmware to Item, of the project.
        frozen: everything that is frozen, the board's own included.
        data: items that cannot freeze.
        changed: something is to be frozen anew.
        notes: what a user should know.
    """

    manifest: Path
    modules: dict[str, Item]
    frozen: FreezeManifest
    data: tuple[Item, ...]
    changed: bool
    notes: list[str] = field(default_factory=list)


def frozen_target(item: Item) -> str:
    """The path under which a module freezes: `lib/` falls away, since frozen modules have one root."""
    return item.target.removeprefix(LIBRARY)


def split_items(items: tuple[Item, ...]) -> tuple[dict[str, Item], tuple[Item, ...]]:
    """(modules by frozen target, data). Raises: BuildError for two of one name."""
    modules: dict[str, Item] = {}
    data = []
    for item in items:
        if not item.module and not item.target.endswith(".mpy"):
            data.append(item)
            continue
        target = frozen_target(item)
        stem = target.rpartition(".")[0]
        twin = next((each for each in (stem + ".py", stem + ".mpy") if each in modules), None)
        if twin is not None:
            raise BuildError("build.same-module", one=modules[twin].origin, other=item.origin)
        modules[target] = item
    return modules, tuple(data)


def stage(
    build: Path,
    recipe: Recipe,
    tree: Path,
    board: SourceBoard,
    facts: BoardFacts,
    compiled: Mapping[str, bytes],
    cross_digest: str,
    reporter: Reporter = NULL,
) -> Staged:
    """Lay everything out in the build folder and evaluate it.

    Args:
        compiled: .mpy content by frozen target, for modules that have an emitter of their own.
        cross_digest: of the compiler: another one compiles everything again.

    Raises: BuildError with the sentence of a manifest's fault, ManifestError.
    """
    home = build / HOME
    modules, data = split_items(recipe.items)
    notes = []
    wanted: dict[str, bytes] = {}
    texts: dict[str, bytes] = {}
    lines = ["# Written by upytool for this build.", *_base_lines(facts, board, home)]
    if facts.inline:
        notes.append(f"what {board.port.name}'s Makefile freezes for its own tests is left out")
    if recipe.manifest is not None:
        if not recipe.manifest.is_file():
            raise BuildError("build.no-manifest", path=recipe.manifest)
        lines.append(f"include({_relative(recipe.manifest, home)!r})")
    if recipe.safe_boot:
        place = _relative(shipped("manifests", "safe_boot.py"), home)
        lines.append(f"include({place!r}, boot={'boot.py' not in modules})")
    for target, item in sorted(modules.items()):
        name, text = target, item.data
        if recipe.safe_boot and target == "boot.py":
            text = SAFE_BOOT + text
        if target in compiled:
            name, text = target.removesuffix(".py") + ".mpy", compiled[target]
        if item.keep_source:
            texts[name] = text  # freeze_as_str() takes whole folders alone
            continue
        wanted[name] = text
        if name.endswith(".mpy"):
            lines.append(f"freeze('frozen', {name!r})")
        else:
            lines.append(f"freeze('frozen', {name!r}, opt={item.optimize})")
    if texts:
        lines.append("freeze_as_str('texts')")
    _sync(home / "frozen", wanted)
    _sync(home / "texts", texts)
    manifest = home / "manifest.py"
    write_changed(manifest, ("\n".join(lines) + "\n").encode())
    frozen = run_manifest(manifest, variables=facts.variables, reporter=reporter)
    _stop_at_errors(frozen, recipe)
    changed = _forget_stale(build, frozen, cross_digest)
    if changed:
        theirs = run_tree_manifest(tree, manifest, facts.variables)
        notes += [finding.message for finding in disagreements(frozen, theirs)]
    shown = {finding.message for finding in frozen.findings if finding.severity == "warning"}
    return Staged(manifest, modules, frozen, data, changed, [*sorted(shown), *notes])


def _base_lines(facts: BoardFacts, board: SourceBoard, home: Path) -> list[str]:
    """The board's own manifest, by the variable under which every build of this board finds it."""
    if facts.manifest is None:
        return []
    path = facts.manifest
    for name in ("BOARD_DIR", "PORT_DIR", "MPY_DIR"):
        base = Path(facts.variables[name])
        if path.is_relative_to(base):
            return [f'include("$({name})/{path.relative_to(base).as_posix()}")']
    return [f"include({_relative(path, home)!r})"]


def _relative(path: Path, home: Path) -> str:
    # Relative, so that a container which sees the folders elsewhere reads the same manifest.
    real = os.path.realpath(path)
    try:
        return os.path.relpath(real, os.path.realpath(home)).replace(os.sep, "/")
    except ValueError:  # on another drive
        return real.replace(os.sep, "/")


def _sync(folder: Path, wanted: Mapping[str, bytes]) -> None:
    """Make a folder hold just these files; what is right already keeps its time."""
    folder.mkdir(parents=True, exist_ok=True)
    for place, folders, names in os.walk(folder, topdown=False):
        for name in names:
            path = Path(place, name)
            if path.relative_to(folder).as_posix() not in wanted:
                path.unlink()
        for name in folders:
            try:
                Path(place, name).rmdir()
            except OSError:
                pass  # it holds something
    for name, data in wanted.items():
        write_changed(folder / name, data)


def write_changed(path: Path, data: bytes) -> bool:
    """Write a file unless it holds these bytes; says whether it wrote."""
    try:
        if path.read_bytes() == data:
            return False
    except OSError:
        pass
    write_whole(path, data, parents=True)
    return True


def _stop_at_errors(frozen: FreezeManifest, recipe: Recipe) -> None:
    wrong: list[Finding] = [finding for finding in frozen.findings if finding.severity == "error"]
    if wrong:
        where = recipe.manifest or frozen.path
        raise BuildError("build.manifest-finding", message=wrong[0].message, path=where)


def _forget_stale(build: Path, frozen: FreezeManifest, cross_digest: str) -> bool:
    """Remove what an earlier run of this build folder froze otherwise; says whether anything changed."""
    now: dict[str, Any] = {}
    for file in frozen.files:
        try:
            digest = sha256(file.source.read_bytes()).hexdigest()
        except OSError as error:
            raise BuildError("build.cannot-read", path=file.source, reason=error.strerror or error) from error
        now[file.target] = [file.kind, file.optimize, file.version, digest, str(file.source)]
    path = build / HOME / "frozen.json"
    state = {"cross": cross_digest, "files": now}
    before: dict[str, Any] = {}
    try:
        loaded = documents.read_json(path)
        if loaded.get("cross") == cross_digest:
            before = dict(loaded["files"])
    except (ConfigError, ValueError, KeyError, TypeError, AttributeError):
        pass
    if before == now:
        return False
    for target in {*before, *now}:
        if before.get(target) != now.get(target) and target.endswith(".py"):
            (build / "frozen_mpy" / (target[:-3] + ".mpy")).unlink(missing_ok=True)
    (build / "frozen_content.c").unlink(missing_ok=True)
    write_changed(path, json.dumps(state, sort_keys=True, indent=0).encode())
    return True


def frozen_digests(build: Path) -> dict[str, dict[str, object]]:
    """What the last run froze, for a lock: digest, options and origin without folders of this computer."""
    try:
        files = documents.read_json(build / HOME / "frozen.json")["files"]
        return {
            target: {"sha256": digest, "kind": kind, "optimize": optimize}
            for target, (kind, optimize, _version, digest, _source) in files.items()
        }
    except (ConfigError, ValueError, KeyError, TypeError, AttributeError):
        return {}
