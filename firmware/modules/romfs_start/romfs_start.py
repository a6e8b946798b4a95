# Starts the application: main.py of the file system, else main.py or main.mpy of the ROM partition at /rom.
# Both are looked for each time, so a firmware without /rom, or an empty partition, just goes to the prompt.
import os
import sys


def find():
    # "main.py" is relative, as in MicroPython's own start: /, /flash or /sd, whatever the port has chosen.
    for path in ("main.py", "/rom/main.py", "/rom/main.mpy"):
        try:
            if not os.stat(path)[0] & 0x4000:
                return path
        except OSError:
            pass
    return None


def run(names):
    # `names`: the globals() of __main__, in which the application is to run, as it would without us.
    guard = sys.modules.get("safe_boot")
    if guard and not guard.ready():
        return
    path = find()
    if not path:
        return
    if path.endswith(".mpy"):
        # There is no running an .mpy but by import; its __name__ is not "__main__" then.
        __import__(path[:-4])
        return
    try:
        run_file = execfile
    except NameError:
        # The smallest ports have no execfile.
        with open(path) as f:
            text = f.read()
        exec(text, names)
        return
    run_file(path, names)
