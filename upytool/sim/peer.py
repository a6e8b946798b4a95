"""Whose program is at the other end of a TCP connection within this computer.

A TCP port has no owner as a file has one, and what opens a serial port over TCP (pyserial's `socket://`, mpremote, a
terminal) can give no password. So the system is asked which user the other end belongs to: Linux has it in
/proc/net/tcp, elsewhere psutil finds the connection among the user's own processes.
"""

from __future__ import annotations

import os
import socket
import sys

_ESTABLISHED = "01"


def of_this_user(channel: socket.socket) -> bool:
    """Whether the program that connected runs as this user (or as root, who may do anything anyway)."""
    try:
        return _mine(channel.getsockname()[:2], channel.getpeername()[:2])
    except OSError:
        return False


if sys.platform == "linux":

    def _mine(near: tuple[str, int], far: tuple[str, int]) -> bool:
        # proc_net(5): "sl local_address rem_address st ... uid", the address in the machine's byte order. A program
        # that connects through IPv6 is in tcp6, with an address that ends in the same word.
        wanted = [
            f"{int.from_bytes(socket.inet_aton(host), sys.byteorder):08X}:{port:04X}" for host, port in (far, near)
        ]
        for table in ("/proc/net/tcp", "/proc/net/tcp6"):
            try:
                with open(table, encoding="ascii") as lines:
                    for line in lines:
                        fields = line.split()
                        if len(fields) < 8 or fields[3] != _ESTABLISHED:
                            continue
                        if [fields[1][-13:], fields[2][-13:]] == wanted:
                            return int(fields[7]) in (os.getuid(), 0)
            except FileNotFoundError:
                continue  # no IPv6
        return False

else:

    def _mine(near: tuple[str, int], far: tuple[str, int]) -> bool:
        import psutil

        me = psutil.Process().username()
        for process in psutil.process_iter():
            try:
                if process.username() == me and any(
                    (tuple(each.laddr), tuple(each.raddr)) == (far, near) for each in process.net_connections("tcp")
                ):
                    return True
            except psutil.Error:
                continue  # another user's, or gone
        return False
