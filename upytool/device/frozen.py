"""The transfer program as modules: what a firmware freezes so that a copy need not send it first.

One text serves both ways: `modules()` puts upytool/ondevice/server*.py together, and firmware/modules/transfer
holds what it gives (a test compares; `python -m upytool.device.frozen DIRECTORY` writes it anew). The digest is of that
text: a board whose modules are of another version refuses with an ImportError, and is sent the program as always.
"""

from __future__ import annotations

import os
import sys

from .ondevice import NOWHERE, shielded, snippet
from .stream import MODULES

MODULE = "upytool_transfer"
PARTS = ("put", "get", "check", "scan", "romfs")
# Of the text below; kept here because working it out would cost each copy five files to read. A test compares.
DIGEST = "b7be409b"
# T is the list of device.turbo, see stream.
_START = f"_p[:]=['.frozen','/lib']\nfrom {MODULE} import run\nrun('{DIGEST}',globals().get('_turbo')or[0])"
PROGRAM = shielded(_START, ("globals",), MODULES).encode()

_HEAD = "# Made by upytool/device/frozen.py from upytool/ondevice/server*.py: change those.\n"
_FRONT = """# The door to the transfer program: importing it costs next to nothing and starts nothing.
import sys

DIGEST = "%s"
T = None


def run(digest, turbo):
    # The program lives in its module's body, so that each start has fresh variables and the end frees them.
    global T
    if digest != DIGEST:
        raise ImportError("upytool_transfer " + DIGEST)
    T = turbo
    sys.modules.pop("_upytool_server", None)
    try:
        import _upytool_server
    finally:
        sys.modules.pop("_upytool_server", None)
        T = None
"""


def server() -> str:
    """The text of `_upytool_server`: all parts, their imports, and the program's start at the end."""
    whole = snippet("server")
    body, mark, end = whole.rpartition("\ntry:\n serve()")
    if not mark:
        raise AssertionError("ondevice/server.py no longer ends with its start")
    # The parts that come as commands find `vfs` imported by one (romfs_link); firmware without it has no ROM either.
    # Found in the firmware like this module, but its imports must not be: see ondevice.shielded.
    needs = f"import sys\nsys.path[:]=['{NOWHERE}']\nfrom {MODULE} import T\n"
    needs += "try:\n import vfs\nexcept ImportError:\n pass"
    return "\n".join((needs, body, *(snippet(f"server_{part}") for part in PARTS), mark[1:] + end)) + "\n"


def digest() -> str:
    """What DIGEST has to be."""
    import hashlib

    return hashlib.sha256(server().encode()).hexdigest()[:8]


def modules() -> dict[str, str]:
    """File name -> text of the modules, as firmware/modules/transfer has them."""
    return {f"{MODULE}.py": _HEAD + _FRONT % digest(), "_upytool_server.py": _HEAD + server()}


def main(folder: str) -> None:
    """Write the modules, and DIGEST into this file."""
    for name, text in modules().items():
        with open(os.path.join(folder, name), "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
    with open(__file__, encoding="utf-8") as file:
        source = file.read()
    with open(__file__, "w", encoding="utf-8", newline="\n") as file:
        file.write(source.replace(f'DIGEST = "{DIGEST}"', f'DIGEST = "{digest()}"', 1))


if __name__ == "__main__":
    main(sys.argv[1])
