"""What is wrong with a manifest that runs: told before a build takes a minute, or a board starts without files."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from .freeze_manifest import Finding, FreezeManifest, Step


def look_over(manifest: FreezeManifest, variables: Mapping[str, str]) -> Iterator[Finding]:
    """What a whole manifest lacks or has twice. `variables`: as it was run with."""
    if manifest.mode != "freeze":
        return
    targets = {file.target for file in manifest.files}
    for file in manifest.files:
        stem, _, suffix = file.target.rpartition(".")
        if suffix == "mpy" and stem + ".py" in targets:
            text = f"{stem}.py and {stem}.mpy would become the same module"
            yield Finding("twins", "error", text, file.chain[-1])
        if suffix == "py" and stem + "/__init__.py" in targets:
            text = f"{file.target} and {stem}/__init__.py have one name; the package is found first"
            yield Finding("module-and-package", "warning", text, file.chain[-1])
        if file.target == "main.mpy":
            text = "main.mpy is frozen as a module; nothing starts it by this name, only main.py"
            yield Finding("main-mpy", "warning", text, file.chain[-1])
        if file.optimize == 3 and file.kind == "compile":
            text = f"{file.target} is compiled with opt=3: its tracebacks have no line numbers"
            yield Finding("no-line-numbers", "note", text, file.chain[-1])
    missing = _board_manifests(variables)
    if missing and "_boot.py" not in targets and not _runs_one(manifest, missing):
        call = 'include("$(PORT_DIR)/boards/manifest.py")'
        yield Finding(
            "no-board-manifest",
            "error",
            "neither the board's nor the port's manifest is included: `_boot.py`, asyncio and drivers will be missing, "
            f"and the board starts without a file system; add {call}",
            Step(manifest.manifests[0], 0, "the whole manifest") if manifest.manifests else None,
        )


def _board_manifests(variables: Mapping[str, str]) -> list[Path]:
    """The manifests that this board's firmware is made with, as far as they exist."""
    port, board = variables.get("PORT_DIR"), variables.get("BOARD_DIR")
    places = [Path(port, "boards", "manifest.py"), Path(port, "manifest.py")] if port else []
    places += [Path(board, "manifest.py")] if board else []
    return [place for place in places if place.is_file()]


def _runs_one(manifest: FreezeManifest, wanted: list[Path]) -> bool:
    real = {os.path.realpath(path) for path in manifest.manifests}
    return any(os.path.realpath(path) in real for path in wanted)
