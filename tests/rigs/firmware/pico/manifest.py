# ruff: noqa: F821 (the names are those of a freeze manifest)
# What the RPI_PICO image freezes. The board's own manifest also requires drivers of micropython-lib, which
# Debian's source package does not carry.
freeze("$(PORT_DIR)/modules")
include("$(MPY_DIR)/extmod/asyncio")
