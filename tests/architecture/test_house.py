"""The house rules that a program can check: who imports whom, what is exported, one table each."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import upytool
from upytool import errors
from upytool.cli import table
from upytool.config import options

PACKAGE = Path(upytool.__file__).parent
SOURCES = [
    path
    for path in sorted(PACKAGE.rglob("*.py"))
    if not {"ondevice", "_firmware"} & set(path.relative_to(PACKAGE).parts)
]


def test_imports_go_down_only() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"],
        cwd=PACKAGE.parent,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", upytool.__all__)
def test_exports_exist(name: str) -> None:
    assert getattr(upytool, name) is not None
    assert name in dir(upytool)


def test_exports_are_complete() -> None:
    assert sorted(upytool.__all__) == upytool.__all__
    assert {*upytool._HOMES, *upytool._JOBS, "__version__"} == set(upytool.__all__)
    with pytest.raises(AttributeError):
        upytool.nonsense  # noqa: B018


def test_every_job_is_one_of_the_librarys_names() -> None:
    """A module of api is `upytool.NAME`; where something else has that name, `upytool` has its main function."""
    functions = {"boards": "find_boards", "connect": "connect", "packages": "install"}
    # Parts of another job.
    parts = {"boot_check", "firmware_source", "flash_plan", "flash_target", "opened_image", "simulated_drive"}
    modules = {path.stem for path in (PACKAGE / "api").glob("[!_]*.py")} - parts
    assert {functions.get(name, name) for name in modules} <= set(upytool.__all__)
    rooms = {path.name for path in PACKAGE.iterdir()} | {path.stem for path in PACKAGE.glob("*.py")}
    assert not rooms & set(upytool._JOBS)
    for name in upytool._JOBS:
        assert getattr(upytool, name).__name__ == f"upytool.api.{name}"
    assert upytool.find_boards.__module__ == "upytool.api.boards"


def test_every_module_has_a_docstring() -> None:
    for path in SOURCES:
        text = path.read_text(encoding="utf-8")
        assert not text.strip() or ast.get_docstring(ast.parse(text)), path


def test_only_the_streams_print() -> None:
    """Every text passes the guard: nothing writes to the standard streams, or lets Click do so, anywhere else."""
    # The simulators' own processes have a log for stderr, mpremote's scripts see what Python's print gives.
    processes = ("sim/server.py", "builder/tree_manifest.py", "builder/manifest_runner.py")
    for path in SOURCES:
        name = path.relative_to(PACKAGE).as_posix()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            called = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
            assert called not in ("print", "click.echo", "click.secho", "echo"), f"{name}:{called}"
            if name not in ("cli/ui/streams.py", *processes):
                assert not called.startswith(("sys.stdout.write", "sys.stderr.write", "sys.stdout.buffer")), name


def test_protocols_do_no_io() -> None:
    banned = {"time", "os", "socket", "threading", "select", "serial", "asyncio", "subprocess", "pathlib"}
    for path in (PACKAGE / "protocol").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = (
                [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else [node.module or ""]
                if isinstance(node, ast.ImportFrom) and not node.level
                else []
            )
            assert not banned & {name.partition(".")[0] for name in names}, path


def test_errors_are_raised_from_the_tree_alone() -> None:
    """Each error class of the package is in errors.py, or below one of them."""
    for path in SOURCES:
        if path.name == "errors.py" and path.parent == PACKAGE:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and node.name.endswith("Error"):
                bases = {base.id for base in node.bases if isinstance(base, ast.Name)}
                assert bases & set(dir(errors)), f"{path}: {node.name} has its own root"


def test_exit_codes_have_a_meaning() -> None:
    found = [cls for cls in vars(errors).values() if isinstance(cls, type)]
    assert {cls.exit_code for cls in found if issubclass(cls, errors.UpytoolError)} <= set(errors.EXIT_CODES)
    codes = [cls.code for cls in found if issubclass(cls, errors.UpytoolError)]
    assert len(codes) == len(set(codes)), "two errors share a code"


# -- the command table ----------------------------------------------------------------------------


def test_command_names_are_unique_and_sorted_into_sections() -> None:
    names = [name for entry in table.COMMANDS for name in (entry.name, *entry.aliases)]
    assert len(names) == len(set(names))
    assert {entry.section for entry in table.COMMANDS} <= set(table.SECTIONS)
    for entry in table.COMMANDS:
        assert entry.help
        assert not entry.help.endswith(".")
        assert len(entry.help) < 62


def test_every_command_has_its_file_and_every_file_its_command() -> None:
    files = {path.stem for path in (PACKAGE / "cli" / "commands").glob("[!_]*.py")}
    listed = {entry.module for entry in table.COMMANDS} - {"fs"}
    assert listed - files == set(), "in the table, but not written"
    extra = files - listed
    for name in extra:
        # A file that several commands share defines no command of its own.
        module = importlib.import_module(f"upytool.cli.commands.{name}")
        assert not hasattr(module, "command"), f"{name} is not in the table"


def test_mpremotes_commands_are_all_there() -> None:
    main = pytest.importorskip("mpremote.main")
    names = set(main._COMMANDS) | {n for n in main._BUILTIN_COMMAND_EXPANSIONS if not n.startswith("-")}
    from upytool.config.macros import shortcut

    missing = {name for name in names if table.find(name) is None and not shortcut(name)}
    assert missing == set()


# -- the option table -----------------------------------------------------------------------------


def test_one_flag_one_variable_one_option() -> None:
    flags = [flag for option in options.OPTIONS for flag in (*option.flags, *option.off)]
    variables = [option.env for option in options.OPTIONS] + [name for name, _ in options.VARIABLES]
    assert len(flags) == len(set(flags))
    assert len(variables) == len(set(variables))
    for option in options.OPTIONS:
        assert option.env == f"UPYTOOL_{option.name.upper()}"
        assert option.help
        assert not option.help.endswith(".")


def test_every_variable_that_is_read_is_documented() -> None:
    known = {option.env for option in options.OPTIONS}
    known |= {name for names, _ in options.VARIABLES for name in names.split(", ")}
    # The completion scripts' own channel.
    known |= {"_UPYTOOL_COMPLETE", "UPYTOOL_LINE", "UPYTOOL_BREAKS", "UPYTOOL_WORDS"}
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                word = node.value
                if word.lstrip("_").startswith("UPYTOOL_") and word.isidentifier():
                    known_prefix = word.endswith("_") and any(name.startswith(word) for name in known)
                    assert word in known or known_prefix, f"{path} reads {word}"


def test_programs_of_ours_do_not_go_as_the_users() -> None:
    """`exec` and `eval` run what the user wrote: nothing shields it from his names, its limit is --timeout (124)."""
    allowed = {"cli/commands/exec.py", "cli/commands/eval.py", "cli/commands/run.py", "pytest.py"}
    found = []
    for path in SOURCES:
        name = path.relative_to(PACKAGE).as_posix()
        if name in allowed or name.startswith("device/"):
            continue
        calls = (node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call))
        names = {call.func.attr for call in calls if isinstance(call.func, ast.Attribute)}
        found += [name] if names & {"exec", "exec_bytes", "eval"} else []
    assert found == []
