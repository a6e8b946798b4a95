"""The user's own commands: mpremote's config.py, upytool's config.py, and [macros] in config.toml.

A config.py is a program of the user's own: reading it runs it, as mpremote does (its directory is the working
directory meanwhile, `config_path` and `__file__` are set, and the dict `commands` is what it defines).

A macro is `"name arg other=default": "words"`, a list of words, or a table with `command` and `help`. Words
given after the name fill the arguments, in order or as `arg=value`; they become `exec "arg=value;..."` in
front.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

from .. import documents
from ..errors import ConfigError, UsageError
from .paths import config_dir, mpremote_config_dir

_SHORTCUT = re.compile(r"([auc])(\d+)")
_EXPANDED_BY_MPREMOTE = frozenset(
    (
        "devs",
        "cat",
        "cp",
        "ls",
        "mkdir",
        "rm",
        "rmdir",
        "sha256sum",
        "touch",
        "tree",
        "df",
        "reset",
        "bootloader",
    )
)
_PORTS = {"a": "/dev/ttyACM", "u": "/dev/ttyUSB", "c": "COM"}


class Macro:
    """One macro: `parameters` are (name,) or (name, default); `words` is what it stands for."""

    __slots__ = ("help", "name", "origin", "parameters", "words")

    def __init__(self, name: str, parameters: list[tuple[str, ...]], words: list[str], help: str, origin: str) -> None:
        self.name, self.parameters, self.words = name, parameters, words
        self.help, self.origin = help, origin

    @property
    def signature(self) -> str:
        return " ".join([self.name, *("=".join(parameter) for parameter in self.parameters)])


class Macros:
    """All macros of this user; later sources replace earlier ones."""

    def __init__(self) -> None:
        self.by_name: dict[str, Macro] = {}
        self.warnings: list[str] = []

    def add(self, commands: Mapping[str, Any], origin: str) -> None:
        """Take a mapping of macros as described at the head of this file. Raises ConfigError."""
        for signature, value in commands.items():
            head, *parameters = str(signature).split() or [""]
            help_text = ""
            if isinstance(value, Mapping):
                help_text = str(value.get("help", ""))
                value = value.get("command", "")
            if isinstance(value, str):
                value = value.split()
            if not head or not isinstance(value, (list, tuple)) or not value:
                raise ConfigError("config.macro-no-command", origin=origin, signature=signature)
            if not all(isinstance(word, str) for word in value):
                raise ConfigError("config.macro-not-strings", origin=origin, signature=signature)
            self.by_name[head] = Macro(
                head, [tuple(p.split("=", 1)) for p in parameters], list(value), help_text, origin
            )

    def expand(self, words: list[str]) -> list[str]:
        """Replace a macro or a device shortcut at the front, repeatedly. Raises UsageError."""
        words = list(words)
        assignments: list[str] = []
        seen: set[str] = set()
        length, macro = 0, None
        while words and words[0] not in seen:
            macro_here = self.by_name.get(words[0])
            if macro_here is None:
                port = shortcut(words[0])
                if port:
                    words[0:1] = ["connect", port]
                    macro = None
                break
            macro = macro_here
            seen.add(words.pop(0))
            assignments += _fill(macro, words)
            words[0:0] = macro.words
            length = len(macro.words)
        if words and words[0] in _EXPANDED_BY_MPREMOTE:
            # There these are macros without arguments, and what follows is theirs.
            macro = None
        if macro and macro.parameters and length < len(words) and "=" in words[length]:
            name = words[length].partition("=")[0]
            raise UsageError("usage.macro-no-argument", macro=macro.name, argument=name, signature=macro.signature)
        if assignments:
            words[0:0] = ["exec", ";".join(assignments)]
        return words


def shortcut(word: str) -> str:
    """The port that `a0`, `u1`, `c3` stand for: /dev/ttyACMn, /dev/ttyUSBn, COMn; "" for any other word."""
    match = _SHORTCUT.fullmatch(word)
    return _PORTS[match[1]] + match[2] if match else ""


def _fill(macro: Macro, words: list[str]) -> list[str]:
    """Take the macro's arguments off the front of `words`."""
    taken = []
    for parameter in macro.parameters:
        if words and words[0] == "+":
            # The command ends here; mpremote leaves the remaining arguments unset as well.
            break
        name = parameter[0]
        if words and "=" not in words[0]:
            value = words.pop(0)
        elif words and words[0].startswith(name + "="):
            value = words.pop(0).partition("=")[2]
        elif len(parameter) == 2:
            value = parameter[1]
        else:
            raise UsageError("usage.macro-missing-argument", macro=macro.name, argument=name, signature=macro.signature)
        taken.append(f"{name}={value}")
    return taken


def load_macros(table: Mapping[str, Any], origin: str, *, run_files: bool = True) -> Macros:
    """Collect the macros of mpremote's config.py, upytool's config.py and a [macros] table, later ones first.

    Args:
        table: the [macros] table of the user's config.toml.
        origin: that file's name.
        run_files: whether the config.py files are run; completion leaves them alone.
    """
    macros = Macros()
    if run_files:
        for folder in (mpremote_config_dir(), config_dir()):
            path = os.path.join(folder, "config.py")
            if os.path.isfile(path):
                _run_file(macros, folder, path)
    macros.add(table, origin)
    return macros


def _run_file(macros: Macros, folder: str, path: str) -> None:
    """Run a config.py; one that fails is a warning, since the command at hand seldom needs it."""
    names: dict[str, Any] = {"commands": {}, "config_path": folder, "__file__": path, "__name__": "config"}
    try:
        source = documents.read_bytes(path)
        before = os.getcwd()
        os.chdir(folder)
        try:
            exec(compile(source, path, "exec"), names)
        finally:
            os.chdir(before)
        macros.add(names["commands"], path)
    except (Exception, SystemExit) as error:
        macros.warnings.append(f"{path}: its macros are not loaded: {type(error).__name__}: {error}")
