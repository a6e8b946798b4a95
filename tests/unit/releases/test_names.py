"""File names, versions, and pages full of rubbish."""

from __future__ import annotations

import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from upytool import limits
from upytool.net.address import Address
from upytool.releases.names import FileName, Version, join, parse, version
from upytool.releases.page import links

HERE = Address.of("https://micropython.org/download/RPI_PICO/")


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("RPI_PICO-20251209-v1.27.0.uf2", ("RPI_PICO", "", "20251209", "1.27.0", "uf2")),
        ("RPI_PICO2-RISCV-20251209-v1.27.0.uf2", ("RPI_PICO2", "RISCV", "20251209", "1.27.0", "uf2")),
        (
            "ESP32_GENERIC_S3-SPIRAM_OCT-20240602-v1.23.0.app-bin",
            ("ESP32_GENERIC_S3", "SPIRAM_OCT", "20240602", "1.23.0", "app-bin"),
        ),
        (
            "PYBV11-DP_THREAD-20260501-v1.29.0-preview.99.gabcdef0123.dfu",
            ("PYBV11", "DP_THREAD", "20260501", "1.29.0-preview.99.gabcdef0123", "dfu"),
        ),
        ("rp2-pico-20210902-v1.17.uf2", None),
        (
            "RPI_PICO-20230914-unstable-v1.20.0-456-gfce8d9fd5.uf2",
            ("RPI_PICO", "", "20230914", "1.20.0-456-gfce8d9fd5", "uf2"),
        ),
        ("RPI_PICO-20251209-v1.27.0.uf2.exe", None),
        ("../RPI_PICO-20251209-v1.27.0.uf2", None),
        ("RPI_PICO-20251209-v1.27.0.txt", None),
        ("RPI_PICO-99999999-v1.27.0.uf2", None),
        ("RPI_PICO-v1.27.0.uf2", None),
        ("", None),
    ],
)
def test_names(name: str, parts: tuple[str, ...] | None) -> None:
    assert parse(name) == (None if parts is None else FileName(name, *parts))


def test_a_name_comes_back() -> None:
    assert join("RPI_PICO2", "RISCV", "20251209", "1.27.0", "uf2") == "RPI_PICO2-RISCV-20251209-v1.27.0.uf2"


def test_versions_in_order() -> None:
    words = [
        "1.19.1",
        "1.20.0",
        "1.20.0-12-gabcdef0",
        "1.20.0-456-gfce8d9fd5",
        "1.27.0-preview.9.gaaaa111",
        "1.27.0-preview.10.gaaaa222",
        "1.27.0",
        "1.28",
        "1.28.1",
        "1.100.0",
    ]
    shuffled = words[:]
    random.Random(3).shuffle(shuffled)
    assert sorted(shuffled, key=lambda word: version(word) or Version((0, 0, 0))) == words
    assert version("v1.28.0") == version("1.28")
    assert version("1.29.0-preview") == Version((1, 29, 0), 0)


@pytest.mark.parametrize("text", ["", "v", "1", "latest", "1.2.3.4", "1.28.0-rc1", "1.28.0\n", "1٣.28.0", "-1.2"])
def test_no_versions(text: str) -> None:
    assert version(text) is None


@pytest.mark.parametrize(
    "link",
    [
        'href="/resources/firmware/RPI_PICO-20251209-v1.27.0.uf2"',
        "HREF = '/resources/firmware/RPI_PICO-20251209-v1.27.0.uf2'",
        "href=/resources/firmware/RPI_PICO-20251209-v1.27.0.uf2",
        'class="x" href=" https://micropython.org/resources/firmware/RPI_PICO-20251209-v1.27.0.uf2 "',
        'href="../../resources/firmware/RPI_PICO-20251209-v1.27.0.uf2"',
        'href="/resources/firmware/RPI%5FPICO-20251209-v1.27.0.uf2"',
    ],
)
def test_links(link: str) -> None:
    ((url, name),) = links(f"<p><a {link}>v1.27.0</a><a {link}>again</a>", HERE)
    assert url.startswith("https://micropython.org/resources/firmware/")
    assert name.name == "RPI_PICO-20251209-v1.27.0.uf2"


@pytest.mark.parametrize(
    "link",
    [
        "https://evil.example/resources/firmware/RPI_PICO-20251209-v1.27.0.uf2",
        "//evil.example/RPI_PICO-20251209-v1.27.0.uf2",
        "http://micropython.org/resources/firmware/RPI_PICO-20251209-v1.27.0.uf2",
        "file:///tmp/RPI_PICO-20251209-v1.27.0.uf2",
        "javascript:RPI_PICO-20251209-v1.27.0.uf2",
        "https://micropython.org:1/RPI_PICO-20251209-v1.27.0.uf2",
        "https://[::1/RPI_PICO-20251209-v1.27.0.uf2",
        "/resources/firmware/RPI_PICO-20251209-v1.27.0.uf2/",
        "/resources/firmware/RPI_PICO-20251209-v1.27.0.uf2%2f..",
    ],
)
def test_links_elsewhere(link: str) -> None:
    assert links(f'<a href="{link}">', HERE) == []


@settings(max_examples=200)
@given(st.text(alphabet="hrefHREF=\"' <>/\\-v.0129RPI_PICOuf2%&;#?:\0\n", max_size=400))
def test_any_page(text: str) -> None:
    for url, name in links(text, HERE):
        assert url.startswith("https://micropython.org/")
        assert parse(name.name) == name


@settings(max_examples=100)
@given(st.binary(max_size=300), st.integers(0, 600))
def test_a_damaged_page(noise: bytes, at: int) -> None:
    good = "".join(f'<a href="/resources/firmware/RPI_PICO-2025120{n}-v1.27.{n}.uf2">' for n in range(9))
    page = (good[: at % len(good)].encode() + noise + good[at % len(good) :].encode()).decode("utf-8", "replace")
    assert len(links(page, HERE)) >= 8 - noise.count(b"<") - noise.count(b"=") - noise.count(b'"')


@pytest.mark.parametrize("piece", ['href="', "href=", '<a href="/x-20251209-v1.27.0.uf2"', "A-", "v1.", " href ="])
def test_a_huge_page_is_quick(piece: str) -> None:
    start = time.process_time()
    assert len(links(piece * (2_000_000 // len(piece)), HERE)) <= limits.FIRMWARE_LINKS
    assert time.process_time() - start < 3
