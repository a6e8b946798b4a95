# What the board has of WebREPL and of networks. Modules are looked up as boot.py would, for webrepl may have come with
# mip; what was not imported before is not afterwards.


def run():
    import os

    _p[:] = _q  # noqa: F821 - sys.path, and as the user has it (device.ondevice)
    before = list(_m)  # noqa: F821 - sys.modules

    def get(name):
        try:
            return __import__(name)
        except Exception:
            return None

    def home():
        # Where boot.py is started: stm32 and mimxrt mount their flash below the root, or an SD card.
        places = [p for p in ("/sd", "/sdcard", "/flash") if p in _q]  # noqa: F821
        for place in places + [""]:
            try:
                os.stat(place + "/boot.py")
                return place
            except OSError:
                pass
        return "/flash" if "/flash" in places else ""

    def address(face):
        if not face.active():
            return ""
        try:
            return face.ifconfig()[0]
        except AttributeError:
            return face.ipconfig("addr4")[0]

    r = {"home": home()}
    running = _m.get("webrepl")  # noqa: F821
    r["running"] = getattr(running, "listen_s", None) is not None
    n = get("network")
    r["network"] = n is not None
    r["_webrepl"] = get("_webrepl") is not None
    r["webrepl"] = get("webrepl") is not None
    r["addresses"] = found = []
    for make in (lambda: n.WLAN(n.STA_IF), lambda: n.WLAN(n.AP_IF), lambda: n.LAN(0)):
        try:
            at = address(make())
            if at and at != "0.0.0.0":
                found.append(at)
        except Exception:
            pass
    try:
        w = n.WLAN(n.STA_IF)
        r["joined"] = bool(w.isconnected())
        s = w.status()
        r["wifi"] = [k for k in dir(n) if k.startswith("STAT_") and getattr(n, k) == s][0]
    except Exception:
        pass
    try:
        r["hostname"] = n.hostname()
    except Exception:
        pass
    for name in list(_m):  # noqa: F821
        if name not in before:
            _m.pop(name)  # noqa: F821
    return r
