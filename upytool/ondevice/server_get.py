# Part of the transfer server: `count` bytes of a file from `start` on, in messages, then how many there were.
def get(path, start, count):
    n = 0
    with open(path, "rb") as f:
        if start:
            f.seek(start)
        while n < count:
            k = f.readinto(held, min(UNIT, count - n)) if UNIT < count - n else f.readinto(held_view[: count - n])
            if not k:
                break
            tell(68, held_view[:k])
            n += k
    tell(82)
