"""Modules through the tree's own mpy-cross before the build: its words come at once, with the user's own file and line.

Modules with an emitter of their own are frozen as what comes out here: a manifest knows -O for a file, not -X.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

from .. import documents
from ..errors import ConfigError
from .base import Item
from .build_errors import module_error
from .run_build import Runner, StepFailed
from .source_board import BoardFacts
from .staging import HOME, write_changed


def compile_modules(
    runner: Runner, program: Path, program_digest: str, facts: BoardFacts, modules: Mapping[str, Item], build: Path
) -> dict[str, bytes]:
    """Compile what changed.

    Args:
        modules: by frozen target.

    Returns: .mpy content by target, of the modules with an emitter.

    Raises: CompileError with file and line.
    """
    home = build / HOME
    record = home / "compiled.json"
    before = _read(record)
    now: dict[str, str] = {}
    made: dict[str, bytes] = {}
    for target, item in modules.items():
        if not item.module or item.keep_source:
            continue
        options = [f"-O{item.optimize}", *facts.cross_flags]
        if item.emitter:
            options += ["-X", f"emit={item.emitter}"]
        head = "\0".join((program_digest, target, *options)).encode()
        digest = now[target] = sha256(head + b"\0\0" + item.data).hexdigest()
        out = home / "compiled" / (target + ".mpy")
        if before.get(target) != digest or (item.emitter and not out.is_file()):
            # In a container each start costs half a second: there the build itself finds the errors.
            if not item.emitter and runner.container is not None:
                continue
            source = home / "compiled" / target
            write_changed(source, item.data)
            words = [runner.path(program), *options, "-s", target, "-o", runner.path(out), runner.path(source)]
            try:
                runner.run(words, build, "compiling", limit=120.0)
            except StepFailed as failed:
                error = module_error(failed.said, target, modules)
                if item.emitter or not error.native:
                    raise error from None
                now.pop(target)  # flags that only the build itself knows: it decides
        if item.emitter:
            made[target] = out.read_bytes()
    write_changed(record, json.dumps(now, sort_keys=True, indent=0).encode())
    return made


def _read(path: Path) -> dict[str, str]:
    try:
        loaded = documents.read_json(path)
    except ConfigError:
        return {}
    return loaded if isinstance(loaded, dict) else {}
