# The digests of files, 0 for what cannot be read.
import uio,uhashlib
r=[]
for p in PATHS:
    try:
        h=uhashlib.sha256()
        with uio.open(p,"rb")as f:
            while 1:
                d=f.read(512)
                if not d:break
                h.update(d)
        r.append(h.digest())
    except:
        r.append(0)
{}["\x1e%r"%r]
