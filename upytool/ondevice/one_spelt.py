# The names in a directory that are NAME, which is in small letters, whatever their case.
import uos as _upy
{}["\x1e%r"%[x[0]for x in _upy.ilistdir(PATH)if x[0].lower()==NAME]]
