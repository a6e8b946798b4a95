"""Every weakness of mpremote and mpytool that our design notes list (d1 to d15), and the tests that show it absent.

The table is checked: a test that is renamed or removed has to be replaced here. Figures (d1, d14, memory) come from
`make bench`, which prints them beside mpremote's and mpytool's.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from upytool.device.ondevice import snippet

from .conftest import BoardCli

FILES = "cli/test_commands_files.py"
RUN = "cli/test_commands_run.py"
TRANSFER = "unit/device/test_files.py"
INSTALL = "unit/packages/test_install.py"
SOURCES = "unit/packages/test_sources.py"
MOUNT = "mount/test_mount.py"
ROMFS = "unit/device/test_romfs.py"
FOLDER = "unit/device/test_romfs_folder.py"

WEAKNESSES: dict[str, tuple[str, dict[str, tuple[str, ...]]]] = {
    "d1": (
        "slow transfer: many executions for each file, bytes as repr, one-byte reads",
        {TRANSFER: ("test_unchanged_files_are_not_sent_and_it_takes_two_questions",), "bench/cases.py": ()},
    ),
    "d2": (
        "a failed or interrupted copy, or edit, loses the old file and the edited text",
        {
            "faults/test_kill.py": ("test_the_file_is_the_old_or_the_new_one",),
            "faults/test_wire.py": ("test_damage_is_repaired", "test_the_wire_vanishes"),
            TRANSFER: (
                "test_a_failing_local_file_keeps_the_old_one",
                "test_a_rename_that_a_power_cut_stopped_is_finished",
            ),
            FILES: (
                "test_cp_refuses_what_has_no_room_and_keeps_the_old_file",
                "test_edit_keeps_the_text_when_the_board_refuses_it",
            ),
        },
    ),
    "d3": (
        "exit status 0 for a program that fails, tracebacks on stdout",
        {
            RUN: (
                "test_the_programs_exit_status_is_ours",
                "test_an_exception_is_status_1_with_the_local_file_in_its_traceback",
            ),
            "cli/test_romfs.py": ("test_a_board_without_romfs_is_a_failure_with_a_reason",),
        },
    ),
    "d4": (
        "Ctrl-C leaves the program running",
        {
            RUN: (
                "test_ctrl_c_interrupts_the_program_on_the_board",
                "test_a_second_ctrl_c_lets_go_of_a_board_that_does_not_listen",
            )
        },
    ),
    "d5": (
        "hangs: reads and writes without an end, boards that chatter",
        {
            "unit/transport/test_stubborn.py": (
                "test_a_mute_port",
                "test_a_board_that_prints_for_ever_and_never_listens",
                "test_a_board_that_swallows_keyboard_interrupt",
            ),
            "unit/transport/test_serial.py": ("test_a_write_that_nobody_takes_ends",),
            "faults/test_wire.py": ("test_a_mute_wire_ends_in_an_error",),
        },
    ),
    "d6": (
        "Python tracebacks for what users meet; one message for every port that does not open",
        {
            RUN: ("test_boards_that_are_not_there", "test_a_port_that_another_program_holds"),
            "unit/transport/test_open_errors.py": ("test_the_reasons_have_different_messages_and_codes",),
            "cli/test_main.py": ("test_a_bug_leaves_a_report_and_no_traceback",),
            "unit/transport/test_serial.py": ("test_a_port_that_goes_away_is_a_lost_connection",),
        },
    ),
    "d7": (
        "cat adds CR and fails on bytes; output with 04 or 18 is lost or crashes the tool",
        {FILES: ("test_cp_pipes_byte_for_byte",), RUN: ("test_output_with_control_bytes_comes_through",)},
    ),
    "d8": (
        "mount: lost entries, host newlines, leaked files, keys that corrupt requests, always writable",
        {
            MOUNT: (
                "test_walk_over_nested_directories",
                "test_many_entries_in_few_round_trips",
                "test_text_is_utf8_and_newlines_stay",
                "test_a_file_that_is_never_closed_is_complete",
                "test_more_open_files_than_a_byte_can_count",
                "test_nothing_outside_can_be_reached",
            ),
            "mount/test_console.py": ("test_keys_wait_while_a_request_is_half_there",),
            FILES: ("test_rm_never_reaches_a_mounted_directory_of_this_computer",),
        },
    ),
    "d9": (
        "the REPL needs a file descriptor and a terminal",
        {
            "mount/test_console.py": ("test_a_transport_without_a_descriptor",),
            "mount/test_repl.py": ("test_piped_lines", "test_no_input_at_all"),
        },
    ),
    "d10": (
        "mip: local files, cycles, refs, hashes, rewritten files, partial installs, no .mpy for urls",
        {
            INSTALL: (
                "test_local_file",
                "test_a_circle_is_installed_once",
                "test_a_wrong_hash_names_file_and_both_digests",
                "test_unchanged_files_are_not_written_again",
                "test_refused_downloads_do_not_touch_an_installed_package",
            ),
            SOURCES: ("test_a_ref_is_for_its_own_repository_alone", "test_refused"),
            "unit/packages/test_download.py": ("test_busy_servers_are_asked_again",),
            "packages/test_real_board.py": (
                "test_a_cable_that_is_pulled",
                "test_urls_are_the_same_as_mpremotes_but_compiled",
            ),
        },
    ),
    "d11": (
        "romfs: names, hidden files, hidden compile errors, no architecture, no reading back",
        {
            FOLDER: (
                "test_what_goes_in",
                "test_composed_and_decomposed_names_are_one",
                "test_a_module_that_does_not_compile",
                "test_native_code_is_for_the_architecture",
            ),
            ROMFS: (
                "test_only_what_differs_is_erased_and_the_mark_is_gone_meanwhile",
                "test_flash_that_keeps_losing_a_bit_is_reported_and_holds_no_image",
            ),
        },
    ),
    "d12": (
        "cp -r: .git and caches, trailing slash, whole files in memory, questions for each file",
        {
            FILES: ("test_cp_of_trees_leaves_dot_files_and_caches_out",),
            TRANSFER: ("test_unchanged_files_are_not_sent_and_it_takes_two_questions", "test_ignores"),
            "conformance/test_files.py": ("test_sync_removes_what_is_extra",),
        },
    ),
    "d13": (
        "rtc, df, reset, edit and connect auto",
        {
            RUN: ("test_rtc_set_to_this_computers_clock", "test_reset_runs_main_and_the_line_goes_on"),
            FILES: ("test_edit_without_an_editor_that_works", "test_edit_writes_nothing_that_is_unchanged"),
            "cli/test_weaknesses.py": ("test_df_of_a_firmware_without_vfs",),
            "unit/discovery/test_selector.py": (
                "test_a_bridge_with_something_foreign_behind_it_is_left_out",
                "test_a_silent_bridge_is_used_after_listening_only",
            ),
        },
    ),
    "d14": (
        "the cost of each start",
        {"architecture/test_start.py": ("test_help_and_version_import_next_to_nothing",), "bench/cases.py": ()},
    ),
    "d15": (
        "mpytool evaluates what a board says, writes in place, decodes what it prints",
        {
            "cli/test_weaknesses.py": ("test_what_a_board_says_is_never_code", "test_no_eval_and_exec_in_the_package"),
            FILES: ("test_cp_pipes_byte_for_byte",),
            "faults/test_kill.py": ("test_the_file_is_the_old_or_the_new_one",),
        },
    ),
}  # fmt: skip


@pytest.mark.parametrize("number", WEAKNESSES)
def test_the_table_names_tests_that_exist(number: str, repository: Path) -> None:
    for path, names in WEAKNESSES[number][1].items():
        tree = ast.parse((repository / "tests" / path).read_text())
        there = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
        assert there >= set(names), path


def test_the_table_is_complete() -> None:
    assert list(WEAKNESSES) == [f"d{number}" for number in range(1, 16)]


def test_what_a_board_says_is_never_code(board: BoardCli, tmp_path: Path) -> None:
    """d15: a hostile board answers with an expression; it stays a text."""
    bait = f"__import__('pathlib').Path({str(tmp_path / 'caught')!r}).touch()"
    board.put("evil.py", f"class Evil:\n    def __repr__(self):\n        return {bait!r}\n".encode())
    assert board.ok("exec", "from evil import Evil", "eval", "Evil()") == bait + "\n"
    board.ok("exec", "from evil import Evil")
    assert board.json("resume", "eval", "Evil()") == {"value": bait}
    assert not (tmp_path / "caught").exists()


def test_no_eval_and_exec_in_the_package(repository: Path) -> None:
    for file in (repository / "upytool").rglob("*.py"):
        if file.parent.name == "ondevice":
            continue  # these are programs of the board
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in ("eval", "__import__"), f"{file}:{node.lineno}"


def test_df_of_a_firmware_without_vfs(board: BoardCli, monkeypatch: pytest.MonkeyPatch) -> None:
    """d13: `import vfs` fails before MicroPython 1.23; in this model the program asks for a name that nobody has."""
    whole = board.json("df")
    monkeypatch.setattr(
        "upytool.device.session.snippet", lambda name: snippet(name).replace("import vfs", "import no_vfs")
    )
    found = board.json("df")
    assert [(mount["path"], mount["total"]) for mount in found] == [("/", whole[0]["total"])]
