"""Containers, against a model of docker that runs the command here (tests/fakes/container_program.py)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.fakes.container_program import DIGEST, calls, install
from upytool.builder.container import container_path, open_container
from upytool.builder.run_build import Runner, StepFailed
from upytool.errors import BuildError, OfflineError

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the model is a script")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    install(tmp_path / "bin")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    monkeypatch.setenv("MODEL_HOME", str(tmp_path))
    return tmp_path


def test_a_step_runs_in_the_image_by_digest(home: Path) -> None:
    tree = home / "tree"
    (tree / "inner").mkdir(parents=True)
    box = open_container("auto", "maker/arm:1", [tree, tree / "inner", home / "other"], offline=True)
    assert (box.digest, box.image) == (DIGEST, f"maker/arm@{DIGEST}")
    runner = Runner(home / "log.txt", {"SOURCE_DATE_EPOCH": "7"}, box)
    runner.start_log("test")
    said = runner.run(["sh", "-c", "echo $SOURCE_DATE_EPOCH; pwd"], tree, "test")
    assert said.splitlines() == ["7", str(tree)]
    line = calls(home)[-1]
    assert line[0] == "run"
    volumes = [line[at + 1] for at, word in enumerate(line) if word == "--volume"]
    assert volumes == [f"{home / 'other'}:{home / 'other'}", f"{tree}:{tree}"], "one mount for a directory in another"
    assert line[line.index("--user") + 1] == f"{os.getuid()}:{os.getgid()}"
    assert line[line.index("--network") + 1] == "none"
    assert line[line.index("--workdir") + 1] == str(tree)
    assert f"maker/arm@{DIGEST}" in line


def test_podman_maps_the_user_in_its_own_way(home: Path) -> None:
    install(home / "bin", "podman")
    box = open_container("podman", "maker/arm:1", [home], offline=True)
    line = box.command(["true"], home, {}, "name")
    assert line[0] == "podman"
    assert line[line.index("--userns") + 1] == "keep-id"
    assert "--user" not in line


def test_an_image_is_pulled_once(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODEL_EMPTY", "1")
    with pytest.raises(OfflineError, match="maker/arm:1 is not here") as raised:
        open_container("docker", "maker/arm:1", [], offline=True)
    assert "docker pull maker/arm:1" in raised.value.hint
    for _ in range(2):
        open_container("docker", "maker/arm:1", [], offline=False)
    assert [line[0] for line in calls(home)].count("pull") == 1


def test_an_image_that_does_not_exist(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODEL_EMPTY", "1")
    with pytest.raises(BuildError, match="manifest unknown"):
        open_container("docker", "maker/unknown", [], offline=False)


def test_no_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BuildError, match="there is no docker or podman") as raised:
        open_container("auto", "x", [], offline=False)
    assert "--container none" in raised.value.hint


def test_a_failed_step_gives_its_words(home: Path) -> None:
    runner = Runner(home / "log.txt", {}, open_container("docker", "maker/arm:1", [home], offline=True))
    runner.start_log("test")
    with pytest.raises(StepFailed) as raised:
        runner.run(["sh", "-c", "echo broken; exit 3"], home, "test")
    assert (raised.value.said, raised.value.status) == ("broken\n", 3)
    assert "broken" in (home / "log.txt").read_text()


def test_paths_of_windows() -> None:
    assert container_path("C:\\Users\\me\\tree") == "/c/Users/me/tree"
    assert container_path("/home/me") == "/home/me"
