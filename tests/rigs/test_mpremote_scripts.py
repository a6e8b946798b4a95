"""mpremote's own test scripts, unmodified, with upytool in mpremote's place: they pass wherever mpremote passes.

`mpremote_suite` runs them and says what is taken as equal (`own_words`). Each script has the output that it expects
beside it. mpremote itself is the judge where ours differs: a script that mpremote fails on the same board is skipped.
The short ones mpremote runs every time: the scripts, the boards and the comparison are sound.
"""

from __future__ import annotations

import importlib.util
import shutil
import sys
from pathlib import Path

import pytest

from tests.rigs.fixtures import Boards
from tests.rigs.mpremote_suite import Outcome, own_words, run_script, scripts

NAMES = (
    "test_errno",
    "test_eval_exec_run",
    "test_filesystem",
    "test_fs_tree",
    "test_mip_local_install",
    "test_mount",
    "test_recursive_cp",
    "test_resume",
)

# The newest source package has the scripts of 1.26. What later ones try (test_unicode, arrays in test_mount) is written
# here from what mpremote 1.29 does; it made the .exp files, on the unix board.
OURS = sorted((Path(__file__).parent / "scripts").glob("*.sh"))

pytestmark = [
    pytest.mark.rig,
    pytest.mark.timeout(900),
    pytest.mark.skipif(shutil.which("bash") is None, reason="the scripts are for bash"),
    pytest.mark.skipif(importlib.util.find_spec("mpremote") is None, reason="mpremote, the judge, is not installed"),
]


def outcome(boards: Boards, rig: str, tool: str, name: str) -> Outcome:
    """One script with one tool on a board that was just switched on."""
    board = boards.fresh(rig)
    script = next(each for each in (*OURS, *scripts()) if each.stem == name)
    return run_script(script, [sys.executable, "-m", tool], board.port, timeout=400, normalise=own_words)


@pytest.mark.parametrize("rig", ["unix", "qemu"])
@pytest.mark.parametrize("name", [*NAMES, *(script.stem for script in OURS)])
def test_it_passes_where_mpremote_passes(boards: Boards, rig: str, name: str) -> None:
    found = outcome(boards, rig, "upytool", name)
    if not found.passed:
        judge = outcome(boards, rig, "mpremote", name)
        assert not judge.passed, f"{found.result}, and mpremote passes\n{found.detail}"
        pytest.skip(f"mpremote does not pass {name} on {rig} either: {judge.result}")


@pytest.mark.parametrize(
    "name", sorted({*NAMES, *(script.stem for script in OURS)} - {"test_filesystem", "test_errno"})
)
def test_mpremote_passes_with_the_same_eyes(boards: Boards, name: str) -> None:
    judge = outcome(boards, "unix", "mpremote", name)
    assert judge.passed, judge.detail


def test_these_are_all_of_them(boards: Boards) -> None:
    boards.fresh("unix")
    assert [script.stem for script in scripts()] == sorted(NAMES)


def test_the_comparison_still_sees_what_matters() -> None:
    """Each thing that is taken as equal, and beside it the nearest that is not."""
    said = "mpremote: rm: x: No such file or directory.\nexpect error\n"
    assert own_words(said) == own_words("error: x is not there\nhint: look\n      again\nexpect error\n")
    assert own_words(said) != own_words("expect error\n")
    assert own_words("error: a\n") != own_words("error: a\nerror: b\n")
    assert own_words("usage: fs [x]\n          more\nfs: error: no\n") == own_words("error: no\n")
    assert own_words("x\nLocal directory /a is mounted at /remote\n") == own_words(
        "Local directory /a is mounted at /remote\nx\n"
    )
    assert own_words("Local directory /a is mounted at /remote\n-----\n") != own_words(
        "-----\nLocal directory /a is mounted at /remote\n"
    )
    assert own_words("expect error: 1\n") == own_words("expect error: 6\n")
    assert own_words("expect error: 2\n") != own_words("expect error: 1\n")
    listing = "           3 b\n           0 a/\n"
    assert own_words(listing) == own_words("           0 a/\n           3 b\n")
    assert own_words(listing) != own_words("           0 a/\n           4 b\n")
    assert own_words("ls :\n" + listing) != own_words(listing + "ls :\n")
