"""The root help, made from the tables without Click: it is what a bare `upytool` shows, and must be quick."""

from __future__ import annotations

from ... import __version__
from ...config.options import OPTIONS, Option
from ..table import COMMANDS, SECTIONS, TOPICS
from .style import Style

DESCRIPTION = "Put firmware on MicroPython boards, move files and packages, run code."
EXAMPLES = (
    ("upytool devs", "which boards are there"),
    ("upytool repl", "talk to the only board (mpremote's bare command)"),
    ("upytool cp main.py : + reset", "copy a file, then restart the board"),
    ("upytool run test.py", "run a local program, stop it with Ctrl-C"),
    ("upytool mip install aioble", "install a package"),
)


def root_help(style: Style, commands: dict[str, str] | None = None) -> str:
    """The help of `upytool`; `commands` are the user's macros, name to help."""
    parts = [DESCRIPTION, "", style.heading("Usage:") + " upytool [OPTIONS] COMMAND [ARGS] [+ COMMAND ...]"]
    width = max(len(entry.name) for entry in COMMANDS)
    for section in SECTIONS:
        entries = [entry for entry in COMMANDS if entry.section == section and not entry.hidden]
        if entries:
            parts += ["", style.heading(section + ":")]
            for entry in entries:
                parts += _row(style, entry.name, width, entry.help)
    if commands:
        parts += ["", style.heading("Your macros:")]
        parts += [f"  {style.literal(name)}  {help}".rstrip() for name, help in commands.items()]
    parts += ["", style.heading("Options (before or after the command):")]
    parts += option_lines(style)
    parts += example_lines(style, EXAMPLES)
    topics = ", ".join(style.literal(name) for name, _ in TOPICS)
    parts += ["", f"More: {style.literal('upytool help COMMAND')} or one of the topics {topics}"]
    return "\n".join(parts) + "\n"


def option_lines(style: Style) -> list[str]:
    """The global options as lines of a list."""
    shown = [(spelling(option), option.help) for option in OPTIONS if option.flags]
    shown += [("-h, --help", "explain a command, or upytool"), ("--version", "print the version")]
    width = max(len(first) for first, _ in shown)
    return [line for first, second in shown for line in _row(style, first, width, second)]


def _row(style: Style, first: str, width: int, second: str) -> list[str]:
    """A name and what it means; what is too wide for the terminal goes on below itself."""
    lines = [second]
    if style.tty:
        from textwrap import wrap

        lines = wrap(second, max(30, style.width - width - 4)) or [""]
    head = f"  {style.literal(first)}{'':{width - len(first)}}  {lines[0]}"
    return [head.rstrip(), *(f"{'':{width + 4}}{line}" for line in lines[1:])]


def spelling(option: Option) -> str:
    """`-d, --device SELECTOR` for an option."""
    flags = ", ".join((*option.flags, *option.off))
    return f"{flags} {option.metavar}" if option.metavar else flags


def example_lines(style: Style, examples: tuple[tuple[str, str], ...]) -> list[str]:
    """A block of examples; nothing where there are none."""
    if not examples:
        return []
    width = max(len(line) for line, _ in examples)
    if any(what and width + len(what) + 6 > style.width for _, what in examples):  # folded lines cannot be read
        return ["", style.heading("Examples:")] + [
            f"  {text}"
            for line, what in examples
            for text in ([style.dim(f"# {what}")] if what else []) + [style.literal(line)]
        ]
    return ["", style.heading("Examples:")] + [
        f"  {style.literal(line)}{'':{width - len(line)}}  {style.dim('# ' + what) if what else ''}".rstrip()
        for line, what in examples
    ]


def version_line() -> str:
    return f"upytool {__version__}\n"
