"""Completion in the shell: commands, options, boards and paths on a board.

It must be quick and must never open a port. Boards come from the operating system's list, the aliases and the
simulators that run; paths on a board come from what earlier commands listed there.
"""

from __future__ import annotations

from typing import Any

import click
from click.shell_completion import CompletionItem

from ..config.load import Settings, load
from ..config.macros import Macros, load_macros
from ..config.options import OPTIONS, global_flags
from ..errors import UpytoolError
from . import table
from .chain import Step, split
from .group import Context, require, root
from .listings import names_of, read, save

# How long the list of ports may take (seconds).
PATIENCE = 0.3

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
    top.meta["upytool.names"] = names_of(_selector(steps, flags.values, settings), settings.devices)
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
    context = Context(command, info_name=step.name, parent=top, resilient_parsing=True, **command.context_settings)
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
        from ..api import sims

        found += [(each.selector, f"a simulated board ({each.kind})") for each in sims.running(ask=False)]
    except (OSError, UpytoolError):
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
        save("ports.json", answer)
    else:
        answer = read("ports.json") or []
    try:
        return [(str(name), str(text)) for name, text in answer]
    except (TypeError, ValueError):  # a damaged cache
        return []
