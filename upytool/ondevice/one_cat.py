# A small file's content, for links that lose nothing.
import uio
with uio.open(PATH,"rb")as f:{}[f.read(SIZE)]
