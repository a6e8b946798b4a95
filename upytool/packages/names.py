"""Whether a board can hold the names of what is to be installed, each as a file of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from upytool.errors import PackageError
from upytool.inner_path import PackagePath

from . import board as boards
from .plan import InstallPlan
from .survey import Survey


def check_names(packages: Mapping[str, Sequence[str]], seen: Survey) -> None:
    """Every name fits the board's file system, and no two of them are one file there.

    Args:
        packages: each one's name, with the whole paths of its files on the board.

    Raises:
        PackageError: one does not, or two are.
    """
    spelled: dict[str, str] = {}
    for package, paths in packages.items():
        for path in paths:
            inner = path[len(seen.target) + 1 :]
            problem = PackagePath.problem(inner)  # a .mpy has a longer name than its .py
            if any(len(name.encode()) > seen.name_max for name in inner.split("/")):
                problem = f"a name in it is longer than {seen.name_max} bytes"
            if problem:
                shown = inner if len(inner) <= 60 else f"{inner[:57]}..."
                raise PackageError("package.path-on-board", package=package, path=shown, reason=problem)
            other = spelled.setdefault(inner.casefold(), inner)
            if other != inner and seen.folds is not False:
                raise PackageError("package.case", other=other, path=inner)


def check_cases(board: boards.Board, plan: InstallPlan, seen: Survey, owners: Mapping[str, Sequence[str]]) -> None:
    """Where case is ignored, no file replaces one of the user or of another package that differs only in case.

    Args:
        owners: each installed file below the target, in the spelling of `seen.fold`, with its packages' names.

    Raises:
        PackageError: one would.
    """
    writes = {file.path: package.name for package in plan.packages for file in package.files if file.data is not None}
    if not seen.folds or not writes:
        return
    for path, there in boards.cases(board, list(writes)).items():
        if writes.get(path) not in owners.get(seen.fold(there[len(seen.target) + 1 :]), ()):
            raise PackageError("package.case-replaces", path=path, other=there)
