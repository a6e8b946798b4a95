"""A build of MicroPython itself, with the project's modules frozen into it.

The tree's own make or cmake does the work, in a build folder of the cache that is kept: one changed module is frozen
and linked anew in about a second. What is ours: which tree and board, what is frozen, errors that name the user's own
line, one file to flash, and a report.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from .. import documents
from ..boards.data import data_dir
from ..errors import BuildError, ConfigError, UpytoolError
from ..events import NULL, Reporter, notice
from ..image.base import FirmwareImage
from ..mpy.abi import Abi
from ..mpy.cross import program_digest
from . import preflight, source_commands, source_report
from .base import EPOCH, BuildReport, BuildResult, ModuleSize, Recipe, RegionUse, SourceOptions
from .build_errors import explain
from .build_folders import alone, build_folder, forget_old
from .container import Container, find_program, open_container
from .output import default_output, write_output
from .placement import Layout, board_of, find_layout
from .run_build import LIMIT, Runner, StepFailed
from .sizes import kilobytes, regions_of, what_if
from .source_board import BoardFacts, SourceBoard, cmake_facts, find_source_board, make_facts, query_answer
from .source_compile import compile_modules
from .source_tree import UPSTREAM, Tree, fetch_submodules, open_tree, submodule_state
from .staging import HOME, Staged, frozen_digests, split_items, stage


def build_source(
    recipe: Recipe, source: str, options: SourceOptions, *, cache: Path, reporter: Reporter = NULL
) -> BuildResult:
    """Build.

    Args:
        recipe: of kind "source".
        source: a folder; `git+URL#ref` or the URL of a git repository with `#ref`; a release, "v1.27.0"; "" for the
            recipe's version of the official repository.
        cache: folder for fetched trees, compilers and build folders.

    Raises: UsageError (no such tree, board or variant), BuildError (a tool is missing; it does not compile, with file
        and line; it is too large, with the bytes that are over), OfflineError, NetworkError. No output is left then.
    """
    try:
        return _build(recipe, source, options, cache, reporter)
    except OSError as error:  # the cache is full or not ours, a lock is held for hours
        said = f"{error.filename}: {error.strerror}" if error.filename and error.strerror else str(error)
        raise BuildError("build.interrupted", reason=said) from error


def _build(recipe: Recipe, source: str, options: SourceOptions, cache: Path, reporter: Reporter) -> BuildResult:
    started = time.monotonic()
    cache = Path(os.path.abspath(cache))
    tree = open_tree(
        source, recipe.version, recipe.root, cache, offline=options.offline, reporter=reporter, tree=recipe.tree
    )
    if tree.origin not in ("", UPSTREAM):
        notice(reporter, f"makefiles and manifests from {tree.origin} run on this computer", "warning")
    recipe = replace(recipe, epoch=_epoch(recipe, tree), options=_absolute(recipe))
    overlay = Path(data_dir())
    board = find_source_board(tree, recipe, [overlay, recipe.root / "firmware" / "boards"])
    modules, data = split_items(recipe.items)
    if data and board.port.name == "qemu":
        raise BuildError("build.qemu-data", target=data[0].target)
    container = _container(tree, board, recipe, options, cache, reporter)
    build = build_folder(cache, tree, board, recipe, container)
    outside = (each.resolve() for each in recipe.c_modules)
    preflight.check_paths(tree.path, cache, board.directory, *outside)
    with alone(build, reporter):
        if options.clean:
            shutil.rmtree(build, ignore_errors=True)
        runner = _runner(build, tree, recipe, container, reporter)
        missing: list[str] = []
        try:
            facts, missing, commits = _facts(runner, tree, board, recipe, options, build, reporter)
            jobs = source_commands.jobs_of(options)
            program = _mpy_cross(runner, tree, cache, container, jobs)
            digest = _fresh_digest(program)
            compiled = compile_modules(runner, program, digest, facts, modules, build)
            staged = stage(build, recipe, tree.path, board, facts, compiled, digest, reporter)
            _compile(runner, tree, board, recipe, build, staged, program, jobs)
        except StepFailed as failed:
            sizes = source_report.frozen_sizes(None, build, modules)
            rows = source_report.module_rows(modules, sizes)
            raise explain(failed.said, runner.log, modules, rows, missing) from None
        _remember(build, runner)
        forget_old(cache)
        return _finish(recipe, tree, board, facts, staged, build, container, digest, commits, cache, started, reporter)


# -- before it compiles --------------------------------------------------------------------------------------


def _epoch(recipe: Recipe, tree: Tree) -> int:
    """The date that the firmware shows: of the commit, as official firmware does, unless the project says another."""
    return tree.time if recipe.epoch == EPOCH and tree.time and not tree.dirty else recipe.epoch


def _absolute(recipe: Recipe) -> tuple[tuple[str, str], ...]:
    """The options with manifests as whole paths: the build runs elsewhere."""
    return tuple(
        (name, os.path.abspath(recipe.root / Path(value).expanduser()) if value and "MANIFEST" in name else value)
        for name, value in recipe.options
    )


def _container(
    tree: Tree, board: SourceBoard, recipe: Recipe, options: SourceOptions, cache: Path, reporter: Reporter
) -> Container | None:
    """Where it compiles. Raises: BuildError naming the tools that are missing, where nothing can."""
    prefix = _prefix(board)
    if options.container == "none" or (options.container == "auto" and not preflight.missing_tools(board, prefix)):
        preflight.check_tools(tree, board, prefix, container=bool(find_program("auto")))
        return None
    if options.container == "auto" and not find_program("auto"):
        preflight.check_tools(tree, board, prefix, container=True)
    mounts = [tree.path, cache, recipe.root.resolve(), board.directory, *(each.resolve() for each in recipe.c_modules)]
    if recipe.manifest is not None:
        mounts.append(recipe.manifest.resolve().parent)
    image = options.image or preflight.container_image(tree, board)
    return open_container(
        options.container, image, mounts, offline=options.offline, reporter=reporter,
        network=board.port.name == "esp32" and not options.offline,
    )  # fmt: skip


def _prefix(board: SourceBoard) -> str:
    if "riscv" in board.settings.get("PICO_PLATFORM", ""):
        return "riscv32-unknown-elf-"
    file = board.directory / "mpconfigboard.mk"
    text = file.read_text("utf-8", "replace") if file.is_file() else ""
    return "riscv64-unknown-elf-" if "riscv32" in text and board.port.name == "qemu" else ""


def _runner(build: Path, tree: Tree, recipe: Recipe, container: Container | None, reporter: Reporter) -> Runner:
    steps = 0
    try:
        steps = int(documents.read_json(build / HOME / "steps.json"))
    except (ConfigError, ValueError, TypeError):
        pass
    environment = source_commands.environment_of(tree, recipe.epoch)
    runner = Runner(build / HOME / "log.txt", environment, container, reporter, steps)
    runner.start_log(f"MicroPython {tree.tag} {tree.commit} {tree.path}")
    return runner


def _remember(build: Path, runner: Runner) -> None:
    """How much a whole build of this folder is, for the next one's progress."""
    if runner.counted > runner.steps:
        (build / HOME / "steps.json").write_text(str(runner.counted), encoding="utf-8")


def _facts(
    runner: Runner, tree: Tree, board: SourceBoard, recipe: Recipe, options: SourceOptions, build: Path,
    reporter: Reporter,
) -> tuple[BoardFacts, list[str], dict[str, str]]:  # fmt: skip
    """What the board's own build says; its submodules are there afterwards."""
    given = dict(recipe.options)
    if board.port.cmake:
        facts = cmake_facts(tree, board, given)
    else:
        facts = make_facts(tree, board, given, query_answer(_asked(runner, tree, board, recipe, build)))
    missing, commits = submodule_state(tree, facts.submodules)
    if missing and options.keep_tree and not tree.origin:
        raise BuildError("build.tree-not-owned", path=tree.path, submodules=missing)
    if missing:
        fetch_submodules(tree, missing, offline=options.offline, reporter=reporter)
        missing, commits = submodule_state(tree, facts.submodules)
    return facts, missing, commits


def _asked(runner: Runner, tree: Tree, board: SourceBoard, recipe: Recipe, build: Path) -> str:
    """The makefiles' answer, kept as long as none of them changes."""
    files = [board.port_dir / "Makefile", *board.port_dir.glob("*.mk"), *board.directory.glob("*.mk")]
    files += [tree.path / "py" / "mkenv.mk", tree.path / "extmod" / "extmod.mk"]
    times = "\n".join(f"{file} {file.stat().st_mtime_ns}" for file in sorted(files) if file.is_file())
    record = build / HOME / "asked.json"
    try:
        kept = documents.read_json(record)
        if kept["times"] == times:
            return str(kept["said"])
    except (ConfigError, KeyError, TypeError):
        pass
    said = source_commands.query(runner, tree, board, recipe, build)
    record.write_text(json.dumps({"times": times, "said": said}), encoding="utf-8")
    return said


def _mpy_cross(runner: Runner, tree: Tree, cache: Path, container: Container | None, jobs: int) -> Path:
    """The tree's compiler, shared by all boards of this tree."""
    from filelock import FileLock

    parts = (str(tree.path), tree.commit, container.digest if container is not None else "")
    place = cache / "source" / f"mpy-cross-{sha256(chr(0).join(parts).encode()).hexdigest()[:12]}"
    place.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{place}.lock", timeout=LIMIT):
        return source_commands.build_mpy_cross(runner, tree, place, jobs)


def _fresh_digest(program: Path) -> str:
    program_digest.cache_clear()  # a tree that is worked on has another compiler under the same name
    return program_digest(str(program))


# -- compiling -----------------------------------------------------------------------------------------------


def _compile(
    runner: Runner, tree: Tree, board: SourceBoard, recipe: Recipe, build: Path, staged: Staged, program: Path,
    jobs: int,
) -> None:  # fmt: skip
    runner.environment = {
        **runner.environment,
        "MICROPY_MPYCROSS": runner.path(program),
        **source_commands.prefix_maps(runner, tree, build, recipe.c_modules),
    }
    mark = build / HOME / source_commands.CONFIGURED
    for words, cwd, label in source_commands.build_steps(runner, tree, board, recipe, build, staged.manifest, jobs):
        runner.run(words, cwd, label)
        if label.startswith("configuring"):
            mark.touch()


# -- afterwards ----------------------------------------------------------------------------------------------


def _finish(
    recipe: Recipe, tree: Tree, board: SourceBoard, facts: BoardFacts, staged: Staged, build: Path,
    container: Container | None, cross: str, commits: dict[str, str], cache: Path, started: float, reporter: Reporter,
) -> BuildResult:  # fmt: skip
    suffix = recipe.output.suffix if recipe.output is not None else ""
    name, content = source_report.pick_output(build, board, suffix)
    image = source_report.firmware_image(name, content)
    elf = source_report.read_elf(build)
    modules = source_report.with_manifest(staged.modules, staged.frozen, recipe.manifest)
    sizes = source_report.frozen_sizes(elf, build, modules)
    rows = source_report.module_rows(modules, sizes)
    layout = _layout(image, recipe, tree) if image is not None else None
    if image is not None and layout is not None:
        _check_room(image, layout, rows)
    linked = source_report.linker_regions(build, elf)
    output = recipe.output or default_output(recipe, board.build_name, Path(name).suffix)
    notes = list(staged.notes)
    pins = _pins(recipe, tree, board, facts, build, container, cross, commits)
    release = tree.release
    arch = next((flag.partition("=")[2] for flag in facts.cross_flags if flag.startswith("-march=")), "")
    regions = _regions(image, layout, linked)
    keeps = True
    if staged.data:
        from .from_image import build_image

        made = build / HOME / name
        made.write_bytes(content)
        inner = replace(
            recipe, kind="image", firmware=made, firmware_origin="", items=staged.data, output=output, entry="",
            board=board.name, variant=board.variant,
            # A fork's own tag is no other release than its tree.
            version="" if image is not None and image.identity.version else tree.version,
        )  # fmt: skip
        result = build_image(inner, cache=cache / "mpy", reporter=reporter)
        unchanged, length, digest, keeps = result.unchanged, result.bytes, result.sha256, result.keeps_files
        rows = tuple(sorted((*rows, *result.report.modules), key=lambda row: (-row.flash, row.target)))
        names = {each.name for each in result.report.regions}
        regions = (*result.report.regions, *(each for each in regions if each.name not in names))
        pins["filesystem"] = result.pins.get("filesystem")
        count = len(staged.data)
        notes.append(f"data does not freeze: {count} file{'s' if count > 1 else ''} went into the file system instead")
        notes += result.report.notes
    else:
        unchanged, length, digest = write_output(output, content), len(content), sha256(content).hexdigest()
    report = BuildReport(
        "source", board.build_name, tree.version, Abi.for_release(release, arch), rows, regions,
        what_if("source", rows, {target[:-3] + ".mpy": b"\0" * size for target, size in sizes.items()}, regions),
        tuple(dict.fromkeys(notes)),
    )  # fmt: skip
    return BuildResult(
        output, length, digest, report, time.monotonic() - started, keeps_files=keeps, unchanged=unchanged, pins=pins
    )


def _layout(image: FirmwareImage, recipe: Recipe, tree: Tree) -> Layout | None:
    """Where the firmware keeps files, None where nobody knows."""
    named = replace(recipe, board="", variant="", version=tree.version)
    try:
        known, variant = board_of(image, named)
        return find_layout(image, named, known, variant, tree.version)
    except UpytoolError:  # a board of the user's own, which no table has
        return None


def _check_room(image: FirmwareImage, layout: Layout, rows: tuple[ModuleSize, ...]) -> None:
    """Raises: BuildError when the firmware reaches into its own file system: older linker scripts allow it."""
    for place in (layout.romfs, layout.filesystem):
        for segment in image.memory if place is not None else ():
            assert place is not None
            over = segment.address + len(segment.data.rstrip(b"\xff")) - place.start
            if segment.address < place.start and over > 0:
                raise BuildError(
                    "build.reaches-file-system",
                    over=over,
                    start=place.start,
                    largest=[f"{row.target} ({kilobytes(row.flash)})" for row in rows[:3]],
                )


def _regions(
    image: FirmwareImage | None, layout: Layout | None, linked: tuple[RegionUse, ...]
) -> tuple[RegionUse, ...]:
    if image is None or layout is None:
        return linked
    flash = regions_of(image, layout, {})
    # The linker's own flash regions say the same again, in other words.
    others = [
        each for each in linked
        if all(each.start + each.size <= row.start or each.start >= row.start + row.size for row in flash)
    ]  # fmt: skip
    return tuple(sorted((*flash, *others), key=lambda row: row.start))


def _pins(
    recipe: Recipe, tree: Tree, board: SourceBoard, facts: BoardFacts, build: Path, container: Container | None,
    cross: str, commits: dict[str, str],
) -> dict[str, object]:  # fmt: skip
    tools: dict[str, object] = {"container": container.digest, "image": container.tag} if container is not None else {}
    if container is None:
        tools = preflight.toolchain_pins(board, facts.prefix)
    return {
        "source": {
            "origin": tree.origin, "commit": tree.commit, "dirty": tree.dirty,
            "version": tree.version, "tag": tree.tag, "submodules": commits,
        },
        "toolchain": {**tools, **preflight.sdk_pins(tree, board), "mpy-cross": cross},
        "board": board.name,
        "variant": board.variant,
        "options": dict(recipe.options),
        "c_modules": source_report.folder_digests(recipe.c_modules),
        "files": {
            **frozen_digests(build),
            **{item.target: {"sha256": sha256(item.data).hexdigest()} for item in split_items(recipe.items)[1]},
        },
        "epoch": recipe.epoch,
    }  # fmt: skip
