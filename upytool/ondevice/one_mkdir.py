# Make a directory.
import uos as _upy
_upy.mkdir(PATH)
del _upy
