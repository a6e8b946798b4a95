# The REPL of a board on a serial line, written from the behaviour of shared/runtime/pyexec.c and shared/readline.
# Bytes for the host that must not change go through `_out`; print() and sys.stdout turn "\n" into "\r\n".
from builtins import BaseException, EOFError, Exception, KeyboardInterrupt, MemoryError, OSError, SystemExit
from builtins import UnicodeError, bytearray, bytes, chr, compile, enumerate, exec, int, isinstance, len, list, object
from builtins import open, print, reversed, str
import gc
import host
import io
import line_edit
import sys

_out = sys.stdout.buffer
_input = open(12, "rb")  # never waits; ends a read after 01 02 03 04
_paste = open(13, "rb")  # never waits; ends a read after 03 04

WINDOW = 2048  # of raw paste, in bytes; a board's is 32 to 256 and up
CHUNK = 4096
FRIENDLY, RAW = "friendly", "raw"
SOFT_RESET = object()
# What a program cannot fill: memory to say how it ended, and to read and compile the next line. In small pieces, because
# what is left of a full heap is scattered.
_RESERVE = [None] * 32
_PIECE = 1024
KEEP = ("wasm", "Simulated board with WebAssembly", "UPYTOOL_WASM")  # sys.platform, _machine, _build


def _get(stream, limit):
    while True:
        data = stream.read(limit)
        if data:
            return data
        host.call("wait", "")


def _char():
    return _get(_input, 1)[0]


def _tell(text):
    _out.write(text)


def _print_exception(error):
    try:
        text = io.StringIO()
        sys.print_exception(error, text)
        lines = text.getvalue().split("\n")
        # our own frames are no part of what runs on a board
        ours = [i for i, line in enumerate(lines) if line.startswith('  File "/.firmware/')]
        for i in reversed(ours):
            del lines[i]
        sys.stdout.write("\n".join(lines))
    except MemoryError:
        _tell(b"MemoryError: \r\n")


def _reserve():
    # as much of it as there is
    i = 0
    try:
        while i < len(_RESERVE):
            if _RESERVE[i] is None:
                _RESERVE[i] = bytearray(_PIECE)
            i += 1
    except MemoryError:
        pass


def _release():
    i = 0
    while i < len(_RESERVE):
        _RESERVE[i] = None
        i += 1


def _idle():
    # No Ctrl-C from here on. One that is under way may still come, also between two of these lines.
    while True:
        try:
            try:
                host.call("idle", "")
                return
            except KeyboardInterrupt:
                host.call("idle", "")
                return
        except KeyboardInterrupt:
            pass


def _run(code, variables):
    # -> the exception, or None. Ctrl-C is live only in here.
    error = None
    _reserve()
    try:
        try:
            host.call("run", "")
            exec(code, variables)
        except BaseException as e:
            error = e
        host.call("idle", "")
    except KeyboardInterrupt as e:
        error = error or e
    _release()
    _idle()
    return error


def _compile(source, kind):
    # -> (code, None) or (None, exception)
    try:
        return compile(source, "<stdin>", kind), None
    except BaseException as e:
        return None, e


def _finish(error, framed, interactive=False):
    # what pyexec prints after a program -> SOFT_RESET or None
    if framed:
        _tell(b"\x04")
    leave = isinstance(error, SystemExit)
    if error is not None and not leave:
        _print_exception(error)
    if framed:
        _tell(b"\x04")
    return SOFT_RESET if leave else None


def run_file(name, variables):
    # -> SOFT_RESET or None; silent when there is no such file
    try:
        f = open(name, "rb")
    except OSError:
        return None
    try:
        with f:
            code = compile(f.read(), name, "exec")
    except BaseException as e:
        return _finish(e, False)
    return _finish(_run(code, variables), False)


# raw mode


def raw(variables):
    # -> FRIENDLY, or SOFT_RESET
    line = []
    host.call("mode", RAW)
    _tell(b"raw REPL; CTRL-B to exit\r\n>")
    while True:
        data = _get(_input, CHUNK)
        last = data[-1]
        if last > 4 or last == 0:
            line.append(data)
            continue
        if len(data) > 1:
            line.append(data[:-1])
        if last == 1:
            if len(line) <= 2 and b"".join(line) in (b"\x05A", b"\x05B"):
                if raw_paste(b"".join(line), variables) is SOFT_RESET:
                    return SOFT_RESET
                _tell(b">")
            else:
                _tell(b"raw REPL; CTRL-B to exit\r\n>")
            line = []
        elif last == 2:
            _tell(b"\r\n")
            return FRIENDLY
        elif last == 3:
            line = []
        else:
            _tell(b"OK")
            if not line:
                _tell(b"\r\n")
                return SOFT_RESET
            source = line[0] if len(line) == 1 else b"".join(line)
            line = []
            code, error = _compile(source, "exec")
            source = None
            if error is None:
                error = _run(code, variables)
            code = None
            if _finish(error, True) is SOFT_RESET:
                return SOFT_RESET
            _tell(b">")


def raw_paste(command, variables):
    if command != b"\x05A":
        _tell(b"R\x00")
        return None
    _tell(b"R\x01" + bytes((WINDOW & 0xFF, WINDOW >> 8)) + b"\x01")
    chunks = []
    source = data = None
    left = WINDOW
    error = None
    ended = False
    try:
        while not ended:
            data = _get(_paste, CHUNK)
            last = data[-1]
            ended = last == 3 or last == 4
            chunks.append(data[:-1] if ended else data)
            left -= len(data) - ended
            while left <= 0:
                _tell(b"\x01")
                left += WINDOW
        source = b"".join(chunks)
        if last == 3:
            error = KeyboardInterrupt()
        _tell(b"\x04")
    except MemoryError as e:
        # as a board does: say so at once, and let the host send until it has noticed
        error = e
        _tell(b"\x04")
        chunks.clear()
        source = data = None
        gc.collect()
        while not ended:
            last = _get(_paste, 256)[-1]
            ended = last == 3 or last == 4
    chunks.clear()
    data = None
    code = None
    if error is None:
        code, error = _compile(source, "exec")
    source = None
    if error is None:
        error = _run(code, variables)
    code = None
    return _finish(error, True)


# friendly mode


def banner():
    version = sys.version.split("; ", 1)[1]
    print(version + "; " + sys.implementation._machine)
    print('Type "help()" for more information.')


def friendly(variables):
    # -> RAW, or SOFT_RESET
    host.call("mode", FRIENDLY)
    banner()
    while True:
        line = line_edit.readline(">>> ", variables)
        if line == 1:
            _tell(b"\r\n")
            return RAW
        if line == 2:
            _tell(b"\r\n")
            banner()
            continue
        if line == 3:
            _tell(b"\r\n")
            continue
        if line == 4:
            _tell(b"\r\n")
            return SOFT_RESET
        kind = "single"
        if line == 5:
            line = _paste_mode()
            kind = "exec"
            if line is None:
                continue
        else:
            if not line:
                continue
            while line_edit.continues(line):
                more = line_edit.readline("... ", variables, line_edit.indent(line))
                if more == 3:
                    line = None
                    _tell(b"\r\n")
                    break
                if more == 4:
                    _tell(b"\r\n")
                    break
                if isinstance(more, int):
                    continue
                line += "\n" + more
                if not more.strip() and not line_edit.open_brackets(line):
                    break
            if line is None:
                continue
        code, error = _compile(line, kind)
        if error is None:
            error = _run(code, variables)
        code = None
        if _finish(error, False) is SOFT_RESET:
            return SOFT_RESET


def _text(data):
    # Noise on the line must not end the board: what is no UTF-8 is read byte by byte.
    try:
        return str(data, "utf-8")
    except UnicodeError:
        return "".join(chr(c) for c in data)


def _paste_mode():
    _tell(b"\r\npaste mode; Ctrl-C to cancel, Ctrl-D to finish\r\n=== ")
    text = bytearray()
    while True:
        c = _char()
        if c == 3:
            _tell(b"\r\n")
            return None
        if c == 4:
            _tell(b"\r\n")
            return _text(text)
        if c == 13:
            text.append(10)
            _tell(b"\r\n=== ")
        else:
            text.append(c)
            _tell(bytes((c,)))


def kbd_intr(char):
    host.call("kbd_intr", str(char))


def input_line(prompt=""):
    sys.stdout.write(prompt)
    line = ""
    while True:
        c = sys.stdin.read(1)
        if c == "\n":
            sys.stdout.write("\n")
            return line
        if c == "\x04" and not line:
            raise EOFError
        if c in "\x08\x7f":
            if line:
                line = line[:-1]
                sys.stdout.write("\x08 \x08")
        else:
            line += c
            sys.stdout.write(c)


def loop():
    # The life between two resets; tells the host in which mode the next one starts.
    import __main__

    variables = __main__.__dict__
    for name in list(variables):
        if name != "__name__":
            del variables[name]
    mode = host.call("mode", "")
    if run_file("boot.py", variables) is not SOFT_RESET:
        if mode == RAW or run_file("main.py", variables) is not SOFT_RESET:
            while True:
                gc.collect()
                try:
                    result = raw(variables) if mode == RAW else friendly(variables)
                except BaseException as e:  # while typing (memory, noise): what was typed is gone, the board is not
                    _release()
                    _idle()
                    mode = host.call("mode", "")
                    _print_exception(e)
                    continue
                if result is SOFT_RESET:
                    break
                mode = result
    host.call("reset", "soft " + mode)
