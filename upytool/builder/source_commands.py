"""The lines that build a board, port by port."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from ..errors import BuildError, UsageError
from .base import Recipe, SourceOptions
from .run_build import Runner, with_idf
from .source_board import OURS, SourceBoard, query_makefile
from .source_tree import Tree
from .staging import HOME, write_changed

CONFIGURED = "configured"


def jobs_of(options: SourceOptions) -> int:
    if options.jobs:
        return options.jobs
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def environment_of(tree: Tree, epoch: int) -> dict[str, str]:
    """What makes two builds embed the same: date, version and hash (py/makeversionhdr.py)."""
    return {
        "SOURCE_DATE_EPOCH": str(epoch),
        "MICROPY_GIT_TAG": tree.tag,
        "MICROPY_GIT_HASH": tree.commit[:10] or "<no hash>",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONHASHSEED": "0",
        "LC_ALL": "C",
    }


def prefix_maps(runner: Runner, tree: Tree, build: Path, modules: Iterable[Path]) -> dict[str, str]:
    """Folders of this computer stay out of the firmware: assert's file names, and the symbols of an .elf."""
    named = [(build, "build"), (tree.path, "micropython"), *((each.resolve(), each.name) for each in modules)]
    flags = " ".join(f"-ffile-prefix-map={runner.path(place)}={name}" for place, name in named)
    return {"CFLAGS": flags, "CXXFLAGS": flags}


def build_mpy_cross(runner: Runner, tree: Tree, place: Path, jobs: int) -> Path:
    """The tree's mpy-cross, in a folder of its own: made when a source of it is newer."""
    program = place / "mpy-cross"
    if program.is_file() and not _newer(tree, program.stat().st_mtime):
        os.utime(place)  # in use (build_folders.forget_old)
        return program
    words = ["make", "-C", runner.path(tree.path / "mpy-cross"), f"-j{jobs}", f"BUILD={runner.path(place)}"]
    runner.run([*words, "USER_C_MODULES="], tree.path, "building mpy-cross")
    if not program.is_file():
        raise BuildError("build.no-mpy-cross", log=runner.log)
    os.utime(program)
    return program


def _newer(tree: Tree, time: float) -> bool:
    for folder in ("py", "mpy-cross"):
        for file in (tree.path / folder).iterdir():
            if file.suffix in (".c", ".h", ".py", ".mk") and file.stat().st_mtime > time:
                return True
    return False


def query(runner: Runner, tree: Tree, board: SourceBoard, recipe: Recipe, build: Path) -> str:
    """What a make port's own makefiles say of a board: the printed lines."""
    file = build / HOME / "query.mk"
    write_changed(file, query_makefile().encode())
    words = ["make", "--no-print-directory", "-f", runner.path(file), *_board_words(runner, board)]
    words += [f"BUILD={runner.path(build)}", *_options(recipe), "upytool-nothing"]
    return runner.run(words, board.port_dir, "asking")


def build_steps(
    runner: Runner, tree: Tree, board: SourceBoard, recipe: Recipe, build: Path, manifest: Path, jobs: int
) -> list[tuple[list[str], Path, str]]:
    """(words, folder, label) of each step."""
    label = f"building {board.build_name}"
    modules = c_modules_of(runner, board, recipe, build)
    if board.port.name == "rp2":
        return _rp2_steps(runner, board, recipe, build, manifest, modules, jobs, label)
    words = ["make", "-C", runner.path(board.port_dir), f"-j{jobs}", *_board_words(runner, board)]
    words += [f"BUILD={runner.path(build)}", f"FROZEN_MANIFEST={runner.path(manifest)}"]
    if modules:
        words.append(f"USER_C_MODULES={modules}")
    words += _options(recipe)
    if board.port.name == "esp32" and runner.container is None:
        words = with_idf(words)
    return [(words, board.port_dir, label)]


def _rp2_steps(
    runner: Runner, board: SourceBoard, recipe: Recipe, build: Path, manifest: Path, modules: str, jobs: int, label: str
) -> list[tuple[list[str], Path, str]]:
    words = ["cmake", "-S", runner.path(board.port_dir), "-B", runner.path(build)]
    if runner.container is None and shutil.which("ninja"):
        words += ["-G", "Ninja"]
    values = {
        "MICROPY_BOARD": board.name,
        "MICROPY_BOARD_DIR": runner.path(board.directory),
        "MICROPY_FROZEN_MANIFEST": runner.path(manifest),
        "PICO_BUILD_DOCS": "0",
        # picotool would be fetched and compiled to make the .uf2; upytool writes it.
        "PICO_NO_PICOTOOL": "1",
    }
    if board.variant:
        values["MICROPY_BOARD_VARIANT"] = board.variant
    if modules:
        values["USER_C_MODULES"] = modules
    values |= {name: value for name, value in recipe.options if name not in OURS}
    words += [f"-D{name}={value}" for name, value in values.items()]
    compile_step = (["cmake", "--build", runner.path(build), f"-j{jobs}"], build, label)
    if (build / HOME / CONFIGURED).is_file():
        return [compile_step]
    return [(words, build, f"configuring {board.build_name}"), compile_step]


def _board_words(runner: Runner, board: SourceBoard) -> list[str]:
    words = [f"BOARD={board.name}"]
    if board.outside:
        words.append(f"BOARD_DIR={runner.path(board.directory)}")
    if board.variant:
        words.append(f"BOARD_VARIANT={board.variant}")
    return words


def _options(recipe: Recipe) -> list[str]:
    return [f"{name}={value}" for name, value in recipe.options if name not in OURS]


def c_modules_of(runner: Runner, board: SourceBoard, recipe: Recipe, build: Path) -> str:
    """USER_C_MODULES for a build: what the options say, or the project's folders gathered as the port wants them.

    Raises: BuildError for a folder that is not a C module; UsageError for both.
    """
    given = dict(recipe.options).get("USER_C_MODULES", "")
    if given and recipe.c_modules:
        raise UsageError("usage.c-modules-twice")
    if given:
        place = Path(os.path.normpath(recipe.root / Path(given).expanduser()))
        if not place.exists():
            raise BuildError("build.user-c-modules", path=place)
        return runner.path(place)
    if not recipe.c_modules:
        return ""
    wanted = "micropython.cmake" if board.port.cmake else "micropython.mk"
    for place in recipe.c_modules:
        if not (place / wanted).is_file():
            raise BuildError("build.not-a-c-module", path=place, port=board.port.name, wanted=wanted)
    home = build / HOME
    if board.port.cmake:
        lines = [f'include("{runner.path(place / wanted)}")' for place in recipe.c_modules]
        file = home / "usermods.cmake"
        write_changed(file, ("\n".join(lines) + "\n").encode())
        return runner.path(file)
    # Make takes a folder of modules, and compiles only sources that lie below it.
    folder = home / "usermods"
    _link_all(folder, {place.name: place for place in recipe.c_modules})
    return runner.path(folder)


def _link_all(folder: Path, wanted: Mapping[str, Path]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for each in folder.iterdir():
        if each.is_symlink():
            if each.name not in wanted or each.resolve() != wanted[each.name].resolve():
                each.unlink()
        elif each.name not in wanted:
            shutil.rmtree(each)
    for name, place in wanted.items():
        link = folder / name
        if link.is_symlink():
            continue
        try:
            link.symlink_to(place.resolve(), target_is_directory=True)
        except OSError:  # a system where users may make no links
            shutil.copytree(place, link, dirs_exist_ok=True)
