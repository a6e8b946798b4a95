# The entries of a directory, as os.ilistdir gives them.
import uos as _upy
{}["\x1e%r"%[x for x in _upy.ilistdir(PATH)]]
