# For make ports: USER_C_MODULES=<this folder's parent>. UPYTOOL_PROBE_ID=... gives it a build id.
UPYTOOL_PROBE_DIR := $(USERMOD_DIR)
SRC_USERMOD_C += $(UPYTOOL_PROBE_DIR)/upytool_probe.c
CFLAGS_USERMOD += -I$(UPYTOOL_PROBE_DIR)
ifneq ($(UPYTOOL_PROBE_ID),)
CFLAGS_USERMOD += -DUPYTOOL_PROBE_ID='"$(UPYTOOL_PROBE_ID)"'
endif
