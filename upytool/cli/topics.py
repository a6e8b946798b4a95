"""`upytool help TOPIC`: made from the tables wherever there is one."""

from __future__ import annotations

from collections.abc import Callable

from ..config.options import OPTIONS, VARIABLES
from ..errors import EXIT_CODES, UpytoolError, kind_of
from ..words import errors, outline
from .ui.help import option_lines
from .ui.style import Style

Lines = list[str]

SELECTORS = (
    ("auto", "the only board there is; asks when there are several (the default)"),
    ("/dev/ttyACM0, COM3", "a port, also as port:/dev/ttyACM0"),
    ("a0, u1, c3", "short for /dev/ttyACM0, /dev/ttyUSB1, COM3; any number, and a command of its own"),
    ("id:E6605838", "the USB serial number"),
    ("usb:2e8a:0005", "USB vendor and product; usb:2e8a:0005/E6605838 adds the serial number"),
    ("kitchen", "an alias: `upytool config set devices.kitchen id:E6605838`"),
    ("socket://host:port", "a TCP connection; rfc2217://host:port with port control; any URL of pyserial"),
    ("ws://HOST", "WebREPL, also ws://HOST:PORT, and wss:// through a proxy with TLS"),
    ("ble://NAME", "a board over Bluetooth LE, or ble://ADDRESS; `upytool ble scan` lists them"),
    ("exec:COMMAND", "a program's stdin and stdout; execpty:COMMAND gives it a terminal"),
    ("sim, sim:NAME", "a simulated board (`upytool sim`)"),
)

JSON = """\
--json makes upytool print one JSON document on stdout, whatever happens:

  {"version": 1, "result": ..., "warnings": ["..."]}

A failure has "error" in it, beside what was done before; the exit code is the same as without --json:

  {"version": 1, "error": {"code": "files.not-found", "message": "...", "fields": {"path": "x", "errno": 2},
   "hints": [{"text": "...", "command": ["upytool", "ls"]}], "hint": "...", "exit_code": 6}, "warnings": []}

Match the code, or its beginning, and the fields: sentences may change. `upytool help errors` lists the codes.
Several commands in one line give "results", a list of {"command": ..., "result": ...}, in place of "result".
What a program on the board prints (run, exec), or what a file holds (cat), is "output" in the result: text,
or {"base64": ...} where it is not UTF-8.

Keys may be added, never renamed; `version` rises when a meaning changes. Through a pipe the document is one
line. Nothing is asked. docs/reference/json.md has the result of each command.

--json-events adds progress as JSON lines on stderr: task-started, task-advanced, task-finished, notice.
Without --json a table is tab-separated, and without its heading, when stdout is not a terminal."""

CHAINING = """\
Several commands share one line and one connection, as with mpremote:

  upytool cp main.py : + reset
  upytool connect a0 exec "print(1)" disconnect connect a1 exec "print(2)"

A command takes as many words as it has places for; the next word is the next command. A command that takes
any number of words (cp, ls, rm, edit, mip install ...) takes all of them up to `+`. Options may stand
anywhere among a command's words; those of every command (-d, --json, -q ...) anywhere in the line, once.

The line is checked as a whole before its first command runs, and ends at the first command that fails.

The board is soft-reset once, before the first program runs on it, so that a program starts from a clean
state; main.py does not run. `resume` (or --no-reset) leaves the board as it is. `disconnect` lets go of the
board, and the next one is soft-reset again.

A line that only prepares (connect, mount, resume, sleep) ends in the REPL. A bare `upytool` shows the help;
what a bare `mpremote` does is `upytool repl`. a0, u1, c3 stand for `connect /dev/ttyACM0` and so on."""

MACROS = """\
Commands of your own come from three places, later ones first:

  config.py of mpremote, in its own configuration directory; it works unchanged
  config.py in upytool's configuration directory (`upytool dirs config`)
  [macros] in upytool's config.toml

  [macros]
  blink = "run blink.py"                       # words are divided at spaces, quotes are not special
  hello = ["exec", "print('hello world')"]     # so give a list where a word has spaces
  "add a b=1" = { command = ["exec", "print(a + b)"], help = "add two numbers on the board" }

Words after a macro's name fill its arguments, in order or as b=2; they become `exec "a=1;b=2"` in front.
A macro may use other macros and may stand for a built-in name. A config.py is a program: every run of upytool
with a command in it runs the file, as mpremote does."""

CONFIG = """\
A setting has the value of the first layer that gives one:

  1  the flag on the command line
  2  the environment variable (`upytool help env`)
  3  the project: upytool.toml, or [tool.upytool] in pyproject.toml, in this directory or one above it
  4  the user: config.toml (`upytool config path`)
  5  the default

`upytool config list --origin` shows each value and where it came from; `config set` and `config unset` change
the user's file and keep its comments. In the user's file [devices] holds aliases of boards and [macros]
commands of your own. A project may not name a device that starts a program (exec:).

The WebREPL password of a board is the first of: UPYTOOL_WEBREPL_PASSWORD; the table [webrepl-passwords] of the
user's file, where the name is an alias, "HOST:PORT" or "HOST"; the system's keyring, if the Python package
keyring is installed (service upytool); what you type when asked. `config` shows none of them."""


def _env(style: Style) -> Lines:
    pairs = [(option.env, option.help) for option in OPTIONS if option.env] + list(VARIABLES)
    return [*_pairs(style, pairs), "", "Yes and no are 1 and 0, true and false, yes and no, on and off."]


def _options(style: Style) -> Lines:
    return ["These may stand before or after any command:", "", *option_lines(style)]


def _exit_codes(style: Style) -> Lines:
    pairs = [(str(code), meaning) for code, meaning in EXIT_CODES.items()]
    return [
        *_pairs(style, pairs),
        "",
        "A program on the board that calls sys.exit(n) gives its n (0 to 255).",
    ]


def _config(style: Style) -> Lines:
    keys = [(option.key, option.help) for option in OPTIONS if option.configurable]
    return [*CONFIG.splitlines(), "", style.heading("Settings:"), *_pairs(style, keys)]


def _pairs(style: Style, pairs: list[tuple[str, str]]) -> Lines:
    width = max(len(first) for first, _ in pairs)
    return [f"  {style.literal(first)}{'':{width - len(first)}}  {second}" for first, second in pairs]


def _selectors(style: Style) -> Lines:
    return [
        "A board is named with -d SELECTOR, UPYTOOL_DEVICE, the setting `device`, or `connect SELECTOR`:",
        "",
        *_pairs(style, list(SELECTORS)),
        "",
        "`upytool devs` lists what is there. upytool never guesses between two boards.",
    ]


def _errors(style: Style) -> Lines:
    return [
        "An error has a code, which `-v` shows behind its message and --json gives; programs match it, or its",
        "beginning. `upytool help CODE` explains one:",
        "",
        *_pairs(style, [(code, outline(words[0])) for code, words in sorted(errors().items())]),
    ]


def explain(code: str, style: Style) -> Lines:
    """The lines about an error's code; none where there is no such code. A beginning of codes lists them."""
    words = errors().get(code)
    if words is None:
        pairs = [(each, outline(found[0])) for each, found in sorted(errors().items()) if each.startswith(code + ".")]
        return _pairs(style, pairs) if pairs else []
    kind = kind_of(code)
    return [
        f"{style.literal(code)}  {outline(words[0])}",
        "",
        *(f"  {style.hint('hint:')} {outline(hint)}" for hint in words[1:]),
        f"  exit code {kind.exit_code}, upytool.errors.{kind.__name__}"
        if kind is not UpytoolError
        else "  exit code 2, 6, 7, 8 or 9: that of the command's kind of work",
    ]


_TOPICS: dict[str, Callable[[Style], Lines]] = {
    "selectors": _selectors,
    "chaining": lambda _: CHAINING.splitlines(),
    "macros": lambda _: MACROS.splitlines(),
    "options": _options,
    "env": _env,
    "config": _config,
    "json": lambda _: JSON.splitlines(),
    "exit-codes": _exit_codes,
    "errors": _errors,
}


def topic(name: str, style: Style) -> Lines:
    """The lines of a topic; KeyError for an unknown one."""
    return _TOPICS[name](style)
