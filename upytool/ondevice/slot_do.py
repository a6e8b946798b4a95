# start: the next start is that of the slot at `address` (ESP-IDF checks the image first). keep: of the one that runs.
# confirm: the program that runs is good, and stays. drop: the directory of slot_open.py goes. restart: unless that slot
# runs already: a command that comes late, or twice, must not end the first start of what nobody confirmed yet.
# Answers an error's text.
def run(what, address, place):
    from esp32 import Partition

    try:
        if what == "drop":
            try:
                from vfs import umount
            except ImportError:
                from os import umount
            umount(place)
        elif what == "restart":
            if Partition(Partition.RUNNING).info()[2] != address:
                import machine
                import time

                time.sleep_ms(100)
                machine.reset()
        elif what == "start":
            for p in Partition.find(Partition.TYPE_APP):
                if p.info()[2] == address:
                    p.set_boot()
                    break
            else:
                raise OSError(19)
        else:
            if what == "keep":
                Partition(Partition.RUNNING).set_boot()
            Partition.mark_app_valid_cancel_rollback()
    except OSError as e:
        return str(e)
    return ""
