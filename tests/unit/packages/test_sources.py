"""What the user types, and the addresses that come of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.packages.web import Web
from upytool.errors import ConfigError, PackageError, UsageError
from upytool.packages.download import Fetcher
from upytool.packages.hosts import Host, Hosts, hosts_from
from upytool.packages.installer import context_for
from upytool.packages.sources import (
    GitSource,
    HttpSource,
    IndexSource,
    LocalSource,
    parse_dependency,
    parse_source,
)

HOSTS = Hosts()


@pytest.mark.parametrize(
    ("text", "kind", "version"),
    [
        ("aioble", IndexSource, None),
        ("umqtt.simple@1.3.0", IndexSource, "1.3.0"),
        ("aioble@latest", IndexSource, None),
        ("github:a/b", GitSource, None),
        ("github:a/b@main", GitSource, "main"),
        ("github:a/b/lib@feature/x", GitSource, "feature/x"),
        ("github:a/b/lib@lib@1.0", GitSource, "lib@1.0"),
        ("gitlab:a/b/x.py@v1", GitSource, "v1"),
        ("https://h/p/package.json", HttpSource, None),
        ("https://cdn.example/gh/a/b@v1/x.py", HttpSource, None),
        ("x.py", LocalSource, None),
        ("path/pkg.py", LocalSource, None),
        ("./pkg", LocalSource, None),
        ("package.json", LocalSource, None),
        ("C:\\x\\y.py", LocalSource, None),
    ],
)
def test_kinds(text: str, kind: type, version: str | None) -> None:
    source = parse_source(text, HOSTS)
    assert isinstance(source, kind)
    assert source.version == version


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name@1@2", "version"),
        ("name@", "version"),
        ("github:a/b@", "empty ref"),
        ("github:a", "names no repository"),
        ("github:a/../b", "names no repository"),
        ("github:a/b@x..y", "not a valid git ref"),
        ("bitbucket:a/b", "unknown"),
        ("ftp://h/x.py", "unknown"),
        ("https://h/x.py@v1", "only one"),
        ("", "empty"),
    ],
)
def test_refused(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_source(text, HOSTS)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("github:a/b", "https://raw.githubusercontent.com/a/b/HEAD/package.json"),
        ("github:a/b/c/d.py@feature/x", "https://raw.githubusercontent.com/a/b/feature/x/c/d.py"),
        ("github:a/b/lib@lib@1.0", "https://raw.githubusercontent.com/a/b/lib%401.0/lib/package.json"),
        ("gitlab:a/b/p.json@v1", "https://gitlab.com/a/b/-/raw/v1/p.json"),
        ("gitlab:a/b/c//d@v1", "https://gitlab.com/a/b/c/-/raw/v1/d/package.json"),
        ("codeberg:a/b/x.mpy@f/y", "https://codeberg.org/api/v1/repos/a/b/raw/x.mpy?ref=f%2Fy"),
        ("github:a/b/%40odd/x.py", "https://raw.githubusercontent.com/a/b/HEAD/%40odd/x.py"),
    ],
)
def test_addresses(text: str, address: str) -> None:
    source = parse_source(text, HOSTS)
    assert isinstance(source, GitSource)
    assert source.place.location() == address
    again = parse_source(source.text(), HOSTS)
    assert again == source


@pytest.mark.parametrize(
    ("host", "address"),
    [
        (
            Host("github", "github", "https://github.com", "t"),
            "https://api.github.com/repos/a/b/contents/c/d.py?ref=f%2Fx",
        ),
        (
            Host("corp", "github", "https://git.corp.example", "t"),
            "https://git.corp.example/api/v3/repos/a/b/contents/c/d.py?ref=f%2Fx",
        ),
        (
            Host("corp", "gitlab", "https://git.corp.example", "t"),
            "https://git.corp.example/api/v4/projects/a%2Fb/repository/files/c%2Fd.py/raw?ref=f%2Fx",
        ),
        (
            Host("corp", "gitea", "https://git.corp.example/forge", "t"),
            "https://git.corp.example/forge/api/v1/repos/a/b/raw/c/d.py?ref=f%2Fx",
        ),
    ],
)
def test_private_addresses_are_covered_by_their_token(host: Host, address: str) -> None:
    assert host.address("a/b", "c/d.py", "f/x") == address
    credential = host.credential()
    assert credential is not None
    assert credential.covers(address)
    assert not credential.covers("https://elsewhere.example/api/v1/repos/a/b")


def test_plug_ins(monkeypatch: pytest.MonkeyPatch) -> None:
    class Point:
        name, value = "mine", "mine.plug:make"

        def load(self) -> object:
            return lambda text: IndexSource(text.partition(":")[2]) if text != "mine:bad" else 1 / 0

    def points(group: str, name: str) -> list[Point]:
        assert group == "upytool.package_sources"
        return [Point()] if name == "mine" else []

    monkeypatch.setattr("importlib.metadata.entry_points", points)
    assert parse_source("mine:thing", HOSTS) == IndexSource("thing")
    with pytest.raises(UsageError, match=r"mine\.plug:make for mine: does not work"):
        parse_source("mine:bad", HOSTS)
    with pytest.raises(UsageError, match="unknown"):
        parse_source("other:thing", HOSTS)


def test_hosts_of_the_settings() -> None:
    table = {"corp": {"kind": "gitea", "url": "https://git.corp.example", "token-env": "CORP"}}
    hosts = hosts_from(table, {"CORP": "secret", "GITHUB_TOKEN": "hub", "UPYTOOL_TOKEN_GITLAB": "lab"})
    assert len(hosts.credentials) == 3
    source = parse_source("corp:team/lib@v2", hosts)
    assert isinstance(source, GitSource)
    assert source.place.location() == "https://git.corp.example/api/v1/repos/team/lib/raw/package.json?ref=v2"
    with pytest.raises(ConfigError, match="CORP, which is not set"):
        hosts_from(table, {})
    tables: list[dict[str, object]] = [
        {"X": {}},
        {"corp": 1},
        {"corp": {"kind": "svn"}},
        {"corp": {"kind": "gitea", "url": "x"}},
    ]
    for wrong in tables:
        with pytest.raises(ConfigError):
            hosts_from(wrong, {})


def test_a_private_host_gets_its_token(web: Web, fetcher: Fetcher) -> None:
    hosts = Hosts([Host("corp", "gitea", web.address, "secret")])
    web.add("/api/v1/repos/a/b/raw/package.json?ref=HEAD", '{"urls": [["x.py", "x.py"]]}')
    web.add("/api/v1/repos/a/b/raw/x.py?ref=HEAD", "x = 1")
    with Fetcher(fetcher.cache, credentials=hosts.credentials) as private:
        context = context_for(private, hosts, ["http://unused.invalid"], "py")
        loaded = parse_source("corp:a/b", hosts).load(context)
        assert private.fetch(loaded.files[0].location) == b"x = 1"
    assert {headers.get("authorization") for _, headers in web.seen} == {"token secret"}


def package_json(web: Web, path: str, text: str) -> GitSource:
    """A manifest in a repository that this web serves."""
    web.add(path, text)
    source = parse_source("corp:own/repo/pkg@v2", Hosts([Host("corp", "gitlab", web.address)]))
    assert isinstance(source, GitSource)
    return source


def test_a_ref_is_for_its_own_repository_alone(web: Web, fetcher: Fetcher) -> None:
    hosts = Hosts([Host("corp", "gitlab", web.address)])
    source = package_json(
        web,
        "/own/repo/-/raw/v2/pkg/package.json",
        """{"urls": [["a.py", "a.py"], ["b.py", "../src/b.py"], ["c.py", "corp:own/repo/c.py"],
            ["d.py", "corp:Own/Repo/d.py@v1"], ["e.py", "github:other/repo/e.py"], ["f.py", "https://h/f.py"],
            ["g.py", "gitlab:own/repo/g.py"]],
            "deps": [["corp:own/repo/other", "v3"], ["github:other/dep", "latest"], ["../near", "latest"],
            ["ssl", "1"]]}""",
    )
    loaded = source.load(context_for(fetcher, hosts, ["http://i"], "py"))
    assert [file.location for file in loaded.files] == [
        f"{web.address}/own/repo/-/raw/v2/pkg/a.py",
        f"{web.address}/own/repo/-/raw/v2/src/b.py",
        f"{web.address}/own/repo/-/raw/v2/c.py",
        f"{web.address}/Own/Repo/-/raw/v1/d.py",
        "https://raw.githubusercontent.com/other/repo/HEAD/e.py",
        "https://h/f.py",
        "https://gitlab.com/own/repo/-/raw/HEAD/g.py",
    ]
    assert [dep.text() for dep in loaded.deps] == [
        "corp:own/repo/other@v3",
        "github:other/dep",
        "corp:own/repo/near@v2",
        "ssl@1",
    ]


@pytest.mark.parametrize("url", ["../../x.py", "svn:a/b", "file:///etc/passwd"])
def test_a_remote_manifest_stays_outside_of_this_computer(web: Web, fetcher: Fetcher, url: str) -> None:
    hosts = Hosts([Host("corp", "gitlab", web.address)])
    source = package_json(web, "/own/repo/-/raw/v2/pkg/package.json", '{"urls": [["x.py", "%s"]]}' % url)
    with pytest.raises((PackageError, UsageError)):
        source.load(context_for(fetcher, hosts, ["http://i"], "py"))


@pytest.mark.parametrize("dep", ["./x.py", "/etc/passwd.py", "~/x.json", "a/b"])
def test_an_index_names_no_local_paths(web: Web, fetcher: Fetcher, dep: str) -> None:
    web.add("/package/py/p/latest.json", '{"deps": [["%s", "latest"]]}' % dep)
    with pytest.raises(PackageError, match="package of an index"):
        IndexSource("p").load(context_for(fetcher, HOSTS, [web.address], "py"))


def test_http_manifest_and_its_relatives(web: Web, fetcher: Fetcher) -> None:
    url = web.add("/p/package.json?x=1", '{"urls": [["a.py", "s/a.py"]], "deps": [["../q/", "latest"]]}')
    loaded = parse_source(url, HOSTS).load(context_for(fetcher, HOSTS, ["http://i"], "py"))
    assert loaded.files[0].location == f"{web.address}/p/s/a.py"
    assert loaded.deps[0].text() == f"{web.address}/q/package.json"


def test_http_names() -> None:
    names = [
        parse_source(f"https://h{path}", HOSTS).name for path in ("/a/b.py", "/a/package.json", "/a", "", "/x.json")
    ]
    assert names == ["b", "a", "a", "h", "x"]


def test_a_dependency_is_never_a_local_path() -> None:
    with pytest.raises(UsageError):
        parse_dependency("./x.py", None, HOSTS)


def test_local_kinds(tmp_path: Path, fetcher: Fetcher) -> None:
    (tmp_path / "pkg" / "sub" / "__pycache__").mkdir(parents=True)
    for name in (
        "pkg/__init__.py",
        "pkg/sub/a.py",
        "pkg/data.txt",
        "pkg/.hidden",
        "pkg/sub/__pycache__/a.pyc",
    ):
        (tmp_path / name).write_text("x = 1\n")
    (tmp_path / "desc.json").write_text('{"urls": [["y.py", "pkg/sub/a.py"]], "deps": [["./pkg", "latest"]]}')
    (tmp_path / "plain").mkdir()
    (tmp_path / "readme.txt").write_text("")
    context = context_for(fetcher, HOSTS, ["http://i"], "6")
    folder = parse_source("./pkg", HOSTS, base=tmp_path).load(context)
    assert [file.path for file in folder.files] == ["pkg/__init__.py", "pkg/data.txt", "pkg/sub/a.py"]
    described = parse_source("desc.json", HOSTS, base=tmp_path).load(context)
    assert described.files[0].location == str((tmp_path / "pkg/sub/a.py").resolve())
    assert described.deps[0].key == str((tmp_path / "pkg").resolve())
    for wrong, message in (
        ("./plain", "without package.json"),
        ("./readme.txt", "not a package"),
        ("./no.py", "does not"),
    ):
        with pytest.raises(PackageError, match=message):
            parse_source(wrong, HOSTS, base=tmp_path).load(context)
