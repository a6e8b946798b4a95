"""A manifest evaluated by a MicroPython tree's own code: what its build will really freeze.

The language grows with the tree (`c_module` is new after 1.28), so where a tree is at hand it has the last word; our
own runner explains, and says where the two disagree.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from ..errors import BuildError, UsageError
from .freeze_manifest import Finding, FreezeManifest, FrozenFile, Kind, Step
from .manifest_runner import ManifestError
from .manifest_steps import TIMEOUT

# Runs in a Python of its own: the tree's module is not ours to import, and a manifest may do anything.
_PROGRAM = """
import importlib.util, json, sys
tool, manifest, variables = sys.argv[1:]
spec = importlib.util.spec_from_file_location("manifestfile", tool)
module = importlib.util.module_from_spec(spec)
sys.modules["manifestfile"] = module
spec.loader.exec_module(module)
names = dict.fromkeys(("MPY_DIR", "MPY_LIB_DIR", "PORT_DIR", "BOARD_DIR"))
names.update(json.loads(variables))
made = module.ManifestFile(module.MODE_FREEZE, names)
said = sys.stdout
sys.stdout = sys.stderr
try:
    made.execute(manifest)
except module.ManifestFileError as error:
    print(json.dumps({"error": str(error)}), file=said)
else:
    kinds = {module.KIND_FREEZE_AS_STR: "text", module.KIND_FREEZE_MPY: "mpy"}
    files = [
        [each.target_path, each.full_path, kinds.get(each.kind, "compile"), each.opt, each.metadata.version]
        for each in made.files()
    ]
    print(json.dumps({"files": files}), file=said)
"""


def run_tree_manifest(tree: Path, manifest: Path, variables: Mapping[str, str]) -> FreezeManifest:
    """Evaluate with `tools/manifestfile.py` of `tree`; the files have no chain, since that code keeps none.

    Raises: ManifestError; BuildError when the tree holds no such tool.
    """
    tool = tree / "tools" / "manifestfile.py"
    if not tool.is_file():
        raise BuildError("build.no-manifestfile", tree=tree)
    try:
        done = subprocess.run(
            [sys.executable, "-c", _PROGRAM, str(tool), str(manifest), json.dumps(dict(variables))],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=TIMEOUT,
            cwd=manifest.parent,
            env={**os.environ, "PYTHONIOENCODING": "utf-8"},
        )
    except subprocess.TimeoutExpired:
        raise ManifestError("build.manifest.timed-out", path=manifest, seconds=TIMEOUT) from None
    answer = _answer(done.stdout)
    if "error" in answer or "files" not in answer:
        words = str(answer.get("error") or (done.stderr.strip().splitlines() or ["no answer"])[-1])
        raise ManifestError("build.manifest.failed", path=manifest, reason=words)
    step = Step(manifest, 0, "the tree's own evaluation")
    files: dict[str, FrozenFile] = {}
    for target, source, kind, optimize, version in answer["files"]:
        chosen: Kind = kind
        files[target] = FrozenFile(target.replace(os.sep, "/"), Path(source), chosen, optimize, version or "", (step,))
    return FreezeManifest(manifest, "freeze", tuple(files[target] for target in sorted(files)))


def disagreements(ours: FreezeManifest, theirs: FreezeManifest) -> list[Finding]:
    """Where the tree's own evaluation differs from ours."""
    mine = {file.target: file for file in ours.files}
    other = {file.target: file for file in theirs.files}
    found = [
        Finding("tree-differs", "warning", f"the tree's tool freezes {target}, ours does not")
        for target in sorted(set(other) - set(mine))
    ]
    found += [
        Finding("tree-differs", "warning", f"ours freezes {target}, the tree's tool does not", mine[target].chain[-1])
        for target in sorted(set(mine) - set(other))
    ]
    for target in sorted(set(mine) & set(other)):
        one, two = mine[target], other[target]
        if (one.kind, one.optimize) != (two.kind, two.optimize):
            text = f"{target}: ours {one.kind} -O{one.optimize}, the tree's tool {two.kind} -O{two.optimize}"
            found.append(Finding("tree-differs", "warning", text, one.chain[-1]))
    return found


def _answer(text: str) -> dict[str, Any]:
    for line in reversed(text.splitlines()):
        try:
            answer = json.loads(line)
        except ValueError:
            continue
        if isinstance(answer, dict):
            return answer
    return {}


def tree_variables(tree: Path, *, port: str = "", board: str = "") -> dict[str, str]:
    """`$(NAME)` as a build of that tree has them, absolute.

    Raises: UsageError for a port or board that the tree does not have.
    """
    root = tree.resolve()
    if not (root / "ports").is_dir():
        raise UsageError("usage.not-a-tree", path=tree)
    values = {"MPY_DIR": str(root)}
    library = root / "lib" / "micropython-lib"
    if (library / "micropython").is_dir():
        values["MPY_LIB_DIR"] = str(library)
    if board and not port:
        homes = sorted(root.glob(f"ports/*/boards/{board}"))
        if not homes:
            every = sorted(place.parent.name for place in root.glob("ports/*/boards/*/mpconfigboard.h"))
            near = [name for name in every if board.lower() in name.lower()] or get_close_matches(board.upper(), every)
            raise UsageError("usage.manifest-no-board", tree=tree, board=board, known=near or every[:5])
        port = homes[0].parent.parent.name
    if port:
        home = root / "ports" / port
        if not home.is_dir():
            known = sorted(place.name for place in (root / "ports").iterdir() if place.is_dir())
            raise UsageError("usage.tree-no-port", tree=tree, port=port, known=known)
        values["PORT_DIR"] = str(home)
        if board:
            if not (home / "boards" / board).is_dir():
                raise UsageError("usage.port-no-board", port=port, board=board, path=home / "boards")
            values["BOARD_DIR"] = str(home / "boards" / board)
    return values
