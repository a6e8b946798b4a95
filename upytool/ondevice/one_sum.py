# The digest of a small file.
import uio,uhashlib
with uio.open(PATH,"rb")as f:{}[uhashlib.sha256(f.read(SIZE)).digest()[:KEEP]]
