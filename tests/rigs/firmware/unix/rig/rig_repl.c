// The module `rig` of the unix rig. Its one function runs MicroPython's own pyexec (the REPL of the bare-metal ports,
// with raw REPL and raw paste), which the unix port of 1.25 and 1.26 leaves out, until a soft reset ends the process.
// The exit status tells the bridge (unix.py) which mode to come back in.
#include <signal.h>
#include <stdlib.h>

#include "py/mphal.h"
#include "py/runtime.h"
#include "shared/runtime/pyexec.h"

#define EXIT_FRIENDLY (10)
#define EXIT_RAW (11)

// The port's own function restores the default action of SIGINT, which would end the process if the bridge's signal
// came a moment too late: outside of running code the signal is ignored here.
void __real_mp_hal_set_interrupt_char(char c);
void __wrap_mp_hal_set_interrupt_char(char c) {
    if (c == CHAR_CTRL_C) {
        __real_mp_hal_set_interrupt_char(c);
    } else {
        signal(SIGINT, SIG_IGN);
    }
}

static mp_obj_t rig_repl(mp_obj_t raw) {
    mp_hal_set_interrupt_char(-1);
    mp_hal_stdio_mode_raw();
    pyexec_mode_kind = mp_obj_is_true(raw) ? PYEXEC_MODE_RAW_REPL : PYEXEC_MODE_FRIENDLY_REPL;
    int ret = pyexec_file_if_exists("boot.py");
    if (pyexec_mode_kind == PYEXEC_MODE_FRIENDLY_REPL && !(ret & PYEXEC_FORCED_EXIT)) {
        pyexec_file_if_exists("main.py");
    }
    do {
        ret = pyexec_mode_kind == PYEXEC_MODE_RAW_REPL ? pyexec_raw_repl() : pyexec_friendly_repl();
    } while (ret == 0);
    exit(pyexec_mode_kind == PYEXEC_MODE_RAW_REPL ? EXIT_RAW : EXIT_FRIENDLY);
}
static MP_DEFINE_CONST_FUN_OBJ_1(rig_repl_obj, rig_repl);

static const mp_rom_map_elem_t rig_globals_table[] = {
    { MP_ROM_QSTR(MP_QSTR___name__), MP_ROM_QSTR(MP_QSTR_rig) },
    { MP_ROM_QSTR(MP_QSTR_repl), MP_ROM_PTR(&rig_repl_obj) },
};
static MP_DEFINE_CONST_DICT(rig_globals, rig_globals_table);

const mp_obj_module_t rig_module = {
    .base = { &mp_type_module },
    .globals = (mp_obj_dict_t *)&rig_globals,
};
MP_REGISTER_MODULE(MP_QSTR_rig, rig_module);
