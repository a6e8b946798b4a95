# Remove a file. LittleFS would remove an empty directory too, for which this asks to remove `True`; so it does for a
# file with that number among its own, of 16,384 bytes for instance. The longer program removes that one.
import uos as _upy
_upy.remove(16384 in _upy.stat(_upy:=PATH)or _upy)
del _upy
