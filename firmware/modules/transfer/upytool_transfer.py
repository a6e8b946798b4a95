# Made by upytool/device/frozen.py from upytool/ondevice/server*.py: change those.
# The door to the transfer program: importing it costs next to nothing and starts nothing.
import sys

DIGEST = "b7be409b"
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
