# How a small install begins: files, each with its temporary name, its name, content and size.
import uos,uio
m=MOVES
