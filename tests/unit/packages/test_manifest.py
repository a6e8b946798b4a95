"""package.json: read strictly, every fault named."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upytool import limits
from upytool.errors import PackageError
from upytool.inner_path import PackagePath
from upytool.packages.manifest import (
    Dependency,
    HashedFile,
    PackageManifest,
    UrlFile,
    manifest_from,
    package_path,
    parse_manifest,
)


def test_everything_is_read() -> None:
    text = json.dumps(
        {
            "v": 1,
            "version": "1.2",
            "hashes": [["a/b.mpy", "0123ABCD"]],
            "urls": [["c.py", "github:o/r/c.py"], ["d.py", "src/d.py"]],
            "deps": [["e", "latest"], ["github:o/e", "v1"]],
            "license": "MIT",
        }
    )
    assert parse_manifest(text, "x") == PackageManifest(
        "1.2",
        (HashedFile(PackagePath("a/b.mpy"), "0123abcd"),),
        (UrlFile(PackagePath("c.py"), "github:o/r/c.py"), UrlFile(PackagePath("d.py"), "src/d.py")),
        (Dependency("e", None), Dependency("github:o/e", "v1")),
    )


@pytest.mark.parametrize(
    ("raw", "named"),
    [
        ([], "the file"),
        ({"v": "1"}, "v should be"),
        ({"v": 2}, "format v 2"),
        ({"version": []}, "version should be"),
        ({"hashes": {}}, "hashes should be a list"),
        ({"hashes": [["a.py"]]}, "hashes[0] should be a list of two"),
        ({"hashes": [["a.py", "xyz"]]}, "hashes[0][1] should be"),
        ({"hashes": [["a.py", "0123"]]}, "8 to 64 hex digits"),
        ({"hashes": [[1, "01234567"]]}, "hashes[0][0] should be a text"),
        ({"urls": [["a.py", "ok"], ["b.py", 7]]}, "urls[1][1] should be a text"),
        ({"urls": [["a.py", "src\\a.py"]]}, 'with "/"'),
        ({"urls": [["../a.py", "a.py"]]}, "urls[0][0] is '../a.py'"),
        ({"urls": [["a/../../b.py", "a.py"]]}, "not a path below the target"),
        ({"urls": [["C:/x.py", "a.py"]]}, "not a path below the target"),
        ({"urls": [["", "a.py"]]}, "not a path below the target"),
        ({"urls": [["a/", "a.py"]]}, "not a path below the target"),
        ({"urls": [[".upytool.json", "a.py"]]}, "keeps this name"),
        ({"urls": [["a.py", "x"], ["a.py", "y"]]}, "urls[1] names a.py again"),
        ({"hashes": [["a.py", "01234567"]], "urls": [["a.py", "x"]]}, "urls[0] names a.py again"),
        ({"deps": ["name"]}, "deps[0] should be a list of two"),
        ({"deps": [["", "1"]]}, "deps[0][0] should be"),
        ({"deps": [["a", 1]]}, "deps[0][1] should be a text"),
    ],
)
def test_faults_are_named(raw: Any, named: str) -> None:
    with pytest.raises(PackageError) as caught:
        parse_manifest(json.dumps(raw), "the/origin")
    assert named in caught.value.message
    assert "the/origin" in caught.value.message


@pytest.mark.parametrize(
    "text",
    [b"", b"<html>", b"\xff\xfe{", b"{", b"[" * 100_000, b"[" * 70 + b"]" * 70, b'{"v": 1e999}',
     b'{"v": 1' + b"0" * 400 + b"}", b'{"version": "\\ud800"}'],
)  # fmt: skip
def test_not_json(text: bytes) -> None:
    with pytest.raises(PackageError, match="the/origin") as caught:
        parse_manifest(text, "the/origin")
    assert caught.value.hint


def test_a_byte_order_mark_is_no_fault() -> None:
    assert parse_manifest(b'\xef\xbb\xbf{"version": "1"}', "x").version == "1"


def test_many_entries() -> None:
    deps = [[f"d{number}", "1"] for number in range(limits.PACKAGE_ENTRIES)]
    assert len(parse_manifest(json.dumps({"deps": deps}), "x").deps) == len(deps)
    with pytest.raises(PackageError, match="entries"):
        parse_manifest(json.dumps({"deps": [*deps, ["one", "more"]]}), "x")


def test_leading_slashes_stay_below_the_target() -> None:
    assert package_path("/a.py") == "a.py"
    assert package_path("./a//b.py") == "a/b.py"


@pytest.mark.parametrize("text", [".upytool.json", "/.upytool-stage/0", "lib/.upytool.json", ".UPYTOOL.JSON"])
def test_our_own_names_are_kept(text: str) -> None:
    with pytest.raises(ValueError, match="keeps"):
        package_path(text)


paths = st.lists(st.text("abc_-", min_size=1, max_size=5), min_size=1, max_size=3).map("/".join)
hexes = st.text("0123456789abcdef", min_size=8, max_size=64)
words = st.text(st.characters(categories=["L", "N"], include_characters=":/.-_@"), min_size=1, max_size=20)


@st.composite
def manifests(draw: st.DrawFn) -> PackageManifest:
    places = draw(st.lists(paths, unique=True, max_size=6))
    split = draw(st.integers(0, len(places)))
    deps = draw(st.lists(st.tuples(words, words.filter(lambda w: w != "latest") | st.none()), unique=True, max_size=4))
    return PackageManifest(
        draw(words | st.none()),
        tuple(HashedFile(PackagePath(path), draw(hexes)) for path in places[:split]),
        tuple(UrlFile(PackagePath(path), draw(words)) for path in places[split:]),
        tuple(Dependency(*each) for each in deps),
    )


@given(manifests())
def test_round_trip(manifest: PackageManifest) -> None:
    assert parse_manifest(json.dumps(manifest.data()), "x") == manifest


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)
near = st.fixed_dictionaries({}, optional=dict.fromkeys(("v", "version", "hashes", "urls", "deps"), json_values))


@given(near | json_values)
def test_any_json_is_read_or_refused(raw: Any) -> None:
    try:
        manifest = manifest_from(raw, "x")
    except PackageError:
        return
    for path in [each.path for each in manifest.hashes] + [each.path for each in manifest.urls]:
        assert isinstance(path, PackagePath)
        assert package_path(path) == path
    assert manifest_from(json.loads(json.dumps(manifest.data())), "x") == manifest
