# User C module of the unix rig: the REPL of the bare-metal ports (friendly, raw, raw paste) for the unix port.
RIG_DIR := $(USERMOD_DIR)
SRC_USERMOD_C += $(RIG_DIR)/rig_repl.c
LDFLAGS_USERMOD += -Wl,--wrap=mp_hal_set_interrupt_char
SRC_C += shared/runtime/pyexec.c
# pyexec.c prints a banner whose words the unix port defines in headers that pyexec.c does not include in this order.
$(BUILD)/shared/runtime/pyexec.o: CFLAGS += -include py/mpconfig.h -include extmod/modplatform.h
