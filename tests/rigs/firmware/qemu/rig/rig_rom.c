// ROM partitions (vfs.rom_ioctl) in the flash file, behind the disk, with the manners of NOR flash: erasing sets all
// bits of whole blocks, writing only clears bits, and only in whole words. RIG_PARAMS->rom says which port's ways:
// 1 a memoryview that is prepared by ranges (stm32 since 1.29), 2 one that is prepared from its start (esp8266,
// earlier stm32), 3 a block device with a buffer (rp2). Partition 0 has 512 kB, partition 1 256 kB; mode 0: none.
#include <string.h>

#include "py/mperrno.h"
#include "py/objarray.h"
#include "py/runtime.h"
#include "extmod/vfs.h"
#include "rig_board.h"

#if MICROPY_VFS_ROM_IOCTL

#define ROM_BLOCK (4096u)

enum { ROM_NONE, ROM_RANGES, ROM_WHOLE, ROM_BLOCKDEV };

typedef struct _rom_part_t {
    mp_obj_base_t base;
    uint32_t at, bytes, word; // word: the least that can be written
} rom_part_t;

extern const mp_obj_type_t rig_rom_type;

static const rom_part_t parts[2] = {
    { { &rig_rom_type }, RIG_FLASH_BASE + 0xE00000u, 512 * 1024, 16 },
    { { &rig_rom_type }, RIG_FLASH_BASE + 0xE80000u, 256 * 1024, 4 },
};

static const mp_obj_array_t views[2] = {
    {{ &mp_type_memoryview }, 'B', 0, 512 * 1024, (void *)(RIG_FLASH_BASE + 0xE00000u) },
    {{ &mp_type_memoryview }, 'B', 0, 256 * 1024, (void *)(RIG_FLASH_BASE + 0xE80000u) },
};

static int rom_erase(const rom_part_t *part, uint32_t at, uint32_t len) {
    if (at % ROM_BLOCK || at > part->bytes || len > part->bytes - at) {
        return -MP_EINVAL;
    }
    len = (len + ROM_BLOCK - 1) / ROM_BLOCK * ROM_BLOCK;
    memset((uint8_t *)part->at + at, 0xFF, len);
    return 0;
}

static int rom_write(const rom_part_t *part, uint32_t at, mp_obj_t data, uint32_t word) {
    mp_buffer_info_t buf;
    mp_get_buffer_raise(data, &buf, MP_BUFFER_READ);
    if (at % word || buf.len % word || at > part->bytes || buf.len > part->bytes - at) {
        return -MP_EINVAL;
    }
    for (size_t i = 0; i < buf.len; i++) {
        ((uint8_t *)part->at)[at + i] &= ((const uint8_t *)buf.buf)[i];
    }
    return 0;
}

mp_obj_t mp_vfs_rom_ioctl(size_t n_args, const mp_obj_t *args) {
    uint32_t mode = rig_has_params() ? RIG_PARAMS->rom : ROM_NONE;
    mp_int_t op = mp_obj_get_int(args[0]);
    if (op == MP_VFS_ROM_IOCTL_GET_NUMBER_OF_SEGMENTS) {
        return MP_OBJ_NEW_SMALL_INT(mode == ROM_NONE ? 0 : 2);
    }
    mp_int_t id = n_args > 1 ? mp_obj_get_int(args[1]) : -1;
    if (mode == ROM_NONE || id < 0 || id > 1) {
        return MP_OBJ_NEW_SMALL_INT(-MP_EINVAL);
    }
    const rom_part_t *part = &parts[id];
    if (op == MP_VFS_ROM_IOCTL_GET_SEGMENT) {
        return mode == ROM_BLOCKDEV ? MP_OBJ_FROM_PTR(part) : MP_OBJ_FROM_PTR(&views[id]);
    }
    int ret = -MP_EINVAL;
    if (mode != ROM_BLOCKDEV) {
        if (op == MP_VFS_ROM_IOCTL_WRITE_PREPARE && n_args == 3) {
            ret = rom_erase(part, 0, mp_obj_get_int(args[2]));
            ret = ret ? ret : (int)part->word;
        } else if (op == MP_VFS_ROM_IOCTL_WRITE_PREPARE && n_args == 4 && mode == ROM_RANGES) {
            ret = rom_erase(part, mp_obj_get_int(args[2]), mp_obj_get_int(args[3]));
            ret = ret ? ret : (int)part->word;
        } else if (op == MP_VFS_ROM_IOCTL_WRITE && n_args == 4) {
            ret = rom_write(part, mp_obj_get_int(args[2]), args[3], part->word);
        } else if (op == MP_VFS_ROM_IOCTL_WRITE_COMPLETE && mode == ROM_RANGES) {
            ret = 0; // ports that have nothing to finish answer with EINVAL
        } else if (op == 6 && mode == ROM_RANGES) {
            ret = ROM_BLOCK;
        }
    }
    return MP_OBJ_NEW_SMALL_INT(ret);
}

static mp_int_t rom_get_buffer(mp_obj_t self, mp_buffer_info_t *buf, mp_uint_t flags) {
    const rom_part_t *part = MP_OBJ_TO_PTR(self);
    if (flags & MP_BUFFER_WRITE) {
        return 1;
    }
    buf->buf = (void *)part->at;
    buf->len = part->bytes;
    buf->typecode = 'B';
    return 0;
}

// writeblocks(block, data, offset): 256-byte pages inside an erased block, as the RP2040's boot ROM programs them.
static mp_obj_t rom_writeblocks(size_t n_args, const mp_obj_t *args) {
    uint32_t at = mp_obj_get_int(args[1]) * ROM_BLOCK + mp_obj_get_int(args[3]);
    int ret = rom_write(MP_OBJ_TO_PTR(args[0]), at, args[2], 256);
    if (ret) {
        mp_raise_OSError(-ret);
    }
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(rom_writeblocks_obj, 4, 4, rom_writeblocks);

static mp_obj_t rom_ioctl(mp_obj_t self, mp_obj_t op, mp_obj_t arg) {
    const rom_part_t *part = MP_OBJ_TO_PTR(self);
    switch (mp_obj_get_int(op)) {
        case MP_BLOCKDEV_IOCTL_SYNC:
            return MP_OBJ_NEW_SMALL_INT(0);
        case MP_BLOCKDEV_IOCTL_BLOCK_COUNT:
            return MP_OBJ_NEW_SMALL_INT(part->bytes / ROM_BLOCK);
        case MP_BLOCKDEV_IOCTL_BLOCK_SIZE:
            return MP_OBJ_NEW_SMALL_INT(ROM_BLOCK);
        case MP_BLOCKDEV_IOCTL_BLOCK_ERASE:
            return MP_OBJ_NEW_SMALL_INT(rom_erase(part, mp_obj_get_int(arg) * ROM_BLOCK, ROM_BLOCK));
        default:
            return mp_const_none;
    }
}
static MP_DEFINE_CONST_FUN_OBJ_3(rom_ioctl_obj, rom_ioctl);

static const mp_rom_map_elem_t rom_locals_table[] = {
    { MP_ROM_QSTR(MP_QSTR_writeblocks), MP_ROM_PTR(&rom_writeblocks_obj) },
    { MP_ROM_QSTR(MP_QSTR_ioctl), MP_ROM_PTR(&rom_ioctl_obj) },
};
static MP_DEFINE_CONST_DICT(rom_locals, rom_locals_table);

MP_DEFINE_CONST_OBJ_TYPE(rig_rom_type, MP_QSTR_Rom, MP_TYPE_FLAG_NONE, buffer, rom_get_buffer,
    locals_dict, &rom_locals);

#endif
