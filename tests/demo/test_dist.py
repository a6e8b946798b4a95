"""What users install: the sdist, the wheel made from it, and the demo's commands from that wheel alone, elsewhere.

pip asks the package index that this machine is configured for. One that refuses is said loudly and fails nothing.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tests.rigs import RegistryRefused

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
# pip's words when there was no way to the index, or it did not have or give what was asked for.
REFUSED = (
    "No matching distribution", "Could not find a version", "Connection", "HTTPError", "HTTP error", "Read timed out",
    "Max retries", "ProxyError", "SSLError", "Temporary failure",
)  # fmt: skip


def run(words: list[str | Path], home: Path) -> str:
    """Run a command of a user with an empty home, outside of the checkout; its output."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("UPYTOOL_", "XDG_", "PYTHON"))}
    done = subprocess.run(
        words, cwd=home, env={**kept, "HOME": str(home), "PIP_NO_CACHE_DIR": "1"}, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    said = done.stdout + done.stderr
    if done.returncode and any(word in said for word in REFUSED):
        raise RegistryRefused(said.strip().splitlines()[-1])
    assert done.returncode == 0, said
    return done.stdout


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def dist(home: Path, repository: Path) -> Path:
    """The directory with the sdist and the wheel that was built from it."""
    run([sys.executable, "-m", "build", "--outdir", home / "dist", repository], home)
    return home / "dist"


@pytest.fixture(scope="module")
def installed(home: Path, dist: Path) -> Path:
    """The upytool of a fresh environment, in which nothing but the wheel and what it asks for was installed."""
    (wheel,) = dist.glob("*.whl")
    run([sys.executable, "-m", "venv", home / "venv"], home)
    scripts = home / "venv" / ("Scripts" if os.name == "nt" else "bin")
    run([scripts / "python", "-m", "pip", "install", "--quiet", f"upytool[sim] @ {wheel.as_uri()}"], home)
    return scripts / ("upytool.exe" if os.name == "nt" else "upytool")


def test_the_sdist_has_what_a_build_needs(dist: Path) -> None:
    (archive,) = dist.glob("*.tar.gz")
    with tarfile.open(archive) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    assert {"pyproject.toml", ".hatch_build.py", "README.md", "LICENSE", "upytool/__init__.py", "Makefile"} <= names
    assert not {name for name in names if name.endswith(".pyc") or name.startswith((".venv", ".git/"))}


def test_the_wheel_is_what_runs(installed: Path, home: Path) -> None:
    python = installed.with_name("python" + installed.suffix)
    place = run([python, "-c", "import upytool; print(upytool.__file__)"], home)
    assert Path(place.strip()).is_relative_to(home / "venv")
    packages = json.loads(run([python, "-m", "pip", "list", "--format", "json"], home))
    assert not {"pytest", "mypy", "hypothesis"} & {each["name"] for each in packages}


def test_the_demo_s_commands_run_from_the_wheel(installed: Path, home: Path, repository: Path) -> None:
    shown = run([sys.executable, "-c", RUN_DEMO.format(str(repository)), "--upytool", installed], home)
    assert "6 x 7 = 42" in shown


RUN_DEMO = "import runpy, sys; sys.path.insert(0, {!r}); runpy.run_module('tests.demo', run_name='__main__')"
