# ruff: noqa: F821 (the names are those of a freeze manifest)
# A frozen main.py that runs the file system's main.py, else /rom/main.py. Leave it out if you freeze a main.py.
freeze("../modules/romfs_start", ("romfs_start.py", "main.py"))
