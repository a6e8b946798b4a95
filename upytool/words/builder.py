"""What the builder room says when something fails."""

from __future__ import annotations

ERRORS: dict[str, tuple[str, ...]] = {
    "build.at-line": ("{file}:{line}: {reason}",),
    "build.boot-rom-block": ("the boot ROM ignores the block at {address:#x}: its size is {size}, not {wanted}",),
    "build.boot-rom-restart": ("the boot ROM would restart in the middle of the file: its block counts differ",),
    "build.boot-rom-waits": ("the boot ROM would wait without end: the file has {there} of {count} blocks",),
    "build.cannot-read": ("cannot read {path}: {reason}",),
    "build.cannot-write": ("cannot write {path}: {reason}", "choose another --output"),
    "build.circuitpython": ("{name} is CircuitPython", "take a firmware of MicroPython"),
    "build.cmake": ("cmake: {reason}",),
    "build.container-digest": ("{program} does not say what {tag} is", "does `{program} info` work?"),
    "build.container-fetch": ("{program} cannot fetch {tag}: {reason}", "does `{program} info` work?"),
    "build.container-no-digest": ("{program} has no digest of {tag}", "fetch it again: {program} pull {tag}"),
    "build.damaged-mpy": ("{name} cannot be used: {cause}", "compile it again"),
    "build.defined-twice": ("{names} is defined twice",),
    "build.does-not-fit": ("{content} of modules and data do not go in: {reason}", "the largest are {largest}"),
    "build.entry-no-function": ('the entry "{entry}" calls {name}, which {path} does not have',),
    "build.entry-no-module": ('the entry "{entry}" names a module {module} that is not there',),
    "build.entry-starter": (
        'the entry "{entry}" is the file {module}.py, which starts by itself',
        "leave `entry` out, or name another module",
    ),
    "build.failed": ("the build failed: {reason}",),
    "build.file-system": ("{cause}",),
    "build.firmware-changed": (
        "the finished image changes the firmware itself",
        "please report this, with the project",
    ),
    "build.firmware-in-region": (
        "the firmware reaches {over} bytes into the region of the {what} at {start:#x}",
        "this firmware and this layout do not go together: take the board's official firmware",
    ),
    "build.flash-size-not-esp": ("--flash-size is for Espressif's chips, not for {chip}", "leave it out"),
    "build.git-not-started": ("git cannot be started: {reason}", "install git"),
    "build.interrupted": ("the build cannot go on: {reason}", "UPYTOOL_CACHE_DIR names another directory"),
    "build.layout-unknown": ("the flash layout of {build} is not known",),
    "build.locked": ("another build holds {path} for hours", "end it"),
    "build.manifest-finding": ("{message}", "fix {path}; `upytool manifest lint` shows everything"),
    "build.manifest.exits": ("{path} ends the program (SystemExit)", "fix the manifest"),
    "build.manifest.failed": ("{path}: {reason}", "`upytool manifest explain` shows what it does"),
    "build.manifest.metadata-first": (
        "{where}metadata() has to come first",
        "a package begins with metadata(version=...)",
    ),
    "build.manifest.metadata-twice": ("{where}metadata() is called twice", "call it once, before everything else"),
    "build.manifest.metadata-unknown": ("{where}metadata() knows no {name}", "it knows {known}"),
    "build.manifest.no-directory": (
        "{where}there is no directory {path}",
        "a path is relative to the manifest that names it",
    ),
    "build.manifest.no-file": ("{where}there is no file {path}", "a path is relative to the manifest that names it"),
    "build.manifest.no-library": (
        "{where}there is no library {library!r}",
        "add_library() makes one known; known: {known}",
    ),
    "build.manifest.no-package": ("{where}there is no package {name!r}",),
    "build.manifest.no-value": (
        "{where}$({name}) has no value here",
        "known: {known}; `upytool manifest lint` and `upytool manifest explain` take --tree and --var NAME=VALUE",
    ),
    "build.manifest.not-a-c-module": (
        "{where}{path} holds no C module",
        "it needs a micropython.mk or a micropython.cmake",
    ),
    "build.manifest.not-a-module": (
        "{where}{path} is not a Python module",
        "data does not freeze; a project's [build] data takes it",
    ),
    "build.manifest.not-py": ("{where}module({path!r}) is not a .py file", "package() takes a directory"),
    "build.manifest.optimisation": ("{where}opt={value!r} is not an optimisation level", "0 to 3"),
    "build.manifest.outside": (
        "{where}{path} leads out of {base}",
        "name the directory as the path, and files below it",
    ),
    "build.manifest.raised": ("{where}: {reason}",),
    "build.manifest.syntax": ("{path}:{line}: {reason}", "fix the manifest"),
    "build.manifest.timed-out": ("{path} did not end within {seconds:g} s", "does it loop?"),
    "build.manifest.two-files": ("{where}{target} comes from two files: {one} and {other}", "one of them goes: {step}"),
    "build.manifest.unreadable": ("{where}{cause}",),
    "build.missing-tools": ("to build {board} this computer lacks {tools}",),
    "build.never-starts": (
        "{name} would never start: a board looks for {stem}.py alone",
        'give it another name, app.mpy, and say `entry = "app"`; or take {stem}.py',
    ),
    "build.no-address": ("{name} does not say where in flash it belongs", "take its .uf2, .dfu or .hex file"),
    "build.no-base-firmware": ("there is no firmware to build into", "name a board and a version, or --firmware FILE"),
    "build.no-container": (
        "there is no {program}",
        "install it and start it, or use this computer's own compilers: --container none",
    ),
    "build.no-git": ("git is not installed, so no MicroPython source can be fetched", "install git"),
    "build.no-manifest": ("there is no manifest {path}", "fix the path, or take it out"),
    "build.no-manifestfile": ("{tree} has no tools/manifestfile.py", "is it a MicroPython tree of 1.20 or later?"),
    "build.no-mpy-cross": ("mpy-cross was built, and is not where it should be", "the log: {log}"),
    "build.no-output": ("the build ended well, and left none of {wanted} in {path}", "please report this"),
    "build.no-place": ("this firmware does not say where its file system is, and its board is not in the table",),
    "build.no-romfs": (
        "this firmware has no ROMFS",
        'filesystem = "auto" takes its file system; a "source" build can give it a ROMFS',
    ),
    "build.no-room-in-flash": (
        "the firmware's header states {size} MiB of flash, which leaves no room for a file system",
        "say how large the board's flash is: --flash-size 4MB",
    ),
    "build.no-such-output": ("{port} makes no {suffix} file", "it makes {known}"),
    "build.no-version": ("{name} does not say which MicroPython it is", "name it with --version, 1.27 for instance"),
    "build.not-a-c-module": ("{path} is not a C module for {port}: no {wanted}", "fix c_modules"),
    "build.not-elf": ("this is not a little-endian ELF file",),
    "build.not-mountable": (
        "the finished image would not be mounted: {reason}",
        "please report this, with the project",
    ),
    "build.not-started": ("{command} cannot be started: {reason}",),
    "build.not-started-from-romfs": ("{file} does not start from a ROMFS, and {cause}",),
    "build.not-whole-firmware": ("{name} is {part} alone, without a partition table", "take the firmware's .bin file"),
    "build.nothing-to-build": (
        "there is nothing to put into the firmware: no module and no data was found",
        "modules are .py and .mpy files; what `ignore` names, and names with a dot in front, are left out",
    ),
    "build.other-abi": (
        "{name} is for another firmware: {reason}",
        "put the .py file in its place: the build compiles it for this firmware",
    ),
    "build.other-board": (
        "the firmware is for {firmware}, the project for {board}",
        "name the board's own firmware, or fix `board`",
    ),
    "build.other-file-system": (
        "this firmware mounts {own} there, not {wanted}",
        'leave `filesystem` out: "auto" takes the right one',
    ),
    "build.other-version": (
        "the firmware is MicroPython {firmware}, the project asks for {version}",
        "name a firmware of that version, or fix `version`",
    ),
    "build.output-is-base": ("{path} is the firmware that is built into", "choose another --output"),
    "build.outside-flash": (
        "the {what} ends at {end:#x}, behind the {size} MiB of flash that the firmware is made for",
        "say how large the board's flash is: --flash-size 8MB",
    ),
    "build.path-with-blank": (
        "MicroPython's build takes no path with a blank in it: {path}",
        "move the tree, or set UPYTOOL_CACHE_DIR to a directory without blanks",
    ),
    "build.qemu-data": ("{target} is data, and a program for qemu has no file system", "leave it out"),
    "build.reaches-file-system": (
        "the firmware is {over} bytes too large: it reaches into the file system at {start:#x}",
        "the largest modules: {largest}",
    ),
    "build.readback": (
        "the finished image does not read back as what was put in",
        "please report this, with the project",
    ),
    "build.region-elsewhere": (
        "the firmware itself says where its file system is ({where}): it does not look in another region",
        "leave out --region",
    ),
    "build.region-nowhere": ("a region of {size} bytes at {start:#x} is none", "--region START,SIZE, in bytes"),
    "build.region-sectors": (
        "a region of {size} bytes at {start:#x} is not a whole number of sectors",
        "this chip's flash is erased by {unit} bytes",
    ),
    "build.same-module": (
        "{one} and {other} would be frozen as the same module",
        "frozen modules have one root, lib/ is not a directory there: rename one, or take it out",
    ),
    "build.timed-out": ("{command} did not end within {seconds:g} s",),
    "build.too-large": ("the firmware is {over} bytes too large for its flash (region {region})",),
    "build.tool-hangs": ("{command} fell silent and does not end", "the log: {log}"),
    "build.tool-not-started": ("{command} cannot be started: {reason}", "install it"),
    "build.tool-timed-out": ("{command} did not end within {seconds:g} s", "the log: {log}"),
    "build.tree-lacks": (
        "the tree {path} lacks {submodules}",
        (
            "it is not a git checkout, so nothing can fetch them: put them there, or name a git source (--source "
            "v{version})"
        ),
    ),
    "build.tree-not-owned": (
        "the tree {path} lacks {submodules}",
        "it is not the project's own: fetch them there, or name it yourself: --source {path}",
    ),
    "build.undefined": ("nothing defines {names}, which the firmware calls",),
    "build.unknown-port": ("upytool does not know how to build the port {port}", "it knows {known}"),
    "build.unreadable": ("the finished image cannot be read back: {cause}", "please report this, with the project"),
    "build.user-c-modules": ("USER_C_MODULES: there is no {path}", "fix the path, or take it out"),
    "network.git": ("git {command}: {reason}", "check the address"),
    "network.git-no-ref": ("git finds no {ref} in {url}", "{cause}"),
    "network.git-timed-out": ("git {command} did not end within {seconds:g} s", "check the network"),
    "network.no-release": ("{url} has no release", "name a branch or a commit: git+URL#ref"),
    "offline.container-image": ("the image {tag} is not here", "fetch it once: {program} pull {tag}"),
    "offline.latest": ("the latest release is asked of the network", 'name it: version = "1.27"'),
    "offline.no-source": ("MicroPython {ref} of {url} is not in the cache", "build once without --offline"),
    "offline.tree-lacks": ("the tree {path} lacks {submodules}", "fetch once without --offline"),
    "usage.bad-board-name": ("{name!r} is not a valid name of a board", "letters, digits, _ and -"),
    "usage.board-port": ("cannot determine the port of the board in {path}", 'set it: PORT = "stm32" in [build.make]'),
    "usage.c-modules-twice": ("c_modules and USER_C_MODULES are both given", "take one of them"),
    "usage.manifest-no-board": ("{tree} has no board {board}", "it has {known} ..."),
    "usage.no-board-directory": ("there is no board directory {path}", "BOARD_DIR has an mpconfigboard.h"),
    "usage.no-tree": ("there is no directory {path}", "name a MicroPython tree, git+URL#ref, or a release (v1.27.0)"),
    "usage.not-a-git-source": ("{url}#{ref} is not a git source", "write git+URL#ref"),
    "usage.not-a-tree": ("{path} is not a MicroPython tree", "name the directory that holds py/ and ports/"),
    "usage.port-no-board": ("{port} has no board {board}", "see {path}"),
    "usage.tree-no-board": ("MicroPython {version} in {path} has no board {board}",),
    "usage.tree-no-port": ("{tree} has no port {port}", "it has {known}"),
    "usage.tree-no-variant": ("{board} has no variant {variant}",),
    "usage.tree-no-version": ("{path} does not say which version this is", "take a tree of MicroPython 1.20 or later"),
    "usage.which-board": ("for which board?", "name it: --board RPI_PICO, or `board` in [build] of upytool.toml"),
}

NOTES: dict[str, str] = {
    "builder.add-module": "add it to `modules`, or to [packages]",
    "builder.and-more": "and {count} more",
    "builder.board-dir": "out-of-tree boards: BOARD_DIR in [build.make]",
    "builder.define-it": "define it there, or name what is to be called",
    "builder.firmware-alone": "freeze() and its kin exist for firmware alone; a package uses package() and module()",
    "builder.fix-manifest": "fix the manifest",
    "builder.get-idf": (
        "git clone -b {version} --recursive https://github.com/espressif/esp-idf && esp-idf/install.sh, then `. "
        "esp-idf/export.sh`"
    ),
    "builder.get-idf-readme": (
        "git clone --recursive https://github.com/espressif/esp-idf at the version that the tree's README names, "
        "esp-idf/install.sh, then `. esp-idf/export.sh`"
    ),
    "builder.in-container": "or with docker or podman: --container auto",
    "builder.install-tools": "install them, or build in a container",
    "builder.is-it": "is it {name}?",
    "builder.largest-modules": "the largest modules: {modules}",
    "builder.log": "the log: {log}",
    "builder.looked-in": "looked in {places}",
    "builder.name-board": "name the board: --board NAME; or say where the file system is: --region START,SIZE",
    "builder.name-manifest": "name a manifest.py",
    "builder.near-boards": "did you mean {names}?",
    "builder.no-libraries": (
        "a tree has it in lib/micropython-lib, a git submodule: fetch it, set MPY_LIB_DIR or call add_library()"
    ),
    "builder.no-variant": "leave the variant out",
    "builder.region-says": "--region START,SIZE says it",
    "builder.say-where": "say where it is, if you know it: --region START,SIZE",
    "builder.too-small": "the {kind} of {size} bytes is too small",
    "builder.too-small-by": "the {kind} of {size} bytes is too small: {over} bytes too many",
    "builder.tree-lacks": "the tree lacks {submodules}",
    "builder.variants": "it has {known}",
}
