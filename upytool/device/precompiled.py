"""Programs of ours that go to the board as bytecode: the large ones, whose compilation costs it more than all else.

upytool/ondevice/NAME.mpy is NAME's text, compiled when it changes (`python -m upytool.device.precompiled`; a test
compares) and not here, as mpy-cross may be missing where upytool is used. Bytecode without machine code is the same
for all firmware since 1.19: .mpy version 6, whatever the sub-version and the chip (docs/reference/mpyfiles.rst).

MicroPython runs bytecode only by importing it, and imports only from a file system. So `program` puts one there
that is an object of ours with one file in memory, and takes it away before the module does anything: what the user
has on the board is neither read nor written, and a listing of the root does not show it. py/builtinimport.c asks
such an object for `stat`, where an exception means "not there"; extmod/vfs_reader.c for `open` and a stream.

The bytes go over as a literal of the program. On an RP2040 (chip time, MicroPython 1.25) reading one costs 10 us a
byte, where `stdin.buffer.read` costs 9 and needs a program of its own and a round trip; compiling text 35 to 45.
"""

from __future__ import annotations

import os
import zlib
from functools import cache

from .ondevice import FOLDER, NOWHERE, literal, needs, shielded, snippet

# Parts of the server that are in `server`: nearly every transfer begins with them, and what is there already is
# packed better with the rest.
BUILT_IN = ("check",)
NAMES = ("server", "server_put", "server_get", "server_scan", "server_romfs", "mount")
WINDOW_BITS = 10  # 1 KiB on the board while it unpacks; 4 KiB would save 3 % of the bytes
# The module and the mount point, while it is imported. FAT has no name with `*`, and nobody else names one so.
MODULE, POINT = "_u", "/*"
SERVER = "_v"  # the server, for its parts while they are imported (ondevice/server_part.py, which gets `l`)
# What the start below uses beyond the program itself.
MODULES = frozenset({"binascii", "deflate", "io", "os", "vfs", MODULE, SERVER})

# `l` imports from a file, as a part of the module `s`. What an interrupted one left mounted goes first. The file goes
# last: the memory that unpacking takes is needed again.
_LOADER = f"""try:import vfs
except:import os as vfs
def l(f,s):
 class V:
  mount=umount=lambda*a:0
  stat=lambda s,p:[32768//(p=='/{MODULE}.mpy')]*10
  open=lambda*a:f
 try:vfs.umount('{POINT}')
 except:0
 vfs.mount(V(),'{POINT}')
 try:
  p[0]='{POINT}';m['{SERVER}']=s
  import {MODULE};return {MODULE}
 finally:vfs.umount('{POINT}');p[0]='{NOWHERE}';m.pop('{MODULE}',0);m.pop('{SERVER}')
r=l(f,0)
del f
"""
# A byte that is lost on the way must not make another program of it, so all but the start is in what is checked.
_START = f"""import io
from binascii import crc32
%sd=%%s
1//(crc32(d)==%d)
d={{'f':%s,'p':_p,'m':_m}}
exec(d['f'].read({len(_LOADER)}),d)
m=d['r']
%s"""


def source(name: str) -> str:
    """The text that NAME.mpy is compiled from.

    A part of the server takes what it uses from the server, and puts its functions there. Every other is a module with
    a function `run`; it outlives the shield around its start (device.ondevice), so its builtins are names of its own.
    """
    text = snippet(name)
    if name.startswith("server_"):
        own = [line[4 : line.index("(")] for line in text.split("\n") if line.startswith("def ")]
        return "\n".join(
            (
                f"import {SERVER}",
                f"from {SERVER} import {','.join(sorted(_taken(text) - set(own)))}",
                text,
                *(f"{SERVER}.{function}={function}" for function in own),
                "",
            )
        )
    if name != "server":
        return f"from builtins import {','.join(sorted(needs(text)[0]))}\n{text}\n"
    body, mark, end = text.rpartition("\ntry:\n serve()")
    if not mark:
        raise AssertionError("ondevice/server.py no longer ends with its start")
    start = "def run(m,l,t):\n global M,L,T\n M=m\n L=l\n T=t\n try:\n  serve()" + end.replace("\n", "\n ")
    # Its imports are looked up in the firmware alone, not in the file system that it came from.
    front = f"import sys\nsys.path[:]=['{NOWHERE}']"
    parts = (snippet(f"server_{part}") for part in ("part", *BUILT_IN))
    return "\n".join((front, body, *parts, start)) + "\n"


def _taken(text: str) -> set[str]:
    """The names that the functions of a text read and do not have."""
    import symtable

    names: set[str] = set()
    todo = symtable.symtable(text, "part", "exec").get_children()
    while todo:
        scope = todo.pop()
        todo += scope.get_children()
        names |= {symbol.get_name() for symbol in scope.get_symbols() if symbol.is_global()}
    return names


def digest(name: str) -> str:
    """Of the text of NAME; the .mpy file bears it as the name of its source."""
    import hashlib

    return hashlib.sha256(source(name).encode()).hexdigest()[:8]


def path(name: str) -> str:
    """Where NAME.mpy is on this computer."""
    return os.path.join(FOLDER, f"{name}.mpy")


@cache
def bytecode(name: str) -> bytes:
    """What NAME.mpy holds."""
    with open(path(name), "rb") as file:
        return file.read()


@cache
def program(name: str, call: str, *, packed: bool, modules: frozenset[str] = frozenset(), sign: str = "") -> bytes:
    """The program that imports NAME from memory, then does `call`.

    On a board that cannot, it ends with an error before anything was done: ValueError for another .mpy format,
    ImportError or AttributeError for what the firmware lacks, ZeroDivisionError for bytes that were altered on the way.

    Args:
        call: statements; the module is `m`, and `d['l'](file, server)` imports another.
        packed: whether the bytes are deflated, for a board that has the module for it.
        modules: what `name` and `call` import.
        sign: a statement to begin with (Session.sign).
    """
    data, file = _LOADER.encode() + bytecode(name), "io.BytesIO(d)"
    if packed:
        deflate = zlib.compressobj(9, zlib.DEFLATED, WINDOW_BITS, 9)
        data, file = deflate.compress(data) + deflate.flush(), f"deflate.DeflateIO({file})"
    start = _START % ("import deflate\n" if packed else "", zlib.crc32(data), file, call)
    text = shielded(f"{sign}\n{start}" if sign else start, needs(call)[0] | {"exec"}, MODULES | modules).encode()
    before, _, after = text.partition(b"%s")
    return before + literal(data) + after


def compile_all() -> None:
    """Write the .mpy files that are older than their texts."""
    from ..mpy.abi import Abi
    from ..mpy.cross import Cross, Module

    cross = Cross(Abi(6, 3))
    for name in NAMES:
        data = cross.compile(Module(source(name).encode(), digest(name), optimize=3))
        if not os.path.exists(path(name)) or bytecode(name) != data:
            with open(path(name), "wb") as file:
                file.write(data)


if __name__ == "__main__":
    compile_all()
