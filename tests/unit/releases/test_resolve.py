"""From words to one file: versions, variants, kinds, names, and a server that does not help."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fixtures.firmware_site import Site, uf2
from tests.unit.packages.web import Answer
from tests.unit.releases.conftest import Heard, Open
from upytool.errors import ConfigError, LocalFileError, NetworkError, OfflineError, UpytoolError, UsageError
from upytool.releases.download import fetch
from upytool.releases.resolve import find_release, list_releases
from upytool.releases.source import ReleaseSource, snapshot


@pytest.mark.parametrize(
    ("wanted", "version"),
    [
        ("", "1.28.0"),
        ("latest", "1.28.0"),
        ("preview", "1.29.0-preview.100.g0123456789"),
        ("1.26", "1.26.1"),
        ("v1.25", "1.25.0"),
        ("1.27.0", "1.27.0"),
        ("1.29.0-preview", "1.29.0-preview.100.g0123456789"),
        ("v1.29.0-preview.99", "1.29.0-preview.99.gabcdef0123"),
        ("1.29.0-preview.99.gabcdef0", "1.29.0-preview.99.gabcdef0123"),
        ("20251209", "1.27.0"),
        ("2025-12-09", "1.27.0"),
    ],
)
def test_versions(pico: Site, source: ReleaseSource, wanted: str, version: str) -> None:
    found = find_release("RPI_PICO", source, version=wanted)
    assert found.version == version
    assert found.url == f"{pico.address}/resources/firmware/{found.name}"
    assert (found.board, found.ext, found.provenance, found.path) == ("RPI_PICO", "uf2", "page", None)
    assert find_release(f"RPI_PICO@{wanted or 'latest'}", source) == found


@pytest.mark.parametrize("wanted", ["1.24", "1.28.7", "20200101", "1.29.0-preview.98", "1.29.0", "1.29"])
def test_versions_that_are_not_there(pico: Site, source: ReleaseSource, wanted: str) -> None:
    with pytest.raises(UsageError, match="there is no MicroPython") as caught:
        find_release("RPI_PICO", source, version=wanted)
    assert "1.28.0" in caught.value.hint


@pytest.mark.parametrize("wanted", ["newest", "1", "1.28.0-rc1", "yesterday", "v"])
def test_no_version(pico: Site, source: ReleaseSource, wanted: str) -> None:
    with pytest.raises(UsageError, match="is not a version"):
        find_release("RPI_PICO", source, version=wanted)


@pytest.mark.parametrize("name", ["rpi_pico", "pico", "Pi Pico", "Raspberry Pi Pico", "rp2-pico"])
def test_any_name_of_a_board(pico: Site, source: ReleaseSource, name: str) -> None:
    assert find_release(name, source).name == "RPI_PICO-20260406-v1.28.0.uf2"


def test_an_unknown_name(source: ReleaseSource) -> None:
    with pytest.raises(UsageError) as caught:
        find_release("pcio w", source)
    assert (caught.value.code, caught.value.fields) == ("usage.unknown-board", {"name": "pcio w"})
    assert "RPI_PICO_W" in caught.value.hint


def test_a_board_that_is_younger_than_the_catalogue(site: Site, source: ReleaseSource) -> None:
    site.add("NEW_BOARD9-20270101-v1.30.0.uf2")
    site.add("NEW_BOARD9-BIG-20270101-v1.30.0.uf2")
    assert find_release("NEW_BOARD9", source).name == "NEW_BOARD9-20270101-v1.30.0.uf2"
    assert find_release("NEW_BOARD9-BIG", source).variant == "BIG"
    with pytest.raises(UsageError, match="has no firmware for ESP32_GENERIC_S4") as caught:
        find_release("ESP32_GENERIC_S4", source)
    assert "ESP32_GENERIC_S3" in caught.value.hint


def test_variants(site: Site, source: ReleaseSource) -> None:
    site.add("RPI_PICO2-20251209-v1.27.0.uf2")
    site.add("RPI_PICO2-RISCV-20251209-v1.27.0.uf2")
    site.add("RPI_PICO2-RISCV-20260406-v1.28.0.uf2")
    assert find_release("pico2", source).version == "1.27.0"  # never another variant's file
    for spec, variant in (("RPI_PICO2-RISCV", ""), ("pico 2", "riscv"), ("rpi_pico2-riscv", "RISCV")):
        assert find_release(spec, source, variant=variant).name == "RPI_PICO2-RISCV-20260406-v1.28.0.uf2"
    with pytest.raises(UsageError, match="no variant RISC") as caught:
        find_release("pico2", source, variant="RISC")
    assert "RISCV" in caught.value.hint
    with pytest.raises(UsageError, match="two variants"):
        find_release("RPI_PICO2-RISCV", source, variant="ARM")
    with pytest.raises(UsageError, match="two versions"):
        find_release("RPI_PICO2@1.27", source, version="1.28")


def test_a_variant_that_only_the_server_knows(site: Site, source: ReleaseSource) -> None:
    site.add("ESP32_GENERIC_P4-C6_WIFI-20251209-v1.27.0.bin", b"x")
    assert find_release("ESP32_GENERIC_P4-C6_WIFI", source).variant == "C6_WIFI"


def test_kinds(site: Site, source: ReleaseSource) -> None:
    for ext in ("app-bin", "elf", "map", "uf2", "bin"):
        site.add(f"ESP32_GENERIC_S3-20251209-v1.27.0.{ext}", b"x")
    for ext in ("hex", "dfu"):
        site.add(f"PYBV11-20251209-v1.27.0.{ext}", b"x")
    site.add("PYBV11-20260406-v1.28.0.hex", b"x")
    assert find_release("esp32 s3", source).ext == "bin"
    assert find_release("esp32 s3", source, kind=".APP-BIN").ext == "app-bin"
    assert find_release("pyboard", source, version="1.27").ext == "dfu"
    assert find_release("pyboard", source).ext == "hex"  # the newest has nothing else
    with pytest.raises(UsageError, match=r"no \.zip firmware") as caught:
        find_release("esp32 s3", source, kind="zip")
    assert "app-bin" in caught.value.hint
    with pytest.raises(UsageError, match="no firmware of kind elf"):
        find_release("esp32 s3", source, kind="elf")


def test_no_release_yet(site: Site, source: ReleaseSource) -> None:
    site.add("RPI_PICO-20260601-v1.29.0-preview.100.g0123456789.uf2")
    with pytest.raises(UsageError, match="no release for RPI_PICO yet") as caught:
        find_release("RPI_PICO", source)
    assert "--version=preview" in caught.value.hint


def test_files_of_other_boards_are_no_business(site: Site, source: ReleaseSource) -> None:
    site.names["RPI_PICO"] = ["RPI_PICO_W-20260406-v1.28.0.uf2", "RPI_PICO-20251209-v1.27.0.uf2"]
    site.page("RPI_PICO")
    assert find_release("RPI_PICO", source).version == "1.27.0"


def test_local_files(tmp_path: Path, source: ReleaseSource, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "RPI_PICO2-RISCV-20251209-v1.27.0.uf2"
    path.write_bytes(uf2())
    found = find_release(str(path), source)
    assert (found.path, found.provenance, found.build, found.version) == (path, "file", "RPI_PICO2-RISCV", "1.27.0")
    monkeypatch.chdir(tmp_path)
    Path("firmware").write_bytes(uf2())
    assert find_release("firmware", source).provenance == "file"
    for missing in ("firmware.uf2", "nowhere/RPI_PICO", str(tmp_path)):
        with pytest.raises(LocalFileError, match=r"does not exist|is a directory"):
            find_release(missing, source)
    with pytest.raises(UsageError) as raised:
        find_release(str(path), source, version="1.27")
    assert raised.value.code == "usage.one-file"


def test_addresses(site: Site, source: ReleaseSource) -> None:
    found = find_release("https://example.org/x/RPI_PICO-20251209-v1.27.0.uf2?download=1", source)
    assert (found.board, found.version, found.provenance) == ("RPI_PICO", "1.27.0", "url")
    assert find_release("https://example.org/my%20build.bin", source).name == "my build.bin"
    for bad in (
        "https://example.org/",
        "https://example.org/a/..",
        "https://example.org/a%2f..%2fb",
        "http://[::1/a.uf2",
    ):
        with pytest.raises(UsageError):
            find_release(bad, source)


# -- the server does not help ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [
        Answer(b"", 500),
        Answer(b"", 404),
        Answer(b"", 403),
        Answer(b"x" * 100, claim=5000),
        Answer(b"", wait=1.2),
        Answer(hang_up=True),
    ],
)
def test_the_packaged_list_helps(site: Site, source: ReleaseSource, heard: Heard, answer: Answer) -> None:
    site.web.routes["/download/RPI_PICO/"] = answer
    found = find_release("RPI_PICO", source)
    newest = max(snapshot().items(), key=lambda each: each[1])
    assert found.name == f"RPI_PICO-{newest[1]}-v{newest[0]}.uf2"
    assert (found.provenance, found.url) == ("snapshot", f"{site.address}/resources/firmware/{found.name}")
    assert "newest known release" in heard.said
    with pytest.raises(UsageError, match="there is no MicroPython preview"):
        find_release("RPI_PICO", source, version="preview")


def test_the_packaged_list_may_be_wrong(site: Site, source: ReleaseSource) -> None:
    release = find_release("RPI_PICO", source)
    with pytest.raises(NetworkError, match="is not on the server") as caught:
        fetch(release, source)
    assert "packaged list" in caught.value.hint


def test_the_packaged_list_only_has_what_was_there(source: ReleaseSource) -> None:
    assert {each.version for each in list_releases("ALIF_ENSEMBLE", source)} == {
        each for each in snapshot() if tuple(map(int, each.split("."))) >= (1, 26, 1)
    }
    variants = {each.variant for each in list_releases("RPI_PICO2", source)}
    assert variants == {"", "RISCV"}


def test_offline(pico: Site, source: ReleaseSource, open_source: Open, heard: Heard) -> None:
    fetch(find_release("pico", source, version="1.27"), source)
    fetch(find_release("pico", source, version="preview"), source)
    requests = len(pico.web.seen)
    offline = open_source(offline=True)
    found = find_release("pico", offline)
    assert (found.version, found.provenance) == ("1.27.0", "cache")
    assert found.path is not None
    assert found.path.is_file()
    assert "the newest known release of RPI_PICO is 1.27.0" in heard.said
    assert find_release("pico", offline, version="preview").version.startswith("1.29.0-preview.100")
    with pytest.raises(OfflineError, match=r"1\.28 for RPI_PICO is not on this computer") as caught:
        find_release("pico", offline, version="1.28")
    assert "1.27.0" in caught.value.hint
    with pytest.raises(OfflineError, match="no firmware for RPI_PICO_W"):
        find_release("pico w", offline)
    assert len(pico.web.seen) == requests


def test_a_preview_that_the_server_dropped(pico: Site, source: ReleaseSource, open_source: Open) -> None:
    old = find_release("pico", source, version="1.29.0-preview.99")
    fetch(old, source)
    pico.names["RPI_PICO"].remove(old.name)
    pico.page("RPI_PICO")
    del pico.web.routes[f"/resources/firmware/{old.name}"]
    later = open_source()
    found = find_release("pico", later, version="1.29.0-preview.99")
    assert (found.provenance, found.version) == ("cache", old.version)
    assert fetch(found, later).cached
    assert find_release("pico", later).provenance == "page"


def test_a_server_must_be_one() -> None:
    with pytest.raises(ConfigError):
        ReleaseSource("ftp://example.org")


@pytest.mark.parametrize("spec", ["", "-", "@", "@1.28", "--", "a" * 5000, "\0", "-RISCV", "🥧"])
def test_odd_words(spec: str, source: ReleaseSource) -> None:
    with pytest.raises(UpytoolError):
        find_release(spec, source)
