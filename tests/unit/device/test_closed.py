"""How a connected board ends: closed, or dropped."""

from __future__ import annotations

import gc
import warnings

import pytest

from upytool.device.device import Device
from upytool.errors import UsageError
from upytool.testing import ModelBoard, ModelTransport


def test_a_closed_device_says_so() -> None:
    device = Device(ModelTransport(ModelBoard()))
    device.close()
    with pytest.raises(UsageError):
        device.exec("print(1)")


def test_a_device_that_is_dropped_open_is_a_warning() -> None:
    def drop(closed: bool) -> None:
        device = Device(ModelTransport(ModelBoard()))
        if closed:
            device.close()
        del device
        gc.collect()

    with pytest.warns(ResourceWarning, match="unclosed"):
        drop(False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        drop(True)
