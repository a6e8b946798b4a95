"""The asynchronous face is made from the other one, so no method of that is missing in it."""

from __future__ import annotations

import inspect

import pytest

from tests.architecture.async_face import CLASSES, FACES, HOUSE, faces


@pytest.mark.parametrize("name", FACES.values())
def test_it_is_what_its_source_gives(name: str) -> None:
    text = faces()[f"{name}.py"]
    assert (HOUSE / f"{name}.py").read_text("utf-8") == text, "run python -m tests.architecture.async_face"


@pytest.mark.parametrize("source", FACES)
def test_no_method_is_missing(source: str) -> None:
    from importlib import import_module

    plain = getattr(import_module(f"upytool.device.{source}"), CLASSES[source])
    other = getattr(import_module(f"upytool.device.{FACES[source]}"), f"Async{CLASSES[source]}")
    names = {name for name in vars(plain) if not name.startswith("_")}
    assert names == {name for name in vars(other) if not name.startswith("_")}
    for name in names:
        one, two = inspect.getattr_static(plain, name), inspect.getattr_static(other, name)
        if not isinstance(one, property):
            assert list(inspect.signature(one).parameters) == list(inspect.signature(two).parameters), name
