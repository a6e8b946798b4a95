"""What goes into a firmware, as it goes in: modules compiled for it, .mpy files of the user checked against it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from ..errors import BuildError, ImageError
from ..events import NULL, Reporter, Task
from ..image.memory import Memory
from ..mpy.cross import Cross, Module
from ..mpy.header import read_header
from ..words import Said
from .base import Item

# Started by their names, as sources (shared/runtime/pyexec.c): a main.mpy is never looked for.
STARTERS = ("boot.py", "main.py")


@dataclass(frozen=True)
class Made:
    """A file as it goes in."""

    item: Item
    path: str
    data: bytes

    @property
    def code(self) -> bool:
        return self.path.endswith((".py", ".mpy"))


def compile_items(items: tuple[Item, ...], cross: Cross, reporter: Reporter = NULL) -> list[Made]:
    """Every item as it goes in: modules compiled (but for boot.py and main.py at the top), the rest as it is.

    Raises: CompileError with file and line; BuildError for a .mpy file that the firmware would not load.
    """
    check_given(items, cross)
    wanted = [item for item in items if item.module and not item.keep_source and item.target not in STARTERS]
    modules = [Module(each.data, each.target, each.optimize, each.emitter, each.origin) for each in wanted]
    results: dict[str, bytes] = {}
    if modules:
        with Task(reporter, "compiling", len(modules), "files") as task:
            results = dict(zip((each.target for each in wanted), cross.compile_all(modules), strict=True))
            task.advance(len(modules))
    return [
        Made(item, item.target[:-3] + ".mpy", results[item.target])
        if item.target in results
        else Made(item, item.target, item.data)
        for item in items
    ]


def check_given(items: Iterable[Item], cross: Cross) -> None:
    """The .mpy files that the user brings: a firmware refuses one of another version only when it is imported.

    Raises: BuildError.
    """
    for item in items:
        name = item.origin or item.target
        if item.target in ("main.mpy", "boot.mpy"):
            stem = item.target[:-4]
            raise BuildError("build.never-starts", name=name, stem=stem)
        if not item.target.endswith(".mpy"):
            continue
        try:
            why = cross.abi.refuses(read_header(item.data))
        except ImageError as error:
            raise BuildError("build.damaged-mpy", name=name, cause=error) from error
        if why:
            raise BuildError("build.other-abi", name=name, reason=why)


def check_entry(entry: str, items: Iterable[Item], memory: Memory | None) -> None:
    """That what a start runs is there: among the items, or frozen into the firmware.

    Args:
        entry: "app", "app:main".
        memory: of the firmware; None where nobody can look.

    Raises: BuildError.
    """
    items = tuple(items)
    module = entry.partition(":")[0]
    if not module:
        return
    if module in ("main", "boot"):
        raise BuildError("build.entry-starter", entry=entry, module=module)
    place = module.replace(".", "/")
    names = {item.target.removeprefix("lib/").rpartition(".")[0].removesuffix("/__init__") for item in items
             if item.target.endswith((".py", ".mpy")) and item.target not in STARTERS}  # fmt: skip
    if place in names or any(name.startswith(place + "/") for name in names) or _frozen(place, memory):
        _check_call(entry, place, items)
        return
    near = get_close_matches(place, names, 1)
    raise BuildError(
        "build.entry-no-module",
        entry=entry,
        module=module,
        hint=Said("builder.is-it", name=near[0].replace("/", ".")) if near else Said("builder.add-module"),
    )


def _check_call(entry: str, place: str, items: Iterable[Item]) -> None:
    """What an entry calls has a name in its module, as far as the text of the module tells."""
    import ast

    wanted = entry.partition(":")[2].partition(".")[0]
    targets = {f"{prefix}{place}{suffix}" for prefix in ("", "lib/") for suffix in (".py", "/__init__.py")}
    source = next((item for item in items if item.module and item.target in targets), None)
    if not wanted or source is None:
        return
    try:
        tree = ast.parse(source.data)
    except (SyntaxError, ValueError):
        return  # the compiler says it better
    names: set[str] = set()
    for node in ast.walk(tree):  # also names that an `if` or `try` makes: nothing that may be there is refused
        if isinstance(node, ast.ImportFrom | ast.Import):
            names |= {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
    if wanted not in names and "*" not in names and "globals" not in str(source.data):
        near = get_close_matches(wanted, names, 1)
        raise BuildError(
            "build.entry-no-function",
            entry=entry,
            name=wanted,
            path=source.origin or source.target,
            hint=Said("builder.is-it", name=near[0]) if near else Said("builder.define-it"),
        )


def _frozen(place: str, memory: Memory | None) -> bool:
    """Whether the firmware has a frozen module of this name: its list of names holds it as a text."""
    if memory is None:
        return False
    names = [text.encode() + b"\0" for text in (f"{place}.py", f"{place}.mpy", f"{place}/__init__.py")]
    return any(segment.data.find(name) >= 0 for segment in memory for name in names)


def by_path(made: Iterable[Made]) -> dict[str, bytes]:
    return {each.path: each.data for each in made}


def split(made: Iterable[Made], *, code_only: bool) -> tuple[list[Made], list[Made]]:
    """(what can lie in a ROMFS, what has to lie in the file system): what starts by its name must, and with
    `code_only` data as well, for there programs open it under the same path in every kind of build."""
    there: list[Made] = []
    here: list[Made] = []
    for each in made:
        inside = each.path not in STARTERS and (each.code or not code_only)
        (there if inside else here).append(each)
    return there, here


def total(files: Mapping[str, bytes]) -> int:
    return sum(map(len, files.values()))
