# What os.stat says of a path; that there is nothing is its error.
import uos as _upy
{}[_upy.stat(PATH)]
