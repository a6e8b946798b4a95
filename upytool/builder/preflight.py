"""What a source build needs on this computer, looked for before anything is compiled."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from hashlib import sha256
from pathlib import Path

from ..errors import BuildError
from ..words import Said
from .source_board import SourceBoard
from .source_ports import MANAGERS, RISCV_IMAGE, install_lines
from .source_tree import Tree

_IDF = re.compile(r"^\s+idf:\s*\n(?:\s+.*\n)*?\s+version:\s*'?v?([\d.]+)", re.MULTILINE)
TIMEOUT = 30.0


def idf_version(tree: Tree, board: SourceBoard) -> str:
    """The ESP-IDF that a tree's esp32 port is locked to, "5.4.2"; "" where the tree does not say.

    Source: ports/esp32/lockfiles/dependencies.lock.CHIP.
    """
    chip = board.settings.get("IDF_TARGET", "esp32")
    folder = board.port_dir / "lockfiles"
    names = [folder / f"dependencies.lock.{chip}", *sorted(folder.glob("dependencies.lock.*"))]
    for file in names:
        if file.is_file() and (found := _IDF.search(file.read_text("utf-8", "replace"))):
            return found[1]
    return ""


def container_image(tree: Tree, board: SourceBoard) -> str:
    """The image that compiles a board; a tag, which the container program resolves."""
    if board.port.name == "esp32":
        return f"{board.port.image}:v{idf_version(tree, board) or '5.4.2'}"
    if "riscv" in board.settings.get("PICO_PLATFORM", ""):
        return RISCV_IMAGE
    return board.port.image


def missing_tools(board: SourceBoard, prefix: str = "") -> tuple[str, ...]:
    """The tools that this computer lacks for a board. Args: prefix: of its compiler, where it is another than usual."""
    wanted = ["make", "python3", "cc"]
    for tool in board.port.tools:
        wanted.append(f"{prefix}gcc" if tool.endswith("-gcc") and prefix else tool)
    missing = [tool for tool in dict.fromkeys(wanted) if not has_tool(tool)]
    compiler = compiler_of(board, prefix)
    if compiler and compiler not in missing and prefix in ("", "arm-none-eabi-"):
        missing += [name for name in board.port.libraries if not _links(compiler, name)]
    return tuple(missing)


def compiler_of(board: SourceBoard, prefix: str = "") -> str:
    """The C compiler's name, "" where the SDK brings its own."""
    for tool in board.port.tools:
        if tool.endswith("-gcc"):
            return f"{prefix}gcc" if prefix else tool
    return ""


def has_tool(name: str) -> bool:
    if name == "cc":
        return any(shutil.which(each) for each in ("gcc", "cc", "clang"))
    if name == "c++":
        return any(shutil.which(each) for each in ("g++", "c++", "clang++"))
    if name == "idf.py":
        return shutil.which(name) is not None or bool(idf_export())
    return shutil.which(name) is not None


def idf_export() -> str:
    """The script that puts an installed ESP-IDF on the path, "" where IDF_PATH names none."""
    home = os.environ.get("IDF_PATH", "")
    script = os.path.join(home, "export.sh")
    return script if home and os.path.isfile(script) else ""


def _links(compiler: str, library: str) -> bool:
    """Whether a compiler finds a library: a name without a folder means that it does not."""
    return os.sep in _said([compiler, f"-print-file-name={library}"]) or not shutil.which(compiler)


def check_tools(tree: Tree, board: SourceBoard, prefix: str, *, container: bool) -> None:
    """Raises: BuildError naming every missing tool, and the lines that install them."""
    missing = missing_tools(board, prefix)
    if not missing:
        return
    lines: list[str | Said] = []
    if "idf.py" in missing:
        version = idf_version(tree, board)
        lines.append(Said("builder.get-idf", version=f"v{version}") if version else Said("builder.get-idf-readme"))
    manager = package_manager()
    lines += install_lines(manager, missing) if manager else []
    if not lines:
        lines.append(Said("builder.install-tools"))
    if container:
        lines.append(Said("builder.in-container"))
    shown = [f"ESP-IDF {idf_version(tree, board)}".strip() if tool == "idf.py" else _name(tool) for tool in missing]
    raise BuildError("build.missing-tools", board=board.build_name, tools=shown, hint=lines)


def _name(tool: str) -> str:
    return {
        "cc": "a C compiler", "c++": "a C++ compiler", "libc.a": "newlib for the cross compiler",
        "libstdc++.a": "libstdc++ for the cross compiler",
    }.get(tool, tool)  # fmt: skip


def package_manager() -> str:
    """The package manager of this system, "" for none that is known."""
    return next((name for name in MANAGERS if shutil.which(name)), "")


def toolchain_pins(board: SourceBoard, prefix: str) -> dict[str, object]:
    """The compiler by its words and its bytes: the same name is another compiler after an upgrade."""
    compiler = compiler_of(board, prefix)
    path = shutil.which(compiler) if compiler else None
    if path is None:
        return {"compiler": compiler or board.port.name}
    with open(os.path.realpath(path), "rb") as file:
        digest = sha256(file.read()).hexdigest()
    return {"compiler": (_said([compiler, "--version"]).splitlines() or [compiler])[0], "sha256": digest}


def sdk_pins(tree: Tree, board: SourceBoard) -> dict[str, object]:
    """The version of the SDK that a port is built with."""
    if board.port.name == "esp32":
        return {"esp-idf": idf_version(tree, board)}
    if board.port.name == "rp2":
        file = tree.path / "lib" / "pico-sdk" / "pico_sdk_version.cmake"
        text = file.read_text("utf-8", "replace") if file.is_file() else ""
        parts = dict(re.findall(r"set\(PICO_SDK_VERSION_(MAJOR|MINOR|REVISION)\s+(\d+)", text))
        if len(parts) == 3:
            return {"pico-sdk": f"{parts['MAJOR']}.{parts['MINOR']}.{parts['REVISION']}"}
    return {}


def check_paths(*places: Path) -> None:
    """Make cuts paths at blanks. Raises: BuildError."""
    for place in places:
        if any(letter.isspace() for letter in str(place)):
            raise BuildError("build.path-with-blank", path=place)


def _said(command: list[str]) -> str:
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, encoding="utf-8", errors="replace",
            timeout=TIMEOUT,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip()
