# The application slots of an ESP32: the rows of its partition table (type, subtype, address, size, label, encrypted);
# the addresses of the slot that runs, of the next one for an update (-1: none) and of the one that the next start takes;
# the first bytes of the program that runs; both records of `otadata`; the size of the flash; whether a signature follows
# the program. None: no ESP32.
def run():
    try:
        from esp32 import Partition
    except ImportError:
        return None
    r = Partition(Partition.RUNNING)
    try:
        n = r.get_next_update().info()[2]
    except OSError:
        n = -1
    app = [p.info() for p in Partition.find(Partition.TYPE_APP)]
    data = [p.info() for p in Partition.find(Partition.TYPE_DATA)]
    head = bytearray(288)
    r.readblocks(0, head)
    end = r.info()[3]
    b = bytearray(8)
    at = 24
    k = head[1] if head[0] == 0xE9 else 99
    while 0 < k < 17 and at < end:
        r.readblocks(at // 4096, b, at % 4096)
        at += 8 + int.from_bytes(b[4:], "little")
        k -= 1
    at = ((at | 15) + (33 if head[23] else 1) + 4095) // 4096
    signed = 0
    if not k and at < end // 4096:
        r.readblocks(at, b)
        signed = b[:4] == b"\xe7\x02\0\0"
    ota = bytearray(64)
    for p in Partition.find(Partition.TYPE_DATA, 0):
        for i in (0, 1):
            p.readblocks(i, memoryview(ota)[32 * i : 32 * i + 32])
    size = 0
    try:
        from esp import flash_size

        size = flash_size()
    except ImportError:
        pass
    boot = Partition(Partition.BOOT).info()[2]
    return app + data, r.info()[2], n, boot, bytes(head), bytes(ota), size, bool(signed)
