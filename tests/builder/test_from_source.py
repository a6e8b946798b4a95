"""Builds of MicroPython itself, with modules frozen, that start on emulated boards: qemu's Cortex-M3, and a Pico.

The build folders outlive the tests (tests/builder/source_trees.py): the first run compiles two firmwares and a second
one of qemu, later runs link.
"""

from __future__ import annotations

import os
import random
import resource
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.builder.source_trees import build_cache, pico_options, pico_tree, qemu_options, qemu_tree
from tests.rigs.pico import Pico
from tests.rigs.qemu import Qemu
from upytool import connect
from upytool.builder.base import BuildResult, Item, Recipe, SourceOptions
from upytool.builder.from_source import build_source
from upytool.errors import BuildError, CompileError
from upytool.events import NULL, Event, TaskStarted
from upytool.image.base import FirmwareImage

pytestmark = [pytest.mark.rig, pytest.mark.slow, pytest.mark.timeout(600)]

NATIVE = b"@micropython.native\ndef plus(x):\n    return x + 1\n"
HERE = SourceOptions(container="none", jobs=2)


def modules(value: object = 1) -> tuple[Item, ...]:
    """The test project: a module, a package, machine code by decorator and by emitter, and what a start runs."""
    return (
        Item("greet.py", f"VALUE = {value!r}\nWORDS = 'frozen words'\n".encode(), "src/greet.py", True),
        Item("lib/pack/__init__.py", b"from .inner import plus\n", "pack: __init__.py", True, "pack", 3),
        Item("lib/pack/inner.py", NATIVE, "pack: inner.py", True, "pack"),
        Item("fast.py", b"def twice(x):\n    return x * 2\n", "src/fast.py", True, emitter="native"),
        Item("checked.py", b"assert not __debug__\nKEPT = True\n", "src/checked.py", True, optimize=1),
        Item("main.py", b"import greet\nprint('started', greet.VALUE)\nSTARTED = True\n", "entry", True),
    )


def recipe(kind: str, root: Path, value: object = 1) -> Recipe:
    root.mkdir(parents=True, exist_ok=True)
    if kind == "qemu":
        board, tree, options = "MPS2_AN385", qemu_tree(), qemu_options()
    else:
        board, tree, options = "RPI_PICO", pico_tree(), pico_options()
    return Recipe("source", modules(value), board=board, tree=tree, options=options, root=root)


def build(made: Recipe, cache: str = "one", reporter: Any = NULL, **options: Any) -> BuildResult:
    return build_source(made, "", replace(HERE, **options), cache=build_cache(cache), reporter=reporter)


@contextmanager
def cpu() -> Iterator[list[float]]:
    """Seconds of CPU that this process and what it starts take."""

    def now() -> float:
        both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        return sum(each.ru_utime + each.ru_stime for each in both)

    spent: list[float] = []
    before = now()
    yield spent
    spent.append(now() - before)


def upytool(port: str, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "upytool", "-d", port, *words], capture_output=True, text=True, timeout=300,
        env={**os.environ, "NO_COLOR": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def qemu_board(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, BuildResult]]:
    result = build(recipe("qemu", tmp_path_factory.mktemp("qemu"), "as a board"))
    board = Qemu()
    board.firmware = result.output
    with board:
        yield board.port, result


@pytest.fixture(scope="module")
def pico_board(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, BuildResult]]:
    result = build(recipe("pico", tmp_path_factory.mktemp("pico"), "as a board"))
    with Pico(result.output) as board:
        yield board.port, result


def look_at_the_frozen_modules(port: str) -> None:
    with connect(port) as device:
        said = device.exec(
            "import gc, sys\n"
            "import greet, pack, fast, checked\n"
            "print(greet.VALUE, greet.__file__, pack.__file__, pack.plus(1), fast.twice(21), checked.KEPT)\n"
            "print('.frozen' in sys.path)\n"
        )
    assert said.splitlines() == ["as a board greet.py pack/__init__.py 2 42 True", "True"]


def use_it_as_a_board(port: str, folder: Path) -> None:
    (folder / "copied.txt").write_text("copied to a board that was built here")
    upytool(port, "cp", str(folder / "copied.txt"), ":copied.txt")
    assert upytool(port, "cat", ":copied.txt") == "copied to a board that was built here"
    assert upytool(port, "exec", "import greet; print(greet.WORDS)").strip() == "frozen words"


def test_qemu_runs_its_frozen_modules(qemu_board: tuple[str, BuildResult], tmp_path: Path) -> None:
    port, result = qemu_board
    look_at_the_frozen_modules(port)
    use_it_as_a_board(port, tmp_path)
    assert result.output.suffix == ".elf"


def test_a_pico_runs_its_frozen_modules(pico_board: tuple[str, BuildResult], tmp_path: Path) -> None:
    port, _ = pico_board
    look_at_the_frozen_modules(port)
    use_it_as_a_board(port, tmp_path)
    # The bytes of a frozen module lie in flash, where it runs: an import takes no RAM for them.
    with connect(port) as device:
        at = device.eval("(lambda: __import__('uctypes').addressof(__import__('greet').WORDS))()")
    assert 0x10000000 <= at < 0x100A0000


def test_the_pico_image_says_what_it_is(pico_board: tuple[str, BuildResult]) -> None:
    _, result = pico_board
    image = FirmwareImage.read(result.output)
    image.require_valid()
    info = image.binary_info
    assert info is not None
    assert {"greet", "pack", "fast", "_boot"} <= {name.removesuffix(".py") for name in info.frozen}
    assert (image.identity.version.lstrip("v"), image.chip) == ("1.25.0", "rp2040")
    assert image.identity.build == "RPI_PICO"


def test_the_report(pico_board: tuple[str, BuildResult]) -> None:
    _, result = pico_board
    report = result.report
    rows = {row.target: row for row in report.modules}
    assert set(rows) == {"greet.py", "pack/__init__.py", "pack/inner.py", "fast.py", "checked.py", "main.py"}
    assert all(row.placement == "frozen" and row.ram == "in place" and row.flash for row in rows.values())
    assert rows["pack/inner.py"].package == "pack"
    regions = {region.name.partition(" (")[0]: region for region in report.regions}
    assert regions["firmware"].size == 0xA0000
    assert 200_000 < regions["firmware"].used < 0xA0000
    assert regions["file system"].start == 0x100A0000
    assert regions["RAM"].used > 0
    assert result.keeps_files
    pins = result.pins
    assert pins["files"]["greet.py"]["optimize"] == 0  # type: ignore[index]
    assert pins["toolchain"]["pico-sdk"] == "2.1.1"  # type: ignore[index]
    assert "arm-none-eabi-gcc" in pins["toolchain"]["compiler"]  # type: ignore[index]


@pytest.mark.parametrize("kind", ["qemu", "pico"])
def test_a_changed_module_is_linked_within_seconds(kind: str, tmp_path: Path) -> None:
    build(recipe(kind, tmp_path, 1))
    other = recipe(kind, tmp_path, random.random())
    with cpu() as spent:
        result = build(other)
    assert not result.unchanged
    assert spent[0] < 5, f"{spent[0]:.2f} s of CPU"
    with cpu() as spent:
        assert build(other).unchanged
    assert spent[0] < 5


def test_an_option_that_changed_and_a_module_that_is_gone_count(tmp_path: Path) -> None:
    """MicroPython's makemanifest looks at times alone, and would freeze the old ones."""
    first = recipe("qemu", tmp_path, 2)
    one = build(first)
    items = tuple(replace(item, optimize=3) if item.target == "greet.py" else item for item in first.items)
    other = build(replace(first, items=items))
    assert other.sha256 != one.sha256
    fewer = build(replace(first, items=tuple(item for item in first.items if item.target != "greet.py")))
    assert b"frozen words" in one.output.read_bytes() or one.sha256 != fewer.sha256
    assert b"frozen words" not in fewer.output.read_bytes()
    assert build(first).sha256 == one.sha256


def test_two_folders_give_the_same_bytes(tmp_path: Path) -> None:
    """Two caches, so two compilers of bytecode and two build folders; and two projects."""
    one = build(recipe("qemu", tmp_path / "one", "twice"))
    two = build(recipe("qemu", tmp_path / "another directory", "twice"), "two")
    assert one.sha256 == two.sha256
    assert str(tmp_path).encode() not in one.output.read_bytes()
    assert str(Path.home()).encode() not in one.output.read_bytes()


def test_two_projects_on_a_pico_give_the_same_bytes(tmp_path: Path) -> None:
    one = build(recipe("pico", tmp_path / "one", "twice"))
    two = build(recipe("pico", tmp_path / "two", "twice"))
    assert (one.sha256, one.output.parent.parent.name) == (two.sha256, "one")


def test_a_syntax_error_is_the_users_own_line(tmp_path: Path) -> None:
    made = recipe("qemu", tmp_path)
    broken = Item("broken.py", b"x = 1\ny = 2\nif x\n    pass\n", "src/broken.py", True)
    with pytest.raises(CompileError) as raised:
        build(replace(made, items=(*made.items, broken)))
    assert (raised.value.path, raised.value.line) == ("src/broken.py", 3)
    assert raised.value.message == "src/broken.py:3: SyntaxError: invalid syntax"
    assert not (tmp_path / "build").exists()


def test_too_large_says_how_much_and_what(tmp_path: Path) -> None:
    made = recipe("pico", tmp_path)
    table = random.Random(1).randbytes(330_000)
    items = (*made.items, Item("table.py", b"TABLE = " + repr(table).encode() + b"\n", "src/table.py", True))
    with pytest.raises(BuildError) as raised:
        build(replace(made, items=items))
    assert raised.value.message.startswith("the firmware is ")
    assert "bytes too large" in raised.value.message
    assert "largest modules: table.py (" in raised.value.hint
    assert not (tmp_path / "build").exists()


def test_data_goes_into_the_file_system(tmp_path: Path) -> None:
    from upytool.image.volume import volumes

    made = recipe("pico", tmp_path)
    data = Item("static/page.html", b"<p>hello</p>" * 40, "static/page.html")
    result = build(replace(made, items=(*made.items, data)))
    assert any("does not freeze" in note for note in result.report.notes)
    assert not result.keeps_files
    volume = next(each for each in volumes(FirmwareImage.read(result.output)) if each.kind)
    assert volume.open().files() == {"static/page.html": data.data}


def test_an_error_of_a_c_module_is_its_own_line(tmp_path: Path) -> None:
    """A header that is missing: that stops the build before it compiles four hundred files."""
    made = recipe("qemu", tmp_path)
    module = build_cache("modules") / "native"  # a place that stays: it is part of what decides the build folder
    module.mkdir(exist_ok=True)
    (module / "micropython.mk").write_text("SRC_USERMOD_C += $(USERMOD_DIR)/native.c\n")
    (module / "native.c").write_text('#include "py/runtime.h"\n#include "nothing_here.h"\n')
    options = tuple(option for option in made.options if option[0] != "USER_C_MODULES")
    with pytest.raises(BuildError) as raised:
        build(replace(made, c_modules=(module,), options=options))
    assert "native.c:2: nothing_here.h: No such file or directory" in raised.value.message


def test_two_builds_at_once_wait_for_each_other(tmp_path: Path) -> None:
    made = [recipe("qemu", tmp_path / str(number), f"at once {number}") for number in range(2)]
    results: dict[int, BuildResult] = {}

    def run(number: int) -> None:
        results[number] = build(made[number])

    threads = [threading.Thread(target=run, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(300)
    assert len(results) == 2
    for number, result in results.items():
        assert f"at once {number}".encode() in result.output.read_bytes()


class Recorder:
    def __init__(self) -> None:
        self.events: list[Event] = []

    def emit(self, event: Event) -> None:
        self.events.append(event)


def test_progress_has_a_length(tmp_path: Path) -> None:
    seen = Recorder()
    build(recipe("qemu", tmp_path, random.random()), reporter=seen)
    started = [event for event in seen.events if isinstance(event, TaskStarted)]
    assert any(event.label == "building MPS2_AN385" and event.total for event in started)
