"""A FreezeManifest as values: what a manifest.py puts into firmware, and why.

The language is MicroPython's (docs/reference/manifest.rst, tools/manifestfile.py): a Python program that calls
`include`, `require`, `package`, `module`, `freeze` and so on. What runs it is in manifest_runner.py.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Mode = Literal["freeze", "compile", "pyproject", "c-modules"]
Kind = Literal["compile", "mpy", "text"]
Severity = Literal["error", "warning", "note"]

BASE_LIBRARIES = ("micropython", "python-stdlib", "python-ecosys")


@dataclass(frozen=True, slots=True)
class Step:
    """One call in a manifest.

    Attributes:
        manifest: the file that makes it.
        line: where, 0 where it is not known.
        call: as a reader would write it, `require("aioble")`.
    """

    manifest: Path
    line: int
    call: str

    def __str__(self) -> str:
        return f"{self.manifest}:{self.line}: {self.call}" if self.line else f"{self.manifest}: {self.call}"


@dataclass(frozen=True, slots=True)
class FrozenFile:
    """One file that goes into the firmware.

    Attributes:
        target: its path in the firmware, with "/" ("umqtt/simple.py"); imports see it under this name.
        source: where it lies on this computer.
        kind: "compile" (.py to bytecode), "mpy" (ready made), "text" (frozen as source, compiled at import).
        optimize: mpy-cross's -O level; None leaves it to mpy-cross.
        version: what `metadata(version=)` of its package says, for the `__version__` that is added; "" for none.
        chain: the calls that brought it in, the outermost first.
    """

    target: str
    source: Path
    kind: Kind
    optimize: int | None
    version: str
    chain: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Metadata:
    """What `metadata()` says of a package; what it does not say is ""."""

    version: str = ""
    description: str = ""
    license: str = ""
    author: str = ""
    stdlib: bool = False
    pypi: str = ""
    pypi_publish: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something in a manifest that is wrong or not what it seems.

    Attributes:
        code: stable, `second-include` for instance.
        severity: an "error" would break the build or the board.
    """

    code: str
    severity: Severity
    message: str
    step: Step | None = None

    def data(self) -> dict[str, object]:
        where = {"manifest": str(self.step.manifest), "line": self.step.line} if self.step else {}
        return {"code": self.code, "severity": self.severity, "message": self.message, **where}


@dataclass(frozen=True)
class FreezeManifest:
    """What evaluating a manifest gave.

    Attributes:
        path: the outermost manifest.
        mode: in which it was evaluated.
        files: sorted by target, each target once.
        c_modules: folders of C modules.
        metadata: of the outermost manifest.
        manifests: every manifest that was run, in order.
        dependencies: names for PyPI ("pyproject" mode).
        findings: what a reader should know.
    """

    path: Path
    mode: Mode
    files: tuple[FrozenFile, ...] = ()
    c_modules: tuple[Path, ...] = ()
    metadata: Metadata = field(default_factory=Metadata)
    manifests: tuple[Path, ...] = ()
    dependencies: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()

    def find(self, target: str) -> FrozenFile | None:
        """The file for a path ("umqtt/simple.py"), or for a module's name ("umqtt.simple")."""
        slashed = target.replace(".", "/") if not target.endswith((".py", ".mpy")) else target
        for file in self.files:
            stem = file.target.rpartition(".")[0]
            if file.target == target or stem == slashed or stem == slashed + "/__init__":
                return file
        return None
