# For boards without a binary stdout: a piece of a file as hexadecimal text.
def run(path, start, count):
    with open(path, "rb") as f:
        f.seek(start)
        d = f.read(count)
    try:
        from binascii import hexlify

        return hexlify(d).decode()
    except ImportError:
        t = ""
        for c in d:
            t += "%02x" % c
        return t
