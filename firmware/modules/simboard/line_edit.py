# The line editor of the friendly prompt, written from the behaviour of shared/readline and py/repl.c.
from builtins import UnicodeError, bytes, dir, getattr, len, list, max, min, open, range, set, sorted, str
import host
import sys

_out = sys.stdout.buffer
_input = open(12, "rb")  # never waits; ends a read after 01 02 03 04
_HISTORY = []


def _char():
    while True:
        data = _input.read(1)
        if data:
            return data[0]
        host.call("wait", "")


_BLOCKS = ("if", "while", "for", "try", "with", "def", "class", "async", "@")


def open_brackets(text):
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


def continues(text):
    # py/repl.c mp_repl_continue_with_input: a block goes on until an empty line
    if open_brackets(text):
        return True
    words = text.lstrip().split()
    first = words[0].split("(")[0].rstrip(":") if words else ""
    block = first in _BLOCKS or text[:1] == "@"
    return block and text[-1:] != "\n"


def indent(text):
    last = text.rsplit("\n", 1)[-1]
    if not last.strip():
        return ""
    width = len(last) - len(last.lstrip(" "))
    return " " * (width // 4 * 4 + (4 if last.rstrip().endswith(":") else 0))


def readline(prompt, variables, line=""):
    # -> the text, or 1 to 5 for that control character on an empty line (3 on any)
    _out.write(prompt.encode() + line.encode())
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
            _out.write(b"\r\n")
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
                added = _complete(line[:position], prompt, line, variables)
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
        _out.write(line[-1].encode())  # a plain key at the end
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
    _out.write(text)


def _escape():
    if _char() not in (91, 79):  # [ or O
        return b""
    key = b""
    while True:
        c = _char()
        key += bytes((c,))
        if c == 126 or 65 <= c <= 90 or 97 <= c <= 122:
            return key


def _complete(text, prompt, line, variables):
    i = len(text)
    while i and (text[i - 1].isalpha() or text[i - 1].isdigit() or text[i - 1] in "._"):
        i -= 1
    parts = text[i:].split(".")
    names = []
    if len(parts) == 1:
        names = list(variables) + list(sys.modules) if parts[0] else []
    else:
        scope = variables.get(parts[0])
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
    _out.write(b"\r\n" + "    ".join(found).encode() + b"\r\n" + (prompt + line).encode())
    return ""
