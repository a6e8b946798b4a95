# What one_look leaves open: whether OTHER, a name in another spelling, is there too; and a record, as one_get has it.
import uos,uio,usys,ubinascii as b
n=1
try:
    uos.stat(OTHER)
except:
    n=0
with uio.open(PATH,"rb")as f:d=f.read(SIZE)
usys.stdout.write(b.b2a_base64(d))
{}["\x1e%r"%[n,b.crc32(d)]]
