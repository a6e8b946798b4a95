# What an install asks of a board and a directory; of one that cannot be listed, no names. What is free is then asked of
# the directory above it: the unix port and mounted directories tell it of what is there alone.
import usys,uos
p=PATH
try:
    n=uos.listdir(p)
except:
    n=()
    p=ABOVE
{}["\x1e%r"%[usys.path,usys.implementation._mpy,usys.maxsize,uos.statvfs(p),n]]
