# ruff: noqa: F821 (the names are those of a freeze manifest)
# Everything of ours that is worth freezing. It holds a boot.py and a main.py, which run those of the file system.
include("transfer.py")
include("romfs_start.py")
include("safe_boot.py", main=True)
