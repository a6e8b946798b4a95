# Which .mpy files the firmware loads.
import usys as _upy
{}[_upy.implementation._mpy,]
