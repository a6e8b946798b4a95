"""Dividing a line, against mpremote's own parser as the oracle."""

from __future__ import annotations

import random
import shlex
import sys
from typing import Any

import click
import pytest

from upytool.cli.chain import Step, split
from upytool.cli.group import require
from upytool.config.macros import Macros
from upytool.errors import UsageError

# A command as both sides are brought to: name, words, options that differ from the default.
Plain = tuple[str, tuple[str, ...], frozenset[str]]

USER_MACROS: dict[str, Any] = {
    "hello": "exec print(1)",
    "twice": ["exec", "print(1)", "exec", "print(2)"],
    "blink pin n=3": {"command": ["exec", "blink(pin, n)"], "help": "blink"},
    "again pin": ["blink", "+", "exec", "pin"],
    "up f=main.py": "cp main.py :",
    "double x y=2": "run x.py eval x*y",
    "c1": "connect /dev/mine",
}


def ours(argv: list[str]) -> list[Plain]:
    macros = Macros()
    macros.add(USER_MACROS, "test")
    return [plain(step) for step in split(argv, require, macros.expand)[0]]


def plain(step: Step) -> Plain:
    name = step.path[-1] if step.path[0] == "fs" else step.path[0]
    words = [*step.path[1:], *step.words] if step.path[0] != "fs" else list(step.words)
    if name in ("devs", "devices", "ports"):
        name, words = "connect", ["list"]
    if name not in ("cp", "connect", "mount", "run", "exec", "eval"):
        words = [word.removeprefix(":") for word in words]
    if name in ("ls", "tree") and not words:
        words = [""]
    return name, tuple(words), frozenset(options(step))


def options(step: Step) -> set[str]:
    by_flag = {
        flag: parameter
        for parameter in step.command.params
        if isinstance(parameter, click.Option)
        for flag in (*parameter.opts, *parameter.secondary_opts)
    }
    found: set[str] = set()
    rest = list(step.options)
    while rest:
        word = rest.pop(0)
        flag, equals, value = word.partition("=")
        if flag not in by_flag:
            flag, value = word[:2], word[2:]
        parameter = by_flag[flag]
        long = max(parameter.opts, key=len)
        if parameter.is_flag:
            if flag in parameter.secondary_opts:
                long = max(parameter.secondary_opts, key=len)
            # Ours may leave a choice open (None) where mpremote's default is yes.
            default = parameter.default is True or parameter.name in ("mpy", "follow")
            if (flag in parameter.opts) != default:
                found.add(long)
        else:
            found.add(f"{long}={value if equals or value else rest.pop(0)}")
    return found


class Leave(Exception):
    pass


def theirs(argv: list[str], monkeypatch: pytest.MonkeyPatch) -> list[Plain] | None:
    """What mpremote's parser makes of the line; None where it refuses it. Its handlers are replaced."""
    main = pytest.importorskip("mpremote.main")
    seen: list[Plain] = []

    def record(name: str, parser: Any) -> Any:
        def handler(state: Any, args: Any) -> None:
            state.did_action()
            seen.append(normal(name, vars(args), parser))
            if name in ("help", "version"):
                raise Leave

        return handler

    config = type("Config", (), {"commands": USER_MACROS})
    with monkeypatch.context() as patch:
        patch.setattr(main, "load_user_config", lambda: config)
        patch.setattr(main, "do_disconnect", lambda *_: None)
        patch.setattr(main, "_COMMANDS", {n: (record(n, p), p) for n, (_, p) in main._COMMANDS.items()})
        patch.setattr(sys, "argv", ["mpremote", *argv])
        try:
            if main.main() != 0:
                return None
        except SystemExit:
            return None
        except Leave:
            pass
    return seen


def normal(name: str, values: dict[str, Any], parser: Any) -> Plain:
    values = {key: value for key, value in values.items() if key not in ("next_command", "verbose")}
    defaults = vars(parser().parse_known_args(["x"] * 3)[0])
    words: list[str] = []
    for key in ("device", "ms", "command", "expr", "files", "path", "packages"):
        value = values.pop(key, None)
        if value is not None:
            words += map(str, value) if isinstance(value, list) else [str(value)]
    found = set()
    for key, value in values.items():
        flag = key.replace("_", "-")
        if value != defaults[key]:
            found.add(f"--{flag}" if value is True else f"--no-{flag}" if value is False else f"--{flag}={value}")
    text = words[0] if words else ""
    if name == "exec" and "machine.reset()" in text:
        return "reset", (), frozenset()
    if name == "exec" and "machine.bootloader()" in text:
        return "bootloader", (), frozenset()
    if name == "exec" and "statvfs" in text:
        return "df", (), frozenset()
    if name == "fs":
        name = words.pop(0)
    if name == "sleep":
        words = [f"{float(words[0]):g}"]
    if name not in ("cp", "connect", "mount", "run", "exec", "eval"):
        words = [word.removeprefix(":") for word in words]
    return name, tuple(words), frozenset(found)


LINES = """
exec print(1)
exec "print(1)" eval 2
exec "print(1)" + eval 2
+ exec 1 + + eval 2 +
eval -1
eval "-x + 1"
eval "-v + 1" eval "-d*2 + 1"
eval -- -x eval 3
exec --no-follow "import a"
exec -f 1 exec --no-follow 2
connect a0 eval 1 disconnect connect a1 eval 2
a0 eval 1 disconnect a1 eval 2
u3 exec 1
c2 ls
c1 ls
connect list
devs
devs + eval 1
connect id:334D335C3138 exec 1
connect port:/dev/ttyACM0 ls
resume exec 1 soft-reset eval 2
resume ls : + soft-reset
cp a.py b.py : + exec 1
cp a.py :
cp -r lib :lib + reset
cp -rf lib :lib + reset + sleep 1 + repl
cp :a.py .
fs cp -r a :b
fs -r cp a :b
fs -f cp a b : + fs cat :a
fs ls
fs ls + eval 1
ls
ls -v
ls + exec 1
ls :lib /x
cat main.py boot.py + eval 1
fs cat :main.py
rm -r :a :b + df
rm -rv a
mkdir a b + rmdir c
touch :x + sha256sum :x
fs md5sum :a
fs touch x
tree
tree -s + ls
tree -h :lib
fs tree --human
df
df exec 1
mount . exec 1
mount -l . run x.py umount exec 2
mount --unsafe-links /tmp repl
umount resume
repl --capture log.txt
repl -e --inject-code "x\\n" --inject-file f.py
repl --inject-code=abc exec 1
run x.py
run --no-follow x.py eval 1
run x.py run y.py + run z.py
sleep 0.5 exec 1
sleep 2 bootloader
reset exec 1
edit a.py b.py
mip install aioble
mip install --target /lib --no-mpy a b + ls
mip --index http://x/ install a@1.0
mip -m install a
romfs query
romfs query + eval 1
romfs build d
romfs -p 1 deploy d eval 1
romfs --output o.img build -m d
romfs build --no-mpy d + exec 1
rtc
rtc --set exec 1
rtc -s eval 2
version
version exec 1
--version
help exec
exec 1 --version
exec 1 version
hello
hello eval 3
hello + hello
twice eval 3
blink 5
blink 5 6
blink pin=7
blink 5 n=9 + eval 1
blink n=9
blink 5 n=9 x=3
again 4
again 4 eval 1
up x=1
up f=a eval 1
double 3 eval 4
double 3 y=7 eval 4
double 3 + eval 4
blink +
exec --foll 1
mip install --tar /lib a
"""


def lines() -> list[str]:
    return [line for line in LINES.strip().splitlines() if line]


@pytest.mark.parametrize("line", lines())
def test_same_division_as_mpremote(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    argv = shlex.split(line)
    expected = theirs(argv, monkeypatch)
    if expected is None:
        # What mpremote refuses we may do better, but a macro's arguments are refused by both.
        if "n=" in line or "blink" in line:
            with pytest.raises(UsageError):
                ours(argv)
        return
    found = ours(argv)
    if expected and expected[-1][0] in ("version", "help"):
        # There these end the program.
        found = found[: len(expected)]
        if expected[-1][0] == "help":
            found[-1] = ("help", (), frozenset())
    assert found == expected


def test_the_oracle_accepts_most_of_the_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """A guard of the test above: an oracle that refused everything would pass it."""
    accepted = [line for line in lines() if theirs(shlex.split(line), monkeypatch) is not None]
    assert len(accepted) > 0.85 * len(lines())


PIECES = """
exec 1|eval a|exec --no-follow x|run f.py|connect a0|connect id:9|disconnect|resume|soft-reset|sleep 1|repl|
repl --capture l|umount|mount .|mount -l d|rtc|rtc --set|df|reset|devs|a7|u0|hello|twice|blink 4|blink 4 n=2|
romfs query|romfs -p 2 query|cp a :|cp -r a b :|ls|ls -v x|cat a|rm -r a|mip install x|edit a|fs ls|fs cp a :b
"""


@pytest.mark.parametrize("seed", range(120))
def test_random_lines(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    choose = random.Random(seed)
    pieces = [piece.strip() for piece in PIECES.replace("\n", "").split("|")]
    line = []
    for _ in range(choose.randrange(1, 7)):
        line += shlex.split(choose.choice(pieces))
        if choose.random() < 0.5:
            line.append("+")
    # More than four shortcuts is ours alone.
    line = [word if word != "a7" else "a3" for word in line]
    expected = theirs(line, monkeypatch)
    if expected is not None:
        assert ours(line) == expected


# -- what we do beyond mpremote -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("cp a b -r :", [("cp", ("a", "b", ":"), {"--recursive"})]),
        ("cp a : -f + ls", [("cp", ("a", ":"), {"--force"}), ("ls", ("",), set())]),
        ("exec 1 --no-follow eval 2", [("exec", ("1",), {"--no-follow"}), ("eval", ("2",), set())]),
        ("a12 ls", [("connect", ("/dev/ttyACM12",), set()), ("ls", ("",), set())]),
        ("mip install a --no-mpy b", [("mip", ("install", "a", "b"), {"--no-mpy"})]),
        ("cp -- -r :", [("cp", ("-r", ":"), set())]),
        ("cp - :x", [("cp", ("-", ":x"), set())]),
    ],
)
def test_options_anywhere(line: str, expected: list[tuple[str, tuple[str, ...], set[str]]]) -> None:
    assert ours(shlex.split(line)) == [(name, words, frozenset(flags)) for name, words, flags in expected]


@pytest.mark.parametrize(
    "line",
    [
        "-d X --json exec 1",
        "exec -d X 1 --json",
        "exec 1 -d X --json",
        "exec --json --device=X 1",
        "-dX exec 1 --json",
        "exec 1 --device X eval 2 --json",
        "fs --json -dX ls",
        "mip --json -d X install a",
        "--json ls x + --device X",
    ],
)
def test_global_options_anywhere(line: str) -> None:
    steps, flags = split(shlex.split(line), require)
    assert flags.values == {"device": "X", "json": True}
    assert all("X" not in step.words and not step.options for step in steps)


@pytest.mark.parametrize(
    ("line", "level"),
    [("-v", 1), ("-vv", 2), ("-v -v", 2), ("-vvv", 2), ("-q", -1), ("-qq", -2), ("-qy", -1)],
)
def test_levels(line: str, level: int) -> None:
    assert split([*line.split(), "exec", "1"], require)[1].values["verbosity"] == level


def test_macro_that_names_itself_ends() -> None:
    macros = Macros()
    macros.add({"ls": "ls -v", "a": "b", "b": "a"}, "test")
    assert [step.name for step in split(["ls"], require, macros.expand)[0]] == ["ls"]
    with pytest.raises(UsageError) as raised:
        split(["a"], require, macros.expand)
    assert (raised.value.code, raised.value.fields) == ("usage.unknown-command", {"name": "a"})
