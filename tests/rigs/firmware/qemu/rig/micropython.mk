# User C module of the qemu rig: what a board has and the stock qemu port lacks (see README.md beside it).
RIG_DIR := $(USERMOD_DIR)
SRC_USERMOD_C += $(RIG_DIR)/rig_board.c $(RIG_DIR)/rig_disk.c $(RIG_DIR)/rig_clock.c $(RIG_DIR)/rig_rom.c
CFLAGS_USERMOD += -I$(RIG_DIR)
LDFLAGS_USERMOD += -Wl,--wrap=mp_hal_stdin_rx_chr -Wl,--wrap=mp_hal_stdio_poll
# The FAT and time code of MicroPython itself, which the qemu port does not compile.
SRC_C += shared/timeutils/timeutils.c
