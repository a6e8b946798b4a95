#!/bin/bash
set -e

echo ----- programs
$MPREMOTE exec "print('Ünïcödé € 𝄞 日本語')"
$MPREMOTE eval "'é' + chr(0x20ac), len('𝄞é')"
cat << EOF > "${TMP}/prögramm.py"
def grüße(wen):
    print("Grüße,", wen)
grüße("日本")
EOF
$MPREMOTE run "${TMP}/prögramm.py"

echo ----- files
printf 'Zeile eins: ä\nпривет\n' > "${TMP}/dätei.txt"
$MPREMOTE resume mkdir :ordner_ß
$MPREMOTE resume cp "${TMP}/dätei.txt" :ordner_ß/кот.txt
$MPREMOTE resume ls :ordner_ß | sed 's/^ *[0-9]* //'
$MPREMOTE resume cat :ordner_ß/кот.txt
$MPREMOTE resume cp :ordner_ß/кот.txt "${TMP}/zurück.txt"
cmp "${TMP}/dätei.txt" "${TMP}/zurück.txt"
$MPREMOTE resume exec "print(open('ordner_ß/кот.txt').read(12))"
$MPREMOTE resume rm :ordner_ß/кот.txt
$MPREMOTE resume rmdir :ordner_ß

echo ----- mount
mkdir "${TMP}/lokal_ö"
printf 'ääää€€\nx\n' > "${TMP}/lokal_ö/größe.txt"
$MPREMOTE mount "${TMP}/lokal_ö" exec "import os; print(os.listdir()); f = open('größe.txt'); print(f.read(3), f.readline(), f.readlines())"
$MPREMOTE mount "${TMP}/lokal_ö" exec "f = open('новый.txt', 'w'); f.write('日本\n'); f.close()"
cat "${TMP}/lokal_ö/новый.txt"
