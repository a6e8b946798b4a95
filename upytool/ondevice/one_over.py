# The same in the place of an old file. FAT's rename removes it first: from then on the name says that the content is
# complete.
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
try:
    uos.rename(n,p)
except:
    try:
        uos.remove(p)
    except:
        uos.remove(n)
        raise
    uos.rename(n,p)
