# The entries of a directory, as os.ilistdir gives them.
import uos as _upy
*_upy,=_upy.ilistdir(PATH)
{}["\x1e%r"%_upy]
