"""What a manifest.py puts into firmware, and what is wrong with it.

    from upytool.api import manifests

    found = manifests.evaluate("manifest.py", tree="../micropython", board="RPI_PICO")
    print([finding.data() for finding in found.findings])
    print(manifests.explain(found, "umqtt.simple").data())

A manifest is a Python program: evaluating it runs it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import UsageError
from ..words import Said

if TYPE_CHECKING:
    from ..builder.freeze_manifest import FreezeManifest as FreezeManifest
    from ..builder.freeze_manifest import FrozenFile as FrozenFile
    from ..builder.freeze_manifest import Mode as Mode
    from ..builder.freeze_manifest import Step as Step

__all__ = ["Explained", "evaluate", "explain"]


def evaluate(
    path: str | os.PathLike[str],
    *,
    variables: Mapping[str, str] | None = None,
    tree: str | os.PathLike[str] | None = None,
    port: str = "",
    board: str = "",
    mode: Mode = "freeze",
) -> FreezeManifest:
    """Run a manifest and collect the files that it names, with what is wrong in `findings`.

    Args:
        path: of a manifest.py or its directory.
        variables: values for $(NAME), which go before the tree's.
        tree: a source tree of MicroPython: gives MPY_DIR and MPY_LIB_DIR, and its own evaluator is compared.
        port: of the tree, PORT_DIR.
        board: of the tree, BOARD_DIR; its port follows.
        mode: `freeze` as for firmware; `compile`, `pyproject`, `c-modules` as micropython-lib reads a package.

    Raises: UsageError; BuildError for a manifest that fails.
    """
    from ..builder.manifest_runner import run_manifest
    from ..builder.tree_manifest import disagreements, run_tree_manifest, tree_variables

    if (port or board) and not tree:
        raise UsageError("usage.manifest-no-tree")
    values = tree_variables(Path(tree), port=port, board=board) if tree else {}
    values |= variables or {}
    manifest = run_manifest(path, mode=mode, variables=values)
    if tree and mode == "freeze":
        theirs = run_tree_manifest(Path(tree), manifest.manifests[0], values)
        manifest = replace(manifest, findings=(*manifest.findings, *disagreements(manifest, theirs)))
    return manifest


@dataclass(frozen=True, slots=True)
class Explained:
    """Files of a manifest, with the calls that bring each in (`chain`)."""

    manifest: FreezeManifest
    files: tuple[FrozenFile, ...]

    def data(self) -> dict[str, Any]:
        """As a JSON value."""
        manifest = self.manifest
        return {
            "manifests": [str(each) for each in manifest.manifests],
            "metadata": {"version": manifest.metadata.version, "description": manifest.metadata.description},
            "c_modules": [str(each) for each in manifest.c_modules],
            "dependencies": list(manifest.dependencies),
            "files": [
                {
                    "target": file.target,
                    "source": str(file.source),
                    "kind": file.kind,
                    "optimize": file.optimize,
                    "version": file.version,
                    "because": [str(step) for step in file.chain],
                }
                for file in self.files
            ],
        }


def explain(manifest: FreezeManifest, name: str = "") -> Explained:
    """Say which files go in, and why.

    Args:
        name: only this file (`net/wifi.py`) or module (`net.wifi`); "": all.

    Raises: UsageError where it is not in.
    """
    if not name:
        return Explained(manifest, manifest.files)
    found = manifest.find(name)
    if found is None:
        raise UsageError(
            "usage.not-in-manifest", name=name, hint=_nearest(name, [file.target for file in manifest.files])
        )
    return Explained(manifest, (found,))


def _nearest(name: str, targets: list[str]) -> Said:
    from difflib import get_close_matches

    near = get_close_matches(name, targets, 3, 0.6)
    return Said("api.did-you-mean", names=near) if near else Said("api.manifest-all")
