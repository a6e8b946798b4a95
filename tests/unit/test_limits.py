"""The table of limits is complete, and each row names the module that holds it."""

from __future__ import annotations

import re
from pathlib import Path

from upytool import limits

PACKAGE = Path(limits.__file__).parent


def test_every_limit_has_a_row_and_every_row_a_limit() -> None:
    names = {name for name in vars(limits) if re.fullmatch(r"[A-Z][A-Z0-9_]*", name)} - {"LIMITS", "TYPE_CHECKING"}
    rows = [row.name for row in limits.LIMITS]
    assert len(rows) == len(set(rows))
    assert set(rows) == names


def test_each_limit_is_read_where_the_table_says() -> None:
    for row in limits.LIMITS:
        place = PACKAGE.parent.joinpath(*row.held.split(".")).with_suffix(".py")
        assert f"limits.{row.name}" in place.read_text(encoding="utf-8"), f"{row.held} does not read {row.name}"
