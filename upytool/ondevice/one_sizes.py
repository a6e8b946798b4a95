# The sizes of files that are there.
import uos as _upy
{}["\x1e%r"%[_upy.stat(p)[6]for p in PATHS]]
