"""Firmware with your modules in it: from an image without a compiler, or from MicroPython's source."""
