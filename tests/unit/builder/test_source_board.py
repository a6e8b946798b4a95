"""Which board is built, and what its own build would freeze. The trees are models: a few files of one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.builder.test_source_tree import plain_tree
from upytool.builder.base import Recipe
from upytool.builder.run_build import Runner
from upytool.builder.source_board import SourceBoard, cmake_facts, find_source_board, make_facts, query_answer
from upytool.builder.source_commands import query
from upytool.builder.source_tree import Tree, describe
from upytool.errors import BuildError, UsageError

FILES = {
    "rp2/boards/RPI_PICO/mpconfigboard.cmake": "# none\n",
    "rp2/boards/RPI_PICO_W/mpconfigboard.cmake": 'set(PICO_BOARD "pico_w")\nset(MICROPY_PY_LWIP ON)\n'
    "set(MICROPY_PY_NETWORK_CYW43 ON)\n# set(MICROPY_BLUETOOTH_NIMBLE ON)\nset(MICROPY_BLUETOOTH_BTSTACK ON)\n"
    "set(MICROPY_FROZEN_MANIFEST ${MICROPY_BOARD_DIR}/manifest.py)\n",
    "rp2/boards/RPI_PICO_W/manifest.py": "",
    "rp2/boards/RPI_PICO2/mpconfigboard.cmake": 'set(PICO_PLATFORM "rp2350")\n',
    "rp2/boards/RPI_PICO2/mpconfigvariant_RISCV.cmake": 'set(PICO_PLATFORM "rp2350-riscv")\n',
    "rp2/boards/manifest.py": "", "rp2/CMakeLists.txt": "set(MICROPY_CROSS_FLAGS -march=armv6m)",
    "esp32/boards/ESP32_GENERIC_C3/mpconfigboard.cmake": "set(IDF_TARGET esp32c3)\n",
    "esp32/boards/manifest.py": "",
    "samd/Makefile": "FROZEN_MANIFEST ?= boards/manifest.py\nBOARD_DIR ?= boards/$(BOARD)\n"
    "include $(BOARD_DIR)/mpconfigboard.mk\n-include $(BOARD_DIR)/mpconfigvariant_$(BOARD_VARIANT).mk\n"
    "GIT_SUBMODULES += lib/asf4\nMPY_CROSS_FLAGS += -march=$(ARCH)\nCROSS_COMPILE ?= arm-none-eabi-\n"
    "MICROPY_MANIFEST_MCU = $(MCU_SERIES)\nall:\n",
    "samd/boards/SEEED/mpconfigboard.mk": "MCU_SERIES = SAMD51\nARCH = armv7m\n",
    "samd/boards/SEEED/mpconfigvariant_BIG.mk": "FROZEN_MANIFEST = $(BOARD_DIR)/big.py\n",
    "samd/boards/SEEED/big.py": "", "samd/boards/manifest.py": "",
    "unix/Makefile": "",
}  # fmt: skip


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    place = plain_tree(tmp_path / "mp")
    for name, text in FILES.items():
        file = place / "ports" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return describe(place)


def recipe(board: str, variant: str = "", **options: str) -> Recipe:
    return Recipe("source", (), board=board, variant=variant, options=tuple(options.items()))


def asked(tree: Tree, board: SourceBoard, made: Recipe, tmp_path: Path) -> dict[str, str]:
    runner = Runner(tmp_path / "log.txt")
    runner.start_log("test")
    return query_answer(query(runner, tree, board, made, tmp_path / "build"))


def test_a_board_is_found_with_its_port(tree: Tree) -> None:
    board = find_source_board(tree, recipe("RPI_PICO"))
    assert (board.port.name, board.build_name, board.outside) == ("rp2", "RPI_PICO", False)
    assert find_source_board(tree, recipe("RPI_PICO2", "RISCV")).build_name == "RPI_PICO2-RISCV"


def test_an_unknown_board_gets_suggestions(tree: Tree) -> None:
    with pytest.raises(UsageError, match="has no board RPI_PIC0") as raised:
        find_source_board(tree, recipe("RPI_PIC0"))
    assert "RPI_PICO" in raised.value.hint
    with pytest.raises(UsageError, match="no variant HUGE") as raised:
        find_source_board(tree, recipe("SEEED", "HUGE"))
    assert "BIG" in raised.value.hint
    with pytest.raises(UsageError, match="for which board"):
        find_source_board(tree, recipe(""))


def test_cmake_boards_say_manifest_and_submodules(tree: Tree) -> None:
    plain = cmake_facts(tree, find_source_board(tree, recipe("RPI_PICO")), {})
    assert plain.manifest == tree.path / "ports/rp2/boards/manifest.py"
    assert set(plain.submodules) == {"lib/micropython-lib", "lib/pico-sdk", "lib/mbedtls", "lib/tinyusb"}
    assert plain.cross_flags == ("-march=armv6m",)
    wireless = cmake_facts(tree, find_source_board(tree, recipe("RPI_PICO_W")), {})
    assert wireless.manifest == tree.path / "ports/rp2/boards/RPI_PICO_W/manifest.py"
    assert {"lib/cyw43-driver", "lib/lwip", "lib/btstack"} <= set(wireless.submodules)
    assert "lib/mynewt-nimble" not in wireless.submodules
    assert cmake_facts(tree, find_source_board(tree, recipe("ESP32_GENERIC_C3")), {}).cross_flags == ("-march=rv32imc",)
    riscv = cmake_facts(tree, find_source_board(tree, recipe("RPI_PICO2", "RISCV")), {})
    assert riscv.prefix.startswith("riscv32")


def test_make_boards_are_asked(tree: Tree, tmp_path: Path) -> None:
    made = recipe("SEEED")
    board = find_source_board(tree, made)
    facts = make_facts(tree, board, {}, asked(tree, board, made, tmp_path))
    assert facts.manifest == tree.path / "ports/samd/boards/manifest.py"
    assert facts.submodules == ("lib/micropython-lib", "lib/asf4")
    assert (facts.cross_flags, facts.prefix) == (("-march=armv7m",), "arm-none-eabi-")
    assert facts.variables["MCU"] == "SAMD51"
    assert facts.variables["BOARD_DIR"] == str(tree.path / "ports/samd/boards/SEEED")


def test_a_variants_own_manifest_counts(tree: Tree, tmp_path: Path) -> None:
    made = recipe("SEEED", "BIG")
    board = find_source_board(tree, made)
    facts = make_facts(tree, board, {}, asked(tree, board, made, tmp_path))
    assert facts.manifest == tree.path / "ports/samd/boards/SEEED/big.py"


def test_a_manifest_of_the_users_in_place_of_the_boards(tree: Tree, tmp_path: Path) -> None:
    board = find_source_board(tree, recipe("RPI_PICO_W"))
    mine = tmp_path / "mine.py"
    assert cmake_facts(tree, board, {"FROZEN_MANIFEST": str(mine)}).manifest == mine
    assert cmake_facts(tree, board, {"FROZEN_MANIFEST": ""}).manifest is None
    assert cmake_facts(tree, board, {"MICROPY_LIB_DIR": "/x"}).submodules[0] != "lib/micropython-lib"


def test_code_in_a_makefile_is_no_manifest(tree: Tree) -> None:
    board = find_source_board(tree, recipe("SEEED"))
    facts = make_facts(tree, board, {}, {"FROZEN_MANIFEST": "\"require('unittest')\""})
    assert facts.inline
    assert facts.manifest is None


def test_boards_outside_of_the_tree(tree: Tree, tmp_path: Path) -> None:
    mine = tmp_path / "boards" / "MY_BOARD"
    mine.mkdir(parents=True)
    (mine / "mpconfigboard.mk").write_text("MCU_SERIES = SAMD21\n")
    made = replace(recipe("", BOARD_DIR="boards/MY_BOARD"), root=tmp_path)
    board = find_source_board(tree, made)
    assert (board.name, board.port.name, board.outside, board.directory) == ("MY_BOARD", "samd", True, mine)
    assert find_source_board(tree, replace(recipe("boards/MY_BOARD"), root=tmp_path)).name == "MY_BOARD"
    assert find_source_board(tree, recipe("MY_BOARD"), [tmp_path / "boards"]).outside
    (mine / "mpconfigboard.mk").write_text("\n")
    with pytest.raises(UsageError, match="port of the board"):
        find_source_board(tree, made)
    told = replace(recipe("", BOARD_DIR="boards/MY_BOARD", PORT="samd"), root=tmp_path)
    assert find_source_board(tree, told).port.name == "samd"
    with pytest.raises(BuildError, match="does not know how to build"):
        find_source_board(tree, replace(recipe("", BOARD_DIR="boards/MY_BOARD", PORT="unix"), root=tmp_path))
    with pytest.raises(UsageError, match="no board directory"):
        find_source_board(tree, replace(made, options=(("BOARD_DIR", "nowhere"),)))
