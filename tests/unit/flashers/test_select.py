"""Which flasher; and one sentence where none fits."""

from __future__ import annotations

from dataclasses import replace
from importlib.metadata import EntryPoint

import pytest

from tests.fakes.loader_model import ModelBoard, ModelFlasher, image
from upytool.errors import ConfigError, FlashError, ImageError, UsageError
from upytool.flashers import registry, select
from upytool.flashers.base import FlashTarget
from upytool.image.base import Check

PICO = FlashTarget("running", "id:E6", "1-2", "/dev/ttyACM0", board="RPI_PICO", chip="rp2040", mcu_port="rp2")


def flashers(**reasons: str) -> list[ModelFlasher]:
    return [ModelFlasher(ModelBoard(), name, reason) for name, reason in reasons.items()]


def test_the_first_that_can() -> None:
    found = select.candidates(PICO, image(), flashers=flashers(a="not this", b="", c=""))
    assert [each.name for each in found] == ["b", "c"]


def test_equal_reasons_are_said_once() -> None:
    with pytest.raises(FlashError, match=r"RPI_PICO on /dev/ttyACM0 \(a, b: no port; c: no drive\)$"):
        select.candidates(PICO, image(), flashers=flashers(a="no port", b="no port", c="no drive"))


def test_a_named_tool_is_the_only_one() -> None:
    assert [each.name for each in select.candidates(PICO, image(), "b", flashers=flashers(a="", b=""))] == ["b"]
    with pytest.raises(FlashError, match=r"\(b: no port\)") as caught:
        select.candidates(PICO, image(), "b", flashers=flashers(a="", b="no port"))
    assert "leave --tool out" in caught.value.hint


def test_real_flashers_for_a_running_pico() -> None:
    names = [each.name for each in select.candidates(PICO, image())]
    assert names[0] == "picoboot"
    assert "uf2" in names


def test_a_chip_or_port_that_does_not_fit_is_one_sentence() -> None:
    with pytest.raises(FlashError, match=r"^the firmware is for RP2040, .* has an ESP32-S3$"):
        select.candidates(replace(PICO, chip="esp32s3", mcu_port="esp32", board=""), image(), flashers=flashers(a=""))
    with pytest.raises(FlashError, match=r"port rp2, .* port samd"):
        select.candidates(replace(PICO, chip="", mcu_port="samd"), image(), flashers=flashers(a=""))


def test_a_damaged_file_is_refused() -> None:
    bad = replace(image(), checks=(Check("the MD5", False),))
    with pytest.raises(ImageError, match="damaged"):
        select.candidates(PICO, bad, flashers=flashers(a=""))


@pytest.mark.parametrize(
    ("said", "doubt"),
    [("RPI_PICO", ""), ("", ""), ("RPI_PICO-THREAD", "the variant"), ("RPI_PICO_W", "calls itself RPI_PICO")],
)
def test_another_board_of_the_chip_is_said(said: str, doubt: str) -> None:
    found = select.board_doubt(PICO, image(), said)
    assert doubt in found
    assert bool(found) == bool(doubt)


def test_every_name_of_the_registry_loads() -> None:
    for name in registry.names():
        assert registry.load(name).name == name
    assert next(iter(registry.automatic())).name == "picoboot"


def test_plug_ins(monkeypatch: pytest.MonkeyPatch) -> None:
    good = EntryPoint("probe-rs", "tests.unit.flashers.test_select:PlugIn", registry.GROUP)
    bad = EntryPoint("broken", "tests.unit.flashers.nothing:X", registry.GROUP)
    monkeypatch.setattr(
        "importlib.metadata.entry_points", lambda group, name: [each for each in (good, bad) if each.name == name]
    )
    assert registry.load("probe-rs").name == "probe-rs"
    with pytest.raises(ConfigError, match="broken of a plug-in cannot be loaded"):
        registry.load("broken")
    with pytest.raises(UsageError, match="unknown flasher 'nothing'"):
        registry.load("nothing")


class PlugIn(ModelFlasher):
    def __init__(self) -> None:
        super().__init__(ModelBoard(), "probe-rs")
