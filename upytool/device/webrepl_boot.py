"""What `upytool webrepl` changes in the start-up files of a board, as pure functions from content to content.

Law 1: what is there stays, byte for byte; what was added is one marked piece, and taking it out again gives the file
back as it was, also where it did not end with a line end.
Law 2: a program is read as Python reads it. A comment, a string, a function that nobody calls starts no WebREPL.

boot.py gets the line `import webrepl; webrepl.start()`, as MicroPython's own webrepl_setup writes it, and on request
the block that joins a Wi-Fi. Passwords go into webrepl_cfg.py, where webrepl.py looks for PASS: boot.py is shown and
kept under version control. Where Python cannot read a file, the board cannot run it either, as a rule: only our own
marks count then.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator
from typing import NamedTuple

from ..errors import RemoteError
from ..words import Said

DEFAULT_PORT = 8266
START = b"import webrepl; webrepl.start()  # upytool webrepl"
WIFI_BEGIN = b"# upytool wifi: begin"
WIFI_END = b"# upytool wifi: end"
# Five seconds: a soft reset waits nine for boot.py before it sends Ctrl-C (protocol.raw_repl). The board goes on
# connecting after them.
WIFI = (
    WIFI_BEGIN
    + b"""
def _wifi():
    try:
        import network, time, webrepl_cfg
        wlan = network.WLAN(network.STA_IF)
        wlan.active(True)
        if not wlan.isconnected():
            wlan.connect(*webrepl_cfg.WIFI)
        for _ in range(50):
            if wlan.isconnected():
                break
            time.sleep_ms(100)
    except Exception as error:
        print("Wi-Fi:", error)
_wifi()
del _wifi
"""
    + WIFI_END
)
_LINE_END = re.compile(rb"\r\n|\r|\n")
_PLAIN_START = re.compile(rb"(?:import webrepl\s*;\s*)?webrepl\.start\([^()#;]*\)\s*(?:#|$)")


class BootFile(NamedTuple):
    """What a boot.py does.

    Attributes:
        starts: it starts WebREPL.
        ours: by the line that `with_start` adds.
        port: where that listens.
        wifi: it has our block that joins a Wi-Fi.
        readable: Python can read it; else only our own marks were looked for.
    """

    starts: bool
    ours: bool
    port: int
    wifi: bool
    readable: bool


def read_boot(boot: bytes) -> BootFile:
    """Look at a boot.py."""
    tree = _parsed(_text(boot)[0])
    lines = _bare(boot)
    if tree is None:
        return BootFile(START in lines, START in lines, DEFAULT_PORT, WIFI_BEGIN in lines, False)
    calls = list(_starts(tree))
    ours = any(lines[call.lineno - 1] == START for call in calls)
    port = next((found for call in calls if (found := _port(call))), DEFAULT_PORT)
    return BootFile(bool(calls), ours, port, WIFI_BEGIN in lines, True)


def with_start(boot: bytes, *, wifi: bool = False) -> bytes:
    """A boot.py that starts WebREPL, and with `wifi` joins the Wi-Fi of webrepl_cfg.WIFI before.

    Raises:
        RemoteError: a line at its end would not be run.
    """
    if wifi and not read_boot(boot).wifi:
        # Our start comes behind it, as webrepl.start() says at which address it listens.
        boot = _added(_without_ours(boot), WIFI)
    changed = boot if read_boot(boot).starts else _added(boot, START)
    if not read_boot(changed).starts:
        raise RemoteError("remote.edit-by-hand", path="boot.py", hint=Said("device.add-start"))
    return changed


def without_start(boot: bytes) -> bytes:
    """A boot.py that starts no WebREPL and joins no Wi-Fi by our block.

    A plain line of somebody else's that starts it becomes a comment, as webrepl_setup does it.

    Raises:
        RemoteError: it starts WebREPL in another way.
    """
    boot = _without_wifi(_without_ours(boot))
    tree = _parsed(_text(boot)[0])
    lines = list(_lines(boot))
    for call in _starts(tree) if tree is not None else ():
        line = lines[call.lineno - 1]
        if _PLAIN_START.match(line):
            lines[call.lineno - 1] = b"#" + line
    changed = b"".join(lines)
    if read_boot(changed).starts:
        raise RemoteError("remote.edit-by-hand", path="boot.py", hint=Said("device.edit", path="boot.py"))
    return changed


def _without_ours(boot: bytes) -> bytes:
    """A boot.py without the lines of `with_start`; one that stands in a string is none."""
    lines, bare = list(_lines(boot)), _bare(boot)
    tree = _parsed(_text(boot)[0])
    numbers = range(len(lines)) if tree is None else sorted(call.lineno - 1 for call in _starts(tree))
    for number in reversed(numbers):
        if bare[number] == START:
            _remove(lines, number, number + 1)
    return b"".join(lines)


def _without_wifi(boot: bytes) -> bytes:
    """A boot.py without the blocks that join a Wi-Fi; one that lacks its end stays."""
    lines, bare = list(_lines(boot)), _bare(boot)
    while WIFI_BEGIN in bare and WIFI_END in bare[bare.index(WIFI_BEGIN) :]:
        start = bare.index(WIFI_BEGIN)
        stop = bare.index(WIFI_END, start) + 1
        _remove(lines, start, stop)
        del bare[start:stop]
    return b"".join(lines)


# -- webrepl_cfg.py -------------------------------------------------------------------------------


def value_of(config: bytes, name: str) -> object:
    """The literal that a webrepl_cfg.py gives a name; None where it gives none that can be read."""
    tree = _parsed(_text(config)[0])
    nodes = _assigned(tree, name) if tree is not None else []
    try:
        return ast.literal_eval(nodes[-1].value) if nodes else None
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None


def with_value(config: bytes, name: str, value: str | tuple[str, ...]) -> bytes:
    """A webrepl_cfg.py in which a name has a value, and all else is as it was.

    Raises:
        RemoteError: it cannot be edited safely.
    """
    text, encoding = _text(config)
    tree = _parsed(text)
    if tree is None:
        raise RemoteError("remote.webrepl-config")
    nodes = _assigned(tree, name)
    literal = ascii(value)  # in whatever encoding the file is
    lines = [line.decode(encoding) for line in _lines(config)]
    for node in reversed(nodes):
        first, last = node.value.lineno - 1, (node.value.end_lineno or node.value.lineno) - 1
        head = _until(lines[first], node.value.col_offset)
        tail = lines[last].removeprefix(_until(lines[last], node.value.end_col_offset or 0))
        lines[first : last + 1] = [head + literal + tail]
    changed = "".join(lines).encode(encoding)
    if not nodes:
        changed = _added(changed, f"{name} = {literal}".encode())
    if value_of(changed, name) != value:
        raise RemoteError("remote.edit-by-hand", path="webrepl_cfg.py", hint=Said("device.edit", path="webrepl_cfg.py"))
    return changed


# -- reading Python -------------------------------------------------------------------------------


def _text(data: bytes) -> tuple[str, str]:
    """The content as text that gives the same bytes again, and its encoding."""
    try:
        return data.decode(), "utf-8"
    except UnicodeDecodeError:
        return data.decode("latin-1"), "latin-1"


def _parsed(text: str) -> ast.Module | None:
    try:
        with warnings.catch_warnings():  # an odd escape in a string is the user's business
            warnings.simplefilter("ignore")
            return ast.parse(text.removeprefix("\ufeff"))
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return None


def _starts(tree: ast.Module) -> Iterator[ast.Call]:
    """The calls of webrepl.start that run when the module does."""
    modules, functions = set[str](), set[str]()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules |= {alias.asname or alias.name for alias in node.names if alias.name == "webrepl"}
        elif isinstance(node, ast.ImportFrom) and node.module == "webrepl":
            functions |= {alias.asname or alias.name for alias in node.names if alias.name.startswith("start")}
    todo: list[ast.AST] = [tree]
    while todo:
        node = todo.pop()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)):
            continue
        if isinstance(node, ast.If) and isinstance(node.test, ast.Constant) and not node.test.value:
            todo += node.orelse
            continue
        if isinstance(node, ast.Call):
            called = node.func
            if isinstance(called, ast.Name):
                starts = called.id in functions
            else:
                starts = (
                    isinstance(called, ast.Attribute)
                    and called.attr in ("start", "start_foreground")
                    and isinstance(called.value, ast.Name)
                    and called.value.id in modules
                )
            if starts:
                yield node
        todo += ast.iter_child_nodes(node)


def _port(call: ast.Call) -> int:
    """The port that a call of webrepl.start names, 0 for none."""
    given = [*call.args[:1], *(word.value for word in call.keywords if word.arg == "port")]
    values = [each.value for each in given if isinstance(each, ast.Constant)]
    return next((value for value in values if isinstance(value, int) and 0 < value < 65536), 0)


def _assigned(tree: ast.Module, name: str) -> list[ast.Assign]:
    """The statements of the module itself that give `name` alone a value."""
    return [
        node
        for node in tree.body
        if isinstance(node, ast.Assign)
        and any(isinstance(target, ast.Name) and target.id == name for target in node.targets)
    ]


def _until(line: str, offset: int) -> str:
    """A line up to a column as ast counts it, in bytes of UTF-8; a byte order mark does not count."""
    mark = "\ufeff" if line.startswith("\ufeff") else ""
    return mark + line.removeprefix(mark).encode()[:offset].decode()


# -- lines ----------------------------------------------------------------------------------------


def _lines(data: bytes) -> Iterator[bytes]:
    """The lines with their ends; also what is behind the last one, where that is not empty."""
    start = 0
    for match in _LINE_END.finditer(data):
        yield data[start : match.end()]
        start = match.end()
    if start < len(data):
        yield data[start:]


def _added(data: bytes, piece: bytes) -> bytes:
    """`data` with a piece of lines at its end: it has a line end exactly where `data` has one there."""
    match = _LINE_END.search(data)
    end = match[0] if match else b"\n"
    piece = piece.replace(b"\n", end)
    if not data or _LINE_END.search(data[-1:]):
        return data + piece + end
    return data + end + piece


def _bare(data: bytes) -> list[bytes]:
    """The lines without what is behind their text."""
    return [line.rstrip() for line in _lines(data)]


def _remove(lines: list[bytes], start: int, stop: int) -> None:
    """Take lines out. Where nothing is behind them, not even a line end, the one before them goes too: see `_added`."""
    if stop == len(lines) and not _LINE_END.search(lines[-1]) and start:
        lines[start - 1] = _LINE_END.sub(b"", lines[start - 1])
    del lines[start:stop]
