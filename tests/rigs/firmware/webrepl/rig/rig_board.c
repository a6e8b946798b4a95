// The module `rig` of the WebREPL rig: the REPL of bare-metal ports, and what webrepl.py needs of a port.
#include <stdlib.h>

#include "py/mphal.h"
#include "py/runtime.h"
#include "rig_board.h"
#include "shared/runtime/pyexec.h"

// The board's start: frozen _boot.py, boot.py, main.py, then the REPL until a soft reset ends the process.
static mp_obj_t rig_repl(mp_obj_t raw) {
    rig_terminal_init();
    mp_hal_set_interrupt_char(-1);
    mp_hal_stdio_mode_raw();
    pyexec_mode_kind = mp_obj_is_true(raw) ? PYEXEC_MODE_RAW_REPL : PYEXEC_MODE_FRIENDLY_REPL;
    pyexec_frozen_module("_boot.py", false);
    int ret = pyexec_file_if_exists("boot.py");
    if (pyexec_mode_kind == PYEXEC_MODE_FRIENDLY_REPL && !(ret & PYEXEC_FORCED_EXIT)) {
        ret = pyexec_file_if_exists("main.py");
    }
    while (!(ret & PYEXEC_FORCED_EXIT)) {
        ret = pyexec_mode_kind == PYEXEC_MODE_RAW_REPL ? pyexec_raw_repl() : pyexec_friendly_repl();
    }
    exit(pyexec_mode_kind == PYEXEC_MODE_RAW_REPL ? RIG_EXIT_RAW : RIG_EXIT_FRIENDLY);
}
static MP_DEFINE_CONST_FUN_OBJ_1(rig_repl_obj, rig_repl);

// watch(socket, callback): as setsockopt(SOL_SOCKET, 20, callback) on boards: it is called when there is input.
static mp_obj_t rig_watch_py(mp_obj_t socket, mp_obj_t callback) {
    rig_watch(socket, callback);
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_2(rig_watch_obj, rig_watch_py);

// setting(name): what the bridge gave this board, or None.
static mp_obj_t rig_setting(mp_obj_t name) {
    const char *value = getenv(mp_obj_str_get_str(name));
    return value ? mp_obj_new_str(value, strlen(value)) : mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_1(rig_setting_obj, rig_setting);

// fullest(): how many bytes were in the input's ring at once since this was asked last.
static mp_obj_t rig_fullest_py(void) {
    int fullest = rig_fullest;
    rig_fullest = 0;
    return MP_OBJ_NEW_SMALL_INT(fullest);
}
static MP_DEFINE_CONST_FUN_OBJ_0(rig_fullest_obj, rig_fullest_py);

static const mp_rom_map_elem_t rig_globals_table[] = {
    { MP_ROM_QSTR(MP_QSTR___name__), MP_ROM_QSTR(MP_QSTR_rig) },
    { MP_ROM_QSTR(MP_QSTR_repl), MP_ROM_PTR(&rig_repl_obj) },
    { MP_ROM_QSTR(MP_QSTR_watch), MP_ROM_PTR(&rig_watch_obj) },
    { MP_ROM_QSTR(MP_QSTR_fullest), MP_ROM_PTR(&rig_fullest_obj) },
    { MP_ROM_QSTR(MP_QSTR_setting), MP_ROM_PTR(&rig_setting_obj) },
};
static MP_DEFINE_CONST_DICT(rig_globals, rig_globals_table);

const mp_obj_module_t rig_module = {
    .base = { &mp_type_module },
    .globals = (mp_obj_dict_t *)&rig_globals,
};
MP_REGISTER_MODULE(MP_QSTR_rig, rig_module);
