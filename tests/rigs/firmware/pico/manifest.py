# What the RPI_PICO image freezes. The board's own manifest also requires four drivers of micropython-lib, which
# Debian's source package does not carry.
freeze("$(PORT_DIR)/modules")
include("$(MPY_DIR)/extmod/asyncio")
