// The module `rig`: the disk, a block device over the flash file (see rig_board.h). FAT sees 512-byte sectors,
// LittleFS 4096-byte blocks through the extended interface, as on real ports.
#include <string.h>

#include "py/mperrno.h"
#include "py/runtime.h"
#include "extmod/vfs.h"
#include "rig_board.h"

#define DEFAULT_DISK_BYTES (1024u * 1024u)

static uint32_t disk_lfs(void) {
    return rig_has_params() ? RIG_PARAMS->lfs : 0;
}

static uint32_t disk_bytes(void) {
    return rig_has_params() && RIG_PARAMS->disk_bytes ? RIG_PARAMS->disk_bytes : DEFAULT_DISK_BYTES;
}

static uint32_t disk_block(void) {
    return disk_lfs() ? 4096 : 512;
}

static const mp_obj_base_t disk_obj;

static mp_obj_t disk_make_new(const mp_obj_type_t *type, size_t n_args, size_t n_kw, const mp_obj_t *args) {
    mp_arg_check_num(n_args, n_kw, 0, 0, false);
    return MP_OBJ_FROM_PTR(&disk_obj);
}

static uint8_t *disk_at(size_t n_args, const mp_obj_t *args, size_t len) {
    uint32_t at = mp_obj_get_int(args[1]) * disk_block() + (n_args == 4 ? mp_obj_get_int(args[3]) : 0);
    if (at > disk_bytes() || len > disk_bytes() - at) {
        mp_raise_OSError(MP_EINVAL);
    }
    return (uint8_t *)RIG_FLASH_BASE + at;
}

static mp_obj_t disk_readblocks(size_t n_args, const mp_obj_t *args) {
    mp_buffer_info_t buf;
    mp_get_buffer_raise(args[2], &buf, MP_BUFFER_WRITE);
    memcpy(buf.buf, disk_at(n_args, args, buf.len), buf.len);
    return MP_OBJ_NEW_SMALL_INT(0);
}
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(disk_readblocks_obj, 3, 4, disk_readblocks);

static mp_obj_t disk_writeblocks(size_t n_args, const mp_obj_t *args) {
    mp_buffer_info_t buf;
    mp_get_buffer_raise(args[2], &buf, MP_BUFFER_READ);
    memcpy(disk_at(n_args, args, buf.len), buf.buf, buf.len);
    return MP_OBJ_NEW_SMALL_INT(0);
}
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(disk_writeblocks_obj, 3, 4, disk_writeblocks);

static mp_obj_t disk_ioctl(mp_obj_t self, mp_obj_t op, mp_obj_t arg) {
    switch (mp_obj_get_int(op)) {
        case MP_BLOCKDEV_IOCTL_BLOCK_COUNT:
            return MP_OBJ_NEW_SMALL_INT(disk_bytes() / disk_block());
        case MP_BLOCKDEV_IOCTL_BLOCK_SIZE:
            return MP_OBJ_NEW_SMALL_INT(disk_block());
        case MP_BLOCKDEV_IOCTL_BLOCK_ERASE:
            memset((uint8_t *)RIG_FLASH_BASE + mp_obj_get_int(arg) * disk_block(), 0xFF, disk_block());
            return MP_OBJ_NEW_SMALL_INT(0);
        case MP_BLOCKDEV_IOCTL_INIT:
        case MP_BLOCKDEV_IOCTL_DEINIT:
        case MP_BLOCKDEV_IOCTL_SYNC:
            return MP_OBJ_NEW_SMALL_INT(0);
        default:
            return mp_const_none;
    }
}
static MP_DEFINE_CONST_FUN_OBJ_3(disk_ioctl_obj, disk_ioctl);

static const mp_rom_map_elem_t disk_locals_table[] = {
    { MP_ROM_QSTR(MP_QSTR_readblocks), MP_ROM_PTR(&disk_readblocks_obj) },
    { MP_ROM_QSTR(MP_QSTR_writeblocks), MP_ROM_PTR(&disk_writeblocks_obj) },
    { MP_ROM_QSTR(MP_QSTR_ioctl), MP_ROM_PTR(&disk_ioctl_obj) },
};
static MP_DEFINE_CONST_DICT(disk_locals, disk_locals_table);

static MP_DEFINE_CONST_OBJ_TYPE(disk_type, MP_QSTR_Disk, MP_TYPE_FLAG_NONE, make_new, disk_make_new,
    locals_dict, &disk_locals);
static const mp_obj_base_t disk_obj = { &disk_type };

static mp_obj_t rig_lfs(void) {
    return mp_obj_new_bool(disk_lfs());
}
static MP_DEFINE_CONST_FUN_OBJ_0(rig_lfs_obj, rig_lfs);

static const mp_rom_map_elem_t rig_globals_table[] = {
    { MP_ROM_QSTR(MP_QSTR___name__), MP_ROM_QSTR(MP_QSTR_rig) },
    { MP_ROM_QSTR(MP_QSTR_Disk), MP_ROM_PTR(&disk_type) },
    { MP_ROM_QSTR(MP_QSTR_lfs), MP_ROM_PTR(&rig_lfs_obj) },
};
static MP_DEFINE_CONST_DICT(rig_globals, rig_globals_table);

const mp_obj_module_t rig_module = {
    .base = { &mp_type_module },
    .globals = (mp_obj_dict_t *)&rig_globals,
};
MP_REGISTER_MODULE(MP_QSTR_rig, rig_module);
