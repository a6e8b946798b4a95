// A C module for tests of builds: that it is in, and which build it is of.
#include "py/objstr.h"
#include "py/runtime.h"

#ifndef UPYTOOL_PROBE_ID
#define UPYTOOL_PROBE_ID "none"
#endif

static mp_obj_t upytool_probe_add(mp_obj_t a, mp_obj_t b) {
    return mp_binary_op(MP_BINARY_OP_ADD, a, b);
}
static MP_DEFINE_CONST_FUN_OBJ_2(upytool_probe_add_obj, upytool_probe_add);

static MP_DEFINE_STR_OBJ(upytool_probe_build_id_obj, UPYTOOL_PROBE_ID);

static const mp_rom_map_elem_t upytool_probe_globals_table[] = {
    { MP_ROM_QSTR(MP_QSTR___name__), MP_ROM_QSTR(MP_QSTR_upytool_probe) },
    { MP_ROM_QSTR(MP_QSTR_add), MP_ROM_PTR(&upytool_probe_add_obj) },
    { MP_ROM_QSTR(MP_QSTR_build_id), MP_ROM_PTR(&upytool_probe_build_id_obj) },
};
static MP_DEFINE_CONST_DICT(upytool_probe_globals, upytool_probe_globals_table);

const mp_obj_module_t upytool_probe_module = {
    .base = { &mp_type_module },
    .globals = (mp_obj_dict_t *)&upytool_probe_globals,
};

MP_REGISTER_MODULE(MP_QSTR_upytool_probe, upytool_probe_module);
