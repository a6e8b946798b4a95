"""One key changes, everything else stays as it stood."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from upytool.config.edit import set_value, unset_value
from upytool.errors import ConfigError

FILE = """\
# my settings
baud = 9600   # slow # but sure

device = "id:#1"  # the board

[devices]
# rooms
kitchen = "id:1"

[macros]
b = ["exec", "print('#')"]
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "new" / "config.toml"
    path.parent.mkdir()
    path.write_text(FILE, encoding="utf-8")
    return path


def changed(file: Path) -> tuple[list[str], list[str]]:
    """Lines that went and lines that came."""
    before, after = FILE.splitlines(), file.read_text(encoding="utf-8").splitlines()
    return [x for x in before if x not in after], [x for x in after if x not in before]


def test_change_keeps_the_comment(file: Path) -> None:
    set_value(str(file), "", "baud", 115200)
    assert changed(file) == (["baud = 9600   # slow # but sure"], ["baud = 115200  # slow # but sure"])


def test_change_beside_a_hash_in_the_value(file: Path) -> None:
    set_value(str(file), "", "device", "a#b")
    assert changed(file)[1] == ['device = "a#b"  # the board']


def test_new_key_goes_to_its_table(file: Path) -> None:
    set_value(str(file), "devices", "attic", 'id:"2"')
    set_value(str(file), "", "wait", 1.5)
    assert changed(file) == ([], ["wait = 1.5", 'attic = "id:\\"2\\""'])
    content = tomllib.loads(file.read_text(encoding="utf-8"))
    assert content["devices"] == {"kitchen": "id:1", "attic": 'id:"2"'}
    assert content["wait"] == 1.5


def test_new_file_and_new_table(tmp_path: Path) -> None:
    path = tmp_path / "not" / "there" / "config.toml"
    set_value(str(path), "devices", "my board", "sim")
    set_value(str(path), "", "json", True)
    assert tomllib.loads(path.read_text(encoding="utf-8")) == {"devices": {"my board": "sim"}, "json": True}


def test_unset(file: Path) -> None:
    assert unset_value(str(file), "devices", "kitchen")
    assert changed(file) == (['kitchen = "id:1"'], [])
    assert not unset_value(str(file), "devices", "kitchen")


def test_line_ends_stay(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(b"baud = 1\r\nwait = 2\r\n")
    set_value(str(path), "", "baud", 3)
    assert path.read_bytes() == b"baud = 3\r\nwait = 2\r\n"


@pytest.mark.parametrize(
    ("text", "table", "key"),
    [
        ('devices = {a = "b"}\n', "devices", "a"),
        ("devices.a = 'b'\n", "devices", "a"),
        ('baud = """\n2"""\n', "", "baud"),
        ('x = """\nbaud = 1\n"""\nbaud = 2\n', "", "baud"),
    ],
)
def test_what_cannot_be_changed_safely_is_left_alone(tmp_path: Path, text: str, table: str, key: str) -> None:
    path = tmp_path / "config.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match="cannot edit"):
        set_value(str(path), table, key, "c")
    assert path.read_text(encoding="utf-8") == text
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    real, link = tmp_path / "real.toml", tmp_path / "link.toml"
    real.write_text("baud = 1\n", encoding="utf-8")
    try:
        link.symlink_to(real)
    except OSError:
        pytest.skip("no symbolic links here")
    set_value(str(link), "", "baud", 2)
    assert link.is_symlink()
    assert real.read_text(encoding="utf-8") == "baud = 2\n"


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    key=st.text("abc-_ .é\"'#=[]", min_size=1, max_size=6),
    value=st.one_of(st.text(max_size=12), st.booleans(), st.integers(-(2**40), 2**40), st.floats(0, 1e9)),
)
def test_whatever_is_written_is_read_back(file: Path, key: str, value: str | int | float | bool) -> None:
    file.write_text(FILE, encoding="utf-8")
    set_value(str(file), "devices", key, value)
    content = tomllib.loads(file.read_text(encoding="utf-8"))
    assert content["devices"][key] == value
    assert unset_value(str(file), "devices", key)
    assert tomllib.loads(file.read_text(encoding="utf-8")) == tomllib.loads(FILE)
