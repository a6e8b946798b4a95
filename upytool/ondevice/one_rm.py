# Remove a file. LittleFS would remove an empty directory too, for which this divides by 0.
import uos as _upy
1//(_upy.stat(PATH)[0]&32768)
_upy.remove(PATH)
del _upy
