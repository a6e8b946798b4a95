"""WebREPL's server half for the rig: what boards have as micropython-lib's module of this name, which Debian's source
package lacks. Written from what that server does, so that clients cannot tell the difference: the same checks of the
handshake, one client, the second one let through its handshake and then closed, the terminal handed to os.dupterm.

The board lives on the host's loopback, where 8266 may be taken: port 8266 of the board is the host's RIG_PORT.
"""

import binascii
import os
import socket

import _webrepl
import rig
import websocket

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, 1.3

listen_s = None
client_s = None


def start(port=8266, password=None):
    """Listen on `port`. The password is the argument, webrepl_cfg.PASS, or what the maker gave the board."""
    global listen_s
    stop()
    if password is None:
        password = _configured() or rig.setting("RIG_PASSWORD")
    if password is None:
        print("WebREPL has no password: webrepl_cfg.py is missing")
    _webrepl.password(password)
    if port == 8266:
        port = int(rig.setting("RIG_PORT"))
    listen_s = socket.socket()
    listen_s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listen_s.bind(socket.getaddrinfo("127.0.0.1", port)[0][4])
    listen_s.listen(1)
    rig.watch(listen_s, accept)
    print("WebREPL on http://127.0.0.1:%d/" % port)


def stop():
    """End the session and the server."""
    global listen_s, client_s
    os.dupterm(None)
    for end in (client_s, listen_s):
        if end:
            end.close()
    listen_s = client_s = None


def accept(waiting):
    """Take the client that waits; called by the port when there is one."""
    global client_s
    new, _ = waiting.accept()
    key = _handshake(new)
    if key is None:
        new.write(b"HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\n<p>WebREPL: open a WebSocket here.</p>\r\n")
        new.close()
        return
    new.write(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
        + binascii.b2a_base64(_sha1(key + GUID)).strip()
        + b"\r\n\r\n"
    )
    taken = os.dupterm(None)
    os.dupterm(taken)
    if taken:
        print("\nWebREPL: another client is connected, connection refused")
        new.close()
        return
    print("\nWebREPL: a client is connecting")
    client_s = new
    terminal = _webrepl._webrepl(websocket.websocket(new, True))
    new.setblocking(False)
    rig.watch(new, os.dupterm_notify)
    os.dupterm(terminal)


def _configured():
    try:
        from webrepl_cfg import PASS

        return PASS
    except ImportError:
        return None


def _handshake(new):
    # The key of the request, or None when it is no WebSocket's. Names and values are compared as they are.
    key, upgrade, protocol = None, False, False
    new.readline()
    while True:
        line = new.readline()
        if not line:
            return None
        if line == b"\r\n":
            return key if upgrade and protocol else None
        name, value = (part.strip() for part in line.split(b":", 1))
        if name == b"Sec-WebSocket-Key":
            key = value
        elif name == b"Connection":
            upgrade = upgrade or b"Upgrade" in value
        elif name == b"Upgrade":
            protocol = protocol or value == b"websocket"


def _sha1(data):
    # FIPS 180-4, 6.1. The unix port has SHA-1 only together with a TLS library.
    state = [0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0]
    data = data + b"\x80" + bytes(-(len(data) + 9) % 64) + (8 * len(data)).to_bytes(8, "big")
    for at in range(0, len(data), 64):
        words = [int.from_bytes(data[i : i + 4], "big") for i in range(at, at + 64, 4)]
        for i in range(16, 80):
            words.append(_rotated(words[i - 3] ^ words[i - 8] ^ words[i - 14] ^ words[i - 16], 1))
        a, b, c, d, e = state
        for i in range(80):
            if i < 20:
                mixed, constant = (b & c) | (~b & d), 0x5A827999
            elif i < 40:
                mixed, constant = b ^ c ^ d, 0x6ED9EBA1
            elif i < 60:
                mixed, constant = (b & c) | (b & d) | (c & d), 0x8F1BBCDC
            else:
                mixed, constant = b ^ c ^ d, 0xCA62C1D6
            mixed = (_rotated(a, 5) + (mixed & 0xFFFFFFFF) + e + constant + words[i]) & 0xFFFFFFFF
            a, b, c, d, e = mixed, a, _rotated(b, 30), c, d
        state = [(old + new) & 0xFFFFFFFF for old, new in zip(state, (a, b, c, d, e))]
    return b"".join(word.to_bytes(4, "big") for word in state)


def _rotated(word, by):
    return (word << by | word >> (32 - by)) & 0xFFFFFFFF
