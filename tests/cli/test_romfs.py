"""`upytool romfs`, without a board and on the qemu rig (real MicroPython with ROM partitions in its flash)."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest

from tests.rigs.fixtures import Boards
from tests.rigs.qemu import ROM_AT, Qemu
from upytool.image.romfs import build_romfs, read_romfs

from .conftest import Cli

rig = [pytest.mark.rig]


@pytest.fixture
def lib() -> Path:
    """The folder `lib` of the test's own directory."""
    folder = Path("lib")
    (folder / "pkg" / "__pycache__").mkdir(parents=True)
    (folder / "mod.py").write_text("value = 'first'\n")
    (folder / "pkg" / "__init__.py").write_text("from mod import value\n")
    (folder / "pkg" / "__pycache__" / "x.pyc").write_bytes(b"x")
    (folder / ".hidden").write_text("x")
    (folder / "Grüße.bin").write_bytes(random.Random(1).randbytes(9000))
    return folder


@pytest.fixture
def board(boards: Boards) -> Qemu:
    found = boards.fresh("qemu-rom")
    assert isinstance(found, Qemu)
    return found


def test_build_ls_query_extract(cli: Cli, lib: Path) -> None:
    made = cli("romfs", "build", "lib")
    assert (made.code, made.out) == (0, "lib.romfs\n"), made.err
    assert "3 files, 2 compiled" in made.err
    image = read_romfs(Path("lib.romfs").read_bytes())
    assert [path for path, _ in image.files()] == ["Grüße.bin", "mod.mpy", "pkg/__init__.mpy"]
    assert sorted(path.name for path in lib.rglob("*.mpy")) == []

    listed = cli("romfs", "ls", "lib.romfs")
    assert listed.out.splitlines()[0] == "Grüße.bin\t9000"
    assert "pkg/\t" in listed.out
    entries = json.loads(cli("romfs", "ls", "lib.romfs", "--json").out)["result"]
    assert {"path": "pkg", "kind": "dir", "size": 0} in entries
    assert cli("romfs", "query", "lib.romfs").out == f"lib.romfs: {image.size} bytes, 3 files\n"

    assert cli("romfs", "extract", "lib.romfs", "-o", "out").code == 0
    assert Path("out/Grüße.bin").read_bytes() == (lib / "Grüße.bin").read_bytes()
    again = cli("romfs", "extract", "lib.romfs", "-o", "out")
    assert again.code == 2
    assert "--force" in again.err
    assert cli("romfs", "extract", "-f", "lib.romfs", "-o", "out").code == 0


def test_mpremotes_forms_of_build(cli: Cli, lib: Path) -> None:
    assert cli("romfs", "--output", "a.img", "build", "--no-mpy", "lib/").code == 0
    assert "mod.py" in dict(read_romfs(Path("a.img").read_bytes()).files())
    assert cli("romfs", "build", "-o", "b.img", "-m", "lib").code == 0
    assert cli("romfs", "build", "--mpy", "lib/").code == 0
    assert Path("lib.romfs").read_bytes() == Path("b.img").read_bytes()
    assert not (lib / ".romfs").exists()
    assert cli("romfs", "build", "lib", "+", "romfs", "build", "-o", "c", "lib").code == 0
    assert Path("c").exists()


def test_of_the_working_directory(cli: Cli, lib: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(lib)
    for _ in range(2):
        assert cli("romfs", "build", ".").out == "lib.romfs\n"
    assert "lib.romfs" not in dict(read_romfs(Path("lib.romfs").read_bytes()).files())


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        ("romfs build", 2, "needs the directory"),
        ("romfs build nothing", 2, "is not a directory"),
        ("romfs build --no-mpy --arch armv6m lib", 2, "--no-mpy"),
        ("romfs build --arch z80 lib", 2, "unknown architecture z80"),
        ("romfs build --mpy-version 4 lib", 2, "cannot make .mpy version 4"),
        ("romfs build -o no/where lib", 6, "mkdir -p no"),
        ("romfs deploy", 2, "needs a directory or an image"),
        ("romfs deploy nothing", 6, "nothing: no such file"),
        ("romfs deploy lib/mod.py", 7, "there is no ROMFS image"),
        ("romfs ls lib/mod.py", 7, "lib/mod.py: there is no ROMFS image"),
        ("romfs query ls", 6, "ls: no such file"),
        ("romfs frob", 2, "no command frob"),
        ("-d /dev/ttyNOPE romfs query", 4, "ttyNOPE"),
        ("-d /dev/ttyNOPE romfs build lib", 4, "ttyNOPE"),
    ],
)
def test_mistakes(cli: Cli, lib: Path, line: str, code: int, said: str) -> None:
    run = cli(*line.split())
    assert run.code == code, run.err
    assert said in run.err
    assert "Traceback" not in run.err
    assert sorted(path.name for path in Path().iterdir()) == ["lib"], "nothing is left behind"


def test_a_syntax_error_names_file_and_line_and_leaves_nothing(cli: Cli, lib: Path) -> None:
    (lib / "pkg" / "bad.py").write_text("x = 1\ndef f(:\n")
    Path("lib.romfs").write_bytes(b"the old one")
    run = cli("romfs", "build", "lib")
    assert run.code == 8
    assert f"{lib / 'pkg' / 'bad.py'}:2: SyntaxError" in run.err
    assert Path("lib.romfs").read_bytes() == b"the old one"
    assert sorted(path.name for path in Path().iterdir()) == ["lib", "lib.romfs"]


def test_a_board_of_the_settings_that_is_not_plugged_in_stops_no_build(
    cli: Cli, lib: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UPYTOOL_DEVICE", "/dev/ttyNOPE")
    run = cli("romfs", "build", "lib")
    assert run.code == 0
    assert "without native code" in run.err


@pytest.mark.parametrize("name", [pytest.param("qemu-bare", marks=rig), pytest.param("qemu", marks=rig)])
def test_a_board_without_romfs_is_a_failure_with_a_reason(cli: Cli, lib: Path, boards: Boards, name: str) -> None:
    port = boards.fresh(name).port
    for words in (("query",), ("deploy", "lib"), ("ls",)):
        run = cli("-d", port, "romfs", *words)
        assert run.code == 1, run.err
        assert "has no ROMFS" in run.err
        assert run.out == ""


class TestOnABoard:
    pytestmark = rig

    def test_deploy_and_use(self, cli: Cli, lib: Path, board: Qemu) -> None:
        d = ("-d", board.port)
        assert cli(*d, "romfs", "query").out == "0\t524288\t4096\tnone\n1\t262144\t4096\tnone\n"
        empty = cli(*d, "romfs", "ls")
        assert (empty.code, empty.out) == (7, "")
        assert "holds no image" in empty.err
        done = cli(*d, "romfs", "deploy", "lib")
        assert (done.code, done.out) == (0, ""), done.err
        assert "has the image at /rom" in done.err
        used = cli(*d, "exec", "import mod, pkg; print(mod.value, mod.__file__, pkg.value)")
        assert used.out.split() == ["first", "/rom/mod.mpy", "first"]
        data = json.loads(cli(*d, "romfs", "query", "--json").out)["result"]
        assert data[0]["image_size"] > 9000
        assert data[1]["image_size"] is None

        assert "holds this image already" in cli(*d, "romfs", "deploy", "lib").err
        (lib / "mod.py").write_text("value = 'other'\n")
        changed = cli(*d, "romfs", "deploy", "lib", "--json")
        result = json.loads(changed.out)["result"]
        assert 0 < result["written"] < result["size"]
        assert (result["reset"], result["mounted"]) == (True, True)
        assert cli(*d, "exec", "import mod; print(mod.value)").out.split() == ["other"]

        assert "Grüße.bin\t9000" in cli(*d, "romfs", "ls").out
        saved = cli(*d, "romfs", "extract")
        assert saved.out == "romfs-0\n"
        assert Path("romfs-0/Grüße.bin").read_bytes() == (lib / "Grüße.bin").read_bytes()

    def test_mpremotes_forms(self, cli: Cli, lib: Path, board: Qemu) -> None:
        d = ("connect", board.port)
        assert cli("romfs", "build", "lib").code == 0
        chain = cli(*d, "romfs", "-p", "1", "deploy", "lib.romfs", "exec", "print(7)")
        assert (chain.code, chain.out.split()) == (0, ["7"]), chain.err
        image = Path("lib.romfs").read_bytes()
        at = ROM_AT + 524288
        assert board.flash.read_bytes()[at : at + len(image)] == image
        assert cli(*d, "romfs", "query", "+", "eval", "1").out.splitlines()[-1] == "1"
        assert len(cli(*d, "romfs", "-p", "1", "query").out.splitlines()) == 1
        assert cli(*d, "romfs", "deploy", "--no-mpy", "lib").code == 0
        assert cli(*d, "exec", "import mod; print(mod.__file__)").out.split() == ["/rom/mod.py"]

    def test_no_reset_leaves_the_program_alone(self, cli: Cli, lib: Path, board: Qemu) -> None:
        run = cli("-d", board.port, "exec", "kept = 1", "romfs", "deploy", "lib", "exec", "print(kept)", "--no-reset")
        assert (run.code, run.out.split()) == (0, ["1"]), run.err
        assert "after a soft reset" in run.err

    def test_an_image_that_does_not_fit(self, cli: Cli, board: Qemu) -> None:
        Path("big.romfs").write_bytes(build_romfs({"a": bytes(270_000)}))
        run = cli("-d", board.port, "romfs", "deploy", "-p", "1", "big.romfs")
        assert run.code == 7
        assert "more than partition 1 holds" in run.err
        assert cli("-d", board.port, "romfs", "deploy", "-p", "2", "big.romfs").code == 2

    def test_a_damaged_image_does_not_reach_the_board(self, cli: Cli, board: Qemu) -> None:
        Path("bad.img").write_bytes(build_romfs({"a": b"123"}).replace(b"\x05\x07", b"\x05\x70"))
        run = cli("-d", board.port, "romfs", "deploy", "bad.img")
        assert run.code == 7
        assert "bad.img: the ROMFS image is damaged" in run.err
        assert board.flash.read_bytes()[ROM_AT : ROM_AT + 4] == bytes(4)

    def test_native_code_is_compiled_for_the_board(self, cli: Cli, lib: Path, board: Qemu) -> None:
        (lib / "fast.py").write_text("import micropython\n@micropython.native\ndef f(x):\n    return x + 1\n")
        assert cli("romfs", "build", "lib").code == 8
        built = cli("-d", board.port, "romfs", "build", "-o", "native.romfs", "lib")
        assert built.code == 0, built.err
        assert cli("-d", board.port, "romfs", "deploy", "native.romfs").code == 0
        assert cli("-d", board.port, "exec", "import fast; print(fast.f(41))").out.split() == ["42"]

    def test_mpremote_sees_what_we_deployed(self, cli: Cli, lib: Path, board: Qemu) -> None:
        pytest.importorskip("mpremote")
        assert cli("-d", board.port, "romfs", "deploy", "lib").code == 0
        size = json.loads(cli("-d", board.port, "romfs", "query", "--json").out)["result"][0]["image_size"]
        code = "from mpremote.main import main; import sys; sys.exit(main())"
        words = ["connect", board.port, "romfs", "query"]
        line = [sys.executable, "-c", code, *words]
        done = subprocess.run(line, capture_output=True, text=True, timeout=60, check=False)
        # Its number is the image without the header, of 4 to 8 bytes.
        told = [int(line.split()[-1]) for line in done.stdout.splitlines() if "image size" in line]
        assert len(told) == 1, done
        assert size - 8 <= told[0] <= size - 4
