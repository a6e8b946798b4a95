# Whether os.stat refuses a path: then silence, which costs a slow line nothing.
import uos as _upy

try:
    _upy.stat(PATH)
except:
    del _upy
else:
    {}[0]
    del _upy
