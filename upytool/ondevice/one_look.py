# What an install asks of a board and a directory; of one that cannot be listed, no names.
import usys,uos
p=PATH
try:
    n=uos.listdir(p)
except:
    n=()
{}["\x1e%r"%[usys.path,usys.implementation._mpy,usys.maxsize,uos.statvfs(p),n]]
