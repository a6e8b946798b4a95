# ruff: noqa: F821 (the names are those of a freeze manifest)
# The board's half of fast transfer: `upytool cp`, `sync`, `mip` and `romfs` send no program before the files.
freeze("../modules/transfer", ("upytool_transfer.py", "_upytool_server.py"))
