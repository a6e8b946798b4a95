# A small new file: its names and content are compared with their digest, then it is written beside its place. What a
# power cut left of an earlier one (server_put.py) is older than this.
import uos,uio,uhashlib
d=DATA
n=NAMES
h=uhashlib.sha256(n)
h.update(d)
if h.digest()[:8]!=SUM:{}["\x1e5"]
t,p=n.decode().split("\n")
with uio.open(t,"wb")as f:f.write(d)
if uos.stat(t)[6]!=SIZE:{}["\x1e5"]
uos.rename(t,p)
try:
    uos.remove(p+".upynew")
except:
    pass
