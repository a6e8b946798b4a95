"""Several commands in one line, divided as mpremote divides them.

    upytool connect a0 cp main.py : + exec "print(1)" disconnect connect a1 exec "print(1)"

`+` ends a command. Without it a command takes exactly the words that it has places for, and the next word
starts the next command; one with room for any number of words (cp, ls, rm, mip install) takes all up to the
next `+`. Beyond mpremote, options may stand anywhere among a command's words, and those of every command
(`-d`, `--json`) anywhere at all. The whole line is divided and checked before anything runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from re import compile as regex
from typing import Any

import click

from ..config.options import Option, global_flags
from ..errors import UsageError
from ..words import Said
from .suggest import DESTRUCTIVE, did_you_mean

_GLOBAL = global_flags()
# mpremote's `fs` commands have it: they do not say what they do then (App.echo).
_QUIET = frozenset(("--no-verbose",))
# argparse takes a negative number for a word, not for an option; so must we.
_NUMBER = regex(r"-\d+$|-\d*\.\d+$")


@dataclass(slots=True)
class Step:
    """One command of the line.

    Attributes:
        path: its names, ("mip", "install").
        command: what to run.
        options: option words with their values, in order.
        words: the other words.
        parents: the groups above it.
        open_option: the option that still waits for its value, when the line ended there (completion).
        full: whether it has all the words it has places for.
    """

    path: tuple[str, ...]
    command: click.Command
    options: list[str] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    parents: tuple[click.Command, ...] = ()
    open_option: click.Option | None = None
    full: bool = False

    @property
    def name(self) -> str:
        return " ".join(self.path)

    def arguments(self) -> list[str]:
        """The words as Click is given them: options first, and nothing after `--` is mistaken for one."""
        return [*self.options, "--", *self.words] if self.words else list(self.options)


class Flags:
    """Global options as they are met on the line."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.open: Option | None = None
        self.echo = True
        self._level_sign = 0

    def set(self, option: Option, flag: str, opposite: bool, text: str | None) -> None:
        """Take one. Raises UsageError for a bad value or a contradiction."""
        value: Any
        if option.kind == "level":
            sign = -1 if opposite else 1
            if self._level_sign == -sign:
                raise UsageError("usage.conflicting-options", option="-q", other="-v")
            self._level_sign = sign
            self.values[option.name] = max(-2, min(2, self.values.get(option.name, 0) + sign))
            return
        if option.takes_value:
            try:
                value = option.parse(text or "")
            except ValueError:
                raise UsageError("usage.bad-value", name=flag, expected=option.expects, value=text) from None
        else:
            value = not opposite
        if self.values.setdefault(option.name, value) != value:
            raise UsageError(
                "usage.given-twice", option=flag, hint=Said("cli.several-boards") if option.name == "device" else ()
            )


Expand = Callable[[list[str]], list[str]]
Require = Callable[[str], click.Command]


def split(
    argv: Iterable[str], require: Require, expand: Expand = list, *, unfinished: bool = False
) -> tuple[list[Step], Flags]:
    """Divide a command line.

    Args:
        argv: the words.
        require: gives the command of a name, or raises UsageError.
        expand: replaces a macro at the front of the words.
        unfinished: the line is still being typed: its last option may lack its value.

    Raises:
        UsageError: no such command or option.
    """
    rest = list(argv)
    steps: list[Step] = []
    flags = Flags()
    while rest:
        word = rest[0]
        if word == "+":
            rest.pop(0)
            if steps:
                steps[-1].full = True
            continue
        if word in ("--help", "-h"):
            rest[0] = "help"
        elif word == "--version":
            rest[0] = "version"
        elif word.startswith("-") and word != "-":
            rest.pop(0)
            if not _take_global(word, rest, flags, unfinished):
                raise UsageError(
                    "usage.unknown-option",
                    option=word.partition("=")[0],
                    hint=did_you_mean(word, _GLOBAL, Said("cli.options")),
                )
            continue
        rest = expand(rest)
        name = rest.pop(0)
        end = rest.index("+") if "+" in rest else len(rest)
        step, left = _take(name, require(name), rest[:end], flags, unfinished)
        step.full = step.full or end < len(rest)
        steps.append(step)
        rest = left + rest[end:]
    return steps, flags


def _take(
    name: str, command: click.Command, words: list[str], flags: Flags, unfinished: bool
) -> tuple[Step, list[str]]:
    """The words that belong to `command`, and those that are left."""
    step = Step((name,), command)
    early: list[str] = []  # Options of a subcommand that stand before its name, as mpremote's parsers allow.
    words = list(words)
    while isinstance(step.command, click.Group):
        group = step.command
        known = _options(group)
        while words and words[0].startswith("-") and words[0] != "-":
            word = words.pop(0)
            if word in ("-h", "--help") and not early:
                step.options.append(word)
                return step, words
            if word in known:
                _take_option(known[word], word, words, step, unfinished)
            elif not _take_global(word, words, flags, unfinished):
                early.append(word)
                if "=" not in word and _takes_value_below(group, word) and words:
                    early.append(words.pop(0))
        sub = group.get_command(click.Context(group), words[0]) if words else None
        if sub is None:
            if not words and (group.invoke_without_command or unfinished):
                return step, words
            names = group.list_commands(click.Context(group))
            if not words and not getattr(group, "helps", True):
                raise UsageError("usage.needs-subcommand", group=step.name, names=names)
            if not words:  # typed bare, it says what it has
                step.options.append("--help")
                return step, words
            raise UsageError(
                "usage.unknown-subcommand",
                group=step.name,
                name=words[0],
                hint=did_you_mean(words[0], names, Said("cli.subcommands", names=names)),
            )
        step.parents += (group,)
        step.path += (words.pop(0),)
        step.command = sub
    words[0:0] = early
    return step, _take_leaf(step, words, flags, unfinished)


def _take_leaf(step: Step, words: list[str], flags: Flags, unfinished: bool) -> list[str]:
    options = _options(step.command)
    places = capacity(step.command)
    only_words = False
    while words:
        word = words[0]
        step.full = places is not None and len(step.words) >= places
        if not only_words and word == "--":
            only_words = True
            words.pop(0)
        elif not only_words and _is_option(word, options):
            if word == "--version" and step.full and word not in options:
                break
            words.pop(0)
            _dispatch(word, words, options, step, flags, unfinished)
        elif step.full:
            break
        else:
            step.words.append(words.pop(0))
    step.full = places is not None and len(step.words) >= places
    return words


def _dispatch(
    word: str,
    words: list[str],
    options: dict[str, click.Option],
    step: Step,
    flags: Flags,
    unfinished: bool,
) -> None:
    """Take one option word, with its value when it has one."""
    name, equals, _ = word.partition("=")
    if word.startswith("--"):
        if name not in options and name not in _GLOBAL and name not in _QUIET:
            # argparse accepts any unambiguous beginning, so scripts may use one.
            near = [known for known in (*options, *_GLOBAL) if known.startswith(name)]
            if len(near) == 1 and (near[0] in options or near[0] not in DESTRUCTIVE):
                name, word = near[0], near[0] + word[len(name) :]
        if name in options:
            if equals:
                step.options.append(word)
            else:
                _take_option(options[name], name, words, step, unfinished)
            return
        if name.startswith("--no-") and "--" + name[5:] in options and not equals:
            # mpremote's flags all have an opposite; where ours has none, it takes the flag back.
            taken = options["--" + name[5:]]
            step.options[:] = [given for given in step.options if given not in taken.opts]
            return
    elif any(flag.startswith("-") and word[:2] == flag for flag in options):
        _take_cluster(word, words, options, step, flags, unfinished)
        return
    if not _take_global(word, words, flags, unfinished):
        raise UsageError(
            "usage.unknown-command-option",
            command=step.name,
            option=name,
            hint=did_you_mean(name, [*options, *_GLOBAL], Said("cli.command-options", command=step.path)),
        )


def _take_cluster(
    word: str, words: list[str], options: dict[str, click.Option], step: Step, flags: Flags, unfinished: bool
) -> None:
    """Short options in one word, `-rf`; the first may be the command's and the next a global one."""
    flag, rest = word[:2], word[2:]
    option = options[flag]
    if not rest or _takes_value(option):
        if rest:
            step.options.append(word)
        else:
            _take_option(option, flag, words, step, unfinished)
        return
    step.options.append(flag)
    _dispatch("-" + rest, words, options, step, flags, unfinished)


def _take_option(option: click.Option, flag: str, words: list[str], step: Step, unfinished: bool) -> None:
    step.options.append(flag)
    if _takes_value(option):
        wanted = max(option.nargs, 1)
        if len(words) < wanted:
            step.open_option = option
            if not unfinished:
                raise UsageError("usage.command-option-needs-value", option=flag, command=step.name)
        step.options += words[:wanted]
        del words[:wanted]


def _take_global(word: str, words: list[str], flags: Flags, unfinished: bool) -> bool:
    """Take a global option off the line; False where it is none."""
    name, equals, text = word.partition("=")
    if word in _QUIET:
        flags.echo = False
        return True
    if word.startswith("--"):
        found = _GLOBAL.get(name)
        if found is None:
            near = [known for known in _GLOBAL if len(name) > 3 and known.startswith(name) and known not in DESTRUCTIVE]
            if len(near) != 1:
                return False
            name = near[0]
            found = _GLOBAL[name]
        value: str | None = text if equals else None
    else:
        if any(letter.isspace() for letter in word[:3]):
            return False
        found, name = _GLOBAL.get(word[:2]), word[:2]
        if found is None:
            return False
        value = word[2:] or None
        if value and not found[0].takes_value:
            # A cluster such as -qq or -vy.
            flags.set(found[0], name, found[1], None)
            return _take_global("-" + value, words, flags, unfinished)
    option, opposite = found
    if option.takes_value and value is None:
        if not words:
            flags.open = option
            if unfinished:
                return True
            raise UsageError("usage.needs-value", option=name, metavar=option.metavar)
        value = words.pop(0)
    elif value is not None and not option.takes_value:
        raise UsageError("usage.takes-no-value", option=name)
    flags.set(option, name, opposite, value)
    return True


def _is_option(word: str, options: dict[str, click.Option]) -> bool:
    """Whether a word is an option rather than a value that begins with a hyphen; argparse's rules."""
    if len(word) < 2 or word[0] != "-":
        return False
    name = word.partition("=")[0]
    if word in options or name in options or name in _GLOBAL:
        return True
    if word[:2] in options and word[1] != "-" and not _NUMBER.match(word):
        return True
    return not _NUMBER.match(word) and not any(letter.isspace() for letter in word)


def _options(command: click.Command) -> dict[str, click.Option]:
    found: dict[str, click.Option] = {}
    for parameter in command.get_params(command.context_class(command, **command.context_settings)):
        if isinstance(parameter, click.Option):
            for flag in (*parameter.opts, *parameter.secondary_opts):
                found[flag] = parameter
    return found


def _takes_value(option: click.Option) -> bool:
    return not option.is_flag and not option.count


def _takes_value_below(group: click.Group, flag: str) -> bool:
    """Whether `flag` takes a value in some command of the group."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        option = _options(command).get(flag) if command else None
        if option is not None:
            return _takes_value(option)
    return False


def capacity(command: click.Command) -> int | None:
    """How many words the command has places for; None where it takes any number."""
    places = 0
    for parameter in command.params:
        if isinstance(parameter, click.Argument):
            if parameter.nargs < 0:
                return None
            places += parameter.nargs
    return places
