"""The boards that MicroPython has firmware for: 200 of them, by any name that people use.

Facts are those of the release trees (`board.json`, `mpconfigboard.*`); each board says its source. The site
may know younger boards: a name that is missing here is not a proof that there is no such board.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

from ..errors import UsageError
from ..words import Said
from .data import load

_BUILD = re.compile(r"[A-Z][A-Z0-9_]*(?:-[A-Z0-9_]+)?")


@dataclass(frozen=True, eq=False)  # one object a board; what it need not do is not made at every start
class Board:
    """One board.

    Attributes:
        id: MicroPython's name, "RPI_PICO".
        port, mcu: "rp2", "rp2040".
        variants: name to a few words; `old_variants` are the names that releases before had.
        aliases: other names, besides the product's.
        machines: variant to what `sys.implementation._machine` says ("" is the default variant).
        deploy: what writes its flash, best first: "picoboot", "uf2", "esptool", "dfu", "stlink", "teensy",
            "daplink", "bossac", "nrfutil", "swd", "vendor".
        kinds: extensions of its firmware files, the best first.
        flash_offset: what board.json says of esptool's offset; only to compare, the chip decides.
        flash_sizes: variant to bytes.
        touch_1200: opening its port at 1200 baud starts the bootloader.
        usb, bootloader_usb: (vendor, product) ids with MicroPython running and in the bootloader.
        enter: how to get into the bootloader by hand, a sentence each.
        steps: what to do with other tools, a sentence each, where upytool can't write it.
        tags: the releases whose tree has it.
        source: where the facts are from.
    """

    id: str
    port: str
    mcu: str
    vendor: str
    product: str
    url: str
    features: tuple[str, ...]
    variants: dict[str, str]
    old_variants: tuple[str, ...]
    aliases: tuple[str, ...]
    machines: dict[str, str]
    deploy: tuple[str, ...]
    kinds: tuple[str, ...]
    flash_offset: int | None
    flash_sizes: dict[str, int]
    touch_1200: bool
    usb: tuple[tuple[int, int], ...]
    bootloader_usb: tuple[tuple[int, int], ...]
    enter: tuple[str, ...]
    steps: tuple[str, ...]
    tags: tuple[str, ...]
    source: str

    @property
    def kind(self) -> str:
        """The extension of the file that is taken without a wish."""
        return self.kinds[0]

    def flash_size(self, variant: str = "") -> int | None:
        """Bytes of flash, None where the tree does not say."""
        return self.flash_sizes.get(variant, self.flash_sizes.get(""))

    def variant(self, name: str) -> str:
        """The variant by its exact name, in any case; "" for none.

        Raises: UsageError, which lists them.
        """
        wanted = name.upper()
        if not wanted or wanted in self.variants or wanted in self.old_variants:
            return wanted
        if not self.variants:
            raise UsageError("usage.no-variants", board=self.id, variant=name)
        raise UsageError(
            "usage.unknown-variant",
            board=self.id,
            variant=name,
            known=[f"{each} ({text})" for each, text in self.variants.items()],
        )

    def data(self) -> dict[str, Any]:
        """As `--json` prints it."""
        return {
            "board": self.id,
            "port": self.port,
            "mcu": self.mcu,
            "vendor": self.vendor,
            "product": self.product,
            "url": self.url,
            "features": list(self.features),
            "variants": self.variants,
            "aliases": list(self.aliases),
            "kinds": list(self.kinds),
            "deploy": list(self.deploy),
            "flash_size": self.flash_sizes,
            "bootloader": {"touch_1200": self.touch_1200, "enter": list(self.enter), "steps": list(self.steps)},
            "source": self.source,
        }


@dataclass(frozen=True, slots=True)
class Match:
    """A board that may be the one that runs; `sure` when it says its name itself."""

    board: Board
    variant: str = ""
    sure: bool = False

    @property
    def name(self) -> str:
        return f"{self.board.id}-{self.variant}" if self.variant else self.board.id


def _ids(texts: Iterable[str]) -> tuple[tuple[int, int], ...]:
    pairs = (each.partition(":") for each in texts)
    return tuple((int(vendor, 16), int(product, 16)) for vendor, _, product in pairs)


@cache
def _raw() -> dict[str, dict[str, Any]]:
    return {each["id"]: each for each in load("catalogue.json")["boards"]}


@cache
def _board(name: str) -> Board:
    raw: dict[str, Any] = dict(_raw()[name])
    raw["flash_sizes"] = raw.pop("flash_size")
    raw["usb"], raw["bootloader_usb"] = _ids(raw["usb"]), _ids(raw["bootloader_usb"])
    values: dict[str, Any] = {key: tuple(each) if isinstance(each, list) else each for key, each in raw.items()}
    return Board(**values)


def all_boards() -> list[Board]:
    """Every board, by port and name."""
    return [_board(each) for each in _raw()]


def get(name: str) -> Board | None:
    """The board with this very id, in any case."""
    wanted = name.upper()
    return _board(wanted) if wanted in _raw() else None


def plain(text: str) -> str:
    """Letters and digits alone: "Pico W", "pico_w" and "PICO-W" are one name; + counts ("3pi+")."""
    return re.sub(r"[^a-z0-9+]", "", text.lower())


@cache
def _names() -> dict[str, list[str]]:
    """Plain name to ids. An id beats a nickname, a nickname beats a product's name."""
    layers: list[dict[str, list[str]]] = [{}, {}, {}]
    for name, raw in _raw().items():
        vendor, product = raw["vendor"], raw["product"]
        given = ([name], raw["aliases"], [product, f"{vendor} {product}", f"{vendor.partition(' ')[0]} {product}"])
        for layer, texts in zip(layers, given):
            for text in texts:
                ids = layer.setdefault(plain(text), [])
                if name not in ids:
                    ids.append(name)
    found: dict[str, list[str]] = {}
    for layer in layers:
        for text, ids in layer.items():
            found.setdefault(text, ids)
    return found


def named(name: str) -> list[Board]:
    """The boards that go by this name: none, one, or several."""
    return [_board(each) for each in _names().get(plain(name), ())]


def find(name: str) -> Board:
    """The board by its id, a product's name or a nickname ("pico w", "rpi_pico", "esp32 s3").

    Raises: UsageError: no board, with those that it may be; or several.
    """
    found = named(name)
    if len(found) == 1:
        return found[0]
    if found:
        raise UsageError("usage.ambiguous-board", name=name, count=len(found), boards=[each.id for each in found])
    near = suggest(name)
    hint = Said("boards.did-you-mean", names=_either(near)) if near else Said("boards.search")
    raise UsageError("usage.unknown-board", name=name, hint=hint)


def split_name(name: str) -> tuple[Board, str]:
    """BOARD or BOARD-VARIANT, by any name of the board, as board and variant.

    Raises: UsageError.
    """
    if not named(name):
        base, dash, variant = name.rpartition("-")
        found = named(base) if dash else []
        if len(found) == 1 and (variant.upper() in (*found[0].variants, *found[0].old_variants) or base.isupper()):
            return found[0], found[0].variant(variant)
    return find(name), ""


def suggest(name: str, count: int = 4) -> list[str]:
    """Ids that `name` may have meant, best first."""
    from difflib import SequenceMatcher

    wanted = plain(name)
    scores: dict[str, float] = {}
    if not wanted:
        return []
    matcher = SequenceMatcher(b=wanted)
    for text, ids in _names().items():
        matcher.set_seq1(text)
        score = 0.0
        if wanted in text and len(wanted) > 2:
            score = 0.75 + 0.25 * len(wanted) / len(text)
        elif matcher.real_quick_ratio() > 0.6 and matcher.quick_ratio() > 0.6:
            score = matcher.ratio()
        if score > 0.6:
            for each in ids:
                scores[each] = max(score, scores.get(each, 0.0))
    ranked = sorted(scores, key=lambda each: (-scores[each], each))
    return [each for each in ranked if scores[each] > scores[ranked[0]] - 0.2][:count]


def search(words: Iterable[str]) -> list[Board]:
    """The boards that have every word somewhere: name, product, vendor, chip, features, nicknames."""
    terms = [word.lower() for word in words]
    found: list[tuple[int, str]] = []
    for name, raw in _raw().items():
        strong = " ".join((name, raw["product"], *raw["aliases"])).lower()
        weak = " ".join((raw["vendor"], raw["mcu"], raw["port"], *raw["features"], *raw["variants"])).lower()
        squeezed = plain(strong)
        if all(term in strong or (plain(term) and plain(term) in squeezed) or term in weak for term in terms):
            found.append((-sum(term in strong for term in terms), name))
    return [_board(name) for _, name in sorted(found)]


def from_machine(machine: str, build: str = "") -> list[Match]:
    """Which board runs here?

    Args:
        machine: `sys.implementation._machine`, "Raspberry Pi Pico with RP2040".
        build: `sys.implementation._build`, BOARD or BOARD-VARIANT: there since 1.25
            (docs/library/sys.rst). "" where it is not known.

    Returns: one match where the firmware says its name or its text is one board's alone; several where boards
        share it, [] where nothing fits.
    """
    if build and _BUILD.fullmatch(build):
        name, _, variant = build.partition("-")
        found = get(name)
        return [Match(found, variant, sure=True)] if found is not None else []
    wanted = machine.strip().lower()
    if not wanted:
        return []
    hits = [
        Match(_board(name), variant)
        for name, raw in _raw().items()
        for variant, text in raw["machines"].items()
        if text.lower() == wanted
    ]
    if not hits:  # older firmware may have called the same board a little otherwise
        text, _, mcu = wanted.rpartition(" with ")
        hits = [
            Match(_board(name))
            for name, raw in _raw().items()
            if text
            and plain(text) in (plain(raw["product"]), plain(f"{raw['vendor']} {raw['product']}"), plain(name))
            and plain(mcu).startswith((plain(raw["mcu"])[:5], raw["port"]))
        ]
    plainest = [each for each in hits if not each.variant]
    if len({each.board.id for each in hits}) == 1 and plainest:
        return plainest[:1]
    return hits


def _either(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"
