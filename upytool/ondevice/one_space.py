# What os.statvfs says of a file system up to the free blocks, by the path of something on it.
import uos as _upy
{}[_upy.statvfs(PATH)[:4]]
