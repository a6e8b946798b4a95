# The questions of server_check.py, answered by a program of their own: ((kind, data), ...), as the server tells it.
def run():
    import os
    from binascii import hexlify
    from hashlib import sha256 as Hash

    held = bytearray(1024)
    held_view = memoryview(held)
    T = [0]

    class sink:
        write = lambda data: 0

    def tell(kind, data=b""):
        # Printed at once: a long listing would not fit in memory.
        data = data.decode() if kind == 76 else repr(hexlify(data).decode())
        print("(%d,%s)," % (kind, data or "()"), end="")

    PARTS
    print("\x1e(", end="")
    QUESTIONS
    print(")")
