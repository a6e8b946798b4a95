"""What small work costs a board, counted on an emulated RP2040: bytes and round trips, the same in every run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bench.board import HEAP, Job, cost, heap_taken, jobs
from tests.bench.chip import Chip
from tests.fixtures.make_index import build, serve

pytestmark = [pytest.mark.rig, pytest.mark.timeout(300)]

# title: (bytes up, bytes down, round trips). A change here is a change of what every user pays.
COSTS = {
    'exec "print(1)"': (12, 152, 3),
    "ls": (71, 266, 3),
    "cat, small": (97, 251, 3),
    "cat, missing": (96, 251, 3),
    "rm": (78, 149, 3),
    "mkdir": (52, 149, 3),
    "cp up, 4 B": (282, 261, 5),
    "cp up, unchanged": (271, 555, 6),
    "mip install": (1177, 384, 12),
}


@pytest.fixture(scope="module")
def chip() -> Chip:
    return Chip()


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Job]]:
    for kind in ("CONFIG", "CACHE", "STATE", "DATA"):
        monkeypatch.setenv(f"UPYTOOL_{kind}_DIR", str(tmp_path / kind))
    with serve(build(tmp_path / "index")) as index:
        yield {job.title: job for job in jobs(tmp_path, index)}


@pytest.mark.parametrize("title", COSTS)
def test_small_work_costs_what_it_costs(chip: Chip, work: dict[str, Job], title: str) -> None:
    count = cost(chip, work[title], "upytool")
    assert (count.up, count.down, count.turns) == COSTS[title]


@pytest.mark.parametrize("title", ["cp up, 2 kB", "mip install"])
def test_small_work_takes_little_heap(chip: Chip, work: dict[str, Job], title: str) -> None:
    assert heap_taken(chip, work[title], "upytool") <= HEAP
