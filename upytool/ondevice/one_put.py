# A small new file: its names and content are compared with their digest, then it is written beside its place. By way
# of the name that an interrupted rename leaves: one that is there was older.
import uos,uio,uhashlib
d=DATA
n=NAMES
h=uhashlib.sha256(n)
h.update(d)
if h.digest()[:8]!=SUM:{}["\x1e5"]
t,p=n.decode().split("\n")
with uio.open(t,"wb")as f:f.write(d)
if uos.stat(t)[6]!=SIZE:{}["\x1e5"]
n=p+".upynew"
uos.rename(t,n)
uos.rename(n,p)
