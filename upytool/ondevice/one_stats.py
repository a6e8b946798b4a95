# The same for several paths, 0 for what os.stat refuses.
import uos
r=[]
for p in PATHS:
    try:
        r.append(uos.stat(p)[:7])
    except:
        r.append(0)
{}["\x1e%r"%r]
