# Remove what a write that failed has left.
import uos as _upy
_upy.remove(PATH)
del _upy
