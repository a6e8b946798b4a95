# What boards have in `os` and the WASI build has not.
from builtins import open, str
from uos import *
import uos
import sys
import host



def uname():
    version = sys.version.split("; ")[1]
    release = ".".join(str(x) for x in sys.implementation.version[:3])
    return _uname(sys.platform, sys.platform, release, version, sys.implementation._machine)


def sync():
    host.call("sync", "")


def urandom(n):
    with open("/dev/urandom", "rb") as f:
        return f.read(n)


from collections import namedtuple

_uname = namedtuple("uname", ("sysname", "nodename", "release", "version", "machine"))
del namedtuple
