"""Ctrl-C for a VM that runs without looking at its input (placeholder until addresses are known)."""

from __future__ import annotations

import ctypes

from .wasi import Memory


class Interrupter:
    def __init__(self) -> None:
        self.ready = False

    def attach(self, memory: Memory, words: list[int]) -> None:
        pass

    def fire(self) -> None:
        pass

    def clear(self) -> None:
        pass

    def detach(self) -> None:
        pass
