# What came into `channel_take.py`'s file: whole, and compiled, it is announced by a 06 and runs in `__main__`.
def _upy(l=_upy):
    global _upy
    del _upy
    from builtins import compile,exec
    import usys
    b=l.pop()
    1//(b.tell()==SIZE)
    b.seek(0)
    b=compile(b.read(),"<stdin>","exec")
    usys.stdout.write("\x06")
    exec(b)
_upy()
