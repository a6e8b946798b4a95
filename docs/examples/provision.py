"""Bring boards into service without the command line: firmware, packages and files go onto each, then its test is run.

    python provision.py --firmware RPI_PICO --package aioble --files src --test test.py
    python provision.py --board sim --files src --test test.py --index ./index

Prints one JSON line a board, and exits with 1 where one failed. A second front end over `upytool`, as a test bench or a
web server may be one: what happens comes as events, what was done as values, and what may be lost as questions.
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

import upytool
from upytool.api.packages import PackageSettings
from upytool.events import DeviceOutput, Event, Notice, TaskFinished, TaskStarted


class Lines:
    """A Reporter: what happens, one line each, on stderr."""

    def __init__(self, board: str) -> None:
        self.board, self.labels = board, dict[int, str]()

    def emit(self, event: Event) -> None:
        match event:
            case TaskStarted(task=task, label=label):
                self.labels[task] = label
            case TaskFinished(task=task, ok=ok):
                self.say(f"{self.labels.pop(task, '?')}: {'done' if ok else 'failed'}")
            case Notice(level="info" | "warning", message=message):
                self.say(message)
            case DeviceOutput(data=data):
                self.say(data.decode("utf-8", "backslashreplace").rstrip())

    def say(self, text: str) -> None:
        if text:
            print(f"[{self.board}] {text}", file=sys.stderr)


def provision(selector: str, options: argparse.Namespace) -> dict[str, Any]:
    """Flash, install, copy and test one board; returns what was done, as a JSON value."""
    reporter = Lines(selector)
    done: dict[str, Any] = {"board": selector}
    if options.firmware:
        flash = upytool.flash
        target = flash.choose(selector, reporter=reporter)
        plan = flash.plan(target, flash.firmware(options.firmware, target, reporter=reporter), reporter=reporter)
        agreed = ("flash", "flash.files-lost", "flash.files-found") if options.lose_files else ("flash",)
        done["flashed"] = flash.apply(plan, ask=lambda question: question.code in agreed, reporter=reporter).data()
    with upytool.connect(selector, wait=10 if options.firmware else 0, reporter=reporter) as board:
        done["machine"] = board.info.machine
        if options.package:
            settings = PackageSettings(indexes=tuple(options.index) or PackageSettings().indexes)
            done["installed"] = upytool.install(board, options.package, settings=settings, reporter=reporter).data()
        if options.files:
            done["copied"] = board.fs.sync(options.files, "/").plan.data()
        if options.test:
            board.soft_reset()
            upytool.run.run_file(board, options.test, timeout=60)
            done["tested"] = options.test
    return done


def main() -> int:
    parser = argparse.ArgumentParser(description="Bring boards into service.")
    parser.add_argument("--board", action="append", help="selector (default: every board that is found)")
    parser.add_argument("--firmware", help="file, URL or name of a board whose newest firmware is written")
    parser.add_argument("--lose-files", action="store_true", help="write firmware also where that loses files")
    parser.add_argument("--package", action="append", default=[], help="package to install; repeatable")
    parser.add_argument("--index", action="append", default=[], help="package index; repeatable")
    parser.add_argument("--files", help="directory whose content goes onto the board")
    parser.add_argument("--test", help="program that must end without an exception")
    options = parser.parse_args()

    failed = False
    for selector in options.board or [each.selector for each in upytool.find_boards() if each.selector]:
        try:
            answer = provision(selector, options)
        except upytool.UpytoolError as error:
            failed, answer = True, {"board": selector, "error": error.data()}
            if error.exit_code == 130 and error.code != "interrupted.declined":  # Ctrl-C is for all of them
                print(json.dumps(answer))
                return 130
        print(json.dumps(answer))
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
