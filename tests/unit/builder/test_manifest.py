"""The manifest language: MicroPython's own evaluator is the oracle where a tree is at hand."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import Any

import pytest

from tests.rigs.debian_source import source_tree
from upytool.builder import manifest_runner
from upytool.builder.manifest_runner import ManifestError, run_manifest
from upytool.builder.tree_manifest import disagreements, run_tree_manifest
from upytool.testing import Recorder


def fill(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    return folder


def codes(manifest: Any) -> list[str]:
    return [finding.code for finding in manifest.findings]


PROJECT = {
    "manifest.py": (
        'metadata(version="1.2")\n'
        'package("app", base_path="src")\n'
        'module("one.py", opt=2)\n'
        'include("more", extra=True)\n'
        'freeze("plain", "deep/two.py")\n'
        'freeze_as_str("texts")\n'
    ),
    "src/app/__init__.py": "", "src/app/b.py": "", "src/app/a/c.py": "", "src/app/logo.png": "",
    "one.py": "", "plain/deep/two.py": "", "plain/other.py": "", "texts/t.py": "",
    "more/manifest.py": 'options.defaults(extra=False)\nif options.extra:\n    module("x.py")\n',
    "more/x.py": "",
}  # fmt: skip


def test_what_goes_in_and_why(tmp_path: Path) -> None:
    made = run_manifest(fill(tmp_path, PROJECT))
    assert [(file.target, file.kind, file.optimize) for file in made.files] == [
        ("app/__init__.py", "compile", None),
        ("app/a/c.py", "compile", None),
        ("app/b.py", "compile", None),
        ("deep/two.py", "compile", None),
        ("one.py", "compile", 2),
        ("t.py", "text", None),
        ("x.py", "compile", None),
    ]
    assert made.find("app.a.c") is made.files[1]
    assert made.find("app") is made.files[0]
    x = made.find("x.py")
    assert x is not None
    assert [(step.manifest.parent.name, step.line, step.call) for step in x.chain] == [
        (tmp_path.name, 4, 'include("more", extra=True)'),
        ("more", 3, 'module("x.py")'),
    ]
    assert x.version == "1.2", "an include belongs to the package that includes"
    assert [finding.message for finding in made.findings if finding.code == "left-out"] == [
        f"{tmp_path}/src/app/logo.png is no .py file and is left out"
    ]


def test_the_folder_is_the_manifests_own_while_it_runs(tmp_path: Path) -> None:
    text = 'with open("name.txt") as file:\n    module(file.read())\n'
    folder = fill(tmp_path, {"sub/manifest.py": text, "sub/name.txt": "m.py", "sub/m.py": ""})
    before = os.getcwd()
    made = run_manifest(folder / "sub" / "manifest.py")
    assert [file.target for file in made.files] == ["m.py"]
    assert os.getcwd() == before


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("module('gone.py')", "manifest.py:1: there is no file"),
        ("\nmodule('m.txt')", "manifest.py:2: module..m.txt.. is not a .py file"),
        ("package('gone')", "there is no directory"),
        ("freeze('$(MPY_DR)/x')", r"\$\(MPY_DR\) has no value here"),
        ("require('nobody')", "there is no package 'nobody'"),
        ("require('x', library='lib')", "there is no library 'lib'"),
        ("metadata(version='1')\nmetadata(version='2')", "manifest.py:2: metadata.. is called twice"),
        ("metadata(verison='1')", "knows no verison"),
        ("1/0", "manifest.py:1: ZeroDivisionError"),
        ("def f(:", "manifest.py:1: "),
        ("raise SystemExit(3)", "ends the program"),
        ("module('../up.py')", "leads out of"),
        ("module('one.py', opt=7)", "optimisation level"),
        ("module('one.py')\nfreeze('plain', 'one.py')", "one.py comes from two files"),
        ("c_module('.')", "holds no C module"),
        ("include('gone.py')", "manifest.py:1: cannot read .*gone.py"),
    ],
)
def test_what_is_refused(tmp_path: Path, text: str, message: str) -> None:
    folder = fill(tmp_path, {"one.py": "", "m.txt": "", "plain/one.py": "", "manifest.py": text + "\n"})
    with pytest.raises(ManifestError, match=message) as caught:
        run_manifest(folder)
    assert caught.value.hint


def test_an_error_in_an_included_manifest_names_its_line(tmp_path: Path) -> None:
    folder = fill(tmp_path, {"manifest.py": 'include("a")\n', "a/manifest.py": "\n\nmodul('x.py')\n"})
    with pytest.raises(ManifestError, match=r"a/manifest\.py:3: NameError"):
        run_manifest(folder)


def test_require_walks_libraries_in_order(tmp_path: Path) -> None:
    library = {
        "lib/micropython/net/thing/manifest.py": 'metadata(version="3")\nmodule("thing.py")\n',
        "lib/micropython/net/thing/thing.py": "",
        "lib/python-ecosys/thing/manifest.py": 'metadata(version="9")\nmodule("other.py")\n',
        "lib/python-ecosys/thing/other.py": "",
        "mine/thing/manifest.py": 'metadata(version="0")\npackage("thing")\n',
        "mine/thing/thing/__init__.py": "",
        "manifest.py": 'require("thing")\n',
    }
    folder = fill(tmp_path, library)
    variables = {"MPY_LIB_DIR": str(folder / "lib")}
    made = run_manifest(folder, variables=variables)
    assert [(file.target, file.version) for file in made.files] == [("thing.py", "3")]
    (folder / "manifest.py").write_text('add_library("mine", "mine", prepend=True)\nrequire("thing")\n')
    assert [file.target for file in run_manifest(folder, variables=variables).files] == ["thing/__init__.py"]
    (folder / "manifest.py").write_text('add_library("mine", "mine")\nrequire("thing", library="mine")\n')
    assert [file.target for file in run_manifest(folder, variables=variables).files] == ["thing/__init__.py"]


def test_modes(tmp_path: Path) -> None:
    folder = fill(
        tmp_path,
        {
            "manifest.py": 'metadata(version="1")\nrequire("std")\nrequire("eco")\nmodule("m.py")\n',
            "m.py": "",
            "l/micropython/std/manifest.py": 'metadata(version="1", stdlib=True)\nmodule("std.py")\n',
            "l/micropython/std/std.py": "",
            "l/micropython/eco/manifest.py": 'metadata(version="1", pypi="eco-on-pypi")\nmodule("eco.py")\n',
            "l/micropython/eco/eco.py": "",
        },
    )
    variables = {"MPY_LIB_DIR": str(folder / "l")}
    assert [file.target for file in run_manifest(folder, mode="compile", variables=variables).files] == [
        "eco.py", "m.py", "std.py",
    ]  # fmt: skip
    project = run_manifest(folder, mode="pyproject", variables=variables)
    assert ([file.target for file in project.files], project.dependencies) == (["m.py"], ("eco-on-pypi",))
    (folder / "manifest.py").write_text('module("m.py")\n')
    with pytest.raises(ManifestError, match=r"metadata\(\) has to come first"):
        run_manifest(folder, mode="compile")
    (folder / "manifest.py").write_text('metadata()\nfreeze(".")\n')
    with pytest.raises(ManifestError, match="NameError") as caught:
        run_manifest(folder, mode="compile")
    assert "firmware alone" in caught.value.hint
    (folder / "manifest.py").write_text('freeze(".")\nc_module("native")\n')
    fill(folder, {"native/micropython.mk": ""})
    assert run_manifest(folder, mode="c-modules").c_modules == (folder / "native",)
    assert run_manifest(folder, mode="c-modules").files == ()


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ('include("a.py")\ninclude("a.py", fast=True)\n', "second-include"),
        ('add_library("l", "lib")\nrequire("p", version="2")\n', "unused-version"),
        ('include("opt.py")\n', "unknown-option"),
        ('package("empty")\n', "nothing-found"),
        ('freeze("mpys")\n', "main-mpy"),
        ('freeze("mpys")\nmodule("main.py")\n', "twins"),
        ('module("p.py")\npackage("p")\n', "module-and-package"),
        ('module("m.py", opt=3)\n', "no-line-numbers"),
        ('module("m.py")\nmodule("m.py", opt=1)\n', "twice"),
    ],
)
def test_findings(tmp_path: Path, text: str, code: str) -> None:
    folder = fill(
        tmp_path,
        {
            "manifest.py": text, "a.py": "", "opt.py": "options.defaults(a=1)\noptions.a\noptions.b\n",
            "lib/p/manifest.py": "", "empty/x.txt": "", "mpys/main.mpy": "", "main.py": "", "p.py": "",
            "p/__init__.py": "", "m.py": "",
        },
    )  # fmt: skip
    assert code in codes(run_manifest(folder))


def test_without_the_boards_manifest_a_board_has_no_files(tmp_path: Path) -> None:
    folder = fill(
        tmp_path,
        {
            "port/boards/manifest.py": 'freeze("$(PORT_DIR)/modules")\n', "port/modules/_boot.py": "",
            "mine/manifest.py": 'module("m.py")\n', "mine/m.py": "",
        },
    )  # fmt: skip
    variables = {"PORT_DIR": str(folder / "port")}
    assert "no-board-manifest" in codes(run_manifest(folder / "mine", variables=variables))
    (folder / "mine/manifest.py").write_text('include("$(PORT_DIR)/boards/manifest.py")\nmodule("m.py")\n')
    assert codes(run_manifest(folder / "mine", variables=variables)) == []


def test_a_downloaded_manifest_is_told_before_it_runs(tmp_path: Path) -> None:
    folder = fill(tmp_path, {"manifest.py": 'include("got/manifest.py")\n', "got/manifest.py": "1/0\n"})
    recorder = Recorder()
    with pytest.raises(ManifestError):
        run_manifest(folder, downloaded=[folder / "got"], reporter=recorder)
    assert [event.message for event in recorder.events if hasattr(event, "message")] == [
        f"running {folder}/got/manifest.py, which was downloaded"
    ]


def test_what_it_prints_is_no_result(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    run_manifest(fill(tmp_path, {"manifest.py": 'print("hello")\n'}))
    assert capfd.readouterr() == ("", "hello\n")


def test_a_loop_of_links_in_a_library_ends(tmp_path: Path) -> None:
    folder = fill(tmp_path, {"manifest.py": 'add_library("l", "lib")\nrequire("b")\n', "lib/a/x/manifest.py": ""})
    for number in range(8):  # without a memory of places each would double the walk
        (folder / "lib" / "a" / f"loop{number}").symlink_to(folder / "lib")
        (folder / "lib" / f"loop{number}").symlink_to(folder / "lib")
    with pytest.raises(ManifestError, match="there is no package"):
        run_manifest(folder)


def test_a_loop_of_links_ends(tmp_path: Path) -> None:
    folder = fill(tmp_path, {"manifest.py": 'package("p")\n', "p/a.py": ""})
    (folder / "p" / "loop").symlink_to(folder / "p")
    assert [file.target for file in run_manifest(folder).files] == ["p/a.py"]


# -- against the real thing ------------------------------------------------------------------------


def oracle(tree: Path, manifest: Path, variables: dict[str, str]) -> set[tuple[str, str, Any]] | None:
    spec = importlib.util.spec_from_file_location("upstream_manifestfile", tree / "tools" / "manifestfile.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    names = {"MPY_LIB_DIR": None, "BOARD_DIR": None, **variables}
    made = module.ManifestFile(module.MODE_FREEZE, names)
    before = os.getcwd()
    try:
        made.execute(str(manifest))
    except module.ManifestFileError:
        return None
    finally:
        os.chdir(before)
    return {(each.target_path, os.path.realpath(each.full_path), each.opt) for each in made.files()}


@pytest.mark.rig
def test_every_manifest_of_a_micropython_tree(tmp_path: Path) -> None:
    """Each board's and port's manifest of a release gives what the release's own tool gives."""
    tree = source_tree("micropython-1.26.1")
    library = tmp_path / "lib"
    for name in ("mip", "requests", "ntptime", "dht", "neopixel", "onewire", "ds18x20", "bundle-networking",
                 "upysh", "aioespnow", "espflash", "umqtt.simple", "umqtt.robust", "ssd1306", "webrepl",
                 "lora-sx126x", "lora-sync", "bundle-typing", "aioble"):  # fmt: skip
        module = name.replace(".", "_").replace("-", "_") + ".py"
        text = f'metadata(version="1")\nmodule("{module}", opt=1)\n'
        fill(library / "micropython" / name, {"manifest.py": text, module: ""})
    same = refused = 0
    for manifest in sorted((tree / "ports").glob("*/boards/**/manifest*.py")):
        port = tree / "ports" / manifest.relative_to(tree / "ports").parts[0]
        variables = {
            "MPY_DIR": str(tree), "MPY_LIB_DIR": str(library), "PORT_DIR": str(port), "BOARD_DIR": str(manifest.parent),
            "MCU_CORE": "M55_HP",
        }  # fmt: skip
        theirs = oracle(tree, manifest, variables)
        try:
            ours = run_manifest(manifest, variables=variables)
        except ManifestError:
            assert theirs is None, f"only ours refuses {manifest}"
            refused += 1
            continue
        assert theirs is not None, f"only the original refuses {manifest}"
        assert {(f.target, os.path.realpath(f.source), f.optimize) for f in ours.files} == theirs
        same += 1
        if same == 1:
            assert disagreements(ours, run_tree_manifest(tree, manifest, variables)) == []
    assert same > 50
    assert refused < same


def test_a_tree_that_disagrees_is_told(tmp_path: Path) -> None:
    tool = (
        "MODE_FREEZE=1\nKIND_FREEZE_AS_STR=3\nKIND_FREEZE_MPY=5\nclass ManifestFileError(Exception): pass\n"
        "class F:\n  target_path='x.py'; full_path='/x.py'; kind=4; opt=None\n"
        "  class metadata: version=None\n"
        "class ManifestFile:\n  def __init__(s,m,v): pass\n"
        "  def execute(s,f): print('noise')\n  def files(s): return [F]\n"
    )
    folder = fill(tmp_path, {"tools/manifestfile.py": tool, "manifest.py": 'module("m.py")\n', "m.py": ""})
    theirs = run_tree_manifest(folder, folder / "manifest.py", {})
    found = disagreements(run_manifest(folder), theirs)
    assert [finding.message for finding in found] == [
        "the tree's tool freezes x.py, ours does not",
        "ours freezes m.py, the tree's tool does not",
    ]


@pytest.mark.parametrize("body", ["while True:\n    pass\n", "import time\ntime.sleep(300)\n"])
def test_a_manifest_that_does_not_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str) -> None:
    monkeypatch.setattr(manifest_runner, "TIMEOUT", 0.3)
    (tmp_path / "manifest.py").write_text(body)
    here = os.getcwd()
    with pytest.raises(ManifestError, match=r"did not end within 0\.3 s"):
        run_manifest(tmp_path)
    assert os.getcwd() == here
    (tmp_path / "manifest.py").write_text("raise KeyboardInterrupt\n")
    with pytest.raises(KeyboardInterrupt):
        run_manifest(tmp_path)
