"""mpremote and mpytool from PyPI, unchanged, on the wasm board: they can do here what they can on a board."""

from __future__ import annotations

import hashlib
import http.server
import json
import random
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from upytool.sim import start

pytest.importorskip("mpremote")

Run = Callable[..., str]


@pytest.fixture
def port(state: Path) -> str:
    return start("wasm", fresh=True).port


@pytest.fixture
def mpremote(port: str, tmp_path: Path) -> Run:
    def run(*words: str, status: int = 0) -> str:
        command = [sys.executable, "-m", "mpremote", "connect", port, *words]
        done = subprocess.run(command, capture_output=True, timeout=60, cwd=tmp_path, check=False)
        assert done.returncode == status, (words, done)
        return done.stdout.decode().replace("\r\n", "\n")

    return run


def test_mpremote_runs_code(mpremote: Run, tmp_path: Path) -> None:
    assert mpremote("eval", "6*7") == "42\n"
    assert mpremote("exec", "print('a'); x = 3", "eval", "x") == "a\n3\n"
    (tmp_path / "p.py").write_text("for i in range(3): print(i)\n")
    assert mpremote("run", "p.py") == "0\n1\n2\n"
    assert "ZeroDivisionError" in mpremote("exec", "1/0", status=1)
    assert mpremote("exec", "x = 1", "soft-reset", "exec", "print('x' in globals())") == "False\n"
    assert mpremote("rtc").startswith("(20")
    mpremote("rtc", "--set")
    mpremote("reset")
    assert mpremote("eval", "1") == "1\n"


def test_mpremote_files(mpremote: Run, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "sub").mkdir(parents=True)
    data = random.Random(1).randbytes(20_000)
    (tree / "random.bin").write_bytes(data)
    (tree / "sub" / "m.py").write_text("x = 5\n")
    mpremote("cp", "-r", "tree", ":")
    assert "20000 random.bin" in mpremote("ls", ":tree")
    assert mpremote("cat", ":tree/sub/m.py").endswith("x = 5\n")
    assert hashlib.sha256(data).hexdigest() in mpremote("sha256sum", ":tree/random.bin")
    assert "m.py" in mpremote("tree", ":")
    mpremote("cp", ":tree/random.bin", "back.bin")
    assert (tmp_path / "back.bin").read_bytes() == data
    mpremote("mkdir", ":d", "+", "touch", ":d/t", "+", "rm", ":d/t", "+", "rmdir", ":d")
    assert "16777216" in mpremote("df")
    mpremote("rm", "-r", ":tree")
    assert "tree" not in mpremote("ls")


def test_mpremote_mounts(mpremote: Run, tmp_path: Path) -> None:
    folder = tmp_path / "host"
    folder.mkdir()
    (folder / "hello.py").write_text("print('from the host')\n")
    (folder / "data.txt").write_text("0123456789")
    out = mpremote("mount", "host", "exec", "import hello\nf = open('data.txt')\nf.seek(5)\nprint(f.read())")
    assert "from the host\n56789\n" in out


def test_mpremote_installs_from_an_index(mpremote: Run, index: str) -> None:
    out = mpremote("mip", "install", "--index", index, "--no-mpy", "greet")
    assert "Done" in out
    assert mpremote("exec", "import greet; print(greet.hello)") == "42\n"


def test_mpremote_finds_no_romfs(mpremote: Run) -> None:
    assert "ROMFS is not enabled" in mpremote("romfs", "query")


@pytest.fixture
def index() -> Iterator[str]:
    source = b"hello = 42\n"
    digest = hashlib.sha256(source).hexdigest()[:8]
    package = {"v": 1, "version": "1.0", "hashes": [["greet.py", digest]], "urls": [], "deps": []}
    pages = {
        "/package/py/greet/latest.json": json.dumps(package).encode(),
        f"/file/{digest[:2]}/{digest}": source,
    }

    class Pages(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = pages.get(self.path)
            self.send_response(200 if body is not None else 404)
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, format: str, *args: object) -> None:
            return

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pages) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_mpytool(port: str, tmp_path: Path) -> None:
    pytest.importorskip("mpytool")
    code = "import sys; from importlib.metadata import entry_points as e;"
    code += "next(iter(e(group='console_scripts', name='mpytool'))).load()()"

    def mpytool(*words: str) -> str:
        command = [sys.executable, "-c", code, "-p", port, *words]
        done = subprocess.run(command, capture_output=True, timeout=60, cwd=tmp_path, check=False)
        assert done.returncode == 0, (words, done)
        return done.stdout.decode()

    data = random.Random(2).randbytes(20_000)
    (tmp_path / "random.bin").write_bytes(data)
    (tmp_path / "text.py").write_text("x = 1\n" * 2000)
    mpytool("cp", "random.bin", "text.py", ":/")
    listing = mpytool("ls")
    assert "random.bin" in listing
    assert "text.py" in listing
    (tmp_path / "out").mkdir()
    mpytool("cp", ":/random.bin", "out/")
    assert (tmp_path / "out" / "random.bin").read_bytes() == data
    mpytool("mkdir", ":a/b")
    mpytool("mv", ":text.py", ":a/b/")
    assert "text.py" in mpytool("tree")
    mpytool("rm", ":a")
    assert "wasm" in mpytool("info")
