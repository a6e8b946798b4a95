"""`upytool firmware list|search|download|cache` against a server in the style of micropython.org."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Cli
from tests.fixtures.firmware_site import Site, uf2
from tests.unit.packages.web import Answer, serve

NAMES = (
    "RPI_PICO-20250911-v1.26.1.uf2",
    "RPI_PICO-20251209-v1.27.0.uf2",
    "RPI_PICO-20260101-v1.28.0-preview.7.gabcdef0123.uf2",
)


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    with serve() as web:
        made = Site(web)
        for name in NAMES:
            made.add(name)
        monkeypatch.setenv("UPYTOOL_FIRMWARE_URL", made.address)
        yield made


def result(cli: Cli, *argv: str) -> Any:
    run = cli(*argv, "--json")
    assert run.code == 0, run.out + run.err
    return json.loads(run.out)["result"]


def test_boards(cli: Cli) -> None:
    lines = cli("firmware", "list", "--port", "RP2").out.splitlines()
    assert "RPI_PICO2\trp2\trp2350\tRaspberry Pi Pico 2\tRISCV" in lines
    assert all("\trp2\t" in line for line in lines)
    boards = result(cli, "firmware", "list", "--mcu", "esp32-s3")
    assert {each["mcu"] for each in boards} == {"esp32s3"}
    assert boards[0].keys() >= {"board", "port", "vendor", "product", "variants", "kinds", "bootloader", "source"}
    wrong = cli("firmware", "list", "--port", "avr")
    assert wrong.code == 2
    assert "rp2" in wrong.err
    assert cli("firmware", "list", "--versions").code == 2
    assert cli("firmware", "list", "pico", "--port", "rp2").code == 2


def test_search(cli: Cli) -> None:
    assert "RPI_PICO_W\t" in cli("firmware", "search", "raspberry", "w").out
    nothing = cli("firmware", "search", "rpi_pcio")
    assert (nothing.code, nothing.out) == (0, "")
    assert "RPI_PICO" in nothing.err
    assert result(cli, "firmware", "search", "zzzz") == []


def test_versions(cli: Cli, site: Site) -> None:
    newest = result(cli, "firmware", "list", "pico")
    assert [each["version"] for each in newest] == ["1.28.0-preview.7.gabcdef0123", "1.27.0"]
    every = result(cli, "firmware", "list", "pico", "--versions")
    assert [each["name"] for each in every] == list(reversed(NAMES))
    assert every[1]["url"] == f"{site.address}/resources/firmware/{NAMES[1]}"
    assert (every[1]["date"], every[1]["source"], every[1]["path"]) == ("2025-12-09", "page", None)
    assert cli("firmware", "list", "pico").out.splitlines()[1].split("\t")[:2] == ["1.27.0", "2025-12-09"]


def test_download(cli: Cli, site: Site) -> None:
    run = cli("firmware", "download", "pico")
    assert (run.code, run.out) == (0, f"{NAMES[1]}\n")
    assert Path(NAMES[1]).read_bytes() == uf2()
    assert "downloaded" in run.err
    again = result(cli, "firmware", "download", "RPI_PICO@1.27", "--output", "fw/")
    assert again["cached"]
    assert Path(again["path"]) == Path("fw", NAMES[1])
    assert again["sha256"] == hashlib.sha256(uf2()).hexdigest()
    assert site.asked(NAMES[1]) == 1
    assert cli("firmware", "download", "pico", "--version=preview", "-o", "preview.uf2").code == 0
    assert Path("preview.uf2").is_file()


def test_offline(cli: Cli, site: Site) -> None:
    assert cli("firmware", "download", "pico").code == 0
    asked = len(site.web.seen)
    run = cli("firmware", "download", "pico", "--offline", "-o", "x.uf2")
    assert (run.code, Path("x.uf2").read_bytes()) == (0, uf2())
    assert "newest known release" in run.err
    assert [each["name"] for each in result(cli, "firmware", "list", "pico", "--offline")] == [NAMES[1]]
    assert cli("firmware", "download", "pico@1.26", "--offline").code == 9
    assert len(site.web.seen) == asked


@pytest.mark.parametrize(
    ("argv", "code", "words"),
    [
        (("pcio",), 2, "RPI_PICO"),
        (("pico", "--variant", "W"), 2, "no variant W"),
        (("pico@1.99",), 2, "1.27.0"),
        (("pico", "--kind", "dfu"), 2, "uf2"),
        (("pico", "--sha256", "0" * 64), 9, "another file than wanted"),
        (("missing.uf2",), 6, "does not exist"),
        (("pico w",), 9, "is not on the server"),  # the packaged list says that it should be there
    ],
)
def test_errors(cli: Cli, site: Site, argv: tuple[str, ...], code: int, words: str) -> None:
    run = cli("firmware", "download", *argv)
    assert run.code == code, run.err
    assert words in run.err
    assert list(Path().iterdir()) == []


def test_a_web_page_is_no_firmware(cli: Cli, site: Site) -> None:
    site.web.routes[f"/resources/firmware/{NAMES[1]}"] = Answer(b"<html><body>Sign in</body></html>")
    run = cli("firmware", "download", "pico")
    assert (run.code, run.out) == (7, "")
    assert "web page" in run.err
    assert list(Path().iterdir()) == []


def test_cache(cli: Cli, site: Site) -> None:
    assert cli("firmware", "cache").out == ""
    for version in ("1.27.0", "preview"):
        assert cli("firmware", "download", f"pico@{version}").code == 0
    assert sorted(line.split("\t")[0] for line in cli("firmware", "cache").out.splitlines()) == sorted(NAMES[1:])
    folder = Path(cli("firmware", "cache", "--path").out.strip())
    entries = result(cli, "firmware", "cache")
    assert all(folder in Path(each["path"]).parents for each in entries)
    asked = cli("firmware", "cache", "--clean", "--no-input")
    assert asked.code == 2  # a preview may be the only copy
    assert len(cli("firmware", "cache").out.splitlines()) == 2
    assert result(cli, "firmware", "cache", "--clean", "--yes")["removed"] == 2
    assert cli("firmware", "cache").out == ""
    url = entries[0]["url"]
    assert cli("firmware", "cache", "--forget", url).code == 0
    assert cli("firmware", "cache", "--forget", url).code == 2
    assert cli("firmware", "cache", "--clean", "--path").code == 2


def test_the_server_is_a_setting(cli: Cli, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("UPYTOOL_FIRMWARE_URL")
    Path("upytool.toml").write_text(f'firmware-url = "{site.address}/"\n')
    assert cli("firmware", "download", "pico").code == 0
    monkeypatch.setenv("UPYTOOL_FIRMWARE_URL", "gopher://example.org")
    assert cli("firmware", "download", "pico").code == 2
