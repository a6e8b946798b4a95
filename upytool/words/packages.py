"""What the packages room says when something fails."""

from __future__ import annotations

ERRORS: dict[str, tuple[str, ...]] = {
    "config.host-kind": ("{key}.kind should be one of {kinds}, not {kind!r}",),
    "config.host-prefix": ("{key} is not a valid prefix", "use two or more lowercase letters"),
    "config.host-table": ("{key} should be a table with kind, url and token-env",),
    "config.host-token": (
        "{key} takes its token from {variable}, which is not set",
        "set it in the environment: {variable}=...",
    ),
    "config.host-url": (
        "{key}.url should be an http(s) address without a password",
        "put a token, or USER:PASSWORD, into the environment variable that token-env names",
    ),
    "config.host-url-invalid": ("{key}.url: {cause}",),
    "config.lock-damaged": ("{path} is damaged: {cause}", "`upytool mip lock` writes a new one"),
    "config.newer-lock": ("{path} was written by a newer upytool", "pip install -U upytool"),
    "config.package": ("{origin}: packages.{name}: {cause}",),
    "config.package-keys": (
        "only version, source and ref are known, each a text",
        'write a version ("1.0", "*"), a source ("github:user/repo@ref"), or {{ source = ..., ref = ... }}',
    ),
    "config.package-text": (
        "{value!r} is not a text",
        'write a version ("1.0", "*"), a source ("github:user/repo@ref"), or {{ source = ..., ref = ... }}',
    ),
    "config.packages-table": ("{origin}: packages should be a table",),
    "config.requirements-circle": ("{name} includes itself", "remove the circle of -r lines"),
    "config.requirements-line": ("{name} line {number}: {cause}",),
    "config.requirements-lists": ("more than {limit} lists include one another",),
    "config.requirements-option": ("{option} is not supported here", "a list holds packages and -r lines"),
    "config.requirements-table": ("{path}: tool.upytool should be a table",),
    "local-file.lock": ("cannot write {path}: {reason}",),
    "local-file.requirements": ("cannot read {path!r}: {cause}",),
    "network.no-package": (
        "package {name} not found in {indexes}",
        "`upytool mip search WORD` looks for packages; other places go by URL or github:USER/REPO",
    ),
    "network.no-version": ("version {version} of {name} not found in {indexes}",),
    "package.address-kind": ("{origin} names {url!r}, an address of an unknown kind",),
    "package.belongs": (
        "{path} belongs to {owner}, which is installed, and {name} brings another version of it",
        "`upytool mip uninstall {owner}` first, or --force",
    ),
    "package.cannot-compile": ("cannot compile {path}: {reason}", "with --no-mpy the source is installed as it is"),
    "package.cannot-compile-line": (
        "cannot compile {path}, line {line}: {reason}",
        "with --no-mpy the source is installed as it is",
    ),
    "package.cannot-upgrade": ("cannot upgrade {name}: {cause}",),
    "package.case": (
        "{other} and {path} differ only in case, and this board may not keep them apart",
        "install them to different directories with --target",
    ),
    "package.case-replaces": (
        "{path} would replace {other}: their names differ only in case, which this board ignores",
        "rename or remove :{other}, or use --force",
    ),
    "package.conflict": (
        "{first} wants {name} {first_version}, and {wanter} wants {name} {version}",
        "choose one yourself: name {name}@VERSION too on the command line",
    ),
    "package.dependency": ("{origin}: {cause}",),
    "package.deps-name": ("{url}: deps names {name!r}, which is not a package of an index",),
    "package.digest": (
        "{path} from {where} is not what was promised: its SHA-256 should begin with {wanted} and is {found}",
        "the download was changed or the index is inconsistent; nothing was installed",
    ),
    "package.in-hashes": ("{origin}: {where} names {path} again, which `hashes` has already",),
    "package.is-directory": (
        "cannot install {path}: a directory of that name is on the board",
        "look at it (`upytool ls :{path}`), and remove it if it may go",
    ),
    "package.journal-unreadable": (
        "an earlier install left the unreadable journal {path}",
        "remove it with `upytool rm -r :{stage}` and install again",
    ),
    "package.lock-for-mpy": (
        "{name} was made for .mpy version {made_for}, and this install takes sources",
        "`upytool mip lock` with this board writes a new one",
    ),
    "package.lock-for-other-mpy": (
        "{name} was made for .mpy version {made_for}, and this install takes version {version}",
        "`upytool mip lock` with this board writes a new one",
    ),
    "package.manifest-version": (
        "{origin} has format v {version}, and upytool reads v {supported}",
        "a newer upytool may read it: pip install -U upytool",
    ),
    "package.name": ("{origin} would be installed as {name!r}, which is refused: {reason}",),
    "package.needed": ("{name} is needed by {others}", "uninstall these too, or use --force"),
    "package.newer-record": ("{path} was written by a newer upytool", "update it: pip install -U upytool"),
    "package.no-compiler": ("{cause}", "with --no-mpy the source is installed as it is"),
    "package.no-lib": ("the board's sys.path has no directory that ends in /lib", "name the directory: --target /lib"),
    "package.no-list": ("the index {index} has no list of its packages", "it can still install by exact name"),
    "package.no-manifest": (
        "{path} is a directory without package.json and without __init__.py",
        "`upytool cp -r` and `upytool sync` copy any directory",
    ),
    "package.no-space": (
        "the packages need {needed} bytes in {target}, and {free} are free",
        "free some space (`upytool df`, `upytool rm`), or name another place with --target",
    ),
    "package.not-a-list": ("{url} is not a list of packages of an index",),
    "package.not-a-package": (
        "{path} is not a package: neither .py nor .mpy nor a package.json",
        "`upytool cp` copies any file",
    ),
    "package.not-installed": ("{name} is not installed in {target}",),
    "package.outside": ("{origin} names {relative!r}, which is outside of its repository",),
    "package.path": (
        "{origin}: {where} is {path}, which is not a path below the target directory: {reason}",
        "the package is wrong: tell its author, or use another version or source",
    ),
    "package.path-on-board": (
        "{package} brings {path}, which this board cannot hold: {reason}",
        "nothing was written; another version or source of the package may have shorter names",
    ),
    "package.record-damaged": (
        "{path}, the record of installed packages, is damaged: {cause}",
        "remove it with `upytool rm :{path}` and install the packages again",
    ),
    "package.same-file": (
        "{owner} and {name} both bring {path}, with different content",
        "install them to different places with --target",
    ),
    "package.shadowed": (
        "{shadow} of {owner} would be imported instead of {path}",
        "`upytool mip uninstall {owner}` first, or --force",
    ),
    "package.too-deep": (
        "the packages need one another more than {limit} levels deep",
        "`upytool mip list` shows them without what they need",
    ),
    "package.too-many": ("more than {limit} packages are needed",),
    "package.too-many-deps": ("the packages name one another more than {limit:,} times",),
    "package.too-many-entries": ("{origin}: {field} has more than {limit:,} entries",),
    "package.too-many-files": ("the packages have more than {limit:,} files",),
    "package.twice": ("{origin}: {where} names {path} again, with different content",),
    "package.two-versions": ("{name} is asked for as {first} and as {second}", "ask for one of them"),
    "package.wrong-value": (
        "{origin}: {where} should be {expected}, not {found}",
        "the package's author has to fix its package.json",
    ),
    "protocol.raw-repl.answer": ("unexpected response from the board to {function!r}",),
    "usage.dependency-version": ("{source!r} asks for {version!r}, which is not a version",),
    "usage.not-a-dependency": ("{source!r} is neither the name of a package nor an address",),
    "usage.package-characters": ("{source!r} holds a character that no address has",),
    "usage.package-host": ("{source!r} names an unknown host", "known: {known}"),
    "usage.package-name": ("a package's name is empty",),
    "usage.package-path": ("{source!r} holds a character that no path has",),
    "usage.package-plugin": ("the plug-in {plugin} for {name}: does not work: {cause}",),
    "usage.package-protocol": (
        "{source!r} names an unknown host or protocol",
        "known are http(s):, github:, gitlab:, codeberg:, and what the settings add",
    ),
    "usage.package-ref": ("{ref!r} is not a valid git ref",),
    "usage.package-ref-empty": ("{source!r} ends in an empty ref", "name a branch, tag or commit"),
    "usage.package-repository": ("{source!r} names no repository", "write {host}:OWNER/REPO[/PATH][@REF]"),
    "usage.package-unreadable": ("cannot read {source!r}: {reason}",),
    "usage.package-version": (
        "{source!r} is not NAME@VERSION: {version!r} is not a version",
        "for the newest version write just {name}",
    ),
    "usage.version-of-url": (
        "{url} names a version, but a plain address has only one",
        "versions go with index packages (NAME@VERSION) and git hosts (github:USER/REPO@REF)",
    ),
    "usage.web-refs": ("{source!r}: a plain web server has no refs",),
}

NOTES: dict[str, str] = {
    "package.circuitpython-drive": (
        "on CircuitPython the computer owns the drive: copy there, or remount it in boot.py"
    ),
    "package.field-missing": "{field} is missing",
    "package.files-wait": "the new files wait on the board; the next mip command tries once more to put them in place",
    "package.free-space": "free some space on the board",
    "package.has-versions": "it has: {versions}",
    "package.left-in-stage": "what was sent so far is in {path} on the board, unused; the next install removes it",
    "package.lock-makes": "`upytool mip lock` makes it",
    "package.needed-by": "it is needed by {name}",
    "package.newest-only": "it has only the newest",
    "package.next-finishes": "the next mip command finishes or removes what is on the board already",
    "package.open-address": "open the address to see what is there",
    "package.other-target": "name another directory with --target",
    "package.run-again": "run the same command again: files of this install may be on the board already",
    "package.see-list": "`upytool mip list` shows what is installed",
    "package.similar": "did you mean {names}?",
}
