"""The text of an address never holds what is secret in it."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.packages.web import Answer, Web
from upytool.errors import NetworkError, UsageError
from upytool.net.address import Address
from upytool.net.cache import DownloadCache
from upytool.net.download import Fetcher
from upytool.secret import redact

SECRET = "hunter2hunter2"
words = st.text("abcXYZ019-._~%@:!$'()*,", min_size=1, max_size=8).map(
    lambda text: SECRET + quote(text, safe="!$'()*,~")
)
names = st.sampled_from(
    ["token", "access_token", "private-token", "api_key", "apikey", "key", "X-Amz-Signature", "sig", "password", "PWD",
     "auth", "client_secret", "X-Amz-Credential", "to%6ben", "session_id", "jwt"]
)  # fmt: skip


@given(words, words, names, st.booleans())
def test_no_text_of_it_holds_a_secret(user: str, password: str, name: str, below: bool) -> None:
    text = f"https://{user}:{password}@host.example:8443/a/b.py?x=1&{name}={password}#f"
    address = Address.of(text)
    shown = [
        str(address),
        repr(address),
        f"{address}",
        "%s" % address,
        json.dumps(address),
        redact(f"cannot get {text}!"),
    ]
    shown += [address.beside("c.py"), address.below("d")] if below else [Address.of(str(address))]
    for each in shown:
        assert SECRET not in each
        assert "host.example" in each
    assert password in address.full
    assert address.password.startswith(SECRET)
    assert address.login().startswith(SECRET)


def test_what_is_no_secret_stays() -> None:
    for text in ("https://h/a.py", "http://h:80/x?ref=main&path=a%20b", "https://h/keys/monkey?monkey=1&keyboard=x"):
        assert Address.of(text) == text == Address.of(text).full
        assert redact(text) == text


def test_a_login_goes_along_on_its_host_alone() -> None:
    address = Address.of("https://u:p@h/a/package.json")
    assert address.beside("b.py").login() == "u:p"
    assert address.below("b").login() == "u:p"
    assert address.beside("https://h:444/b.py").login() == ""
    assert address.beside("http://h/b.py").login() == ""
    assert address.beside("//other/b.py").login() == ""
    assert address.beside("https://x:y@other/b.py").login() == "x:y"


@pytest.mark.parametrize(
    "text",
    ["", "x", "file:///etc/passwd", "http://", "http:///x", "http://[::1/", "http://h:x/", "http://h:99999999/",
     "http://h/\n", "http://h/a b", "http://h/\ud800", "http://h/\0", "http://u:" + SECRET + "@[/",
     "ftp://u:" + SECRET + "@h/"],
)  # fmt: skip
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        Address.of(text)
    assert SECRET not in caught.value.message


@given(st.text(max_size=30) | st.text("https:/@?&=#[]%token\\.\0\n ", max_size=30).map("http://".__add__))
def test_any_text(text: str) -> None:
    redact(text)
    try:
        address = Address.of(text)
    except UsageError:
        return
    assert Address.of(str(address)) == address
    for relative in (text, "x", "../x", "//y"):
        try:
            address.beside(relative)
        except UsageError:
            pass


def test_the_server_gets_it(web: Web, fetcher: Fetcher, cache: DownloadCache) -> None:
    web.add("/a?token=" + SECRET, b"data")
    url = web.address.replace("//", f"//me:{SECRET}@") + "/a?token=" + SECRET
    assert fetcher.fetch(url) == b"data"
    assert web.seen[0][1]["authorization"] == "Basic bWU6aHVudGVyMmh1bnRlcjI="
    for path in cache.folder.rglob("*"):
        assert not path.is_file() or SECRET.encode() not in path.read_bytes()


def test_no_login_goes_to_another_host(web: Web, fetcher: Fetcher) -> None:
    other = web.address.replace("127.0.0.1", "localhost")
    web.routes["/a"] = Answer(b"", 302, {"Location": other + "/b"})
    web.add("/b", b"data")
    assert fetcher.fetch(web.address.replace("//", "//me:pw@") + "/a") == b"data"
    assert ["authorization" in headers for _, headers in web.seen] == [True, False]


@pytest.mark.parametrize(
    "answer",
    [Answer(b"", 401), Answer(b"", 500), Answer(b"", 404), Answer(b"", 304), Answer(b"x", claim=9, hang_up=True)],
)
def test_errors_hold_no_secret(web: Web, fetcher: Fetcher, answer: Answer) -> None:
    web.routes["/a?token=" + SECRET] = answer
    with pytest.raises(NetworkError) as caught:
        fetcher.fetch(web.address.replace("//", f"//me:{SECRET}@") + "/a?token=" + SECRET)
    assert SECRET not in str(caught.value.data())
    assert caught.value.__cause__ is None


def test_an_address_without_its_secret_says_so(web: Web, fetcher: Fetcher) -> None:
    stored = str(Address.of(f"{web.address}/a?token={SECRET}"))
    with pytest.raises(NetworkError) as caught:
        fetcher.fetch(stored)
    assert "address again" in caught.value.hint
