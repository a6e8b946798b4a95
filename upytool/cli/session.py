"""One command line from its words to its exit code: settings, division, each command, every error."""

from __future__ import annotations

import errno
import os
import sys

import click

from ..config.load import Settings, load
from ..config.macros import Macros, load_macros
from ..errors import (
    ConfigError,
    Declined,
    Interrupted,
    LocalFileError,
    OperationInterrupted,
    UpytoolError,
    UsageError,
)
from ..words import Said
from . import table
from .app import App
from .chain import Step, split
from .group import Context, require, root
from .ui import errors
from .ui.streams import ClosedPipe, Streams


class BugError(UpytoolError):
    """What nobody expected: an error of upytool itself."""

    code = "unexpected"


def run_line(argv: list[str]) -> int:
    """Run a command line and return its exit code; ClosedPipe and BrokenPipeError alone come out."""
    if "_UPYTOOL_COMPLETE" in os.environ:
        from .shells import answer_shell

        return answer_shell(argv)
    app: App | None = None
    failed: UpytoolError | None = None
    code = 0
    try:
        settings = _load(argv)
        macros = load_macros(settings.macros, settings.user_file)
        steps, flags = split(argv, lambda name: require(name, list(macros.by_name)), macros.expand)
        settings.override(flags.values)
        settings.warnings += macros.warnings
        app = App(settings)
        app.echoes = flags.echo
        code = _run_steps(steps, app, macros)
    except (ClosedPipe, BrokenPipeError):
        if app is not None:
            app.close()
        raise
    except BaseException as error:
        code, failed = _report(error, app, argv)
    try:
        if app is not None:
            app.close()
    except BaseException as error:
        # What goes wrong while letting go counts only where the work itself went well.
        if code == 0:
            code, failed = _report(error, app, argv)
    _write_document(failed, code, app, argv)
    return code


def _write_document(failed: UpytoolError | None, code: int, app: App | None, argv: list[str]) -> None:
    """With --json the one document of this run, at its very end."""
    settings = app.settings if app else _settings_for_error(argv)
    if not settings.json or (code > 128 and failed is None):  # ended by a signal
        return
    from .ui.json import Document

    streams = app.streams if app else Streams(settings.color)
    document = (app.document if app else None) or Document()
    error = None if failed is None else failed.data()
    streams.write(document.text(error, app.warnings if app else settings.warnings, pretty=streams.style.tty))


# These must work with a broken configuration too: they are how it is fixed.
_MENDERS = frozenset(("config", "dirs", "doctor", "help", "version", "completions"))


def _load(argv: list[str]) -> Settings:
    try:
        return load()
    except ConfigError as error:
        if not _MENDERS.intersection(argv[:1]):
            raise
        settings = Settings()
        settings.warnings.append(str(error))
        return settings


def _run_steps(steps: list[Step], app: App, macros: Macros) -> int:
    top = Context(root, info_name="upytool", obj=app, color=app.style.colour)
    top.meta["upytool.macros"] = {macro.signature: macro.help for macro in macros.by_name.values()}
    if not steps:
        app.emit(lambda: {"text": root.get_help(top)}, lambda _: root.get_help(top))
        if app.document is not None:
            app.document.end("help", failed=False, acting=True)
        return 0
    if app.document is not None:
        app.document.several = sum(_acts(step) for step in steps) > 1
    # Every command is parsed before the first one runs: a typing error in the third stops the first.
    contexts: list[click.Context] = []
    try:
        for step in steps:
            contexts.append(context_of(step, top))
        for step, context in zip(steps, contexts, strict=True):
            _run_step(step, context, app)
        if not app.acted:
            repl = Step(("repl",), require("repl"))
            _run_step(repl, context_of(repl, top), app)
    except click.exceptions.Exit as stop:
        if app.document is not None:
            app.document.end("help", failed=stop.exit_code != 0, acting=True)
        return stop.exit_code
    return 0


def context_of(step: Step, top: click.Context) -> click.Context:
    """A step's Click context, its words parsed. Raises click.UsageError, or Exit after --help."""
    parent = top
    for name, group in zip(step.path, step.parents, strict=False):
        parent = Context(group, info_name=name, parent=parent)
    return step.command.make_context(step.path[-1], step.arguments(), parent=parent)


def _acts(step: Step) -> bool:
    """Whether it does something, and does not only prepare."""
    entry = table.find(step.path[0])
    return entry is None or entry.action


def _run_step(step: Step, context: click.Context, app: App) -> None:
    acting = _acts(step)
    app.acted = app.acted or acting
    failed = True
    try:
        with context:
            step.command.invoke(context)
        failed = False
    finally:
        if app.document is not None:
            app.document.end(" ".join(step.path), failed=failed, acting=acting)


def _report(error: BaseException, app: App | None, argv: list[str]) -> tuple[int, UpytoolError | None]:
    """Tell the user about an error, unless a document will; returns the exit code, and the error as one of ours."""
    if isinstance(error, SystemExit):  # a signal that ends the process (signals.py)
        return (error.code if isinstance(error.code, int) else 0 if error.code is None else 1), None
    settings = app.settings if app else _settings_for_error(argv)
    streams = app.streams if app else Streams(settings.color)
    known = as_known(error) or _unexpected(error)
    if app is not None:
        app._sink.clear()
    for line in [] if settings.json else errors.lines(known, streams.err_style, settings.verbosity):
        streams.err(line)
    if settings.verbosity >= 2 and not isinstance(error, click.ClickException):
        streams.err(_trace(error))
    return known.exit_code, known


def _settings_for_error(argv: list[str]) -> Settings:
    """Enough settings to say what was wrong with the settings, or with the line."""
    try:
        settings = load()
    except Exception:  # whatever is wrong there is the error that is being told, or is told by the next command
        settings = Settings()
    settings.json = settings.json or "--json" in argv
    if "-vv" in argv:
        settings.verbosity = 2
    for index, word in enumerate(argv):
        value = word[8:] if word.startswith("--color=") else "".join(argv[index + 1 : index + 2])
        if word.startswith("--color") and value in ("always", "never"):
            settings.color = value
    return settings


def as_known(error: BaseException) -> UpytoolError | None:
    """The error as one of ours; None for what nobody expected.

    What the system or a codec refuses and no command expected is still about something of the user's (a path, a
    name, a directory that is gone), so it is an error of the table and not a bug.
    """
    if isinstance(error, UpytoolError):
        return error
    if isinstance(error, click.UsageError):
        name = error.ctx.command_path.removeprefix("upytool ") if error.ctx else ""
        message = error.format_message().rstrip(".")
        return UsageError(
            "usage.command-line",
            problem=message[:1].lower() + message[1:],
            hint=Said("cli.help", command=name.split()) if name else (),
        )
    if isinstance(error, click.ClickException):
        return UsageError("usage.command-line", problem=error.format_message())
    if isinstance(error, click.exceptions.Abort):  # A question was answered with no.
        return Declined()
    # Interrupted comes from an operation that had nothing to clean up.
    if isinstance(error, (KeyboardInterrupt, Interrupted)):
        return OperationInterrupted()
    if isinstance(error, OSError):
        return _refused(error)
    if isinstance(error, UnicodeError):
        text = getattr(error, "object", "")
        text = text[:200] if isinstance(text, str) else "a name"
        return UsageError("usage.not-unicode", text=text.encode("utf-8", "backslashreplace").decode())
    if isinstance(error, ValueError) and "null" in str(error) and "embedded" in str(error):
        return UsageError("usage.null-character")
    return None


def _refused(error: OSError) -> UpytoolError:
    """What the operating system refused, where no command had words for it."""
    reason = error.strerror or str(error) or type(error).__name__
    reason = reason[:1].lower() + reason[1:]
    names = [os.fsdecode(name) for name in (error.filename, error.filename2) if isinstance(name, (str, bytes))]
    if not names and error.errno == errno.ENOENT and not _has_directory():
        return LocalFileError("local-file.directory-removed")
    if not names:
        return LocalFileError("local-file.refused", reason=reason)
    return LocalFileError("local-file.system", path=": ".join(names), reason=reason, hint=Said("cli.where"))


def _has_directory() -> bool:
    try:
        os.getcwd()
    except OSError:
        return False
    return True


def _unexpected(error: BaseException) -> UpytoolError:
    """A bug of ours: keep the trace in a file, show one line. Never raises."""
    try:
        first = str(error).splitlines()[:1]
    except Exception:  # an exception whose words fail as well
        first = []
    path = _write_report(error)
    return BugError(
        "unexpected",
        kind=type(error).__name__,
        reason="".join(first) or "no message",
        hint=Said("cli.report", path=path) if path else (),
    )


def _trace(error: BaseException) -> str:
    import traceback

    try:
        return "".join(traceback.format_exception(error)).rstrip()
    except Exception as second:
        return f"{type(error).__name__} (its traceback cannot be shown: {type(second).__name__})"


def _write_report(error: BaseException) -> str:
    """Write the trace into the state directory; "" where that fails too. The words typed are left out: a
    selector may hold a password."""
    try:
        import platform
        import time

        from .. import __version__
        from ..config.paths import ensure_dir, state_dir
        from ..whole_file import write_whole

        folder = ensure_dir(os.path.join(state_dir(), "reports"))
        name = f"upytool-{time.strftime('%Y%m%d-%H%M%S')}-{os.urandom(3).hex()}.txt"
        text = f"upytool {__version__}, Python {sys.version.split()[0]}, {platform.platform()}\n\n{_trace(error)}\n"
        write_whole(os.path.join(folder, name), text.encode("utf-8", "backslashreplace"), private=True)
        return os.path.join(folder, name)
    except Exception:
        return ""
