"""A secret has no text by any of the ways in which values become text."""

from __future__ import annotations

import copy
import json
import pickle
import traceback

import pytest

from upytool.secret import HIDDEN, Secret

WORD = "hunter2"


def test_no_way_to_show_it() -> None:
    secret = Secret(WORD, "a file")
    shown = [
        str(secret),
        repr(secret),
        f"{secret}",
        "%s" % secret,
        f"{secret!r:>20}",
        str([secret]),
        str({"a": secret}),
    ]
    shown += [traceback.format_exc(), repr(secret.source)]
    try:
        raise RuntimeError(secret)
    except RuntimeError:
        shown.append(traceback.format_exc())
    for text in shown:
        assert WORD not in text
    assert str(secret) == HIDDEN
    assert secret.reveal() == WORD


@pytest.mark.parametrize("write", [json.dumps, pickle.dumps, copy.deepcopy, vars, hash])
def test_no_way_to_store_it(write: object) -> None:
    with pytest.raises(TypeError):
        write(Secret(WORD))  # type: ignore[operator]


def test_equal_by_its_text() -> None:
    assert Secret("a", "x") == Secret("a", "y")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
