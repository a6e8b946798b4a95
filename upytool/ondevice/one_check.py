# How a program with content begins that came over any link: the names and the content are what was sent, or it ends.
import uhashlib
d=DATA
n=NAMES
h=uhashlib.sha256(n)
h.update(d)
if h.digest()[:8]!=SUM:{}["\x1e5"]
t,p=n.decode().split("\n")
