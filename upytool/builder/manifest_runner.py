"""Runs a manifest.py: MicroPython's manifest language, sorted, strict, and with a record of why each file is in.

Semantics: MicroPython `tools/manifestfile.py` and docs/reference/manifest.rst. Stricter here, on purpose: a
variable nobody defined, a folder that is not there, and two different files for one target are errors; walks are
sorted, so that a build does not depend on the order of a disk. `exec` is what the language is made of: running a
manifest is running its code, so callers say which folders were downloaded, and each manifest run from there is told.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from .. import documents
from ..config.paths import working_dir
from ..errors import BuildError, ConfigError
from ..events import NULL, Reporter, notice
from ..words import Said
from .freeze_manifest import BASE_LIBRARIES, Finding, FreezeManifest, FrozenFile, Kind, Metadata, Mode, Step
from .manifest_checks import look_over
from .manifest_steps import TIMEOUT, LeaveOut, Options, find_package, line_in, spelled, walk, within, working_in

_VARIABLE = re.compile(r"\$\((\w+)\)")


class ManifestError(BuildError):
    """A manifest cannot be run; the message begins with file and line."""

    code = "build.manifest"


def run_manifest(
    source: str | os.PathLike[str],
    *,
    mode: Mode = "freeze",
    variables: Mapping[str, str] | None = None,
    libraries: Sequence[tuple[str, str]] = (),
    downloaded: Iterable[str | os.PathLike[str]] = (),
    reporter: Reporter = NULL,
) -> FreezeManifest:
    """Evaluate a manifest.

    Args:
        source: path of a manifest.py, or of a folder that holds one.
        mode: "freeze" for firmware; "compile" as micropython-lib's index builder does; "pyproject" turns
            packages that CPython has into names for PyPI; "c-modules" lists C modules alone.
        variables: `$(NAME)` in paths: MPY_DIR, MPY_LIB_DIR, PORT_DIR, BOARD_DIR, and a board's own.
        libraries: (name, folder) for `require`, before those of $(MPY_LIB_DIR).
        downloaded: folders whose content came from a network: a notice names each manifest run from there.

    Raises: ManifestError.
    """
    path = Path(os.path.normpath(os.path.join(working_dir(), source)))
    runner = _Runner(mode, dict(variables or {}), reporter, tuple(Path(os.path.abspath(each)) for each in downloaded))
    for name, folder in libraries:
        runner.add_library(name, folder)
    base = runner.variables.get("MPY_LIB_DIR")
    if base:
        for name in BASE_LIBRARIES:
            runner.library(name, Path(base, name))
    runner.start(path / "manifest.py" if os.path.isdir(path) else path)
    return runner.result(path)


class _Runner:
    def __init__(self, mode: Mode, variables: dict[str, str], reporter: Reporter, downloaded: tuple[Path, ...]) -> None:
        self.mode, self.variables, self.reporter, self.downloaded = mode, variables, reporter, downloaded
        self.files: dict[str, FrozenFile] = {}
        self.c_modules: list[Path] = []
        self.dependencies: list[str] = []
        self.findings: list[Finding] = []
        self.manifests: list[Path] = []
        self.top = Metadata()
        self._libraries: dict[str, Path] = {}
        self._order: list[str] = []
        self._options: dict[Path, tuple[dict[str, Any], Step | None]] = {}
        self._chain: list[Step] = []
        self._metadata: list[tuple[Metadata | None, bool]] = [(None, False)]
        self._running: list[Path] = []

    # -- the outside --------------------------------------------------------------------------------

    def start(self, path: Path) -> None:
        with within(TIMEOUT, ManifestError("build.manifest.timed-out", path=path, seconds=TIMEOUT)):
            self._run(path, {}, None, required=False)
        self.top = self._metadata[-1][0] or Metadata()

    def result(self, path: Path) -> FreezeManifest:
        files = tuple(self.files[target] for target in sorted(self.files))
        made = FreezeManifest(
            path, self.mode, files, tuple(self.c_modules), self.top, tuple(self.manifests),
            tuple(dict.fromkeys(self.dependencies)),
        )  # fmt: skip
        return replace(made, findings=(*self.findings, *look_over(made, self.variables)))

    def library(self, name: str, folder: Path, prepend: bool = False) -> None:
        self._libraries[name] = folder
        if name in self._order:
            self._order.remove(name)
        self._order.insert(0 if prepend else len(self._order), name)

    # -- the language -------------------------------------------------------------------------------

    def globals(self, options: dict[str, Any], path: Path) -> dict[str, Any]:
        def unknown(name: str) -> None:
            step = self._step(f"options.{name}")
            text = f"options.{name} has neither a value nor a default: it is None"
            self._find("unknown-option", "warning", text, step)

        names: dict[str, Any] = {
            "__file__": str(path),
            "metadata": self.metadata,
            "include": self.include,
            "require": self.require,
            "add_library": self.add_library,
            "package": self.package,
            "module": self.module,
            "c_module": self.c_module,
            "options": Options(options, unknown),
        }
        if self.mode in ("freeze", "c-modules"):
            names |= {
                "freeze": self.freeze,
                "freeze_as_str": self.freeze_as_str,
                "freeze_as_mpy": self.freeze_as_mpy,
                "freeze_mpy": self.freeze_mpy,
            }
        return names

    def metadata(self, **values: Any) -> Metadata:
        known, required = self._metadata[-1]
        if not values:
            return known or Metadata()
        if known is not None:
            raise ManifestError("build.manifest.metadata-twice", where=self._where())
        names = {each.name for each in fields(Metadata)}
        strange = sorted(set(values) - names)
        if strange:
            raise ManifestError(
                "build.manifest.metadata-unknown", where=self._where(), name=strange[0], known=sorted(names)
            )
        made = replace(Metadata(), **{key: value for key, value in values.items() if value is not None})
        if self.mode == "pyproject" and required:
            if made.stdlib:
                raise LeaveOut
            if made.pypi_publish or made.pypi:
                raise LeaveOut(made.pypi_publish or made.pypi)
        self._metadata[-1] = (made, required)
        return made

    def include(self, manifest_path: str | Iterable[str], **options: Any) -> None:
        if not isinstance(manifest_path, str):
            for each in manifest_path:
                self.include(each, **options)
            return
        step = self._step(spelled("include", manifest_path, **options))
        path = self._path(manifest_path)
        path = path / "manifest.py" if os.path.isdir(path) else path
        self._run(path, options, step, required=False)

    def require(
        self, name: str, version: str | None = None, pypi: str | None = None, library: str | None = None, **options: Any
    ) -> None:
        step = self._step(spelled("require", name, version=version, library=library, **options))
        self._needs_metadata()
        if version is not None:
            text = f"require({name!r}) asks for version {version}, and nothing looks at it: a directory has one version"
            self._find("unused-version", "warning", text, step)
        if self.mode == "pyproject" and pypi:
            self.dependencies.append(pypi)
            return
        if library is not None and library not in self._libraries:
            raise ManifestError(
                "build.manifest.no-library", where=self._where(), library=library, known=list(self._order) or ["none"]
            )
        for each in [library] if library is not None else list(self._order):
            folder = find_package(self._libraries[each], name)
            if folder is not None:
                self._run(folder / "manifest.py", options, step, required=True)
                return
        places = [str(self._libraries[each]) for each in ([library] if library else self._order)]
        hint = Said("builder.looked-in", places=places) if places else Said("builder.no-libraries")
        raise ManifestError("build.manifest.no-package", where=self._where(), name=name, hint=hint)

    def add_library(self, library: str, library_path: str, prepend: bool = False) -> None:
        self.library(library, self._path(library_path), prepend)

    def package(
        self, package_path: str, files: Sequence[str] | None = None, base_path: str = ".", opt: int | None = None
    ) -> None:
        self._needs_metadata()
        step = self._step(spelled("package", package_path, base_path=base_path if base_path != "." else None, opt=opt))
        self._take(self._path(base_path), package_path, files, (".py",), "compile", opt, step)

    def module(self, module_path: str, base_path: str = ".", opt: int | None = None) -> None:
        self._needs_metadata()
        step = self._step(spelled("module", module_path, base_path=base_path if base_path != "." else None, opt=opt))
        if not module_path.lower().endswith(".py"):
            raise ManifestError("build.manifest.not-py", where=self._where(), path=module_path)
        self._add(self._path(base_path), module_path, "compile", opt, step)

    def freeze(self, path: str, script: Any = None, opt: int | None = None) -> None:
        self._freeze("freeze", path, script, (".py", ".mpy"), None, opt)

    def freeze_as_mpy(self, path: str, script: Any = None, opt: int | None = None) -> None:
        self._freeze("freeze_as_mpy", path, script, (".py",), "compile", opt)

    def freeze_mpy(self, path: str, script: Any = None, opt: int | None = None) -> None:
        self._freeze("freeze_mpy", path, script, (".mpy",), "mpy", opt)

    def freeze_as_str(self, path: str) -> None:
        step = self._step(spelled("freeze_as_str", path))
        self._take(self._path(path), "", None, (".py",), "text", None, step)

    def c_module(self, path: str) -> None:
        step = self._step(spelled("c_module", path))
        folder = self._path(path)
        if not any(os.path.isfile(folder / name) for name in ("micropython.mk", "micropython.cmake")):
            raise ManifestError("build.manifest.not-a-c-module", where=self._where(), path=folder)
        if folder not in self.c_modules:
            self.c_modules.append(folder)
        else:
            self._find("same-c-module", "note", f"{folder} is named twice", step)

    # -- how it is done -----------------------------------------------------------------------------

    def _run(self, path: Path, options: dict[str, Any], step: Step | None, *, required: bool) -> None:
        if path in self._options:
            before, first = self._options[path]
            if before != options:
                where = f" ({first})" if first else ""
                text = f"{path} was included before with other options{where}: this call does nothing"
                self._find("second-include", "warning", text, step)
            return
        self._options[path] = (options, step)
        for folder in self.downloaded:
            if path.is_relative_to(folder):
                notice(self.reporter, f"running {path}, which was downloaded")
        try:
            code = compile(documents.read_text(path), str(path), "exec")
        except ConfigError as error:
            hints = error.hints or Said("builder.name-manifest")
            raise ManifestError("build.manifest.unreadable", where=self._where(), cause=error, hint=hints) from None
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            line = getattr(error, "lineno", 0) or 0
            said = getattr(error, "msg", "") or str(error) or "too deeply nested"
            raise ManifestError("build.manifest.syntax", path=path, line=line, reason=said) from error
        self.manifests.append(path)
        outer = len(self._metadata)
        if required:
            self._metadata.append((None, True))
        if step is not None:
            self._chain.append(step)
        self._running.append(path)
        try:
            # What it prints is not a result of ours: that alone goes to stdout.
            with working_in(path.parent), redirect_stdout(sys.stderr):
                exec(code, self.globals(options, path))
        except LeaveOut as left:
            if not required:
                raise
            if left.dependency:
                self.dependencies.append(left.dependency)
        except BuildError:
            raise
        except Exception as error:
            line = line_in(error, str(path))
            words = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
            hint = Said("builder.fix-manifest")
            if isinstance(error, NameError) and "freeze" in str(error) and self.mode not in ("freeze", "c-modules"):
                hint = Said("builder.firmware-alone")
            where = f"{path}:{line}" if line else str(path)
            raise ManifestError("build.manifest.raised", where=where, reason=words, hint=hint) from error
        except SystemExit as error:
            raise ManifestError("build.manifest.exits", path=path) from error
        finally:
            self._running.pop()
            if step is not None:
                self._chain.pop()
            del self._metadata[outer:]

    def _path(self, path: str) -> Path:
        """Variables put in, relative to the manifest that is running."""

        def value(match: re.Match[str]) -> str:
            found = self.variables.get(match[1])
            if found is None:
                raise ManifestError(
                    "build.manifest.no-value",
                    where=self._where(), name=match[1], known=sorted(self.variables) or ["none"],
                )  # fmt: skip
            return str(found)

        filled = _VARIABLE.sub(value, os.fspath(path))
        return Path(os.path.normpath((self._running[-1].parent if self._running else Path.cwd()) / filled))

    def _freeze(
        self, verb: str, path: str, script: Any, kinds: tuple[str, ...], kind: Kind | None, opt: int | None
    ) -> None:
        step = self._step(spelled(verb, path, script if isinstance(script, str) else None, opt=opt))
        base = self._path(path)
        if script is None:
            self._take(base, "", None, kinds, kind, opt, step)
        elif isinstance(script, str):
            if os.path.isdir(base / script):
                self._take(base, script, None, kinds, kind, opt, step)
            else:
                self._take(base, "", (script,), kinds, kind, opt, step)
        else:
            self._take(base, "", tuple(script), kinds, kind, opt, step)

    def _take(
        self,
        base: Path,
        package: str,
        files: Sequence[str] | None,
        kinds: tuple[str, ...],
        kind: Kind | None,
        opt: int | None,
        step: Step,
    ) -> None:
        """Add files below `base`; their targets are relative to it."""
        if files is not None:
            for name in files:
                self._add(base, f"{package}/{name}" if package else name, kind, opt, step)
            return
        folder = base / package if package else base
        if not os.path.isdir(folder):
            raise ManifestError("build.manifest.no-directory", where=self._where(), path=folder)
        found = 0
        for name in walk(folder):
            target = f"{package}/{name}" if package else name
            if os.path.splitext(name)[1].lower() in kinds:
                found += 1
                self._add(base, target, kind, opt, step)
            else:
                text = f"{folder / name} is no {' or '.join(kinds)} file and is left out"
                self._find("left-out", "note", text, step)
        if not found and self.mode != "c-modules":
            self._find("nothing-found", "warning", f"{step.call} finds no {' or '.join(kinds)} file", step)

    def _add(self, base: Path, name: str, kind: Kind | None, opt: int | None, step: Step) -> None:
        if self.mode == "c-modules":
            return
        source = base / name
        target = os.path.normpath(name).replace(os.sep, "/")
        suffix = source.suffix.lower()
        if target.startswith("../") or target.startswith("/"):
            raise ManifestError("build.manifest.outside", where=self._where(), path=name, base=base)
        if not os.path.isfile(source):
            raise ManifestError("build.manifest.no-file", where=self._where(), path=source)
        if suffix not in (".py", ".mpy"):
            raise ManifestError("build.manifest.not-a-module", where=self._where(), path=source)
        if opt is not None and opt not in (0, 1, 2, 3):
            raise ManifestError("build.manifest.optimisation", where=self._where(), value=opt)
        chosen: Kind = kind or ("mpy" if suffix == ".mpy" else "compile")
        metadata = self._metadata[-1][0]
        chain = (*self._chain, step)
        file = FrozenFile(target, source, chosen, opt, metadata.version if metadata else "", chain)
        before = self.files.get(target)
        if before is not None and os.path.realpath(before.source) != os.path.realpath(source):
            raise ManifestError(
                "build.manifest.two-files",
                where=self._where(), target=target, one=before.source, other=source, step=before.chain[-1],
            )  # fmt: skip
        if before is not None:
            self._find("twice", "note", f"{target} is added twice; the later call counts", step)
        self.files[target] = file

    def _needs_metadata(self) -> None:
        if self.mode in ("compile", "pyproject") and self._metadata[-1][0] is None:
            raise ManifestError("build.manifest.metadata-first", where=self._where())

    def _step(self, call: str) -> Step:
        """This call, and the line of the running manifest that makes it."""
        if not self._running:
            return Step(Path("?"), 0, call)
        running = self._running[-1]
        frame = sys._getframe(1).f_back
        while frame is not None:
            if frame.f_code.co_filename == str(running):
                return Step(running, frame.f_lineno, call)
            frame = frame.f_back
        return Step(running, 0, call)

    def _find(self, code: str, severity: Any, message: str, step: Step | None) -> None:
        finding = Finding(code, severity, message, step)
        if finding not in self.findings:
            self.findings.append(finding)

    def _where(self) -> str:
        """Where a message says that it is: `manifest.py:3: `, "" outside of every manifest."""
        step = self._step("")
        return f"{step.manifest}:{step.line}: " if step.line else ""
