# Frozen as main.py: it takes the place of the file system's main.py, and runs it.
__import__("romfs_start").run(globals())
