"""One simulated board for the tests of the library's jobs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import upytool
from upytool.api import sims


@pytest.fixture(scope="session")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where it is: no state directory is needed to find it."""
    pytest.importorskip("wasmtime")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UPYTOOL_STATE_DIR", str(tmp_path_factory.mktemp("sims")))
        board = sims.start(name="jobs", fresh=True)
    try:
        yield board.port
    finally:
        stop(board)


def stop(board: sims.Simulated) -> None:
    """Stop it by its own state directory: a test may look at another one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UPYTOOL_STATE_DIR", str(Path(board.info.state_dir).parents[1]))
        sims.stop([board.name])


@pytest.fixture
def board(port: str) -> Iterator[upytool.Device]:
    """It, connected, without files and with a fresh interpreter."""
    with upytool.connect(port) as device:
        device.fs.rmtree("/", root=True)
        device.soft_reset()
        yield device
