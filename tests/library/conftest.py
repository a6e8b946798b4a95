"""One simulated board for the tests of the public library."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from upytool import sim


@pytest.fixture(scope="session")
def simulated() -> Iterator[str]:
    """The selector of a running simulated board."""
    sim.start("wasm", name="library", fresh=True)
    yield "sim:library"
    sim.stop("library")
