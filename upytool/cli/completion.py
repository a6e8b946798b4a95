"""Completion in the shell: commands, options, boards and paths on a board.

It must be quick and must never open a port. Boards come from the operating system's list, the aliases and the
simulators that run; paths on a board come from what earlier commands listed there.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

import click
from click.shell_completion import CompletionItem, ShellComplete, get_completion_class

from ..config.load import Settings, load
from ..config.macros import Macros, load_macros
from ..config.options import OPTIONS, global_flags
from ..config.paths import cache_dir, ensure_dir
from ..errors import UpytoolError
from . import table
from .chain import Step, split
from .group import Context, require, root

# How long the list of ports may take, and how many directories of how many boards are kept.
PATIENCE = 0.3
MAX_DIRECTORIES = 500

Item = CompletionItem[str]


def complete(words: list[str], incomplete: str) -> list[Item]:
    """What may come next after `words`, of which the last is still being typed as `incomplete`."""
    try:
        settings = load()
        # A config.py is not run here: pressing TAB should run nothing.
        macros = load_macros(settings.macros, settings.user_file, run_files=False)
    except UpytoolError:
        settings, macros = Settings(), Macros()
    try:
        steps, flags = split(words, lambda name: require(name), macros.expand, unfinished=True)
    except UpytoolError:
        return []
    if flags.open is not None:
        return _global_value(flags.open.name, flags.open.choices, incomplete)
    step = None if not steps or words[-1:] == ["+"] else steps[-1]
    top = Context(root, info_name="upytool", resilient_parsing=True)
    top.meta["upytool.selector"] = _selector(steps, flags.values, settings)
    if step is not None and (step.open_option or not step.full or incomplete.startswith("-")):
        found = _in_step(step, top, incomplete)
        if found or step.open_option or isinstance(step.command, click.Group):
            return found
        if incomplete.startswith("-") or step.words or not _optional(step.command):
            return found
    return _commands(macros, incomplete)


def _selector(steps: list[Step], flags: dict[str, Any], settings: Settings) -> str | None:
    chosen = [step.words[0] for step in steps if step.path == ("connect",) and step.words]
    selector = chosen[-1] if chosen else flags.get("device") or settings.device
    return None if selector == "auto" else selector


def _commands(macros: Macros, incomplete: str) -> list[Item]:
    if incomplete.startswith("-"):
        return _flags(incomplete)
    known = [(entry.name, entry.help) for entry in table.COMMANDS if not entry.hidden]
    known += [(macro.name, macro.help) for macro in macros.by_name.values()]
    return [CompletionItem(name, help=help) for name, help in known if name.startswith(incomplete)]


def _flags(incomplete: str) -> list[Item]:
    return [
        CompletionItem(flag, help=option.help)
        for flag, (option, _) in global_flags(OPTIONS).items()
        if flag.startswith(incomplete)
    ]


def _global_value(name: str, choices: tuple[str, ...], incomplete: str) -> list[Item]:
    if name == "device":
        return [CompletionItem(s, help=h) for s, h in selectors() if s.startswith(incomplete)]
    return [CompletionItem(choice) for choice in choices if choice.startswith(incomplete)]


def _optional(command: click.Command) -> bool:
    return not any(isinstance(p, click.Argument) and p.required for p in command.params)


def _in_step(step: Step, top: click.Context, incomplete: str) -> list[Item]:
    command = step.command
    context = Context(
        command, info_name=step.name, parent=top, resilient_parsing=True, **command.context_settings
    )
    if step.open_option is not None:
        return step.open_option.shell_complete(context, incomplete)
    if incomplete.startswith("-"):
        own = [
            CompletionItem(flag, help=parameter.help)
            for parameter in command.get_params(context)
            if isinstance(parameter, click.Option) and not parameter.hidden
            for flag in (*parameter.opts, *parameter.secondary_opts)
            if flag.startswith(incomplete)
        ]
        return own + _flags(incomplete)
    if isinstance(command, click.Group):
        names = command.list_commands(context)
        return [
            CompletionItem(name, help=sub.get_short_help_str())
            for name in names
            if name.startswith(incomplete) and (sub := command.get_command(context, name))
        ]
    place = len(step.words)
    for parameter in command.params:
        if isinstance(parameter, click.Argument):
            if parameter.nargs < 0 or place < parameter.nargs:
                return parameter.shell_complete(context, incomplete)
            place -= parameter.nargs
    return []


# -- boards ---------------------------------------------------------------------------------------


def selectors() -> list[tuple[str, str]]:
    """Names of boards with a description: aliases, ports that are there, simulators. Opens nothing."""
    found: list[tuple[str, str]] = []
    try:
        found += [(alias, selector) for alias, selector in load().devices.items()]
    except UpytoolError:
        pass
    found += _quick_ports()
    found.append(("sim", "a simulated board"))
    try:
        from ..sim.registry import list_running

        found += [(f"sim:{info.name}", f"a simulated board ({info.kind})") for info in list_running()]
    except (ImportError, OSError, UpytoolError):
        pass
    return found


def _quick_ports() -> list[tuple[str, str]]:
    """The ports, from the last answer where the operating system takes too long for this one."""
    from threading import Thread

    answer: list[list[str]] = []
    done: list[bool] = []

    def ask() -> None:
        try:
            from serial.tools.list_ports import comports

            for port in comports():
                if port.vid is not None:
                    text = " ".join(part for part in (port.manufacturer, port.product) if part)
                    answer.append([port.device, text])
                    if port.serial_number:
                        answer.append([f"id:{port.serial_number}", text])
            done.append(True)
        except Exception:
            # Whatever a driver does, pressing TAB shows no traceback; the cached answer serves.
            pass

    worker = Thread(target=ask, daemon=True)
    worker.start()
    worker.join(PATIENCE)
    if done:
        _save("ports.json", answer)
    else:
        answer = _read("ports.json") or []
    return [(str(name), str(text)) for name, text in answer]


# -- paths on a board -----------------------------------------------------------------------------


def remember_listing(selector: str | None, path: str, entries: Iterable[tuple[str, bool]]) -> None:
    """Keep one directory's listing for completion. Never raises; a failure only costs completion.

    Args:
        selector: how the board was named, None for the only one.
        path: the directory; relative ones are taken from the root, as a fresh board does.
        entries: names, and whether each is a directory.
    """
    name = _listing_name(selector)
    known = _read(name)
    known = known if isinstance(known, dict) else {}
    key = "/" + path.strip("/")
    # Last in the order of use; the oldest go first.
    known.pop(key, None)
    known[key] = sorted([entry, bool(is_dir)] for entry, is_dir in entries)
    while len(known) > MAX_DIRECTORIES:
        del known[next(iter(known))]
    _save(name, known)


def remote_paths(selector: str | None, incomplete: str) -> list[str]:
    """Paths on the board that begin with `incomplete`; directories end in a slash."""
    known = _read(_listing_name(selector))
    if not isinstance(known, dict):
        return []
    head, slash, start = incomplete.rpartition("/")
    try:
        listing = [(str(name), bool(is_dir)) for name, is_dir in known.get("/" + head.strip("/"), [])]
    except (TypeError, ValueError):
        return []
    return [
        head + slash + name + ("/" if is_dir else "") for name, is_dir in listing if name.startswith(start)
    ]


def _listing_name(selector: str | None) -> str:
    from hashlib import sha256

    return f"listing-{sha256((selector or 'auto').encode()).hexdigest()[:16]}.json"


def _read(name: str) -> Any:
    import json

    try:
        with open(os.path.join(cache_dir(), "completion", name), encoding="utf-8") as file:
            return json.load(file)
    except (OSError, ValueError):
        return None


def _save(name: str, value: Any) -> None:
    import json

    try:
        path = os.path.join(ensure_dir(os.path.join(cache_dir(), "completion")), name)
        temporary = f"{path}.{os.getpid()}.tmp"
        with open(temporary, "w", encoding="utf-8") as file:
            json.dump(value, file)
        os.replace(temporary, path)
    except OSError:
        pass


# -- the shells -----------------------------------------------------------------------------------

# bash takes a colon for the end of a word, so it is given the line and the part before the colon is taken off
# its candidates again. The other shells need nothing of ours.
_BASH = """\
_upytool_completion() {
    local IFS=$'\\n' cur="${COMP_LINE:0:COMP_POINT}" kind value prefix
    cur="${cur##*[[:space:]]}"
    prefix=""
    if [[ "$COMP_WORDBREAKS" == *:* && "$cur" == *:* ]]; then
        prefix="${cur%:*}:"
    fi
    COMPREPLY=()
    while IFS=, read -r kind value; do
        case "$kind" in
            dir) compopt -o dirnames 2>/dev/null ;;
            file) compopt -o default 2>/dev/null ;;
            plain)
                [[ "$value" == */ ]] && compopt -o nospace 2>/dev/null
                COMPREPLY+=("${value#"$prefix"}") ;;
        esac
    done < <(_UPYTOOL_COMPLETE=bash_complete UPYTOOL_LINE="${COMP_LINE:0:COMP_POINT}" "$1" 2>/dev/null)
    return 0
}
complete -F _upytool_completion upytool
"""

SHELLS = ("bash", "zsh", "fish", "powershell")


def script(shell: str) -> str:
    """The text that a shell must read to complete upytool."""
    return _BASH if shell == "bash" else _shell(shell).source()


def _shell(shell: str) -> ShellComplete:
    found = get_completion_class(shell)
    assert found is not None, shell

    class Shell(found):  # type: ignore[misc,valid-type]
        def get_completions(self, args: list[str], incomplete: str) -> list[Item]:
            return complete(args, incomplete)

    return Shell(root, {}, "upytool", "_UPYTOOL_COMPLETE")


def answer_shell() -> int:
    """The program was started by a completion script: print the candidates."""
    import sys

    shell, _, instruction = os.environ["_UPYTOOL_COMPLETE"].partition("_")
    if instruction != "complete" or shell not in SHELLS:
        return 1
    if shell == "bash":
        from click.shell_completion import split_arg_string

        line = os.environ.get("UPYTOOL_LINE", "")
        words = split_arg_string(line)[1:]
        incomplete = words.pop() if words and not line[-1:].isspace() else ""
        text = "\n".join(f"{item.type},{item.value}" for item in complete(words, incomplete))
    else:
        text = _shell(shell).complete()
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
    return 0
