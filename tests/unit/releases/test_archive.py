"""Archives that mean harm, and addresses with passwords."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fixtures.firmware_site import Site, uf2
from tests.unit.releases.conftest import Heard
from upytool import limits
from upytool.errors import ImageError, UsageError
from upytool.releases.archive import check_archive
from upytool.releases.download import fetch
from upytool.releases.resolve import find_release
from upytool.releases.source import ReleaseSource

SECRET = "hunter2hunter2"


def packed(files: dict[str, bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return made.getvalue()


GOOD = packed({"firmware.bin": b"\x01\x02" * 4096, "read me.txt": b"text", "d/x.toc": b""})


def test_a_good_one() -> None:
    check_archive(GOOD, "x.zip")


def test_a_bomb() -> None:
    with pytest.raises(ImageError):
        check_archive(packed({"a.bin": bytes(8 << 20)}), "x.zip")


def test_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "ARCHIVE_BYTES", 10_000)
    check_archive(GOOD, "x.zip")
    with pytest.raises(ImageError):
        check_archive(packed({"a": b"x" * 5001, "b": b"y" * 5001}), "x.zip")


@pytest.mark.parametrize("comment", [b"", b"a comment"])
def test_too_many(comment: bytes) -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for number in range(limits.ARCHIVE_ENTRIES + 1):
            archive.writestr(str(number), b"")
        archive.comment = comment
    with pytest.raises(ImageError):
        check_archive(made.getvalue(), "x.zip")


def test_a_huge_directory_is_not_even_read(monkeypatch: pytest.MonkeyPatch) -> None:
    data = packed({"n" * 400: b"", "m" * 400: b""})
    monkeypatch.setattr(limits, "ARCHIVE_ENTRIES", 1)
    monkeypatch.setattr(zipfile, "ZipFile", lambda *_: pytest.fail("it was opened"))
    with pytest.raises(ImageError):
        check_archive(data, "x.zip")


@pytest.mark.parametrize("name", ["../x", "a/../../x", "/x", "..\\x", "n" * 300])
def test_names_that_lead_out(name: str) -> None:
    with pytest.raises(ImageError):
        check_archive(packed({name: b"x"}), "x.zip")


@pytest.mark.parametrize("way", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_unusual_packing_is_refused_unread(way: int) -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", way) as archive:
        archive.writestr("firmware.bin", b"x" * 1000)
    data = made.getvalue()
    at = data.index(b"firmware.bin") + len(b"firmware.bin") + 4
    with pytest.raises(ImageError):
        check_archive(data[:at] + b"\xff" * 8 + data[at + 8 :], "x.zip")


@given(st.integers(0, len(GOOD) - 1), st.binary(min_size=1, max_size=6), st.integers(0, 20))
@settings(max_examples=200)
def test_damage_is_one_error(at: int, noise: bytes, cut: int) -> None:
    data = GOOD[:at] + noise + GOOD[at + len(noise) : len(GOOD) - cut]
    try:
        check_archive(data, "x.zip")
    except ImageError:
        pass


@pytest.mark.parametrize("way", ["login", "query"])
def test_no_secret_is_kept(site: Site, source: ReleaseSource, heard: Heard, tmp_path: Path, way: str) -> None:
    path = "/my.uf2" + (f"?token={SECRET}" if way == "query" else "")
    site.web.add(path, uf2())
    url = (site.address.replace("//", f"//me:{SECRET}@") if way == "login" else site.address) + path
    found = fetch(find_release(url, source), source, output=str(tmp_path / "out.uf2"))
    assert ("authorization" in site.web.seen[-1][1]) is (way == "login")
    assert fetch(find_release(url, source), source).sha256 == found.sha256
    assert SECRET not in json.dumps(found.data()) + repr(found) + heard.said
    for each in tmp_path.rglob("*"):
        assert not each.is_file() or SECRET.encode() not in each.read_bytes()


@pytest.mark.parametrize("tail", ["con.uf2", "..%2Fx.uf2", "a%5Cb.uf2", "x.uf2.", "%00.uf2", "n" * 300 + ".uf2", ""])
def test_an_address_without_a_usable_name(source: ReleaseSource, tail: str) -> None:
    with pytest.raises(UsageError):
        find_release(f"http://127.0.0.1:9/{tail}", source)
