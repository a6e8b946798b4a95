// Configuration of the qemu rig's firmware, on top of the port's own mpconfigport.h.
// Selected with -DMP_CONFIGFILE="<rig_config.h>" and -DRIG_FEATURES=<one of the three below>.
#ifndef RIG_CONFIG_H
#define RIG_CONFIG_H

#define RIG_BARE (0)  // a small or old board: no deflate, hashlib, binascii, json, select, time, stdin buffer
#define RIG_STOCK (1) // what the qemu port has as released, plus a file system
#define RIG_FULL (2)  // what a Pico or an ESP32 has, as far as the client can tell

#include <mpconfigport.h>

#define MICROPY_PORT_INIT_FUNC rig_init()
void rig_init(void);

#define MICROPY_KBD_EXCEPTION (1)
#define MICROPY_FATFS_ENABLE_LFN (1)
#define MICROPY_FATFS_RPATH (2)

// A sleeping board sleeps the emulator too, instead of spinning on the UART.
#define MICROPY_INTERNAL_WFE(TIMEOUT_MS) rig_sleep(TIMEOUT_MS)
void rig_sleep(int timeout_ms);

#if RIG_FEATURES != RIG_BARE
#undef MICROPY_VFS_ROM_IOCTL
#define MICROPY_VFS_ROM_IOCTL (1)
#endif

#if RIG_FEATURES == RIG_FULL
#undef MICROPY_PY_SYS_STDIO_BUFFER
#undef MICROPY_PY_SELECT
#undef MICROPY_PY_TIME
#define MICROPY_PY_SYS_STDIO_BUFFER (1)
#define MICROPY_PY_SELECT (1)
#define MICROPY_PY_TIME (1)
#define MICROPY_PY_TIME_GMTIME_LOCALTIME_MKTIME (1)
#define MICROPY_PY_TIME_TIME_TIME_NS (1)
#define MICROPY_PY_TIME_INCLUDEFILE "rig_modtime.h"
#define MICROPY_PY_OS_UNAME (1)
#define MICROPY_PY_OS_SYNC (1)
#define MICROPY_PY_MACHINE_EXTRA_GLOBALS { MP_ROM_QSTR(MP_QSTR_RTC), MP_ROM_PTR(&rig_rtc_type) },
struct _mp_obj_type_t;
extern const struct _mp_obj_type_t rig_rtc_type;
#endif

#if RIG_FEATURES == RIG_BARE
#define MICROPY_PY_DEFLATE (0)
#define MICROPY_PY_HASHLIB (0)
#define MICROPY_PY_BINASCII (0)
#define MICROPY_PY_JSON (0)
#define MICROPY_PY_RE (0)
#define MICROPY_PY_RANDOM (0)
#endif

#endif
