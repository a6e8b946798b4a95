# ruff: noqa: F821 (the names are those of a freeze manifest)
# The REPL over Bluetooth LE, for boards with the module `bluetooth`. Your boot.py starts it: see ble_repl.start().
freeze("../modules/ble_repl", "ble_repl.py")
