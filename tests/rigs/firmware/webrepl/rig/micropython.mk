# User C module of the WebREPL rig: the unix port with the terminal of a bare-metal port, so that os.dupterm, and with it
# MicroPython's own modwebrepl.c and modwebsocket.c, work as on an ESP32.
RIG_DIR := $(USERMOD_DIR)
SRC_USERMOD_C += $(RIG_DIR)/rig_board.c $(RIG_DIR)/rig_disk.c $(RIG_DIR)/rig_terminal.c
CFLAGS_USERMOD += -I$(RIG_DIR)
rig_comma := ,
rig_wrapped := mp_hal_set_interrupt_char mp_hal_stdin_rx_chr mp_hal_stdout_tx_strn_cooked mp_handle_pending \
    close write statvfs64
LDFLAGS_USERMOD += $(addprefix -Wl$(rig_comma)--wrap=,$(rig_wrapped))
SRC_C += shared/runtime/pyexec.c shared/runtime/sys_stdio_mphal.c shared/runtime/stdout_helpers.c
# pyexec.c prints a banner whose words the unix port defines in headers that pyexec.c does not include in this order.
$(BUILD)/shared/runtime/pyexec.o: CFLAGS += -include py/mpconfig.h -include extmod/modplatform.h
# sys.stdin and its like come from sys_stdio_mphal.c; the unix port's, on file descriptors, step aside.
$(BUILD)/extmod/vfs_posix_file.o: CFLAGS += $(foreach end,in out err,-Dmp_sys_std$(end)_obj=rig_posix_std$(end)_obj)
# Line ends on output, too: the bare-metal ports' function in place of the unix port's.
$(BUILD)/shared/runtime/stdout_helpers.o: CFLAGS += $(foreach name,strn_cooked str,\
    -Dmp_hal_stdout_tx_$(name)=__wrap_mp_hal_stdout_tx_$(name))
# The unix port compiles with more warnings than the ports that modwebrepl.c was written for.
$(BUILD)/extmod/modwebrepl.o: CFLAGS += -Wno-sign-compare
