# start: the next start is that of the slot at `address` (ESP-IDF checks the image first). keep: the program in it, which
# runs, is good, and the next start is its own. drop: the directory of slot_open.py goes. restart: unless that slot runs
# already: a command that comes late, or twice, must not end the first start of what nobody confirmed yet.
# Answers an error's text.
# What is chosen already is not chosen again: ESP-IDF would write the same number into the other record of `otadata`, which
# is the way back (esp_ota_ops.c, esp_rewrite_ota_data). And only the chosen program can be marked as good, whichever runs.
def run(what, address, place):
    from esp32 import Partition

    try:
        if what == "drop":
            try:
                from vfs import umount
            except ImportError:
                from os import umount
            umount(place)
            return ""
        p = Partition(Partition.RUNNING)
        if what == "restart":
            if p.info()[2] != address:
                import machine
                import time

                time.sleep_ms(100)
                machine.reset()
            return ""
        if what == "keep":
            if p.info()[2] != address:
                raise OSError(16)
        else:
            for p in Partition.find(Partition.TYPE_APP):
                if p.info()[2] == address:
                    break
            else:
                raise OSError(19)
        if Partition(Partition.BOOT).info()[2] != p.info()[2]:
            p.set_boot()
        if what == "keep":
            try:
                Partition.mark_app_valid_cancel_rollback()
            except OSError:
                # `factory` has no record, and needs none.
                if p.info()[1]:
                    raise
    except OSError as e:
        return str(e)
    return ""
