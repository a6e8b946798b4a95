"""Models of the modules `network`, `_webrepl` and `webrepl`, as files for a board whose firmware has none of them.

They keep what they are told and open no socket: a Wi-Fi is joined with the key `rightkey`, and its address is 10.0.0.7.
"""

NETWORK = b"""
STA_IF, AP_IF = 0, 1
STAT_IDLE, STAT_GOT_IP, STAT_WRONG_PASSWORD = 1000, 1010, 202
_state = {"active": set(), "joined": False, "status": STAT_IDLE}
class WLAN:
    def __init__(self, kind):
        self.kind = kind
    def active(self, on=None):
        if on:
            _state["active"].add(self.kind)
        return self.kind in _state["active"]
    def connect(self, ssid, key=None):
        _state["joined"] = key == "rightkey"
        _state["status"] = STAT_GOT_IP if key == "rightkey" else STAT_WRONG_PASSWORD
    def isconnected(self):
        return self.kind == STA_IF and _state["joined"]
    def status(self):
        return _state["status"]
    def ifconfig(self):
        if self.kind == AP_IF:
            return ("192.168.4.1", "255.255.255.0", "192.168.4.1", "0.0.0.0")
        return ("10.0.0.7" if _state["joined"] else "0.0.0.0", "255.0.0.0", "10.0.0.1", "10.0.0.1")
def hostname():
    return "mpy-model"
"""
SERVER = b"""
word = None
def password(text):
    global word
    if len(text) > 9:
        raise ValueError
    word = text
"""
MODULE = b"""
import network, _webrepl
listen_s = client_s = None
def stop():
    pass
def start(port=8266, password=None):
    global listen_s
    if password is None:
        import webrepl_cfg
        password = webrepl_cfg.PASS
    _webrepl.password(password)
    listen_s = object()
    print("WebREPL server started")
"""
