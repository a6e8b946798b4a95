"""Getting files from a server that breaks its word; the cache and the record."""

from __future__ import annotations

import hashlib
import io
import json
import threading
import zipfile
from pathlib import Path

import pytest

from tests.fakes.esp_firmware import esp_image
from tests.fixtures.firmware_site import Site, uf2
from tests.unit.packages.web import Answer
from tests.unit.releases.conftest import Heard, Open
from upytool.errors import ImageError, LocalFileError, NetworkError, OfflineError, UpytoolError, UsageError
from upytool.events import TaskAdvanced, TaskStarted
from upytool.releases.download import fetch
from upytool.releases.resolve import find_release
from upytool.releases.source import ReleaseSource

NAME = "RPI_PICO-20251209-v1.27.0.uf2"


def kept(source: ReleaseSource) -> list[Path]:
    """Every file of firmware below the cache, finished or not."""
    return [path for path in (source.store.folder / "files").rglob("*") if path.is_file()]


def recorded(source: ReleaseSource) -> dict[str, dict[str, object]]:
    try:
        return dict(json.loads(source.store.record.read_text())["files"])
    except FileNotFoundError:
        return {}


def test_a_file_comes_whole(site: Site, source: ReleaseSource, heard: Heard) -> None:
    content = site.add(NAME)
    found = fetch(find_release("pico", source), source)
    assert found.path.read_bytes() == content
    assert found.path.name == NAME
    assert (found.sha256, found.size, found.cached) == (hashlib.sha256(content).hexdigest(), len(content), False)
    assert found.image is not None
    assert (found.image.chip, found.image.identity.build, found.warnings) == ("rp2040", "RPI_PICO", ())
    (entry,) = recorded(source).items()
    assert entry[0] == f"{site.address}/resources/firmware/{NAME}"
    assert entry[1]["sha256"] == found.sha256
    started = [each for each in heard.events if isinstance(each, TaskStarted)]
    assert [(each.label, each.total) for each in started] == [(NAME, len(content))]
    assert [each.done for each in heard.events if isinstance(each, TaskAdvanced)][-1] == len(content)


def test_once_is_enough(site: Site, source: ReleaseSource, open_source: Open) -> None:
    site.add(NAME)
    first = fetch(find_release("pico", source), source)
    for each in (source, open_source(), open_source(offline=True)):
        again = fetch(find_release("pico", each), each)
        assert (again.cached, again.path, again.sha256) == (True, first.path, first.sha256)
        assert again.release.sha256 == first.sha256
    assert site.asked(NAME) == 1


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (Answer(b"", 404), NetworkError, "is not on the server"),
        (Answer(b"", 500), NetworkError, "HTTP status 500"),
        (Answer(b"", 403), NetworkError, "refuses access"),
        (Answer(uf2(), claim=len(uf2()) + 512), NetworkError, "ended early"),
        (Answer(uf2(), claim=len(uf2()) - 512), ImageError, r"block|cut|missing|incomplete"),
        (Answer(hang_up=True), NetworkError, r"."),
        (Answer(uf2(), wait=1.2), NetworkError, "timed out"),
        (Answer(uf2(size=500), drip=0.02), NetworkError, r"too slow|timed out|in time"),
        (Answer(b"<!DOCTYPE html><html><body>Please log in</body></html>"), ImageError, "web page"),
        (Answer(b""), ImageError, "empty"),
        (Answer(uf2()[:-512]), ImageError, r"block|cut|missing|incomplete"),
        (Answer(uf2()[:700]), ImageError, r"."),
        (Answer(bytes(3_000_000)), UpytoolError, "larger than"),
        (Answer(b"\x7fELF" + bytes(1000)), ImageError, "ELF"),
        (Answer(esp_image("esp32", bytes(4000))), ImageError, r"called \.uf2, but holds a ESP image"),
        (Answer(b"", 302, {"Location": "file:///etc/passwd"}), NetworkError, "unusable address"),
        (Answer(b"", 302, {"Location": f"/resources/firmware/{NAME}"}), NetworkError, "redirects more than"),
    ],
)
def test_a_bad_answer_leaves_nothing(
    site: Site, source: ReleaseSource, answer: Answer, error: type[UpytoolError], words: str
) -> None:
    site.add(NAME, answer)
    release = find_release("pico", source)
    with pytest.raises(error, match=words):
        fetch(release, source)
    assert kept(source) == []
    assert recorded(source) == {}
    good = site.add(NAME)  # running it again succeeds
    assert fetch(release, source).path.read_bytes() == good


def test_a_cut_is_tried_again(site: Site, source: ReleaseSource) -> None:
    content = site.add(NAME)
    site.web.routes[f"/resources/firmware/{NAME}"] = [Answer(content[:3000], claim=len(content)), Answer(content)]
    assert fetch(find_release("pico", source), source).path.read_bytes() == content
    assert all(headers["user-agent"].endswith("(firmware)") for _, headers in site.web.seen)


def test_redirects(site: Site, source: ReleaseSource) -> None:
    content = site.add(NAME)
    site.web.routes["/mirror/a"] = Answer(content)
    site.web.routes[f"/resources/firmware/{NAME}"] = Answer(b"", 302, {"Location": "/mirror/a"})
    found = fetch(find_release("pico", source), source)
    assert (found.path.name, found.path.read_bytes()) == (NAME, content)


def test_another_content_at_the_same_address(site: Site, source: ReleaseSource) -> None:
    site.add(NAME, uf2(salt=1))
    release = find_release("pico", source)
    first = fetch(release, source)
    site.add(NAME, uf2(salt=2))
    assert fetch(release, source).sha256 == first.sha256  # it is here: nobody asks
    source.store.clean()
    with pytest.raises(NetworkError, match="another file than on 20") as caught:
        fetch(release, source)
    digest = hashlib.sha256(uf2(salt=2)).hexdigest()
    assert digest in caught.value.hint
    assert kept(source) == []
    assert recorded(source)[release.url]["sha256"] == first.sha256
    assert fetch(release, source, sha256=digest.upper()).sha256 == digest
    assert fetch(release, source).cached


def test_an_address_of_no_release_is_asked_again(site: Site, source: ReleaseSource, open_source: Open) -> None:
    url = site.web.add("/ci/firmware.uf2", uf2(salt=1))
    release = find_release(url, source)
    assert not fetch(release, source).cached
    assert not fetch(release, source).cached
    site.web.add("/ci/firmware.uf2", uf2(salt=2))
    with pytest.raises(NetworkError, match="another file"):
        fetch(release, source)
    offline = open_source(offline=True)
    assert fetch(find_release(url, offline), offline).cached
    assert source.store.forget(url)
    assert not source.store.forget(url)
    assert not fetch(release, source).cached


def test_sha256(site: Site, source: ReleaseSource, tmp_path: Path) -> None:
    content = site.add(NAME)
    digest = hashlib.sha256(content).hexdigest()
    release = find_release("pico", source)
    with pytest.raises(NetworkError, match="another file than wanted"):
        fetch(release, source, sha256="0" * 64)
    assert kept(source) == []
    with pytest.raises(UsageError, match=r"is not a SHA-256"):
        fetch(release, source, sha256="abc")
    assert fetch(release, source, sha256=digest).sha256 == digest
    with pytest.raises(NetworkError, match="another file than wanted"):
        fetch(release, source, sha256="0" * 64)  # also when another one is in the cache
    local = tmp_path / "a.uf2"
    local.write_bytes(content)
    assert fetch(find_release(str(local), source), source, sha256=digest).path == local
    with pytest.raises(LocalFileError, match="another file"):
        fetch(find_release(str(local), source), source, sha256="0" * 64)


def test_offline_without_the_file(site: Site, source: ReleaseSource, open_source: Open) -> None:
    site.add(NAME)
    release = find_release("pico", source)
    with pytest.raises(OfflineError, match=NAME):
        fetch(release, open_source(offline=True))


def test_a_damaged_cache_is_fetched_again(site: Site, source: ReleaseSource) -> None:
    content = site.add(NAME)
    release = find_release("pico", source)
    path = fetch(release, source).path
    path.write_bytes(content[:-512])
    again = fetch(release, source)
    assert (again.cached, again.path.read_bytes()) == (False, content)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"files": 3}', '{"files": {"u": 3}}', '{"files": {"u": {"name": "../x"}}}']
)
def test_a_damaged_record_is_begun_anew(site: Site, source: ReleaseSource, text: str) -> None:
    site.add(NAME)
    source.store.record.parent.mkdir(parents=True)
    source.store.record.write_text(text)
    found = fetch(find_release("pico", source), source)
    assert source.store.find(found.release.url) is not None
    assert [each.name for each in source.store.entries()] == [NAME]


def test_names_that_do_not_agree(site: Site, source: ReleaseSource) -> None:
    site.add(NAME, uf2("1.26.1", "RPI_PICO_W"))
    warnings = fetch(find_release("pico", source), source).warnings
    assert len(warnings) == 2
    assert "RPI_PICO_W" in warnings[0]
    assert "1.26.1" in warnings[1]


def test_archives(site: Site, source: ReleaseSource) -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("firmware.bin", bytes(range(256)) * 50)
    name = "ALIF_ENSEMBLE-20251209-v1.27.0.zip"
    broken = bytearray(made.getvalue())
    broken[60:70] = b"\xff" * 10
    for content in (bytes(broken), made.getvalue()[:-30], b"PK\x03\x04" + bytes(50)):
        site.add(name, content)
        with pytest.raises(ImageError, match="damaged archive"):
            fetch(find_release("ALIF_ENSEMBLE", source), source)
    site.add(name, made.getvalue())
    assert fetch(find_release("ALIF_ENSEMBLE", source), source).image is None


def test_a_copy(site: Site, source: ReleaseSource, tmp_path: Path) -> None:
    content = site.add(NAME)
    release = find_release("pico", source)
    (tmp_path / "here").mkdir()
    for output, path in (("here", f"here/{NAME}"), ("new/", f"new/{NAME}"), ("my.uf2", "my.uf2")):
        found = fetch(release, source, output=f"{tmp_path}/{output}")
        assert found.path == tmp_path / path
        assert found.path.read_bytes() == content
    with pytest.raises(LocalFileError) as caught:
        fetch(release, source, output=f"{tmp_path}/my.uf2/x.uf2")
    assert caught.value.code == "local-file.cannot-write"


def test_two_at_once(site: Site, open_source: Open) -> None:
    names = [f"RPI_PICO-20251209-v1.27.{n}.uf2" for n in range(12)]
    for name in names:
        site.add(name)
    sources = [open_source() for _ in names]
    failed: list[BaseException] = []

    def work(source: ReleaseSource, version: str) -> None:
        try:
            fetch(find_release("pico", source, version=version), source)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(each, f"1.27.{n}")) for n, each in enumerate(sources)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert failed == []
    assert sorted(each.name for each in sources[0].store.entries()) == sorted(names)


def test_clean(site: Site, source: ReleaseSource) -> None:
    content = site.add(NAME)
    fetch(find_release("pico", source), source)
    assert source.store.clean() == (1, len(content))
    assert source.store.clean() == (0, 0)
    assert kept(source) == []
    assert [each.path for each in source.store.entries()] == [None]
    assert source.store.record.is_file()


def test_a_cache_that_cannot_be_written(site: Site, open_source: Open, tmp_path: Path) -> None:
    site.add(NAME)
    (tmp_path / "file").write_bytes(b"")
    source = open_source(folder=tmp_path / "file" / "cache")
    with pytest.raises(UpytoolError, match="cannot write"):
        fetch(find_release("pico", source), source)
