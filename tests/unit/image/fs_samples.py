"""Trees of files for the file system tests."""

from __future__ import annotations

import random


def sample(count: int = 12, seed: int = 1) -> dict[str, bytes]:
    """Small, large, empty and deep files."""
    rnd = random.Random(seed)
    files = {
        "main.py": b"print('hi')\n",
        "lib/greet.mpy": rnd.randbytes(700),
        "data/big.bin": rnd.randbytes(21000),
        "empty": b"",
        "a/b/c/deep.txt": b"deep",
        "Mixed Case and Gr\u00fc\u00dfe.text": b"x" * 600,
        "UPPER.TXT": b"1",
    }
    for number in range(count):
        files[f"pkg/module_number_{number:02}.py"] = rnd.randbytes(rnd.randrange(3000))
    return files


def tree_of(files: dict[str, bytes], directories: tuple[str, ...] = ()) -> dict[str, bytes | None]:
    """With the directories, as `Seen.files` has them."""
    out: dict[str, bytes | None] = dict(files)
    for path in (*files, *directories):
        parts = path.split("/")
        depth = len(parts) if path in directories else len(parts) - 1
        for end in range(1, depth + 1):
            out["/".join(parts[:end])] = None
    return out
