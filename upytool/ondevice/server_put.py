# Part of the transfer server: folders, and files that are either the old or the new one.
def space(path):
    # Of the file system that holds the nearest folder there is: block size, free blocks; zeros where unknown.
    while 1:
        try:
            s = os.statvfs(path)
            return tell(82, repr((s[1] or s[0], s[3])).encode())
        except AttributeError:
            path = ""
        except OSError:
            pass
        if not path.strip("/"):
            return tell(82, b"(0,0)")
        path = path[: path.rfind("/")] or ("/" if path[:1] == "/" else "")


def mkdirs(*paths):
    for p in paths:
        try:
            os.mkdir(p)
        except OSError as e:
            try:
                if not os.stat(p)[0] & 0x4000:
                    raise OSError(20)
            except OSError:
                raise e
    tell(82)


def settle(path):
    # A complete new file that a power cut kept from taking its place does so now.
    new = path + ".upynew"
    try:
        os.stat(new)
    except OSError:
        return
    try:
        os.stat(path)
        os.remove(new)
    except OSError:
        os.rename(new, path)


def replace(temp, path):
    try:
        if os.stat(path)[0] & 0x4000:
            raise OSError(21)
    except OSError as e:
        if e.args[0] == 21:
            raise
        os.rename(temp, path)
        return
    # FAT's rename removes the target first: from here on the name says that the content is complete.
    new = path + ".upynew"
    try:
        os.rename(temp, new)
    except OSError:
        new = temp
    try:
        os.rename(new, path)
    except OSError as e:
        try:
            os.remove(path)
        except OSError:
            os.remove(new)
            raise e
        os.rename(new, path)


def put(path, in_place=0):
    # Content units, an empty one, the digest. After a failure the rest is read and dropped, to stay in step.
    f = None
    good = 1
    temp = path if in_place else path[: path.rfind("/") + 1] + "~upytool.tmp"
    size = 0
    h = Hash()
    try:
        try:
            if in_place:
                # LittleFS frees the old blocks when the empty file is closed, not before.
                open(path, "wb").close()
            else:
                settle(path)
            f = open(temp, "wb")
        except OSError as e:
            good = temp = None
            refuse(e)
        while 1:
            u = unit()
            if not u:
                break
            if good:
                try:
                    f.write(u)
                    h.update(u)
                    size += len(u)
                except OSError as e:
                    good = 0
                    refuse(e)
        u = unit()
        if good:
            try:
                kbd_intr(-1)
                f.close()
                f = None
                if u != h.digest() or os.stat(temp)[6] != size:
                    raise OSError(5)
                if temp != path:
                    replace(temp, path)
                temp = None
                tell(82)
            except OSError as e:
                refuse(e)
    finally:
        kbd_intr(-1)
        if f:
            try:
                f.close()
            except OSError:
                pass
        if temp and temp != path:
            try:
                os.remove(temp)
            except OSError:
                pass
        kbd_intr(3)
