"""A PEER for the bench: files over WebREPL as webrepl_cli.py moves them, written from the protocol; not that program.

    python -m tests.bench.webrepl_peer get|put HOST PORT PASSWORD REMOTE LOCAL

What webrepl_cli.py (micropython/webrepl, 2022) does, and this does too: blocking sockets as they come, so that Nagle's
algorithm and the delayed ACK are on; the header and the payload of a frame in a call each; a request to write in two
frames; content in frames of 1,024 bytes, nothing being awaited between them; to read, one 00 byte, then its chunk.
"""

from __future__ import annotations

import os
import socket
import struct
import sys
from typing import BinaryIO

from websockets.client import ClientProtocol
from websockets.uri import parse_uri

REQUEST = struct.Struct("<2sBBQLH64s")
PUT, GET = 1, 2
TEXT, BINARY = 0x81, 0x82
PIECE = 1024


class Peer:
    """A connection that is logged in."""

    def __init__(self, host: str, port: int, password: str) -> None:
        self._socket = socket.create_connection((host, port), 60)
        opening = ClientProtocol(parse_uri(f"ws://{host}:{port}"))
        opening.send_request(opening.connect())
        self._socket.sendall(b"".join(opening.data_to_send()))
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += self._exactly(1)
        self._left = 0  # of the frame that is being read
        self._until(b"Password: ")
        self._frame(TEXT, password.encode() + b"\r")
        self._until(b">>> ")

    def put(self, name: str, source: BinaryIO, size: int) -> None:
        """Write a file on the board."""
        request = REQUEST.pack(b"WA", PUT, 0, 0, size, len(name), name.encode())
        self._frame(BINARY, request[:10])
        self._frame(BINARY, request[10:])
        self._good()
        while piece := source.read(PIECE):
            self._frame(BINARY, piece)
        self._good()

    def get(self, name: str, sink: BinaryIO) -> None:
        """Read a file of the board."""
        self._frame(BINARY, REQUEST.pack(b"WA", GET, 0, 0, 0, len(name), name.encode()))
        self._good()
        while True:
            self._frame(BINARY, b"\0")
            size = int.from_bytes(self._read(2), "little")
            if not size:
                break
            sink.write(self._read(size))
        self._good()

    def _good(self) -> None:
        if self._read(4) != b"WB\0\0":
            raise SystemExit("the board refused")

    def _frame(self, kind: int, data: bytes) -> None:
        size = len(data)
        self._socket.send(bytes((kind, size)) if size < 126 else struct.pack(">BBH", kind, 126, size))
        self._socket.sendall(data)

    def _read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            if not self._left:
                size_byte = self._exactly(2)[1]
                self._left = size_byte if size_byte < 126 else int.from_bytes(self._exactly(2), "big")
            part = self._exactly(min(self._left, size - len(data)))
            self._left -= len(part)
            data += part
        return data

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            part = self._socket.recv(size - len(data))
            if not part:
                raise SystemExit("the board closed the connection")
            data += part
        return data

    def _until(self, end: bytes) -> None:
        seen = b""
        while not seen.endswith(end):
            seen += self._read(1)


def main() -> None:
    operation, host, port, password, remote, local = sys.argv[1:]
    peer = Peer(host, int(port), password)
    if operation == "put":
        with open(local, "rb") as source:
            peer.put(remote, source, os.stat(local).st_size)
    else:
        with open(local, "wb") as sink:
            peer.get(remote, sink)


if __name__ == "__main__":
    main()
