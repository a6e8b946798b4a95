"""Firmware and the catalogue of boards without the command line."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.fixtures.firmware_site import Site, uf2
from tests.unit.image.parts import pico_like
from tests.unit.packages.web import serve
from upytool.api import catalogue, firmware
from upytool.errors import ImageError, OfflineError, UsageError
from upytool.image.dfuse import DfuElement, DfuTarget, write_dfu

NAMES = [
    "RPI_PICO-20251101-v1.28.0-preview.7.gabcdef0123.uf2",
    "RPI_PICO-20251209-v1.27.0.uf2",
    "RPI_PICO-20250415-v1.25.0.uf2",
]


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Site]:
    monkeypatch.setenv("UPYTOOL_STATE_DIR", str(tmp_path / "state"))
    with serve() as web:
        made = Site(web)
        for name in NAMES:
            made.add(name)
        yield made


def test_from_a_board_to_its_file(site: Site, tmp_path: Path) -> None:
    settings = firmware.FirmwareSettings(site.address, cache=tmp_path / "cache")
    assert [each.name for each in firmware.releases("pico", settings=settings)] == NAMES
    assert [each.name for each in firmware.releases("pico", newest=True, settings=settings)] == NAMES[:2]
    release = firmware.resolve("RPI_PICO", version="latest", settings=settings)
    assert (release.version, release.path) == ("1.27.0", None)

    got = firmware.download(release, output=tmp_path / "mine.uf2", settings=settings)
    assert (got.cached, got.path.read_bytes()) == (False, uf2())
    assert got.sha256 == hashlib.sha256(uf2()).hexdigest()
    found = firmware.inspect(got.path)
    assert (found.version, found.build, found.chip, found.valid) == ("v1.27.0", "RPI_PICO", "rp2040", True)

    offline = firmware.FirmwareSettings(site.address, True, tmp_path / "cache")
    assert firmware.download("pico@1.27", settings=offline).cached
    with pytest.raises(OfflineError):
        firmware.download("pico@1.25", settings=offline)


def test_the_cache(site: Site, tmp_path: Path) -> None:
    settings = firmware.FirmwareSettings(site.address, cache=tmp_path / "cache")
    assert firmware.cached(settings) == []
    url = firmware.download("pico", settings=settings).release.url
    (stored,) = firmware.cached(settings)
    assert stored.path is not None
    assert firmware.cache_folder(settings) in stored.path.parents
    assert firmware.clean_cache(settings) == (1, stored.size)
    assert firmware.cached(settings) == []
    firmware.forget(url, settings)
    with pytest.raises(UsageError):
        firmware.forget(url, settings)


def test_damage_is_data_and_can_be_raised(tmp_path: Path) -> None:
    path = tmp_path / "firmware.dfu"
    data = write_dfu((DfuTarget((DfuElement(0x08000000, bytes(64)),)),))
    path.write_bytes(data[:300] + b"x" + data[301:])
    found = firmware.inspect(path)
    assert not found.valid
    with pytest.raises(ImageError):
        found.require_valid()


def test_what_is_on_a_board_is_read_while_it_is_open() -> None:
    content = pico_like().ljust(0x50000, b"\xff")
    opened: list[bool] = []

    def read(address: int, size: int, **_: Any) -> bytes:
        assert opened == [True]
        return content[address - 0x10000000 :][:size]

    chip = SimpleNamespace(name="rp2040", flash_base=0x10000000, flash_size=len(content))

    @contextmanager
    def flash() -> Iterator[Any]:
        opened.append(True)
        yield SimpleNamespace(target=None, loader=SimpleNamespace(chip=chip, abilities={"read"}, read=read))
        opened.append(False)

    found = firmware.inspect(flash)
    assert opened == [True, False]
    assert found.version == "v1.27.0"


def test_the_catalogue() -> None:
    assert {each.port for each in catalogue.boards(port="RP2")} == {"rp2"}
    assert {each.mcu for each in catalogue.boards(mcu="esp32-s3")} == {"esp32s3"}
    assert "RPI_PICO_W" in [each.id for each in catalogue.search(["pico", "w"])]
    assert "RPI_PICO" in catalogue.suggest("rpi_pcio")
    for wrong in ({"port": "avr"}, {"port": "rp2", "mcu": "esp32"}):
        with pytest.raises(UsageError):
            catalogue.boards(**wrong)


def test_a_boards_layouts() -> None:
    pico = catalogue.show("pico")
    assert (pico.board.id, pico.variant, pico.problem) == ("RPI_PICO", "", "")
    assert pico.flash_size == 2 << 20
    assert [each.kind for each in pico.layouts[""]] == ["littlefs"]
    assert list(catalogue.show("ESP32_GENERIC-OTA").layouts) == ["OTA"]
    assert len(catalogue.show("ESP32_GENERIC").layouts) > 1
    unknown = catalogue.show("pico", "9.9")
    assert (unknown.layouts, bool(unknown.problem)) == ({}, True)
    for wrong in ("picoo", "RPI_PICO-X"):
        with pytest.raises(UsageError):
            catalogue.show(wrong)
    with pytest.raises(UsageError):
        catalogue.show("pico", "soon")
