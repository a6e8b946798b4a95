"""Erase units, what differs and what is written: what comes out of a plan, played on a flash in memory."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from upytool.errors import FlashError, ImageError
from upytool.flashers.sectors import (
    Change,
    SectorPlan,
    Unit,
    Zone,
    aligned,
    batches,
    differing,
    join,
    split,
    units_of,
    writes,
)
from upytool.image.memory import Memory

EVEN = (Zone(0x1000, 0x8000, 0x1000),)
# as an STM32F405's: 4 x 16, 1 x 64, and a read-only tail
MIXED = (
    Zone(0x8000000, 0x10000, 0x4000),
    Zone(0x8010000, 0x10000, 0x10000),
    Zone(0x8020000, 0x800, 0x800, erasable=False, writable=False),
)


def test_join_and_split() -> None:
    assert join([(10, 5), (0, 10), (20, 1), (12, 1), (30, 0)]) == [(0, 15), (20, 1)]
    assert split([(3, 10)], 4) == [(3, 1), (4, 4), (8, 4), (12, 1)]
    assert split([(4, 8), (16, 2)], 4) == [(4, 4), (8, 4), (16, 2)]


def test_units_of_mixed_sizes() -> None:
    units = units_of(MIXED, [(0x800FFFF, 2), (0x8000001, 1)])
    assert [(each.address, each.size) for each in units] == [
        (0x8000000, 0x4000),
        (0x800C000, 0x4000),
        (0x8010000, 0x10000),
    ]
    with pytest.raises(ImageError, match="0x8020800"):
        units_of(MIXED, [(0x8020000, 0x801)])


def test_erasing_wants_whole_units() -> None:
    assert len(aligned(EVEN, 0x2000, 0x3000)) == 3
    with pytest.raises(FlashError, match="whole sectors") as caught:
        aligned(EVEN, 0x2100, 0x1000)
    assert "0x2000 to 0x4000" in caught.value.hint
    with pytest.raises(FlashError, match="not all flash"):
        aligned(EVEN, 0x8000, 0x2000)
    with pytest.raises(FlashError, match="empty"):
        aligned(EVEN, 0x2000, 0)
    with pytest.raises(FlashError, match="0x8020000 be erased"):
        aligned(MIXED, 0x8020000, 0x800)


def test_protected_zones_are_refused_before_anything_is_written() -> None:
    with pytest.raises(FlashError, match="0x8020000"):
        SectorPlan.of(MIXED, Memory.of([(0x801FFF0, bytes(32))]))


def test_the_rest_of_a_partly_written_unit_stays() -> None:
    old = Memory.of([(0x2000, bytes(range(256)) * 16)])
    plan = SectorPlan.of(EVEN, Memory.of([(0x2010, b"new!")]))
    assert plan.partial == {0x2000}
    assert plan.reads() == plan.reads(whole=True) == [(0x2000, 0x1000)]
    (change,) = plan.changes(old)
    assert change.data == old.segments[0].data[:16] + b"new!" + old.segments[0].data[20:]
    assert plan.held([change]) == 0
    same = SectorPlan.of(EVEN, Memory.of([(0x2010, bytes(range(16, 20)))]))
    assert same.changes(old) == ()
    assert same.held(()) == 4


def test_whole_reads_only_what_is_covered_in_part() -> None:
    plan = SectorPlan.of(EVEN, Memory.of([(0x1000, bytes(0x2800))]))
    assert plan.reads() == [(0x1000, 0x3000)]
    assert plan.reads(whole=True) == [(0x3000, 0x1000)]
    assert len(plan.changes(Memory(), whole=True)) == 3


def test_units_that_cannot_be_read_are_written() -> None:
    zone = (Zone(0, 0x2000, 0x1000, readable=False),)
    plan = SectorPlan.of(zone, Memory.of([(0, b"abcd")]))
    assert plan.reads() == []
    (change,) = plan.changes(Memory())
    assert change.data == b"abcd" + b"\xff" * 0xFFC


def changed(address: int, data: bytes) -> Change:
    return Change(Unit(address, 0x1000), data.ljust(0x1000, b"\xff"))


def test_batches() -> None:
    many = [changed(at, b"x") for at in (0x1000, 0x2000, 0x3000, 0x5000)]
    assert [[each.unit.address for each in group] for group in batches(many, 0x2000)] == [
        [0x1000, 0x2000],
        [0x3000],
        [0x5000],
    ]
    assert batches([], 10) == []


def test_writes_leave_out_what_erasing_did() -> None:
    first = changed(0x1000, b"\xff" * 256 + b"x" * 300)
    assert writes([first], 256, 0x1000) == [(0x1100, b"x" * 300 + b"\xff" * 212)]
    assert writes([changed(0x1000, b"")], 256, 0x1000) == []
    blank_between = [changed(0x1000, b"a" * 0x1000), changed(0x2000, b""), changed(0x3000, b"b")]
    assert [(at, len(data)) for at, data in writes(blank_between, 256, 0x8000)] == [(0x1000, 0x1000), (0x3000, 256)]


def test_differing() -> None:
    memory = Memory.of([(0, bytes(64)), (100, b"abc")])
    flash = Memory.of([(0, bytes(20) + b"x" + bytes(43)), (100, b"abc")])
    assert differing(memory, flash) == [(16, 16)]
    assert differing(memory, memory) == []
    assert differing(memory, Memory.of([(0, bytes(32)), (100, b"abc")])) == [(32, 32)]
    erased = Memory.of([(0, b"\xff" * 8)])
    assert differing(erased, Memory()) == [(0, 8)], "what was not read is not equal"


pieces = st.lists(
    st.tuples(st.integers(0, 0x3F00), st.sampled_from([b"\xff", b"\0", b"a"]), st.integers(1, 0x180)),
    min_size=1,
    max_size=5,
)


@settings(max_examples=150)
@given(image=pieces, before=pieces, whole=st.booleans(), limit=st.sampled_from([0x100, 0x400, 0x2000]))
def test_a_plan_played_on_a_flash_makes_the_image_and_nothing_else(
    image: list[tuple[int, bytes, int]], before: list[tuple[int, bytes, int]], whole: bool, limit: int
) -> None:
    flash = bytearray(b"\xff" * 0x4000)
    for address, byte, size in before:
        flash[address : address + size] = (byte * size)[: 0x4000 - address]
    memory = Memory()
    for address, byte, size in image:
        memory = memory.replaced(address, (byte * size)[: 0x4000 - address])
    expected = bytearray(flash)
    for segment in memory:
        expected[segment.address : segment.end] = segment.data
    plan = SectorPlan.of((Zone(0, 0x4000, 0x400),), memory)
    old = Memory.of((at, bytes(flash[at : at + size])) for at, size in plan.reads(whole=whole))
    changes = plan.changes(old, whole=whole)
    for change in changes:
        flash[change.unit.address : change.unit.end] = b"\xff" * change.unit.size
    for address, data in writes(changes, 0x100, limit):
        assert len(data) <= limit
        assert address % 0x100 == len(data) % 0x100 == 0
        for index, byte in enumerate(data):
            flash[address + index] &= byte
    assert flash == expected
    after = Memory.of([(0, bytes(flash))])
    assert plan.changes(after) == ()
    assert differing(memory, after) == []
    if not whole:
        assert all(old.get(each.unit.address, each.unit.size) != each.data for each in changes)
