# A small file's content, for links that lose nothing.
import uio as _upy
with _upy.open(PATH,"rb")as _upy:{}[_upy.read(SIZE)]
