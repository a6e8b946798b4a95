"""A MODEL of docker: writes down its arguments, and runs the command of `run` on this computer, in its own folders.

It keeps one image, whose digest it gives; with MODEL_EMPTY in its environment it has to be pulled first. Options of
docker that this model does not know end it with an error, so that a typing mistake shows.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

DIGEST = "sha256:" + "5a" * 32
WITH_VALUE = ("--name", "--user", "--userns", "--volume", "--workdir", "--env", "--network")


def main(words: list[str]) -> int:
    home = Path(os.environ["MODEL_HOME"])
    if words == ["info"]:
        return 1 if os.environ.get("MODEL_DOWN") else 0
    with open(home / "calls.jsonl", "a", encoding="utf-8") as log:
        log.write(json.dumps(words) + "\n")
    if words[0] == "pull":
        if "unknown" in words[1]:
            print("Error response from daemon: manifest unknown", file=sys.stderr)
            return 1
        (home / "pulled").touch()
        return 0
    if words[:2] == ["image", "inspect"]:
        if os.environ.get("MODEL_EMPTY") and not (home / "pulled").exists():
            print("Error: No such image", file=sys.stderr)
            return 1
        name = words[-1].partition(":")[0]
        print(f"{name}@{DIGEST} sha256:{'1' * 64}")
        return 0
    if words[0] == "run":
        return run(words[1:])
    return 0 if words[0] == "kill" else 125


def run(words: list[str]) -> int:
    environment = {"PATH": os.environ["PATH"]}
    cwd = "."
    at = 0
    while words[at].startswith("--"):
        option = words[at]
        if option in ("--rm", "--init"):
            at += 1
            continue
        if option not in WITH_VALUE:
            print(f"unknown flag: {option}", file=sys.stderr)
            return 125
        value = words[at + 1]
        if option == "--env":
            name, _, text = value.partition("=")
            environment[name] = text
        elif option == "--workdir":
            cwd = value
        at += 2
    return subprocess.run(words[at + 1 :], cwd=cwd, env=environment, check=False).returncode


def install(folder: Path, name: str = "docker") -> None:
    """Put the model into a folder of a PATH, under a program's name."""
    folder.mkdir(parents=True, exist_ok=True)
    script = folder / name
    script.write_text(f'#!/bin/sh\nexec {sys.executable} {Path(__file__).resolve()} "$@"\n')
    script.chmod(0o755)


def calls(home: Path) -> list[list[str]]:
    """What it was called with."""
    return [json.loads(line) for line in (home / "calls.jsonl").read_text().splitlines()]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
