# Frozen as boot.py: it takes the place of the file system's boot.py, and runs it.
# It leaves no name behind; start() has what can be chosen.
__import__("safe_boot").start()
__import__("safe_boot").boot(globals())
