"""Graphs: circles, versions, conflicts."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable

import pytest

from tests.fixtures.make_index import IndexBuilder
from tests.unit.packages.web import Answer, Web
from upytool.errors import PackageError
from upytool.packages.download import Fetcher
from upytool.packages.hosts import Hosts
from upytool.packages.index import search, suggest
from upytool.packages.installer import context_for
from upytool.packages.resolver import Resolution, resolve
from upytool.packages.sources import IndexSource, parse_source


class Index:
    def __init__(self, builder: IndexBuilder, fetcher: Fetcher) -> None:
        self.builder, self.fetcher = builder, fetcher

    def add(self, name: str, version: str = "1.0", *deps: str) -> None:
        pairs = [[dep.partition("@")[0], dep.partition("@")[2] or "latest"] for dep in deps]
        self.builder.add(name, version, {f"{name}.py": f"v = {version!r}".encode()}, deps=pairs, mpy=False)

    def resolve(self, *specs: str, deps: bool = True) -> Resolution:
        hosts = Hosts()
        context = context_for(self.fetcher, hosts, [str(self.builder.folder)], "py")
        return resolve([parse_source(each, hosts) for each in specs], context, deps=deps)

    def versions(self, *specs: str) -> dict[str, str | None]:
        return {each.name: each.version for each in self.resolve(*specs).packages}


@pytest.fixture
def world(index: IndexBuilder, fetcher: Fetcher) -> Index:
    return Index(index, fetcher)


def test_needed_ones_come_first(world: Index) -> None:
    world.add("a", "1.0", "b", "c")
    world.add("b", "1.0", "c")
    world.add("c")
    made = world.resolve("a")
    assert [each.name for each in made.packages] == ["c", "b", "a"]
    assert [each.requested for each in made.packages] == [False, False, True]
    assert made.packages[-1].deps == ("b", "c")


def test_circles_are_read_once(world: Index) -> None:
    world.add("a", "1.0", "b", "a")
    world.add("b", "1.0", "c")
    world.add("c", "1.0", "a", "b")
    assert sorted(world.versions("a")) == ["a", "b", "c"]
    assert sorted(world.versions("c", "b")) == ["a", "b", "c"]


def test_a_pin_goes_before_the_newest(world: Index) -> None:
    for version in ("1.0", "2.0"):
        world.add("c", version)
    world.add("a", "1.0", "c", "b")
    world.add("b", "1.0", "c@1.0")
    assert world.versions("a")["c"] == "1.0"
    assert world.versions("c", "a")["c"] == "1.0"


def test_the_user_goes_before_packages(world: Index) -> None:
    for version in ("1.0", "2.0"):
        world.add("c", version)
    world.add("a", "1.0", "c@1.0")
    made = world.resolve("a", "c@2.0")
    assert {each.name: each.version for each in made.packages}["c"] == "2.0"
    assert any("a wants c 1.0" in note for note in made.notes)


def test_conflicts_name_both(world: Index) -> None:
    for version in ("1.0", "2.0"):
        world.add("c", version)
    world.add("a", "1.0", "c@1.0")
    world.add("b", "1.0", "c@2.0")
    with pytest.raises(PackageError, match=r"a wants c 1\.0, and b wants c 2\.0") as caught:
        world.resolve("a", "b")
    assert "c@VERSION" in caught.value.hint
    assert world.versions("a", "b", "c@2.0")["c"] == "2.0"
    with pytest.raises(PackageError, match=r"asked for as 1\.0 and as 2\.0"):
        world.resolve("c@1.0", "c@2.0")


def test_a_missing_dependency_names_who_needs_it(world: Index) -> None:
    world.add("a", "1.0", "gone")
    with pytest.raises(PackageError) as caught:
        world.resolve("a")
    assert (caught.value.code, caught.value.fields["name"]) == ("network.no-package", "gone")
    assert "needed by a" in caught.value.hint


def test_a_missing_version_lists_those_there_are(world: Index) -> None:
    for version in ("1.0", "2.0"):
        world.add("c", version)
    with pytest.raises(PackageError) as caught:
        world.resolve("c@3.0")
    assert caught.value.code == "network.no-version"
    assert (caught.value.fields["name"], caught.value.fields["version"]) == ("c", "3.0")
    assert "1.0, 2.0" in caught.value.hint


def test_without_dependencies(world: Index) -> None:
    world.add("a", "1.0", "gone")
    assert [each.name for each in world.resolve("a", deps=False).packages] == ["a"]


def test_two_packages_one_file(world: Index) -> None:
    world.builder.add("a", "1", {"x.py": b"1"}, mpy=False)
    world.builder.add("b", "1", {"x.py": b"2"}, mpy=False)
    world.builder.add("c", "1", {"x.py": b"2"}, mpy=False)
    with pytest.raises(PackageError, match=r"a and b both bring x\.py"):
        world.resolve("a", "b")
    assert len(world.resolve("b", "c").packages) == 2


def test_an_endless_graph_ends(world: Index) -> None:
    for number in range(502):
        world.add(f"p{number}", "1.0", f"p{number + 1}")
    with pytest.raises(PackageError, match="more than 500"):
        world.resolve("p0")


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("micropython-umqtt.simple", "umqtt.simple"),
        ("umqtt_simple", "umqtt.simple"),
        ("aiobel", "aioble"),
        ("requets", "requests"),
        ("urequests", "requests"),
        ("mqtt", "umqtt.simple"),
    ],
)
def test_did_you_mean(world: Index, typed: str, meant: str) -> None:
    for name in ("umqtt.simple", "aioble", "requests", "ssl"):
        world.add(name)
    with pytest.raises(PackageError) as caught:
        world.resolve(typed)
    assert (caught.value.code, caught.value.fields["name"]) == ("network.no-package", typed)
    assert "did you mean" in caught.value.hint
    assert meant in caught.value.hint.splitlines()[0]


def test_no_likeness_no_suggestion() -> None:
    assert suggest("zzzz", ["aioble", "requests"]) == []


def test_search(world: Index) -> None:
    world.builder.add("aioble", "1", {"a.py": b""}, description="Bluetooth for asyncio", mpy=False)
    world.builder.add("bt-tools", "1", {"b.py": b""}, description="uses aioble", mpy=False)
    context = context_for(world.fetcher, Hosts(), [str(world.builder.folder)], "py")
    entries = context.indexes[0].entries(world.fetcher)
    assert [each.name for each in search(entries, ["AIOBLE"])] == ["aioble", "bt-tools"]
    assert [each.name for each in search(entries, ["blue", "asyncio"])] == ["aioble"]
    assert search(entries, ["nothing"]) == []


def test_one_level_is_read_in_one_breath(web: Web, fetcher: Fetcher) -> None:
    """No manifest of a level is answered before all of them are asked for; what they need comes in the next."""
    barrier = threading.Barrier(8)

    def answer(deps: list[list[str]]) -> Callable[[object], Answer]:
        def route(_: object) -> Answer:
            barrier.wait(10)
            return Answer(json.dumps({"deps": deps}).encode())

        return route

    for number in range(8):
        deps = [[f"d{number}", ""], ["d0", ""]]
        web.routes[f"/package/py/p{number}/latest.json"] = answer(deps)  # type: ignore[assignment]
        web.routes[f"/package/py/d{number}/latest.json"] = answer([])  # type: ignore[assignment]
    context = context_for(fetcher, Hosts(), [web.address], "py")
    found = resolve([IndexSource(f"p{number}") for number in range(8)], context)
    assert [each.name for each in found.packages if each.requested] == [f"p{number}" for number in range(8)]
    assert len(found.packages) == len(web.seen) == 16


def test_the_first_missing_package_is_named(web: Web, fetcher: Fetcher) -> None:
    web.add("/package/py/p0/latest.json", "{}")
    web.add("/package/py/p3/latest.json", json.dumps({"deps": [["gone", ""]]}))
    context = context_for(fetcher, Hosts(), [web.address], "py")
    with pytest.raises(PackageError, match="package p1 "):
        resolve([IndexSource(f"p{number}") for number in range(4)], context)
    with pytest.raises(PackageError, match="package gone ") as caught:
        resolve([IndexSource("p0"), IndexSource("p3")], context)
    assert "p3" in caught.value.hint
