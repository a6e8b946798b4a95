# A MODEL of MicroPython's module `esp`: the size of the flash.
import json


def flash_size():
    with open("/flash/settings") as f:
        return json.loads(f.read())["flash_size"]
