# Take start-up files out of the way (main.py becomes main.py.off-1, never over another file), or bring them back.


def run(names, back):
    import os

    here = os.getcwd()
    places = [here]
    for place in ("/", "/flash", "/sd"):
        if place not in places:
            places.append(place)
    moved = []
    kept = []
    for place in places:
        try:
            found = os.listdir(place)
        except OSError:
            continue
        base = place if place.endswith("/") else place + "/"
        for name in names:
            top = 0
            for other in found:
                if other.startswith(name + ".off-"):
                    try:
                        top = max(top, int(other[len(name) + 5 :]))
                    except ValueError:
                        pass
            if back:
                if not top:
                    continue
                if name in found:
                    kept.append(base + name)
                    continue
                old, new = name + ".off-%d" % top, name
            else:
                if name not in found:
                    continue
                old, new = name, name + ".off-%d" % (top + 1)
            os.rename(base + old, base + new)
            moved.append((base + old, base + new))
    return moved, kept
