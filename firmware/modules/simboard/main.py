# The start of a simulated board: make the VM look like one, mount the flash, run the REPL. The host starts this file
# in a fresh VM after every reset; its globals are `__main__`, which programs then find as empty as on a board.
import host


def _begin():
    import builtins
    import errno
    import micropython
    import sys

    sys.path[:] = ["/.firmware"]
    import patch

    patch.file_descriptor(sys.stdin.buffer, 10)
    patch.file_descriptor(sys.stdout.buffer, 11)
    patch.errno_numbers(errno)

    import interrupt
    import os, uos, machine, umachine, vfs, flash_vfs, repl

    names = repl.KEEP
    patch.set_entry(sys.__dict__, "platform", names[0])
    for i in range(len(sys.implementation)):
        if sys.implementation[i] is sys.implementation._machine:
            machine_at = i
        elif sys.implementation[i] is sys.implementation._build:
            build_at = i
    patch.set_item(sys.implementation, machine_at, names[1])
    patch.set_item(sys.implementation, build_at, names[2])
    patch.set_entry(micropython.__dict__, "kbd_intr", repl.kbd_intr)
    builtins.input = repl.input_line

    # Part of the firmware: found whatever sys.path and sys.modules hold, and a file of the same name comes before it.
    patch.fill_module(uos, os)
    patch.fill_module(umachine, machine)
    repl.KEEP_MODULES = os, machine

    host.call("seal", "")
    vfs.umount("/")
    vfs.mount(flash_vfs.VfsFlash(), "/")
    for name in ("os", "machine", "patch", "flash_vfs", "repl", "line_edit", "interrupt"):
        del sys.modules[name]
    sys.path[:] = ["", ".frozen", "/lib"]
    del sys.argv[:]
    return repl.loop


_loop = _begin()
del _begin, host
_loop()
