"""A board's page on micropython.org: the links to firmware files are all that counts in it.

No HTML parser: the pages are made by a program (MicroPython's site has no documented index, micropython#8821),
their links look like href="/resources/firmware/NAME". What is not such a link to the same server is not there.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

from .. import limits
from ..errors import UsageError
from ..net.address import Address
from .names import FileName, parse

_HREF = re.compile(r"""href\s*=\s*(?:"([^"<>]{1,500})"|'([^'<>]{1,500})'|([^\s"'<>]{1,500}))""", re.IGNORECASE)


def links(html: str, address: Address) -> list[tuple[Address, FileName]]:
    """(URL, name) of every firmware file that the page links to, in its order, each once.

    Args:
        address: of the page; links that lead to another server are left out.
    """
    found: dict[Address, FileName] = {}
    for number, match in enumerate(_HREF.finditer(html)):
        if number >= limits.FIRMWARE_LINKS:
            break
        target = (match[1] or match[2] or match[3]).strip()
        name = parse(unquote(target.partition("#")[0].partition("?")[0].rpartition("/")[2]))
        if name is None:
            continue
        try:
            url = address.beside(target.replace("&amp;", "&"))
        except UsageError:
            continue
        if url.origin == address.origin:
            found.setdefault(url, name)
    return list(found.items())
