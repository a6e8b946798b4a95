"""What the device room says when something fails."""

from __future__ import annotations

ERRORS: dict[str, tuple[str, ...]] = {
    "flash.romfs-full": (
        "the ROMFS image has {size} bytes, {excess} more than partition {number} holds",
        "leave files out, or compile them (--mpy); nothing was written",
    ),
    "flash.romfs-not-kept": (
        "ROMFS partition {number} does not keep what is written, from byte {offset:#x} on",
        "its flash may be worn out or write-protected",
    ),
    "flash.slot-busy": (
        "cannot write {label}: the board runs it, or its next reset starts it",
        "the board was reset and started another slot; retry",
    ),
    "flash.slot-verify": (
        "verification failed: {label} does not match from byte {offset:#x} on",
        "the flash may be worn out",
    ),
    "local-file.backup-damaged": (
        "{path} is not a backup, or it is damaged: {cause}",
        "nothing was changed; use another backup",
    ),
    "local-file.backup-unsafe": (
        "{path} holds {name!r}, which is not a file below {directory}/",
        "nothing was changed; it was not made by `upytool backup`, or it was altered",
    ),
    "local-file.cannot-mount": ("cannot mount {path}: {reason}", "name a directory"),
    "local-file.capture": ("cannot write the capture: {reason}", "check that the disk is not full"),
    "local-file.copy-onto-itself": ("{path} is the source itself", "choose another destination"),
    "local-file.name": ("{path!r} is not a valid file name on this system",),
    "local-file.nested-too-deeply": ("{path}: its directories are nested too deeply",),
    "local-file.no-directory": ("directory not found: {path}", "create it first: `mkdir -p {path}`"),
    "local-file.no-reader": ("{path}: nothing reads it", "start the reader first, or name a file"),
    "local-file.not-regular": (
        "{path} is {kind}, not a regular file",
        "leave it out with --ignore, or pipe it: `upytool cp - :NAME`",
    ),
    "local-file.not-regular-there": ("{path} exists and is not a regular file",),
    "local-file.sync-source": ("{path} is not a directory", "copy a file with cp: `upytool cp {path} :`"),
    "local-file.system": ("{path}: {reason}",),
    "local-file.tree-through-link": (
        "{path} is a link, and a tree is not written through links",
        "remove the link, or copy to the place that it leads to",
    ),
    "protocol.damaged.answer-length": ("the board's answer has the wrong length", "try again"),
    "protocol.damaged.greeting": ("unexpected greeting from the transfer program", "try again"),
    "protocol.damaged.not-started": ("{cause}", "try again"),
    "protocol.damaged.out-of-step": ("the board's answers are out of step", "try again"),
    "protocol.damaged.unexpected": ("unexpected response from the board", "try again"),
    "protocol.disturbed.answer": ("unexpected response from the board: {answer!r}",),
    "protocol.disturbed.no-answer": ("the board gave no answer",),
    "protocol.no-mount": (
        "this firmware cannot see a directory of this computer: it has no {module}",
        "copy the files instead: `upytool sync DIR :`",
    ),
    "protocol.no-short-program.failed": ("the board cannot run it: {cause}", "a longer way is used for it"),
    "protocol.no-short-program.mounted": ("a directory of this computer is mounted", "a longer way is used"),
    "protocol.no-short-program.none-now": ("no short programs now", "a longer way is used"),
    "protocol.no-short-program.spelling": ("names may be spelt differently there", "a longer way is used"),
    "protocol.no-stream": ("the board cannot run the transfer program ({words})", "a slower way is used for it"),
    "protocol.stream.altered": ("the data on the board is not what was sent", "try again"),
    "protocol.stream.altered-answer": ("the data received is not what the board sent", "try again"),
    "protocol.stream.answer-length": ("the board's answer has the wrong length", "try again"),
    "protocol.stream.answer-too-long-in-one": (
        "the board sent more than {limit} bytes in one answer",
        "reset the board, then try again",
    ),
    "protocol.stream.backup-altered": (
        "{path} does not match its checksum on the board",
        "no backup was made; the file may have been changed meanwhile: try again",
    ),
    "protocol.stream.changed-while-compared": (
        "a file changed while it was compared",
        "stop the program that writes it",
    ),
    "protocol.stream.file-changed-while-read": ("{path} changed during the copy", "try again"),
    "protocol.stream.file-cut": (
        "{path} changed during the copy ({size} of {expected} bytes received)",
        "stop the program that writes it, then try again",
    ),
    "protocol.stream.files-changed": ("a file changed during the copy from the board", "try again"),
    "protocol.stream.no-look": ("the board cannot look at it", "a longer way is used"),
    "protocol.stream.too-many-files": (
        "the board lists more than {limit} files, or names that are too long",
        "name a smaller directory, or reset the board and try again",
    ),
    "protocol.stream.too-much": (
        "the board sent more of {path} than was requested",
        "reset the board, then try again",
    ),
    "protocol.stream.transfer-failed": (
        "the transfer failed {failures} times in {seconds:.0f} s: {cause}",
        "bytes are lost or altered on the way: try a lower `--baud`, another cable or another port",
    ),
    "protocol.stream.unexpected": ("unexpected response from the board", "try again"),
    "protocol.stream.unexpected-line": ("unexpected response from the board: {line!r}", "try again"),
    "protocol.stream.upload-damaged": ("{path} arrived damaged on the board", "the old file is kept: try again"),
    "protocol.timeout.no-answer": (
        "the board stopped answering: tried {failures} times in {seconds:.0f} s",
        "reset the board or plug it in again, then retry",
    ),
    "protocol.timeout.no-program-taken": ("the board did not accept the program", "reset the board, then try again"),
    "protocol.timeout.transfer-not-started": (
        "the transfer did not start on the board: tried {failures} times in {seconds:.0f} s",
        "a busy board may need longer: `--timeout 120` waits for it; `upytool soft-reset` stops what runs there",
    ),
    "remote.edit-by-hand": ("{path} on the board cannot be edited automatically",),
    "remote.memory": (
        "the board does not have enough free memory for this",
        "a program still uses it: run `upytool soft-reset`, then try again",
    ),
    "remote.no-hash": ("the board's hashlib has no {algorithm}", "copy the file here and hash it: `upytool cp`"),
    "remote.no-romfs.firmware": (
        "the firmware of this board has no ROMFS",
        "it needs MicroPython 1.25 or newer, built with a partition",
    ),
    "remote.no-romfs.partition": (
        "this board has no ROMFS partition",
        "its firmware could use one: build it with a partition",
    ),
    "remote.no-webrepl-module": ("the module `webrepl` is not installed", "`upytool mip install webrepl`"),
    "remote.no-webrepl-network": (
        "WebREPL is not supported by this firmware: it has no module `network`",
        "`upytool info` names the board; `upytool flash` puts firmware with Wi-Fi or Ethernet on it",
    ),
    "remote.no-webrepl-server": (
        "WebREPL is not supported by this firmware: it has no module `_webrepl`",
        "an official firmware for a board with Wi-Fi has it: `upytool flash`",
    ),
    "remote.no-wifi": ("Wi-Fi is not supported by this board", "leave --wifi out"),
    "remote.part-failed": ("the board's {part} failed: {reason}",),
    "remote.unidentified": ("could not identify the board", "check that it runs MicroPython"),
    "remote.webrepl-config": ("webrepl_cfg.py on the board is not valid Python", "`upytool edit :webrepl_cfg.py`"),
    "remote.wifi-not-joined": ("the board did not join the Wi-Fi {ssid!r} within {seconds:.0f} s",),
    "transport.lost.transfer": ("{cause}",),
    "usage.backup-empty": ("{backup} has nothing at {top}", "it holds what was at {root}"),
    "usage.backup-mount": (
        "nothing is mounted at {point}, and the backup has files of it",
        "mount it first (check that the card is in), or restore another part with --path",
    ),
    "usage.backup-place": ("cannot restore {path}: the place is not the board's own now", "unmount it"),
    "usage.command-too-long": ("a command for the board is too long", "use shorter paths"),
    "usage.destination-file": ("{path}/ is not a directory", "drop the trailing / to replace the file"),
    "usage.device-closed": ("{name} is closed", "connect again"),
    "usage.diff-file-and-directory": (":{path} is a file, the other side a directory", "compare two of a kind"),
    "usage.diff-kinds": ("{left} and {right} are a file and a directory", "compare two of a kind"),
    "usage.diff-one-side": ("nothing to compare {path} with", "`upytool diff {path} :`"),
    "usage.diff-sides": ("one of the two has to be on the board", "`upytool diff src :/app`"),
    "usage.directory-in-the-way": ("cannot write {path}: a directory with that name exists", "remove it first"),
    "usage.directory-onto-file": ("{path} is a file, {source} a directory", "choose another name"),
    "usage.empty-path": (
        "an empty path names no file",
        "check whether a shell variable is empty; `.` is this directory",
    ),
    "usage.file-for-several": ("{path} is not a directory", "several sources need a directory to go to"),
    "usage.file-in-the-way": ("cannot create directory {path}: a file with that name exists", "remove it first"),
    "usage.ignore-pattern": ("{pattern!r} is not an ignore pattern: {reason}", "write a range as [a-z]"),
    "usage.in-mount": (
        "{path} is in a directory of this computer that is mounted on the board",
        "unmount it first, or delete the files here",
    ),
    "usage.into-itself": ("cannot move :{path} into itself", "name a place outside of it"),
    "usage.is-directory": ("{path} is a directory", "copy directories with -r"),
    "usage.local-directory": ("{path} is a directory of this computer", "copy it here, without the board"),
    "usage.mount-point": ("{point!r} is not a mount point", "name an absolute path on the board: /remote"),
    "usage.mpy-architecture": ("unknown architecture {architecture}", "one of {known}"),
    "usage.mpy-version": ("cannot make .mpy version {version}", "6, or with native code 6.3"),
    "usage.nested-mount": ("{point} is inside {around}, which is mounted", "mount points cannot be nested"),
    "usage.no-destination": ("{path}/ does not exist",),
    "usage.no-directory-for-several": ("{path} does not exist", "several sources need a directory to go to"),
    "usage.no-mpy": ("this board loads no .mpy files", "use the .py files as they are"),
    "usage.not-mounted": ("{point} is not mounted",),
    "usage.nothing-to-copy": ("there is nothing to copy", "name sources, then the destination"),
    "usage.other-case": (
        "{path} exists already as {name}: the file system does not distinguish upper and lower case",
        "write it as {name} too, or rename {name} first",
    ),
    "usage.romfs-names": ("{path} has names that differ only in how their letters are encoded",),
    "usage.romfs-partition": ("this board has no ROMFS partition {number}", "it has {numbers}"),
    "usage.romfs-size": ("ROMFS partition {number} has {size} bytes, not {wanted}",),
    "usage.romfs-source": ("{path} is not a directory", "name the directory whose files the image is to hold"),
    "usage.romfs-target": ("{path} exists already", "name another directory with -o, or use --force"),
    "usage.root": ("{path} is the whole file system of the board", "`upytool wipe` removes all files"),
    "usage.same-destination": (
        "{first} and {second} would both become {path}",
        "copy them one after the other to different names",
    ),
    "usage.same-name-in-case": (
        "{first} and {second} would be one file: the file system does not distinguish upper and lower case",
        "rename one of the two, or leave one out with --ignore",
    ),
    "usage.same-name-in-forms": (
        "{first} and {second} would be one file: the file system does not distinguish forms of accented letters",
        "rename one of the two, or leave one out with --ignore",
    ),
    "usage.sync-target": (":{path} is a file", "sync needs a directory"),
    "usage.too-many-mounts": ("a board can have {limit} mounts at most", "remove some: `upytool umount`"),
    "usage.wifi-name": ("a Wi-Fi name has 1 to 32 bytes",),
    "usage.wifi-password": ("a Wi-Fi password has 8 to 63 characters of ASCII", "leave it empty for an open network"),
}

NOTES: dict[str, str] = {
    "device.add-start": "add `import webrepl; webrepl.start()` to it",
    "device.backup-cut": "its list is missing: it may have been cut off",
    "device.backup-differs": "{path} differs from what was saved",
    "device.backup-lacks": "{name} is missing",
    "device.backup-long-list": "its list is far too long",
    "device.backup-members": "it has more than {limit:,} members",
    "device.backup-no-archive": "it is not a .tar, .tar.gz or .zip archive",
    "device.backup-other-files": "its files are not those of its list",
    "device.broken-link": "if it is a broken link, remove it or ignore it",
    "device.check-path": "check the path and its permissions",
    "device.choose-name": "choose another name",
    "device.compare-board": "`upytool diff {path} :` compares a file with the board's",
    "device.create-directory": "create the directory first: `upytool mkdir -p :{path}`",
    "device.edit": "`upytool edit :{path}`",
    "device.files-written": "the files are written",
    "device.free-local-space": "free some space on this computer",
    "device.import": "check that it is on the board: `upytool ls :/lib`; packages: `upytool mip install {name}`",
    "device.in-place": (
        "not enough space to keep the old file until the new one is complete; `--in-place` overwrites it "
        "directly (not crash-safe)"
    ),
    "device.in-the-way": "remove or rename it first",
    "device.input-output": (
        "what arrived differs from what was sent, or the flash failed; the old file is kept: try again"
    ),
    "device.make-directory": "create it first: `upytool mkdir -p {path}`",
    "device.make-local-directory": "create it first: `mkdir -p {path}`",
    "device.mounts": "mounted: {points}",
    "device.name-another": "name another file",
    "device.no-file-system": (
        "`upytool df` lists what is mounted; `upytool wipe --format` makes a file system on the board's flash"
    ),
    "device.no-mounts": "nothing is mounted",
    "device.no-space": (
        "the old file is kept; free some space, or try `--in-place`, which needs room for one copy only"
    ),
    "device.nothing-written": "nothing was written",
    "device.old-content": "the file that was written keeps its old content",
    "device.other-file-system": "the board has another file system there: choose another --at",
    "device.other-mpy": "the .mpy file is for another firmware: copy the .py file, or compile with `upytool cp --mpy`",
    "device.out-of-memory": (
        "the board is out of memory: compile to .mpy (`upytool cp --mpy`), or make the program smaller"
    ),
    "device.read-only": (
        "CircuitPython: copy through its USB drive, or remount in boot.py; else it is a read-only mount"
    ),
    "device.remove-or-elsewhere": "remove it, or copy elsewhere",
    "device.rename-on-board": "rename it on the board",
    "device.space": "it needs {needed:,} bytes, {free:,} bytes are free",
    "device.webrepl-unchecked": (
        "WebREPL is set up; check that this computer is in the board's network, or leave this test out with --no-check"
    ),
    "device.wifi-check": "check its name and password",
    "device.wifi-not-found": "no Wi-Fi network of this name was found; most boards have 2.4 GHz alone",
    "device.wifi-password": "the Wi-Fi password is wrong",
    "device.wifi-refused": "the access point refused the board",
    "device.wifi-timeout": "the access point did not answer in time; the password may be wrong",
}
