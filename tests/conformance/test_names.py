"""Whatever a user's program redefined, and whatever files lie on the board: our own programs work, and change nothing.

The kind, not samples: every builtin and every module that a program of ours uses is taken, on every board.
"""

from __future__ import annotations

import pytest

from tests.unit.test_ondevice import NAMES
from upytool.device import ondevice
from upytool.device.device import Device
from upytool.device.oneshot import ALIASES
from upytool.device.rescue import disable, restore
from upytool.errors import RemoteException, RemoteExit
from upytool.packages import board as boards
from upytool.packages.survey import survey

pytestmark = pytest.mark.timeout(600)

_NEEDS = [ondevice.needs(ondevice.snippet(name)) for name in NAMES]
BUILTINS = sorted(
    set().union(*(names for names, _ in _NEEDS)) | {"SystemExit", "RuntimeError", "KeyError", "id", "str"}
)
# The names by which firmware gives out its own modules stay: nothing gets round those in sys.modules. Files of these
# names are among what is tried.
_USED = (set().union(*(modules for _, modules in _NEEDS)) | {"sys"}) - {"upytool_transfer"}
MODULES = sorted(_USED - ALIASES)


def everything(device: Device, home: str) -> None:
    """Each way that a program of ours goes to the board, once."""
    fs, data = device.fs, b"one\x03two\x04" * 40
    fs.write_bytes(f"{home}/a.txt", data)
    assert fs.read_bytes(f"{home}/a.txt") == data
    fs.write_bytes(f"{home}/a.txt", data * 40)
    assert fs.read_bytes(f"{home}/a.txt") == data * 40
    fs.write_bytes(f"{home}/a.txt", data)
    fs.mkdir(f"{home}/n")
    fs.write_bytes(f"{home}/n/a", b"1")
    fs.remove(f"{home}/n/a")
    fs.rmdir(f"{home}/n")
    fs.mkdir(f"{home}/d/e", parents=True)
    device.drive(fs.ops.copy_on_board(f"{home}/a.txt", f"{home}/d/e/b.txt"))
    fs.rename(f"{home}/d/e/b.txt", f"{home}/d/c.txt")
    assert {"a.txt", "d"} <= {entry.name for entry in fs.ls(home)}
    assert {entry.name for entry in fs.walk(f"{home}/d")} == {f"{home}/d/e", f"{home}/d/c.txt"}
    assert fs.stat(f"{home}/d/c.txt").size == len(data)
    fs.df()
    assert {gone.path for gone in fs.rmtree(f"{home}/d")} == {f"{home}/d", f"{home}/d/e", f"{home}/d/c.txt"}
    device.session.board = None
    assert device.info.implementation == "micropython"
    seen = survey(device, home, write=True)
    boards.prepare(device, [home + boards.STAGE], [], ["x.py"], home + boards.STAGE)
    boards.commit(device, [], 0, [], [], [f"{home}/d"], home + boards.STAGE)
    assert fs.is_dir(f"{home}/d")
    assert not fs.exists(home + boards.STAGE)
    boards.run(device, "usable", [home], boards.STAGE, boards.RECORD)
    boards.run(device, "undo", [], [f"{home}/d"], home + boards.STAGE)
    assert seen.target == home
    disable(device, ("upy_none.py",))
    restore(device, ("upy_none.py",))


def programs(device: Device) -> None:
    """A user's expression, and the exit status of a program of his."""
    assert device.eval("1+2") == 3
    with pytest.raises(RemoteExit) as stopped:
        device.run("import usys\nusys.exit(7)")
    assert stopped.value.exit_code == 7


@pytest.fixture(autouse=True)
def fresh(device: Device) -> object:
    device.soft_reset()
    yield
    device.soft_reset()


def test_names_that_the_program_took_change_nothing(device: Device, home: str) -> None:
    # `__import__` stays: with it a program takes the last name that the wrapper of its own `sys.exit` can use.
    names = [name for name in BUILTINS if name != "__import__"]
    device.exec(f"g=globals()\nfor n in {' '.join(names)!r}.split():g[n]=3\n")
    before = device.eval("[k for k in g]")
    everything(device, home)
    programs(device)
    assert set(device.eval("[k for k in g]")) == {*before, "usys"}
    for name in names:
        assert device.eval(name) == 3


def test_builtins_that_the_program_replaced_change_nothing(device: Device, home: str) -> None:
    names = [name for name in BUILTINS if name != "__import__"]
    try:
        device.exec(f"import builtins\ns=setattr\nfor n in {' '.join(names)!r}.split():s(builtins,n,3)\n")
    except RemoteException as error:
        pytest.skip(f"this firmware's builtins stay: {error.kind}")
    everything(device, home)
    programs(device)
    for name in names:
        assert device.eval(name) == 3


def test_modules_that_the_program_replaced_change_nothing(device: Device, home: str) -> None:
    device.exec(f"import sys\nm=sys.modules\np=sys.path\nfor n in {' '.join(MODULES)!r}.split():m[n]=3\n")
    before = device.eval("(sorted(m),list(p))")
    device.exec("m['builtins']=3")
    everything(device, home)
    device.exec("assert m.pop('builtins')==3")  # With that taken no expression of the user's can be evaluated.
    assert device.eval("(sorted(m),list(p))") == before
    assert device.eval(f"[n for n in {' '.join(MODULES)!r}.split() if m[n]!=3]") == []


def test_files_with_the_names_of_modules_are_not_run(device: Device, home: str) -> None:
    mine = "open('ran','w').close()\nraise ValueError('mine')\n"
    fs = device.fs
    for name in sorted(_USED):
        fs.write_text(f"{home}/{name}.py", mine)
    there = fs.getcwd()
    device.exec(f"import usys\np=usys.path\np.insert(0,{home!r})\n")
    before = device.eval("list(p)")
    fs.chdir(home)
    try:
        everything(device, home)
        programs(device)
        assert device.eval("list(p)") == before
    finally:
        fs.chdir(there)
    assert not fs.exists(f"{home}/ran")


def test_an_expression_sees_the_users_names(device: Device) -> None:
    device.exec("_p=5\n_r=6")
    assert device.eval("_p+_r") == 11


def test_the_path_is_whole_after_a_program_of_ours_failed(device: Device, home: str) -> None:
    before = device.eval("__import__('sys').path")
    with pytest.raises(OSError):
        device.fs.ls(f"{home}/none")
    assert device.eval("__import__('sys').path") == before


def test_what_the_probe_and_mip_say_of_the_path_is_the_users(device: Device, home: str) -> None:
    device.exec(f"import sys\nsys.path.append({home!r})")
    path = tuple(device.eval("__import__('sys').path"))
    device.session.board = None
    assert device.info.sys_path == path
    assert boards.records(device, None)[0] == list(path)
    assert home in path


def test_the_probe_finds_modules_that_are_frozen(device: Device, home: str) -> None:
    device.session.board = None
    for name in ("asyncio", "upytool_transfer"):
        there = device.exec(f"try:\n import {name}\n print(1)\nexcept ImportError:\n print(0)").strip() == "1"
        assert (name in device.info.modules) is there


def test_names_leave_nothing_in_the_boards_memory(device: Device, home: str) -> None:
    """Each short text of a source would stay until the next reset, and cut the heap into pieces."""
    try:
        counted = "import micropython\nmicropython.qstr_info()"
        device.exec(counted)
    except RemoteException as error:
        pytest.skip(f"this firmware does not count its texts: {error.kind}")

    def texts() -> int:
        return int(device.exec(counted).partition("n_qstr=")[2].partition(",")[0])

    fs = device.fs
    fs.chdir(home)

    def work(letter: str) -> None:
        names = [f"{letter}{number}" for number in range(20)]
        fs.put_many([(name, b"1") for name in names])
        assert set(fs.get_many(names)) == set(names)
        for name in names:
            assert fs.stat(name).size == 1
        if "hashlib" in device.info.modules:
            fs.hash(names)
        fs.mkdir(f"{letter}d")
        assert len(fs.ls()) == 21
        fs.rmtree("")

    work("a")
    before = texts()
    work("b")
    fs.chdir("/")
    assert texts() - before <= 5


def test_a_deep_folder_is_removed(device: Device, home: str) -> None:
    deep = "/".join([home, *"d" * 60])
    device.fs.mkdir(deep, parents=True)
    device.fs.write_bytes(f"{deep}/f", b"1")
    assert len(device.fs.walk(home)) == 61
    assert len(device.fs.rmtree(f"{home}/d")) == 61
    assert device.fs.ls(home) == []


def test_the_probe_tells_the_users_own_path(device: Device, home: str) -> None:
    device.exec(f"import sys\nsys.path.append({home!r})")
    device.session.board = None
    assert device.info.sys_path == tuple(device.eval("__import__('sys').path"))
    assert home in device.info.sys_path
