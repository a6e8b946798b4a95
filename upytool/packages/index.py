"""A package index: the tree of static files that micropython.org/pi/v2 serves.

    INDEX/package/{6|py}/NAME/{version|latest}.json   a package.json with `hashes`
    INDEX/file/ab/abcdef01                            a file, named by the first 8 hex digits of its SHA-256
    INDEX/index.json                                  every package: name, version, description, versions

Source: mpremote's mip.py for the addresses, `tools/build.py` of micropython-lib for what is in them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from upytool import documents
from upytool.errors import PackageError
from upytool.net.address import Address
from upytool.net.download import is_url

if TYPE_CHECKING:
    from .download import Fetcher

DEFAULT_INDEX = "https://micropython.org/pi/v2"
SOURCES = "py"
_TYPED = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+-]{0,63}")


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """One package of an index's list."""

    name: str
    version: str = ""
    description: str = ""
    author: str = ""
    license: str = ""
    versions: dict[str, tuple[str, ...]] = field(default_factory=dict)
    index: str = ""

    def data(self) -> dict[str, Any]:
        """As `--json` prints it."""
        return {
            "name": self.name,
            "version": self.version,
            "description": self.description,
            "author": self.author,
            "license": self.license,
            "versions": {abi: list(each) for abi, each in self.versions.items()},
            "index": self.index,
        }


@dataclass(frozen=True, slots=True)
class PackageIndex:
    """An index by its base address: a URL, or a folder of this computer with the same tree."""

    base: str

    def __post_init__(self) -> None:
        base = Address.of(self.base) if is_url(self.base) else self.base.rstrip("/")
        object.__setattr__(self, "base", base)

    def _below(self, tail: str) -> str:
        return self.base.below(tail) if isinstance(self.base, Address) else f"{self.base}/{tail}"

    def manifest_location(self, name: str, version: str | None, abi: str) -> str:
        """Where the package.json of one package is."""
        return self._below(f"package/{abi}/{name}/{version or 'latest'}.json")

    def file_location(self, digest: str) -> str:
        """Where the file with this digest is."""
        return self._below(f"file/{digest[:2]}/{digest}")

    def entries(self, fetcher: Fetcher) -> list[IndexEntry]:
        """Every package of the index.

        Raises:
            PackageError: the index has no list, or one that cannot be read.
        """
        location = self._below("index.json")
        data = fetcher.find(location)
        if data is None:
            raise PackageError("package.no-list", index=self.base)
        try:
            packages = documents.parse_json(data, location, error=PackageError)["packages"]
            return [_entry(each, self.base) for each in packages if each.get("name")]
        except (LookupError, TypeError, AttributeError):
            raise PackageError("package.not-a-list", url=str(location)) from None


def _entry(raw: dict[str, Any], base: str) -> IndexEntry:
    def text(name: str) -> str:
        value = raw.get(name)
        return value if isinstance(value, str) else ""

    listed = raw.get("versions")
    versions = {
        str(abi): tuple(str(each) for each in values)
        for abi, values in (listed.items() if isinstance(listed, dict) else ())
        if isinstance(values, list)
    }
    return IndexEntry(
        str(raw["name"]),
        text("version"),
        text("description"),
        text("author"),
        text("license"),
        versions,
        base,
    )


def search(entries: list[IndexEntry], terms: list[str]) -> list[IndexEntry]:
    """The entries that hold every term in their name or description; names that begin with one come first."""
    wanted = [term.lower() for term in terms]
    found = [
        each
        for each in entries
        if all(term in each.name.lower() or term in each.description.lower() for term in wanted)
    ]
    return sorted(
        found,
        key=lambda each: (
            not any(each.name.lower().startswith(term) for term in wanted),
            not any(term in each.name.lower() for term in wanted),
            each.name.lower(),
        ),
    )


def suggest(name: str, known: list[str]) -> list[str]:
    """Names of `known` that `name` may have meant, best first, at most four.

    Names on PyPI begin with `micropython-` where the index has none (and now and then the other way round),
    and `_` is often written for `-` or `.`: these come before likeness of spelling.
    """
    from difflib import get_close_matches

    def plain(text: str) -> str:
        text = text.lower().replace("_", "-").replace(".", "-")
        for prefix in ("micropython-", "python-", "upy-"):
            text = text.removeprefix(prefix)
        return text

    by_plain: dict[str, list[str]] = {}
    for each in known:
        by_plain.setdefault(plain(each), []).append(each)
    wanted = plain(name)
    found = list(by_plain.get(wanted, ())) + list(by_plain.get("u" + wanted, ()))
    found += by_plain.get(wanted.removeprefix("u"), ())
    for match in get_close_matches(wanted, list(by_plain), n=4, cutoff=0.72):
        found += by_plain[match]
    found += sorted(each for each in known if wanted in plain(each) and len(wanted) > 3)
    # An index may say anything: only what could be typed is offered.
    return [each for each in dict.fromkeys(found) if each != name and _TYPED.fullmatch(each)][:4]
