# The same in the place of an old file. FAT's rename removes it first: from then on the name says that the content is
# complete.
import uos,uio
with uio.open(t,"wb")as f:f.write(CONTENT)
if uos.stat(t)[6]!=SIZE:{}["\x1e5"]
n=NEW
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
del _upy
