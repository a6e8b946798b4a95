# The REPL of a board on a serial line, written from the behaviour of shared/runtime/pyexec.c and shared/readline.
# Bytes for the host that must not change go through `_out`; print() and sys.stdout turn "\n" into "\r\n".
import gc
import host
import io
import sys

_out = sys.stdout.buffer
_input = open(12, "rb")  # never waits; ends a read after 01 02 03 04
_paste = open(13, "rb")  # never waits; ends a read after 03 04

WINDOW = 2048  # of raw paste, in bytes; a board's is 32 to 256 and up
CHUNK = 4096
FRIENDLY, RAW = "friendly", "raw"
SOFT_RESET = object()
_HISTORY = []
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
    text = io.StringIO()
    sys.print_exception(error, text)
    lines = text.getvalue().split("\n")
    # our own frames are no part of what runs on a board
    ours = [i for i, line in enumerate(lines) if line.startswith('  File "/.firmware/')]
    for i in reversed(ours):
        del lines[i]
    sys.stdout.write("\n".join(lines))


def _run(code, variables):
    # -> the exception, or None. Ctrl-C is live only in here.
    error = None
    try:
        host.call("run", "")
        exec(code, variables)
    except BaseException as e:
        error = e
    while True:
        try:
            host.call("idle", "")
            break
        except KeyboardInterrupt as e:
            error = error or e
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
    parts = []
    left = WINDOW
    error = None
    while True:
        data = _get(_paste, CHUNK)
        last = data[-1]
        ended = last == 3 or last == 4
        count = len(data) - ended
        try:
            parts.append(data[:count] if ended else data)
            if ended:
                data = None
                parts = b"".join(parts)
        except MemoryError as e:
            parts = data = None
            gc.collect()
            error = e
            _tell(b"\x04")
            while not ended:
                last = _get(_paste, CHUNK)[-1]
                ended = last == 3 or last == 4
            break
        left -= count
        while left <= 0:
            _tell(b"\x01")
            left += WINDOW
        if ended:
            _tell(b"\x04")
            if last == 3:
                error = KeyboardInterrupt()
            break
    code = None
    if error is None:
        code, error = _compile(parts, "exec")
    parts = data = None
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
        line = _readline(">>> ")
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
            while _continues(line):
                more = _readline("... ", _indent(line))
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
                if not more.strip() and not _open_brackets(line):
                    break
            if line is None:
                continue
        code, error = _compile(line, kind)
        if error is None:
            error = _run(code, variables)
        code = None
        if _finish(error, False) is SOFT_RESET:
            return SOFT_RESET


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
            return str(text, "utf-8")
        if c == 13:
            text.append(10)
            _tell(b"\r\n=== ")
        else:
            text.append(c)
            _tell(bytes((c,)))


_BLOCKS = ("if", "while", "for", "try", "with", "def", "class", "async", "@")


def _open_brackets(text):
    # more opened than closed, or inside a triple-quoted string; True also for a trailing backslash
    depth = 0
    quote = None
    i = 0
    while i < len(text):
        c = text[i]
        if quote:
            if c == "\\":
                i += 1
            elif text[i : i + len(quote)] == quote:
                i += len(quote) - 1
                quote = None
            elif c == "\n" and len(quote) == 1:
                quote = None
        elif c in "'\"":
            quote = text[i : i + 3] if text[i : i + 3] == c * 3 else c
            i += len(quote) - 1
        elif c == "#":
            while i < len(text) and text[i] != "\n":
                i += 1
            continue
        elif c in "([{":
            depth += 1
        elif c in ")]}":
            depth -= 1
        i += 1
    return depth > 0 or (quote is not None and len(quote) == 3) or text.endswith("\\")


def _continues(text):
    # py/repl.c mp_repl_continue_with_input: a block goes on until an empty line
    if _open_brackets(text):
        return True
    words = text.lstrip().split()
    first = words[0].split("(")[0].rstrip(":") if words else ""
    block = first in _BLOCKS or text[:1] == "@"
    return block and text[-1:] != "\n"


def _indent(text):
    last = text.rsplit("\n", 1)[-1]
    if not last.strip():
        return ""
    width = len(last) - len(last.lstrip(" "))
    return " " * (width // 4 * 4 + (4 if last.rstrip().endswith(":") else 0))


def _readline(prompt, line=""):
    # -> the text, or 1 to 5 for that control character on an empty line (3 on any)
    _tell(prompt.encode() + line.encode())
    start = line
    position = len(line)
    past = len(_HISTORY)
    after_cr = False
    while True:
        c = _char()
        if c == 3:
            return 3
        if c in (1, 2, 4, 5) and (not line or (c == 4 and line == start)):
            if c == 1 or c == 2 or c == 4 or prompt == ">>> ":
                return c
        if c == 10 and after_cr:
            after_cr = False
            continue
        after_cr = c == 13
        old, old_position = line, position
        if c == 13 or c == 10:
            _tell(b"\r\n")
            if line.strip() and (not _HISTORY or _HISTORY[-1] != line):
                _HISTORY.append(line)
                del _HISTORY[:-50]
            return line
        elif c == 1:
            position = 0
        elif c == 5:
            position = len(line)
        elif c == 4:
            line = line[:position] + line[position + 1 :]
        elif c == 8 or c == 127:
            if position:
                count = 1
                if not line[:position].strip() and position % 4 == 0:
                    count = 4
                line = line[: position - count] + line[position:]
                position -= count
        elif c == 9:
            if not line[:position].strip():
                line = line[:position] + "    " + line[position:]
                position += 4
            else:
                added = _complete(line[:position], prompt, line)
                line = line[:position] + added + line[position:]
                position += len(added)
        elif c == 11:
            line = line[:position]
        elif c == 21:
            line = line[position:]
            position = 0
        elif c == 27:
            key = _escape()
            if key == b"A" and past:
                past -= 1
                line = _HISTORY[past]
                position = len(line)
            elif key == b"B" and past < len(_HISTORY):
                past += 1
                line = _HISTORY[past] if past < len(_HISTORY) else ""
                position = len(line)
            elif key == b"C":
                position = min(len(line), position + 1)
            elif key == b"D":
                position = max(0, position - 1)
            elif key in (b"H", b"1~", b"7~"):
                position = 0
            elif key in (b"F", b"4~", b"8~"):
                position = len(line)
            elif key == b"3~":
                line = line[:position] + line[position + 1 :]
        elif c >= 32:
            raw = bytes((c,))
            count = 0 if c < 0x80 else 1 if c < 0xE0 else 2 if c < 0xF0 else 3
            for _ in range(count):
                raw += bytes((_char(),))
            try:
                text = str(raw, "utf-8")
            except UnicodeError:
                continue
            line = line[:position] + text + line[position:]
            position += len(text)
        _redraw(old, old_position, line, position)


def _redraw(old, old_position, line, position):
    if line == old and position == old_position:
        return
    if position == old_position + 1 and len(line) == len(old) + 1 and position == len(line):
        _tell(line[-1].encode())  # a plain key at the end
        return
    same = 0
    limit = min(len(old), len(line), old_position)
    while same < limit and old[same] == line[same]:
        same += 1
    text = b"\x08" * (old_position - same)
    if line != old:
        text += line[same:].encode()
        if len(line) < len(old):
            text += b"\x1b[K"
        back = len(line) - position
    else:
        text += line[same:position].encode()
        back = 0 if position >= same else same - position
    if back:
        text += b"\x1b[%dD" % back
    _tell(text)


def _escape():
    if _char() not in (91, 79):  # [ or O
        return b""
    key = b""
    while True:
        c = _char()
        key += bytes((c,))
        if c == 126 or 65 <= c <= 90 or 97 <= c <= 122:
            return key


def _complete(text, prompt, line):
    i = len(text)
    while i and (text[i - 1].isalpha() or text[i - 1].isdigit() or text[i - 1] in "._"):
        i -= 1
    parts = text[i:].split(".")
    names = []
    if len(parts) == 1:
        names = list(globals_of_main()) + list(sys.modules) if parts[0] else []
    else:
        scope = globals_of_main().get(parts[0])
        for part in parts[1:-1]:
            scope = getattr(scope, part, None)
        if scope is not None:
            names = [n for n in dir(scope) if parts[-1] or n[:1] != "_"]
    found = sorted(set(n for n in names if n.startswith(parts[-1])))
    if not found:
        return ""
    common = found[0]
    for name in found[1:]:
        while not name.startswith(common):
            common = common[:-1]
    if len(common) > len(parts[-1]) or len(found) == 1:
        return common[len(parts[-1]) :]
    _tell(b"\r\n" + "    ".join(found).encode() + b"\r\n" + (prompt + line).encode())
    return ""


_main = {}


def globals_of_main():
    return _main


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
    global _main
    import __main__

    variables = _main = __main__.__dict__
    for name in list(variables):
        if name != "__name__":
            del variables[name]
    mode = host.call("mode", "")
    if run_file("boot.py", variables) is not SOFT_RESET:
        if mode == RAW or run_file("main.py", variables) is not SOFT_RESET:
            while True:

                result = raw(variables) if mode == RAW else friendly(variables)
                if result is SOFT_RESET:
                    break
                mode = result
    host.call("reset", "soft " + mode)
