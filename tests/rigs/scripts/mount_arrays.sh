#!/bin/bash
set -e

# Objects with the buffer protocol whose items are larger than a byte.
for code in b B h H i I q Q f d; do
    echo ----- ${code}
    $MPREMOTE mount ${TMP} exec "
from array import array
a = array('${code}', [1, 2, 3, 100])
f = open('${code}.bin', 'wb')
print(f.write(a))
f.close()
b = array('${code}', [0] * 4)
f = open('${code}.bin', 'rb')
print(f.readinto(b), bytes(a) == bytes(b))
f.close()
"
    od -An -tx1 -v "${TMP}/${code}.bin"
done

echo ----- long
$MPREMOTE mount ${TMP} exec "
from array import array
f = open('long.bin', 'wb')
print(f.write(array('h', range(5000))), f.write(memoryview(bytearray(b'0123456789'))[2:5]))
f.close()
"
cksum < "${TMP}/long.bin"

echo ----- bytes
$MPREMOTE mount ${TMP} exec "
f = open('long.bin', 'rb')
b = bytearray(6)
print(f.readinto(b), b, f.readinto(memoryview(b)[1:3]), b)
"
