"""The command table: every command, its section, its one-line help and the module that holds it.

The root help, did-you-mean, completion and the reference are made from it without importing any command.
No imports here: it is read on every start.
"""

from __future__ import annotations

SECTIONS = ("Common", "Device", "Files", "Firmware", "Settings")


class Entry:
    """One command.

    Args:
        name: as typed.
        section: one of SECTIONS.
        help: one line, no full stop.
        module: the file in `cli/commands`; made from the name where not given.
        aliases: other names that do the same.
        hidden: left out of the root help.
        action: False for commands that only prepare something; a line of nothing but such commands ends in
            the REPL, as with mpremote.
    """

    __slots__ = ("action", "aliases", "help", "hidden", "module", "name", "section")

    def __init__(
        self,
        name: str,
        section: str,
        help: str,
        *,
        module: str = "",
        aliases: tuple[str, ...] = (),
        hidden: bool = False,
        action: bool = True,
    ) -> None:
        self.name, self.section, self.help = name, section, help
        self.module = module or name.replace("-", "_")
        self.aliases, self.hidden, self.action = aliases, hidden, action


COMMANDS: tuple[Entry, ...] = (
    Entry("flash", "Common", "put firmware on a board"),
    Entry("repl", "Common", "talk to the board's prompt"),
    Entry("run", "Common", "run a local program on the board"),
    Entry("cp", "Common", "copy files to, from or on the board"),
    Entry("mip", "Common", "install and manage packages"),
    Entry("devs", "Device", "list the boards that are connected", aliases=("devices", "ports")),
    Entry("info", "Device", "show what the board is: chip, firmware, memory, features"),
    Entry("exec", "Device", "run a line of code"),
    Entry("eval", "Device", "evaluate an expression and print it"),
    Entry("monitor", "Device", "watch what the board prints"),
    Entry("stop", "Device", "interrupt the program that runs on the board"),
    Entry("soft-reset", "Device", "restart MicroPython and clear its memory"),
    Entry("reset", "Device", "restart the board"),
    Entry("bootloader", "Device", "put the board into its bootloader"),
    Entry("rescue", "Device", "get back a board whose program loops or sleeps"),
    Entry("doctor", "Device", "find out why a board is not found or not opened"),
    Entry("webrepl", "Device", "set up and manage the REPL over the network"),
    Entry("rtc", "Device", "show or set the board's clock"),
    Entry("mount", "Device", "let the board see a local directory", action=False),
    Entry("umount", "Device", "take a mounted directory away", action=False),
    Entry("connect", "Device", "choose the board for what follows", action=False),
    Entry("disconnect", "Device", "let go of the board", action=False),
    Entry("resume", "Device", "use the board without the first soft reset", action=False),
    Entry("sleep", "Device", "wait some seconds", action=False),
    Entry("ble", "Device", "boards over Bluetooth LE: list what is there"),
    Entry("sim", "Device", "boards without hardware: start, list, stop"),
    Entry("ls", "Files", "list files"),
    Entry("cat", "Files", "print files"),
    Entry("mv", "Files", "move or rename files"),
    Entry("rm", "Files", "remove files"),
    Entry("mkdir", "Files", "make directories"),
    Entry("rmdir", "Files", "remove empty directories"),
    Entry("touch", "Files", "make empty files"),
    Entry("edit", "Files", "edit files of the board in your editor"),
    Entry("tree", "Files", "show a directory as a tree"),
    Entry("df", "Files", "show the space on the board"),
    Entry("sha256sum", "Files", "print checksums (md5sum, sha1sum and others too)"),
    Entry("cd", "Files", "change the board's directory"),
    Entry("pwd", "Files", "print the board's directory"),
    Entry("sync", "Files", "make a directory on the board equal to a local one"),
    Entry("diff", "Files", "compare local files with those on the board"),
    Entry("backup", "Files", "save the board's files"),
    Entry("restore", "Files", "bring saved files back"),
    Entry("wipe", "Files", "erase the board's file system"),
    Entry("fs", "Files", "mpremote's name for the file commands: `fs cp` is `cp`", hidden=True),
    Entry("erase", "Firmware", "erase a board's flash"),
    Entry("read-flash", "Firmware", "save a board's flash"),
    Entry("firmware", "Firmware", "find, download and look into firmware"),
    Entry("image", "Firmware", "look into and change the files in firmware and dumps"),
    Entry("romfs", "Firmware", "build and deploy read-only file systems"),
    Entry("build", "Firmware", "make firmware with your modules in it"),
    Entry("boards", "Firmware", "the boards that MicroPython has firmware for"),
    Entry("compile", "Firmware", "compile modules to .mpy files"),
    Entry("manifest", "Firmware", "look into a manifest.py, the list of what is frozen"),
    Entry("config", "Settings", "show and change settings"),
    Entry("dirs", "Settings", "show where upytool keeps things"),
    Entry("completions", "Settings", "set up completion in your shell"),
    Entry("help", "Settings", "explain a command or a topic"),
    Entry("version", "Settings", "print the version"),
)

# What `fs NAME` reaches; every name that ends in "sum" is a hash as well.
FILE_COMMANDS = ("cat", "cp", "ls", "mkdir", "mv", "rm", "rmdir", "sha256sum", "touch", "tree", "df", "edit")
CHECKSUM = "sha256sum"

BY_NAME: dict[str, Entry] = {}
for _entry in COMMANDS:
    for _name in (_entry.name, *_entry.aliases):
        BY_NAME[_name] = _entry

TOPICS: tuple[tuple[str, str], ...] = (
    ("selectors", "how to name a board"),
    ("chaining", "several commands in one line"),
    ("macros", "commands of your own"),
    ("options", "options of every command"),
    ("env", "environment variables"),
    ("config", "configuration files"),
    ("json", "output for programs"),
    ("exit-codes", "what the exit code says"),
    ("errors", "every error: its code, its meaning, what to do"),
)


def find(name: str) -> Entry | None:
    """The entry behind a name, an alias, or a checksum's name such as `sha1sum`."""
    entry = BY_NAME.get(name)
    if entry is None and name.endswith("sum") and name[:-3].replace("_", "").isalnum():
        return BY_NAME[CHECKSUM]
    return entry
