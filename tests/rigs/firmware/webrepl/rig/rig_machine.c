// Included by extmod/modmachine.c: the unix port's part of the module `machine`, and a reset.
#include <stdlib.h>

#include "ports/unix/modmachine.c"
#include "rig_board.h"

static void mp_machine_reset(void) {
    _exit(RIG_EXIT_RESET);
}

static mp_int_t mp_machine_reset_cause(void) {
    return 0;
}
