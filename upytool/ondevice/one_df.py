# The mounted file systems: (path, kind, what os.statvfs says, None where it says nothing).
import uos
r=[]
for f,p in uos.mount():
    try:
        s=uos.statvfs(p)
    except:
        s=None
    r.append((p,f.__class__.__name__,s))
{}["\x1e%r"%r]
