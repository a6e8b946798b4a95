"""`upytool mip` from the command line, on a real board."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.packages.web import serve as serve_web
from upytool.cli.main import run

Mip = Callable[..., tuple[int, str, str]]


@pytest.fixture
def mip(
    port: str,
    index_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Mip:
    """mip("list") -> exit code, stdout, stderr; the index is the local one."""
    for name in list(os.environ):
        if name in ("NO_COLOR", "FORCE_COLOR", "CI") or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    for kind in ("config", "cache"):
        monkeypatch.setenv(f"UPYTOOL_{kind.upper()}_DIR", str(tmp_path / kind))
    monkeypatch.setenv("UPYTOOL_CONFIG_FILE", str(tmp_path / "config.toml"))
    monkeypatch.setenv("UPYTOOL_INDEX", index_url)
    monkeypatch.setenv("UPYTOOL_DEVICE", port)
    monkeypatch.setenv("COLUMNS", "100")
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")

    def call(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = run(["mip", *words])
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


def test_a_life_with_packages(mip: Mip) -> None:
    code, out, err = mip("install", "ringlog@1.0.0", "--dry-run")
    assert (code, "Nothing was done" in err) == (0, True)
    assert "  new        /lib/ringlog/__init__.mpy" in out
    assert mip("list")[1] == ""
    code, out, _ = mip("install", "ringlog@1.0.0")
    assert code == 0
    # Where no person reads it, the log of an install is mpremote's.
    assert out.splitlines() == [
        "Install ringlog@1.0.0",
        "Installing bytering (1.0.0) to /lib",
        "Installing: /lib/bytering.mpy",
        "Installing ringlog (1.0.0) to /lib",
        "Installing: /lib/ringlog/__init__.mpy",
        "Installing: /lib/ringlog/levels.mpy",
        "Done",
    ]
    assert mip("list")[1].splitlines() == [
        "bytering\t1.0.0\ta dependency\tbytering\t/lib",
        "ringlog\t1.0.0\t\tringlog@1.0.0\t/lib",
    ]
    assert mip("tree")[1] == "ringlog 1.0.0\n└── bytering 1.0.0\n"
    assert mip("check")[0] == 0
    assert mip("outdated")[1] == "ringlog\t1.0.0\t1.1.0\tringlog@1.0.0\n"
    code, out, _ = mip("upgrade")
    assert "ringlog 1.1.0 (was 1.0.0): 1 file, " in out
    assert mip("outdated")[1] == ""
    code, out, _ = mip("install", "ringlog")
    assert "Exists: /lib/ringlog/__init__.mpy" in out
    assert mip("uninstall", "bytering")[0] == 9
    code, out, _ = mip("uninstall", "ringlog", "--unused")
    assert out == "ringlog 1.1.0: removed\nbytering 1.0.0: removed\n"
    assert mip("list")[1] == ""


def test_json(mip: Mip) -> None:
    result = json.loads(mip("install", "bytering", "--json")[1])["result"]
    assert result["target"] == "/lib"
    assert [file["path"] for file in result["packages"][0]["files"]] == ["/lib/bytering.mpy"]
    assert json.loads(mip("list", "--json")[1])["result"][0]["name"] == "bytering"
    assert json.loads(mip("check", "--json")[1])["result"] == []


def test_check_says_so(mip: Mip, capsys: pytest.CaptureFixture[str]) -> None:
    mip("install", "bytering")
    assert run(["exec", "f=open('/lib/bytering.mpy','w');f.write('x');f.close()"]) == 0
    code, out, err = mip("check", "-v")
    assert code == 1
    assert out == "/lib/bytering.mpy of bytering was changed\n"
    assert "[differences.packages]" in err


def test_a_chain_as_with_mpremote(mip: Mip) -> None:
    code, out, _ = mip("install", "--target", "/x", "bytering", "+", "exec", "print('then')")
    assert code == 0
    assert out.splitlines()[-1] == "then"
    assert "/x" in mip("list", "--target", "/x")[1]


def test_search_and_show_need_no_board(mip: Mip, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UPYTOOL_DEVICE", "/nowhere")
    assert mip("search", "ring", "log")[1] == "ringlog\t1.1.0\tA log that lives in a ring buffer\n"
    out = mip("show", "ringlog@1.0.0")[1]
    assert out.splitlines()[:3] == ["ringlog 1.0.0", "  from    ringlog@1.0.0", "  needs   bytering"]
    code, _, err = mip("show", "micropython-ringlog")
    assert code == 9
    assert "did you mean ringlog?" in err


def test_offline_uses_the_cache(mip: Mip, monkeypatch: pytest.MonkeyPatch) -> None:
    code, _, err = mip("install", "bytering", "--offline")
    assert code == 9
    assert "bytering/latest.json is not in the cache" in err
    mip("install", "bytering")
    mip("uninstall", "bytering")
    assert mip("install", "bytering", "--offline")[0] == 0
    assert "bytering" in mip("list")[1]


def test_a_project_and_its_lock(mip: Mip) -> None:
    code, _, err = mip("install")
    assert code == 2
    assert "nothing to install" in err
    Path("mine.py").write_text("x = 1\n")
    Path("upytool.toml").write_text('[packages]\nringlog = "1.0.0"\nmine = "./mine.py"\n')
    assert mip("install", "--locked")[0] == 6
    assert mip("lock")[0] == 0
    Path("upytool.toml").write_text('[packages]\nringlog = "*"\n')
    assert mip("install", "--locked")[0] == 0
    listed = mip("list")[1]
    assert "ringlog\t1.0.0" in listed
    assert "mine" in listed
    assert mip("install")[0] == 0
    assert "ringlog\t1.1.0" in mip("list")[1]


def test_hosts_come_from_the_users_file_alone(mip: Mip, tmp_path: Path, index_url: str) -> None:
    table = f'[mip.hosts.corp]\nkind = "http"\nurl = "{index_url}"\n'
    Path("upytool.toml").write_text(table)
    code, _, err = mip("install", "corp:file/../x.py")
    assert (code, "unknown host" in err) == (2, True)
    (tmp_path / "config.toml").write_text(table)
    code, _, err = mip("install", "corp:nothing/x.py")
    assert (code, f"{index_url}/nothing/x.py not found" in err) == (9, True), err


def test_quiet_is_quiet(mip: Mip, capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["install", "bytering"], ["install", "bytering"], ["uninstall", "bytering"], ["lock", "bytering"]):
        assert run(["-q", "mip", *words]) == 0
        assert capsys.readouterr() == ("", "")


def test_a_hostile_package_is_one_error(mip: Mip, tmp_path: Path) -> None:
    with serve_web() as web:
        web.add("/x/..%2Fmain.py", b"evil")
        web.add("/package.json", json.dumps({"deps": [[f"{web.address}/x/..%2Fmain.py", ""]]}))
        web.add("/deep/package.json", b"[" * 100_000)
        web.add("/many/package.json", json.dumps({"deps": [[f"p{n}", ""] for n in range(20_000)]}))
        web.add("/long/package.json", json.dumps({"urls": [["n" * 300, "x"]]}))
        for tail in ("/package.json", "/deep", "/many", "/long", "/none", "/x/..%2Fmain.py"):
            code, out, err = mip("install", web.address + tail)
            assert (code, out, err.count("error: ")) == (9, "", 1)
    assert mip("list")[1] == ""


def test_no_secret_is_told(mip: Mip, tmp_path: Path) -> None:
    secret = "hunter2hunter2"
    with serve_web() as web:
        web.add(f"/pkg.json?token={secret}", json.dumps({"urls": [["a.txt", "a.txt"]]}))
        web.add("/a.txt", b"1")
        url = web.address.replace("//", f"//me:{secret}@") + f"/pkg.json?token={secret}"
        said = [*mip("install", url), *mip("lock", url), *mip("-vv", "install", url), *mip("install", url, "--json")]
        for words in (["list"], ["list", "--json"], ["tree"], ["outdated"], ["upgrade"], ["show", url], ["check"]):
            said += mip(*words)
        said += mip("install", url.replace("pkg", "none"))
        said += mip("install", url.replace("http:", "ftp:"))
        said += mip("install", url + "x@1.0")
        Path("list.txt").write_text(f"{url} # mine\n{url.replace('http:', 'ftp:')}\n")
        said += mip("install", "-r", "list.txt")
    assert "127.0.0.1" in str(said)
    assert secret not in str(said)
    for path in tmp_path.rglob("*"):
        assert path.name == "list.txt" or not path.is_file() or secret.encode() not in path.read_bytes()
