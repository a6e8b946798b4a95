# The root file system: the VM's own POSIX files (the host serves them from a LittleFS image) with a board's surface.
from builtins import OSError, int
import host
import vfs


class VfsFlash:
    def __init__(self):
        self._files = vfs.VfsPosix()
        self._cwd = "/"

    def _path(self, path):
        return path if path[:1] == "/" else self._cwd + path

    def mount(self, readonly, mkfs):
        pass

    def umount(self):
        pass

    def open(self, path, mode):
        return self._files.open(self._path(path), mode)

    def ilistdir(self, path):
        # the host hands over a file's size plus one in the place of the inode
        # (and what is no folder is refused now, as by a real board, not at the first entry)
        return ((name, kind, 0, size - 1) for name, kind, size in self._files.ilistdir(self._path(path)))

    def stat(self, path):
        return self._files.stat(self._path(path))

    def statvfs(self, path):
        size, total, free = [int(x) for x in host.call("statvfs", "").split()]
        return (size, size, total, free, free, 0, 0, 0, 0, 255)

    def mkdir(self, path):
        self._files.mkdir(self._path(path))

    def rmdir(self, path):
        self._files.rmdir(self._path(path))

    def remove(self, path):
        self._files.remove(self._path(path))

    def rename(self, old, new):
        self._files.rename(self._path(old), self._path(new))

    def getcwd(self):
        return self._cwd[:-1] or "/"

    def chdir(self, path):
        parts = []
        for part in self._path(path).split("/"):
            if part == "..":
                parts = parts[:-1]
            elif part and part != ".":
                parts.append(part)
        path = "/" + "/".join(parts)
        if path == "/":
            self._cwd = "/"
            return
        if not self._files.stat(path)[0] & 0x4000:
            raise OSError(2)
        self._cwd = path + "/"
