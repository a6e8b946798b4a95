"""upytool.words: sentences from codes and fields."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path

import pytest

from upytool.errors import BootloaderError, FlashError, RemoteException, RemoteOSError, UpytoolError, UsageError
from upytool.words import Said, fill, json_value


def test_fields_are_shown_as_people_write_them() -> None:
    fields = {"names": ["b", "a"], "path": Path("x.py"), "size": 1234567, "seen": {"q", "p"}}
    assert fill("{names} {path} {size:,} {path!s} {seen}", fields) == "b, a x.py 1,234,567 x.py p, q"


@pytest.mark.parametrize("template", ["{gone}", "{size:q}", "{names.gone}", "{", "{size[9]}", "{}"])
def test_no_sentence_raises(template: str) -> None:
    assert fill(template, {"size": 1, "names": []}) == template


def test_a_command_is_quoted_for_a_shell_and_given_by_the_word() -> None:
    said = Said.of("x", "look first: `upytool rm -r :{path}` removes it", {"path": "a b$(c)"})
    assert said.text == "look first: `upytool rm -r ':a b$(c)'` removes it"
    assert said.command == ["upytool", "rm", "-r", ":a b$(c)"]
    assert said.data() == {"text": said.text, "command": said.command}
    assert Said("no command here").command == []


def test_a_list_gives_words_and_a_quoted_word_stays_one() -> None:
    said = Said.of("x", "`upytool cp {names} : + exec 'import {name}'`", {"names": ["a b", ":c"], "name": "d"})
    assert said.text == "`upytool cp 'a b' :c : + exec 'import d'`"
    assert said.command == ["upytool", "cp", "a b", ":c", ":", "+", "exec", "import d"]


def test_a_list_in_a_command_is_as_many_words() -> None:
    said = Said.of("x", "again: `upytool -d {name} {words}`", {"name": "usb:1-2", "words": ["flash", "a b.uf2"]})
    assert said.command == ["upytool", "-d", "usb:1-2", "flash", "a b.uf2"]
    assert said.text == "again: `upytool -d usb:1-2 flash 'a b.uf2'`"


@pytest.mark.parametrize(("size", "text"), [(4 << 20, "4 MB"), (512 << 10, "512 KB"), (1000, "1000 bytes")])
def test_flash_is_shown_as_it_is_sold(size: int, text: str) -> None:
    assert fill("{size:MB}", {"size": size}) == text


def test_an_error_is_data() -> None:
    error = RemoteOSError(20, "/x", hint="try another")
    assert (error.code, error.errno, error.filename) == ("files.not-a-directory", 20, "/x")
    assert error.data()["fields"] == {"path": "/x", "errno": 20}
    assert error.data()["hints"] == [{"text": "try another"}]
    assert RemoteOSError(99).code == "files.error"


def test_what_comes_from_outside_is_never_a_template() -> None:
    assert UsageError("a {brace} of the user's").message == "a {brace} of the user's"
    error = RemoteException("Traceback\nOSError: {0}")
    assert (error.message, error.code, error.kind) == ("OSError: {0}", "remote.exception", "OSError")


def test_advice_is_added_or_put_first() -> None:
    error = BootloaderError("COM3")
    (own,) = error.hints
    assert error.advise("last").hints == [own, Said("last")]
    assert error.advise(Said("first"), first=True).hints == [Said("first"), own, Said("last")]
    error.retract("last")
    assert error.hints == [Said("first"), own]


def test_a_board_is_left_in_a_state() -> None:
    error = FlashError("no", state=Said("as before"), hint="again")
    assert [each.text for each in error.hints] == ["as before", "again"]
    assert error.data()["state"] == "as before"


def test_an_error_in_a_field_is_nested_data() -> None:
    inner = UpytoolError("inner failed")
    assert json_value({"cause": inner, "paths": [Path("a")], "n": 1}) == {
        "cause": inner.data(),
        "paths": ["a"],
        "n": 1,
    }


def test_advice_put_first_says_the_state_once() -> None:
    error = FlashError("flash.size-unknown", state=Said("as before"))
    own = error.hints[1:]
    error.advise("first", first=True)
    assert [each.text for each in error.hints] == ["as before", "first", *(each.text for each in own)]


@pytest.mark.parametrize(
    "field", ["https://me:geheim@host/x", "ws://h/?token=geheim", Path("https:/x?password=geheim")]
)
def test_no_field_shows_a_secret(field: object) -> None:
    error = UsageError("usage.command-line", problem=field)
    shown = f"{error} {error.data()} {fill('{x!r} {y}', {'x': str(field), 'y': [field]})}"
    assert "geheim" not in shown
    assert "***" in shown or "//host" in shown


@pytest.mark.parametrize(
    "error", [RemoteOSError(2, "/x"), BootloaderError("COM3"), UsageError("usage.command-line", problem="p")]
)
def test_an_error_can_be_copied_and_sent(error: UpytoolError) -> None:
    for made in (copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert (type(made), made.data(), str(made)) == (type(error), error.data(), str(error))


def test_a_text_from_elsewhere_advises_nothing() -> None:
    error = UsageError("usage.command-line", problem="p", hint="see `upytool wipe --yes` and `upytool x\\`")
    assert error.hints[0].command == []
    assert error.data()
