# A small new file, after one_check or one_given: written beside its place. What a power cut left of an earlier one
# (server_put.py) is older than this.
import uos,uio
with uio.open(t,"wb")as f:f.write(CONTENT)
if uos.stat(t)[6]!=SIZE:{}["\x1e5"]
uos.rename(t,p)
try:
    uos.remove(NEW)
except:
    pass
del _upy
