# The small file operations, by name.
def run(what, a, b=None):
    import os

    if what == "mkdir":
        os.mkdir(a)
    elif what == "mkdirs":
        p = ""
        for n in a.split("/"):
            p += n
            if n:
                try:
                    os.mkdir(p)
                except OSError as e:
                    try:
                        if not os.stat(p)[0] & 0x4000:
                            raise OSError(20)
                    except OSError:
                        raise e
            p += "/"
    elif what == "rmdir":
        if not os.stat(a)[0] & 0x4000:
            raise OSError(20)
        os.rmdir(a)
    elif what == "remove":
        if os.stat(a)[0] & 0x4000:
            raise OSError(21)
        os.remove(a)
    elif what == "touch":
        open(a, "a").close()
    elif what == "chdir":
        os.chdir(a)
    elif what == "rename":
        os.rename(a, b)
    return os.getcwd()
