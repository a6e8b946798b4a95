# How it goes on where the link itself is not sure: all of it, and the new directories, is what was sent, or it ends.
import uhashlib
g=SEALED
h=uhashlib.sha256()
for p in g:h.update(p)
for t,p,d,n in m:
    h.update(t)
    h.update(p)
    h.update(d)
if h.digest()[:8]!=SUM:{}["\x1e4"]
