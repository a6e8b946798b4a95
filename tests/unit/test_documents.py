"""The readers of JSON, TOML and text: any bytes at all end in a value or in one error of the caller's class."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from upytool import documents, limits
from upytool.errors import PackageError

HOSTILE = [
    b"[" * 100_000,
    b'{"a":' * 5_000,
    b"[" * 200 + b"]" * 200,
    b"[1e999]",
    b"[NaN]",
    b"[-Infinity]",
    b"[" + b"9" * 400 + b"]",
    b"[" + b"9" * 5_000 + b"]",
    b'["\\ud800"]',
    b'{"\\udfff": 1}',
    b"\xff\xfe{",
    b"\x00",
    b"",
    b"a = " + b"[" * 10_000,
    b"a = " + b"[" * 200 + b"]" * 200,
    b"a = inf",
    b"a = nan",
    b"a = " + b"9" * 400,
    b"a = \xff",
]


TOML_TABLES = (b"", b"[NaN]", b"[-Infinity]", b"[1e999]")


@pytest.mark.parametrize("data", HOSTILE, ids=range(len(HOSTILE)))
@pytest.mark.parametrize("parse", [documents.parse_json, documents.parse_toml])
def test_hostile_documents_are_one_error(parse, data: bytes) -> None:
    if parse is documents.parse_toml and (data in TOML_TABLES or data[1:-1].isdigit()):
        parse(data, "x")
        return
    with pytest.raises(PackageError) as caught:
        parse(data, "x.json", error=PackageError)
    assert "x.json" in caught.value.message


@settings(max_examples=300)
@given(st.binary(max_size=200) | st.text(max_size=200))
def test_any_input_ends_in_a_value_or_the_named_error(data) -> None:
    for parse in (documents.parse_json, documents.parse_toml):
        try:
            parse(data, "x", error=PackageError)
        except PackageError:
            pass


@given(st.recursive(st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(), st.lists, max_leaves=20))
def test_what_json_writes_is_read_back(value) -> None:
    value = json.loads(json.dumps(value))
    assert documents.parse_json(json.dumps(value), "x") == value


def test_a_byte_order_mark_and_windows_line_ends_are_read(tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    file.write_bytes(b"\xef\xbb\xbfa = 1\r\nb = 2\r\n")
    assert documents.read_toml(file) == {"a": 1, "b": 2}
    assert documents.read_text(file) == "a = 1\nb = 2\n"


def test_values_and_bytes_have_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "DOCUMENT_VALUES", 10)
    with pytest.raises(PackageError):
        documents.parse_json(json.dumps(list(range(20))), "x", error=PackageError)
    monkeypatch.setattr(limits, "DOCUMENT_BYTES", 10)
    file = tmp_path / "large"
    file.write_bytes(bytes(11))
    with pytest.raises(PackageError):
        documents.read_bytes(file, error=PackageError)


@pytest.mark.timeout(10)
def test_only_regular_files_are_read(tmp_path: Path) -> None:
    places = [tmp_path, tmp_path / "missing", Path("/dev/zero"), Path("a\0b")]
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "fifo")
        places.append(tmp_path / "fifo")
    for place in places:
        with pytest.raises(PackageError):
            documents.read_bytes(place, error=PackageError)
