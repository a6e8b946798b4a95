# Change the WebREPL that runs now: the password that it asks for, or None to stop it.


def run(password):
    _p[:] = _q  # noqa: F821 - sys.path, and as the user has it (device.ondevice)
    if password is not None:
        __import__("_webrepl").password(password)
        return
    w = __import__("webrepl")
    w.stop()
    w.listen_s = w.client_s = None
