"""What small work costs a board, counted on an emulated RP2040: bytes and round trips, the same in every run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench.board import HEAP, Job, cost, heap_taken, jobs
from tests.bench.chip import Chip

pytestmark = [pytest.mark.rig, pytest.mark.timeout(300)]

# title: (bytes up, bytes down, round trips). A change here is a change of what every user pays.
COSTS = {
    'exec "print(1)"': (14, 158, 3),
    "ls": (86, 272, 3),
    "cat, small": (116, 257, 3),
    "rm": (115, 155, 3),
    "mkdir": (59, 155, 3),
    "cp up, 4 B": (432, 268, 6),
}


@pytest.fixture(scope="module")
def chip() -> Chip:
    return Chip()


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Job]:
    for kind in ("CONFIG", "CACHE", "STATE", "DATA"):
        monkeypatch.setenv(f"UPYTOOL_{kind}_DIR", str(tmp_path / kind))
    return {job.title: job for job in jobs(tmp_path, "http://localhost:1")}


@pytest.mark.parametrize("title", COSTS)
def test_small_work_costs_what_it_costs(chip: Chip, work: dict[str, Job], title: str) -> None:
    count = cost(chip, work[title], "upytool")
    assert (count.up, count.down, count.turns) == COSTS[title]


def test_small_work_takes_little_heap(chip: Chip, work: dict[str, Job]) -> None:
    assert heap_taken(chip, work["cp up, 2 kB"], "upytool") <= HEAP
