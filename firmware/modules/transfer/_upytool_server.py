# Made by upytool/device/frozen.py from upytool/ondevice/server*.py: change those.
import sys
sys.path[:]=['.frozen/-']
from upytool_transfer import T
try:
 import vfs
except ImportError:
 pass
from builtins import AttributeError, BaseException, ImportError, KeyboardInterrupt, OSError, ValueError, bytearray
from builtins import bytes, exec, globals, hasattr, int, isinstance, len, memoryview, min, open, range, repr, sum
import gc
import io
import os
import select
import sys
try:
 from binascii import crc32
 SUM = "crc32"
except ImportError:
 SUM = "sum"
 def crc32(data, start=0):
  return sum(data) + start & 0xFFFFFFFF
try:
 from micropython import kbd_intr
except ImportError:
 kbd_intr = lambda char: None
class Sum:
 def __init__(self):
  self.value = 0
 def update(self, data):
  self.value = crc32(data, self.value)
 def digest(self):
  return self.value.to_bytes(4, "little")
HASH = SUM
Hash = Sum
try:
 from hashlib import sha256 as Hash
 HASH = "sha256"
except ImportError:
 pass
source = sys.stdin.buffer
sink = sys.stdout.buffer
ready = select.poll()
ready.register(sys.stdin, 1)
gc.collect()
free = gc.mem_free() if hasattr(gc, "mem_free") else 20000
UNIT = 1024
WBITS = 15
while WBITS and free < 6 << WBITS:
 WBITS -= 1 if WBITS > 11 else WBITS
frame = bytearray(252)
frame_view = memoryview(frame)
head = bytearray(4)
held = bytearray(UNIT)
held_view = memoryview(held)
come = io.BytesIO()
rest = b""
at = end = count = told = 0
try:
 import deflate
 inflate = deflate.DeflateIO(come, deflate.RAW, 11)
except ImportError:
 WBITS = 0
def quiet():
 stop = 0
 while ready.poll(80):
  if source.read(1) == b"\x03":
   stop = 1
 return stop
def receive():
 global count
 while 1:
  if not ready.poll(5000):
   raise KeyboardInterrupt
  source.readinto(head, 2)
  n = head[0] - 3
  k = head[1]
  i = -1
  if n > 2:
   source.readinto(frame, n)
   while k > 3 and i + k - 3 < n:
    i += k - 3
    k = frame[i]
    frame[i] = 3
   n -= 2
   if not k and crc32(frame_view[:n], count) & 65535 == frame[n] | frame[n + 1] << 8:
    count = count + 1 & 65535
    T[0] = 0
    sink.write(b"\x06")
    return n
  if quiet() or head[0] == 3 or head[1] == 3:
   raise KeyboardInterrupt
  sink.write(b"\x15" + count.to_bytes(2, "little"))
def pull(n, into):
 global at, end
 while n:
  if at == end:
   end = receive()
   at = 0
  k = min(n, end - at)
  into(frame_view[at : at + k])
  at += k
  n -= k
def unit():
 global rest
 come.seek(0)
 pull(4, come.write)
 come.seek(0)
 come.readinto(head, 4)
 c = head[0] | head[1] << 8
 u = head[2] | head[3] << 8
 come.seek(0)
 if not u:
  pull(c, come.write)
  come.seek(0)
  come.readinto(held, c)
  return held_view[:c]
 come.write(rest)
 pull(c, come.write)
 c = come.tell()
 come.seek(0)
 try:
  inflate.readinto(held, u)
 except OSError:
  raise ValueError("packed data")
 rest = come.read(c - come.tell())
 return held_view[:u]
def tell(kind, data=b""):
 global told
 T[0] = 0
 n = len(data)
 h = b"\x02" + bytes((kind, n & 255, n >> 8))
 sink.write(h)
 sink.write(data)
 sink.write(crc32(data, crc32(h, told)).to_bytes(4, "little"))
 told = told + 1 & 65535
def refuse(e):
 tell(69, repr(e.args[0] if e.args else 5).encode())
def serve():
 tell(72, repr((UNIT, WBITS, HASH, SUM, hasattr(os, "rename"), sys.platform)).encode())
 while 1:
  u = unit()
  if not u:
   return
  try:
   exec(bytes(u), globals())
  except OSError as e:
   refuse(e)
def space(path):
 while 1:
  try:
   s = os.statvfs(path)
   return tell(82, repr((s[1] or s[0], s[3])).encode())
  except AttributeError:
   path = ""
  except OSError:
   pass
  if not path.strip("/"):
   return tell(82, b"(0,0)")
  path = path[: path.rfind("/")] or ("/" if path[:1] == "/" else "")
def mkdirs(*paths):
 for p in paths:
  try:
   os.mkdir(p)
  except OSError as e:
   try:
    if not os.stat(p)[0] & 0x4000:
     raise OSError(20)
   except OSError:
    raise e
 tell(82)
def settle(path):
 new = path + ".upynew"
 try:
  os.stat(new)
 except OSError:
  return
 try:
  os.stat(path)
  os.remove(new)
 except OSError:
  os.rename(new, path)
def replace(temp, path):
 try:
  if os.stat(path)[0] & 0x4000:
   raise OSError(21)
 except OSError as e:
  if e.args[0] == 21:
   raise
  os.rename(temp, path)
  return
 new = path + ".upynew"
 try:
  os.rename(temp, new)
 except OSError:
  new = temp
 try:
  os.rename(new, path)
 except OSError as e:
  try:
   os.remove(path)
  except OSError:
   os.remove(new)
   raise e
  os.rename(new, path)
def put(path, in_place=0):
 f = None
 good = 1
 temp = path if in_place else path[: path.rfind("/") + 1] + "~upytool.tmp"
 size = 0
 h = Hash()
 try:
  try:
   if in_place:
    open(path, "wb").close()
   else:
    settle(path)
   f = open(temp, "wb")
  except OSError as e:
   good = temp = None
   refuse(e)
  while 1:
   u = unit()
   if not u:
    break
   if good:
    try:
     f.write(u)
     h.update(u)
     size += len(u)
    except OSError as e:
     good = 0
     refuse(e)
  u = unit()
  if good:
   try:
    kbd_intr(-1)
    f.close()
    f = None
    if u != h.digest() or os.stat(temp)[6] != size:
     raise OSError(5)
    if temp != path:
     replace(temp, path)
    temp = None
    tell(82)
   except OSError as e:
    refuse(e)
 finally:
  kbd_intr(-1)
  if f:
   try:
    f.close()
   except OSError:
    pass
  if temp and temp != path:
   try:
    os.remove(temp)
   except OSError:
    pass
  kbd_intr(3)
def get(path, start, count):
 n = 0
 with open(path, "rb") as f:
  if start:
   f.seek(start)
  while n < count:
   k = f.readinto(held, min(UNIT, count - n)) if UNIT < count - n else f.readinto(held_view[: count - n])
   if not k:
    break
   tell(68, held_view[:k])
   n += k
 tell(82)
def digest(path):
 h = Hash()
 n = 0
 with open(path, "rb") as f:
  while 1:
   k = f.readinto(held)
   if not k:
    return h.digest()
   h.update(held_view[:k])
   n += k
   if not n & 65535:
    T[0] = 0
    sink.write(b"\x16")
def spellings(base, name, names):
 n = name.upper()
 if n == name:
  n = name.lower()
 if n == name:
  return None
 found = {}
 try:
  os.stat(base + n)
  low = {n.lower(): n for n in names}
  exact = []
  for x in os.ilistdir(base[:-1] or "/") if base else os.ilistdir():
   n = low.get(x[0].lower())
   if n:
    found[n] = x[0]
   if x[0] in names:
    exact.append(x[0])
  for n in exact:
   found.pop(n, 0)
 except (OSError, AttributeError):
  pass
 return found
def check(base, names, sizes, keep):
 out = bytearray()
 spelt = None
 for i in range(len(names)):
  try:
   s = os.stat(base + names[i])
  except (OSError, AttributeError):
   out.append(0)
   continue
  if spelt is None:
   spelt = spellings(base, names[i], names)
  if spelt and names[i] in spelt:
   n = spelt[names[i]].encode()
   out.append(4)
   out.append(len(n))
   out.extend(n)
  if s[0] & 0x4000:
   out.append(2)
  elif s[6] == sizes[i]:
   out.append(3)
   out.extend(digest(base + names[i])[:keep])
  else:
   out.append(1)
   out.extend(s[6].to_bytes(4, "little"))
 tell(82, out)
def scan(path):
 todo = [path.rstrip("/")]
 below = 0
 while todo:
  p = todo.pop()
  out = []
  try:
   entries = os.ilistdir(p or "/")
  except AttributeError:
   entries = ((n,) + os.stat(p + "/" + n)[:1] for n in os.listdir(p or "/"))
  except OSError:
   if below:
    raise
   continue
  below = 1
  for x in entries:
   n = x[0]
   if x[1] & 0x4000:
    todo.append(p + "/" + n)
    out.append((n, -1))
   else:
    out.append((n, x[3] if len(x) > 3 else os.stat(p + "/" + n)[6]))
   if len(out) == 50:
    tell(76, repr((p, out)).encode())
    out = []
  tell(76, repr((p, out)).encode())
 tell(82)
def rom_begin():
 try:
  vfs.umount("/rom")
 except OSError:
  pass
 tell(82)
def rom_sums(i, unit, total):
 m = memoryview(vfs.rom_ioctl(2, i))
 out = bytearray()
 at = 0
 while at < total:
  end = min(at + unit, total)
  h = Hash()
  while at < end:
   k = min(at + 4096, end)
   h.update(m[at:k])
   at = k
   if not at & 65535:
    sink.write(b"\x16")
  out.extend(h.digest()[:10])
  if len(out) > 500:
   tell(68, out)
   out = bytearray()
 tell(68, out)
 tell(82)
def rom_get(i, at, count):
 m = memoryview(vfs.rom_ioctl(2, i))
 end = at + count
 while at < end:
  k = min(at + UNIT, end)
  tell(68, m[at:k])
  at = k
 tell(82)
def rom_ok(r):
 if isinstance(r, int) and r < 0:
  raise OSError(-r)
 return r
def rom_erase(i, at, end, step, blank):
 d = vfs.rom_ioctl(2, i)
 r = 1
 if not step:
  r = rom_ok(vfs.rom_ioctl(3, i, end))
 for a in range(at, end, step or end):
  if hasattr(d, "ioctl"):
   if rom_ok(d.ioctl(6, a // step)):
    raise OSError(5)
  elif step:
   r = rom_ok(vfs.rom_ioctl(3, i, a, step))
  sink.write(b"\x16")
 if blank:
  rom_ok(vfs.rom_ioctl(4, i, 0, b"\xff" * r))
 tell(82, repr(r).encode())
def rom_write(d, i, at, u):
 if not hasattr(d, "ioctl"):
  rom_ok(vfs.rom_ioctl(4, i, at, u))
  return
 n = d.ioctl(5, 0)
 p = 0
 while p < len(u):
  k = min(len(u) - p, n - (at + p) % n)
  if rom_ok(d.writeblocks((at + p) // n, u[p : p + k], (at + p) % n)):
   raise OSError(5)
  p += k
def rom_put(i, at):
 d = vfs.rom_ioctl(2, i)
 good = 1
 while 1:
  u = unit()
  if not u:
   break
  if good:
   try:
    rom_write(d, i, at, u)
   except OSError as e:
    good = 0
    refuse(e)
   at += len(u)
 if good:
  tell(82)
def rom_end(i):
 d = vfs.rom_ioctl(2, i)
 if hasattr(d, "ioctl"):
  d.ioctl(3, 0)
 else:
  r = vfs.rom_ioctl(5, i)
  rom_ok(0 if r == -22 else r)
 tell(82)
try:
 serve()
except BaseException as e:
 quiet()
 raise e
