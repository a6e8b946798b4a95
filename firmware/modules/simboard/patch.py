# Changes in the VM's constant tables. The artifact is a build for WASI; a few of its constants are not a board's.
# In WebAssembly even constants lie in writable memory. Layouts: py/obj.h (mp_map_t), py/objdict.h, py/objtuple.h,
# extmod/vfs_posix_file.c (mp_obj_vfs_posix_file_t), all with 32-bit words.
import struct
import uctypes


def word(address):
    return struct.unpack("<I", uctypes.bytes_at(address, 4))[0]


def set_word(address, value):
    uctypes.bytearray_at(address, 4)[:] = struct.pack("<I", value)


def _small_int(value):
    return value << 1 | 1


def _entries(mapping):
    # mp_obj_dict_t: type, then the map: flags and count, slots, table of (key, value)
    at = id(mapping)
    slots, table = word(at + 8), word(at + 12)
    return [table + 8 * i for i in range(slots)]


def set_entry(mapping, key, value):
    """mapping[key] = value where the VM forbids it. The caller keeps `value` alive."""
    for entry in _entries(mapping):
        if word(entry) == id(key):
            set_word(entry + 4, id(value))
            return
    raise KeyError(key)


# py/mperrno.h: the numbers of a board
_ERRNO = {
    "EPERM": 1, "ENOENT": 2, "EIO": 5, "EBADF": 9, "EAGAIN": 11, "ENOMEM": 12, "EACCES": 13, "EEXIST": 17,
    "ENODEV": 19, "EISDIR": 21, "EINVAL": 22, "EOPNOTSUPP": 95, "EADDRINUSE": 98, "ECONNABORTED": 103,
    "ECONNRESET": 104, "ENOBUFS": 105, "ENOTCONN": 107, "ETIMEDOUT": 110, "ECONNREFUSED": 111,
    "EHOSTUNREACH": 113, "EALREADY": 114, "EINPROGRESS": 115,
}


def errno_numbers(errno):
    names = {v: k for k, v in errno.errorcode.items()}
    for entry in _entries(errno.errorcode):
        old = word(entry) >> 1
        for name, number in names.items():
            if number == old and name in _ERRNO:
                set_word(entry, _small_int(_ERRNO[name]))
                break
    for name, number in _ERRNO.items():
        for entry in _entries(errno.__dict__):
            if word(entry) == id(name):
                set_word(entry + 4, _small_int(number))


def file_descriptor(stream, fd):
    """Let a constant file object use another file descriptor."""
    set_word(id(stream) + 4, fd)


def set_item(sequence, index, value):
    """sequence[index] = value of a constant tuple. The caller keeps `value` alive."""
    set_word(id(sequence) + 8 + 4 * index, id(value))


def fill_module(builtin, module):
    """Let the firmware's module have all that `module` has; both have one dictionary then, which is read-only.

    mp_obj_module_t (py/obj.h): type, dictionary. mp_map_t's first word: keys are qstrs (1), is fixed (2), ...
    """
    names = module.__dict__
    set_word(id(names) + 4, word(id(names) + 4) | 2)
    set_word(id(builtin) + 4, id(names))
