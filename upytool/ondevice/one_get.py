# A small file's content as it is shortest on the wire whatever it is, then its checksum.
import uio,usys,ubinascii as b
with uio.open(PATH,"rb")as f:d=f.read(SIZE)
usys.stdout.write(b.b2a_base64(d))
{}["\x1e%d"%b.crc32(d)]
