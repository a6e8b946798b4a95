# Block size and free blocks where a path is or will be; zeros where the board does not say.
def run(path):
    import os

    while 1:
        try:
            s = os.statvfs(path)
            return s[1] or s[0], s[3], hasattr(os, "rename")
        except AttributeError:
            return 0, 0, hasattr(os, "rename")
        except OSError:
            if not path.strip("/"):
                return 0, 0, hasattr(os, "rename")
        path = path[: path.rfind("/")] or ("/" if path[:1] == "/" else "")
