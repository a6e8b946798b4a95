// The unix port's configuration with what boards that have WebREPL switch on, and without what no board has.
#include "mpconfigport.h"

#define MICROPY_MPHALPORT_H "rig_hal.h"

#define MICROPY_PY_WEBREPL (1)
#define MICROPY_PY_OS_DUPTERM (1)
#define MICROPY_PY_OS_DUPTERM_NOTIFY (1)

// A signal handler that jumps out of whatever runs is the unix port's way; a board's interrupt sets a flag.
#undef MICROPY_ASYNC_KBD_INTR
#define MICROPY_ASYNC_KBD_INTR (0)

#undef MICROPY_PY_OS_GETENV_PUTENV_UNSETENV
#undef MICROPY_PY_OS_SYSTEM
#define MICROPY_PY_OS_GETENV_PUTENV_UNSETENV (0)
#define MICROPY_PY_OS_SYSTEM (0)

// With them each poll of a stream that is not the system's waits a millisecond, ready or not; a board's looks first.
#undef MICROPY_PY_SELECT_POSIX_OPTIMISATIONS
#define MICROPY_PY_SELECT_POSIX_OPTIMISATIONS (0)

#undef MICROPY_PY_MACHINE_INCLUDEFILE
#define MICROPY_PY_MACHINE_INCLUDEFILE "rig_machine.c"
#define MICROPY_PY_MACHINE_RESET (1)

// Where a board's network interrupt may be noticed: between two steps of a loop, and in waits.
extern volatile int rig_vm_event;
void rig_poll_sockets(void);
#define MICROPY_VM_HOOK_LOOP if (rig_vm_event) { rig_poll_sockets(); }
#define MICROPY_INTERNAL_EVENT_HOOK rig_poll_sockets()
