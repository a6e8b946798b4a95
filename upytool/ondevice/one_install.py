# A small install, after one_parcel: all files are written, and counted, before any takes its place. The last is the
# record; written, it says what is to be done (packages/small.py).
for t,p,d,n in m:
    with uio.open(t,"wb")as f:{n:0}[f.write(d)]
for t,p,d,n in m:uos.rename(t,p)
del _upy
