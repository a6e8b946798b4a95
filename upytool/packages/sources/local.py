"""Packages of this computer: a package.json, a .py or .mpy file, a folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from upytool.errors import PackageError, UsageError
from upytool.packages.download import not_found
from upytool.packages.manifest import parse_manifest

from .base import Context, Loaded, SourceFile, file_path, is_single_file, load_manifest


@dataclass(frozen=True, slots=True)
class LocalSource:
    """A path of this computer. `shown` is what the user wrote, for lists and the board's record."""

    path: Path
    shown: str

    @classmethod
    def parse(cls, text: str, base: Path | None = None) -> LocalSource:
        """The source of a path, relative to `base` (the current folder where None)."""
        try:
            path = Path(text).expanduser()
            if base is not None and not path.is_absolute():
                path = base / path
            path = path.resolve()
            path.stat()
        except (FileNotFoundError, NotADirectoryError):
            pass  # said when it is loaded
        except (OSError, RuntimeError, ValueError) as error:  # too long, a loop of links, no such user, NUL
            reason = getattr(error, "strerror", None) or str(error)
            raise UsageError("usage.package-unreadable", source=text, reason=reason[:1].lower() + reason[1:]) from None
        return cls(path, text.replace("\\", "/"))

    @property
    def version(self) -> None:
        return None

    @property
    def key(self) -> str:
        return str(self.path.parent if self.path.name == "package.json" else self.path)

    @property
    def name(self) -> str:
        return self.path.parent.name if self.path.name == "package.json" else self.path.stem

    def at(self, version: str | None) -> LocalSource:
        return self

    def text(self) -> str:
        return self.shown

    def load(self, context: Context) -> Loaded:
        if self.path.is_dir():
            if (self.path / "package.json").is_file():
                return self._manifest(context, self.path / "package.json")
            return self._folder()
        if not self.path.exists():
            raise not_found(self.shown)
        if is_single_file(self.path.name):
            file = SourceFile(
                file_path(self.path.name, self.shown), str(self.path), compilable=self.path.suffix == ".py"
            )
            return Loaded(None, (file,), (), self.shown)
        if self.path.suffix != ".json":
            raise PackageError("package.not-a-package", path=self.shown)
        return self._manifest(context, self.path)

    def _manifest(self, context: Context, path: Path) -> Loaded:
        data = context.fetcher.fetch(str(path))
        return load_manifest(
            parse_manifest(data, self.shown),
            context,
            self.shown,
            absolute=lambda url: context.hosts.locate(url, self.shown),
            beside=lambda url: str((path.parent / url).resolve()),
            relative=lambda spec, _: LocalSource.parse(spec, path.parent),
        )

    def _folder(self) -> Loaded:
        """A Python package: every file below it, under its name."""
        if not any((self.path / f"__init__.{ending}").is_file() for ending in ("py", "mpy")):
            raise PackageError("package.no-manifest", path=self.shown)
        files = []
        for path in sorted(self.path.rglob("*")):
            parts = path.relative_to(self.path).parts
            hidden = any(part.startswith(".") or part == "__pycache__" for part in parts)
            if path.is_file() and not hidden:
                place = "/".join((self.path.name, *parts))
                files.append(
                    SourceFile(file_path(place, self.shown, single=False), str(path), compilable=path.suffix == ".py")
                )
        return Loaded(None, tuple(files), (), self.shown)
