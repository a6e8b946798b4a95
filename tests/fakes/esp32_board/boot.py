# What runs before MicroPython on an ESP32, put where a board of ours runs something first. Ctrl-C ends no bootloader.
import sys

import micropython

sys.path.append("/model")
sys.modules.pop("esp32", None)
import esp32  # noqa: E402

micropython.kbd_intr(-1)
try:
    esp32.power_on()
finally:
    micropython.kbd_intr(3)
sys.path.remove("/model")
del sys.modules["esp32"]
