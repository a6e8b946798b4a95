"""A model of the program picotool over a flash in a file: it prints what picotool's README and sources show.

`mode` (a file beside the flash) makes it fail: denied, gone, hang, broken, lazy, other, table.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from upytool.image.uf2 import read_uf2

BASE = 0x10000000
MISSING = "No accessible RP-series devices in BOOTSEL mode were found"
DENIED = (
    f"{MISSING}.\n\nbut:\n\nRP2040 device at bus 1, address 5 appears to be in BOOTSEL mode, but picotool was "
    "unable to connect. Maybe try 'sudo' or check your permissions."
)
DEVICE = "Device Information\n type:       RP2040\n revision:   B2\n flash size: 2048K\n flash id:   0xE66118604B6F5A2B"


def bar(what: str) -> None:
    for percent in (0, 37, 100):
        print(f"{what}: [{'=' * (percent // 5):20}]  {percent}%", end="\r", flush=True)
        time.sleep(0.01)
    print()


def fail(words: str, code: int) -> None:
    print(words)
    sys.exit(code)


def main(home: str) -> None:
    """Do what sys.argv says on the board in the folder `home`."""
    folder, words = Path(home), sys.argv[1:]
    mode = (folder / "mode").read_text() if (folder / "mode").exists() else ""
    with (folder / "log").open("a") as log:
        log.write(" ".join(words) + "\n")
    if words == ["version"]:
        print("something else" if mode == "other" else "picotool v2.1.1 (Linux, GNU-12.2.0, Release)")
        return
    assert words[-4:] == ["--bus", "1", "--address", "5"], words
    if mode == "denied":
        fail(DENIED, 249)
    if mode == "gone":
        fail(f"{MISSING} with bus 1 and address 5.", 249)
    if mode == "hang" and words[0] == "load":
        time.sleep(60)
    if mode == "broken" and words[0] != "info":
        fail("Loading into Flash: [===       ]  12%\rERROR: Communication with device failed.", 1)
    store = folder / "flash"
    flash = bytearray(store.read_bytes())
    if words[0] == "info":
        print(DEVICE)
    elif words[:2] == ["partition", "info"]:
        print("un-partitioned_space : S(rw)\npartitions:\n 0(A)" if mode == "table" else "there is no partition table")
    elif words[0] == "save":
        bar("Saving file")
        Path(words[4]).write_bytes(flash[int(words[2], 16) - BASE : int(words[3], 16) - BASE])
    elif words[0] == "load":
        load(flash, words)
    elif words[0] == "erase":
        low, high = BASE, BASE + len(flash)
        if words[1] != "-a":
            low, high = int(words[2], 16), int(words[3], 16)
        bar("Erasing")
        if mode != "lazy":
            flash[low - BASE : high - BASE] = b"\xff" * (high - low)
    elif words[0] == "reboot":
        print("The device was rebooted into application mode.")
    else:
        sys.exit(2)
    store.write_bytes(flash)


def load(flash: bytearray, words: list[str]) -> None:
    raw = Path(words[1]).read_bytes()
    if "uf2" in words:
        pieces = [(each.address, each.data) for each in read_uf2(raw).memory]
    else:
        pieces = [(int(words[words.index("-o") + 1], 16), raw)]
    bar("Loading into Flash")
    for address, data in pieces:
        assert address % 4096 == len(data) % 4096 == 0, "picotool would fill up with zeros"
        flash[address - BASE : address - BASE + len(data)] = data
    bar("Verifying Flash")
    print("  OK")
