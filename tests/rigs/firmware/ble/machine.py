# A MODEL of machine.Timer with the id -1 as on rp2: one soft timer, whose clock is the BLE rig's (tests/rigs/ble.py).
# ruff: noqa: F403
import bluetooth
from umachine import *


class Timer:
    ONE_SHOT = 0

    def __init__(self, number):
        if number != -1:
            raise ValueError("invalid Timer number")

    def init(self, *, mode, period, callback):
        bluetooth.BLE().wait(period, lambda: callback(self))

    def deinit(self):
        bluetooth.BLE().wait(0, None)
