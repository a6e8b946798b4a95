"""The shells: the script that each one reads once, and the answer that it is given at every TAB.

A candidate may be the name of a file on a board, chosen by whoever wrote the board. It must arrive in the line
as one word that the shell takes literally: readline (bash) inserts what it is given, so it is given a quoted
word; zsh and fish quote by themselves and are given the plain one; PowerShell is given a quoted one. Names that
a terminal would obey are not offered at all (ui/guard.py).
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field

from click.shell_completion import CompletionItem

from .completion import complete
from .ui.guard import harmless
from .ui.streams import Streams

Item = CompletionItem[str]

# Lines of "kind TAB word"; "part" is a word that goes on, a directory. bash is given no more than what follows
# its own word's start, which COMP_WORDBREAKS decides (a colon begins a word there).
_BASH = """\
_upytool_completion() {
    local kind value
    COMPREPLY=()
    while IFS=$'\\t' read -r kind value; do
        case "$kind" in
            dir) compopt -o dirnames 2>/dev/null ;;
            file) compopt -o default 2>/dev/null ;;
            part) compopt -o nospace 2>/dev/null; COMPREPLY+=("$value") ;;
            plain) COMPREPLY+=("$value") ;;
        esac
    done < <(_UPYTOOL_COMPLETE=bash_complete UPYTOOL_LINE="${COMP_LINE:0:COMP_POINT}" \\
        UPYTOOL_BREAKS="$COMP_WORDBREAKS" "$1" 2>/dev/null)
    return 0
}
complete -F _upytool_completion upytool
"""

# Triples of kind, word and what is shown, each ended by a NUL. compadd quotes what it inserts (no -Q).
_ZSH = """\
#compdef upytool
_upytool() {
    local -a answer words_ shown parts parts_shown
    local kind value text
    answer=("${(@0)$(_UPYTOOL_COMPLETE=zsh_complete "${(Q)words[1]}" \\
        "${(@Q)words[2,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null)}")
    for kind value text in "${answer[@]}"; do
        case "$kind" in
            dir) _path_files -/ ;;
            file) _files ;;
            part) parts+=("$value"); parts_shown+=("$text") ;;
            plain) words_+=("$value"); shown+=("$text") ;;
        esac
    done
    (( $#words_ )) && compadd -U -V upytool -l -d shown -a -- words_
    (( $#parts )) && compadd -U -V upytool -l -S '' -d parts_shown -a -- parts
    return 0
}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    _upytool "$@"
else
    compdef _upytool upytool
fi
"""

# "kind" or "word TAB description", each ended by a NUL. fish quotes what it inserts.
_FISH = """\
function __upytool_complete
    set -l words (commandline -opc)
    set -l program $words[1]
    set -e words[1]
    set -l typed (commandline -ct)
    set -l word (string unescape -- "$typed"; or string unescape -- "$typed\\""; or string unescape -- "$typed'")
    for item in (env _UPYTOOL_COMPLETE=fish_complete $program $words "$word" 2>/dev/null | string split0)
        switch $item
            case dir
                __fish_complete_directories "$typed" "" | tr '\\n' '\\0'
            case file
                __fish_complete_path "$typed" | tr '\\n' '\\0'
            case '*'
                printf '%s\\0' $item
        end
    end
end
complete --no-files --command upytool --arguments "(__upytool_complete | string split0)"
"""

# JSON both ways: PowerShell passes no empty or quoted argument unharmed before 7.3. Where nothing is returned
# it completes local files itself, and quotes them.
_POWERSHELL = """\
Register-ArgumentCompleter -Native -CommandName upytool -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $words = @($commandAst.CommandElements | Where-Object { $_.Extent.EndOffset -lt $cursorPosition } |
        ForEach-Object { if ($null -ne $_.Value) { "$($_.Value)" } else { $_.Extent.Text } })
    $typed = "$wordToComplete" -replace '^[''"]', ''
    try {
        $env:_UPYTOOL_COMPLETE = 'powershell_complete'
        $env:UPYTOOL_WORDS = ConvertTo-Json -Compress -InputObject @($words + $typed)
        $answer = & upytool 2>$null | ConvertFrom-Json
    } finally {
        $env:_UPYTOOL_COMPLETE = $null
        $env:UPYTOOL_WORDS = $null
    }
    foreach ($item in $answer) {
        [System.Management.Automation.CompletionResult]::new(
            $item.word, $item.shown, 'ParameterValue', $item.help)
    }
}
"""

_SCRIPTS = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH, "powershell": _POWERSHELL}
SHELLS = tuple(_SCRIPTS)


def script(shell: str) -> str:
    """The text that a shell must read to complete upytool."""
    return _SCRIPTS[shell]


def answer_shell(argv: list[str]) -> int:
    """The program was started by a script of ours: write the candidates; returns the exit code.

    Args:
        argv: the words after the program's name, the last of them unfinished (zsh and fish).
    """
    shell, _, instruction = os.environ["_UPYTOOL_COMPLETE"].partition("_")
    if instruction != "complete" or shell not in SHELLS:
        return 1
    if shell == "bash":
        text = _answer_bash(os.environ.get("UPYTOOL_LINE", ""), os.environ.get("UPYTOOL_BREAKS", ""))
    elif shell == "powershell":
        text = _answer_powershell(os.environ.get("UPYTOOL_WORDS", ""))
    else:
        found = _offered(argv[:-1], argv[-1] if argv else "")
        text = "".join(_zsh(item) if shell == "zsh" else _fish(item) for item in found)
    Streams().out(text.encode("utf-8", "surrogateescape"))
    return 0


def _offered(words: list[str], incomplete: str) -> list[Item]:
    return [item for item in complete(words, incomplete) if harmless(item.value)]


def _zsh(item: Item) -> str:
    kind = "part" if item.type == "plain" and item.value.endswith("/") else item.type
    shown = item.value.replace("\n", "\\n").replace("\t", "\\t") + (f"  -- {item.help}" if item.help else "")
    return f"{kind}\0{item.value}\0{shown}\0"


def _fish(item: Item) -> str:
    if item.type != "plain":
        return item.type + "\0"
    # A tab ends the word in fish, whatever is done about it.
    return "" if "\t" in item.value else f"{item.value}\t{item.help or ''}\0"


# -- PowerShell -----------------------------------------------------------------------------------


def _answer_powershell(words: str) -> str:
    import json

    try:
        *before, incomplete = (str(word) for word in json.loads(words))
    except (ValueError, TypeError):
        return "[]"
    found = [item for item in _offered(before[1:], incomplete) if item.type == "plain"]
    return json.dumps(
        [
            {"word": powershell_word(item.value), "shown": item.value, "help": item.help or item.value}
            for item in found
            if "\n" not in item.value
        ]
    )


def powershell_word(value: str) -> str:
    """`value` as one literal word; PowerShell takes four more characters for a single quote (about_Quoting_Rules)."""
    if re.fullmatch(r"[\w./:\\+-]+", value, re.ASCII):
        return value
    return "'" + re.sub("(['\u2018\u2019\u201a\u201b])", r"\1\1", value) + "'"


# -- bash -----------------------------------------------------------------------------------------

_SAFE = re.compile(r"[A-Za-z0-9_./:@%+,=-]", re.ASCII)


@dataclass
class TypedWord:
    """A word of a line as bash reads it.

    Attributes:
        value: what it stands for.
        quoted: for each character of `value`, whether it was quoted.
        quote: the quote that is still open, `'`, `"` or "".
        opened: where in `value` that quote began.
    """

    value: str = ""
    quoted: list[bool] = field(default_factory=list)
    quote: str = ""
    opened: int = 0

    def add(self, text: str, quoted: bool) -> None:
        self.value += text
        self.quoted += [quoted] * len(text)

    def start(self, breaks: str) -> int:
        """Where in `value` the word of readline begins: in an open quote, else after the last unquoted break."""
        if self.quote:
            return self.opened
        places = [at for at, (c, quoted) in enumerate(zip(self.value, self.quoted)) if c in breaks and not quoted]
        return places[-1] + 1 if places else 0


def typed_words(line: str) -> list[TypedWord]:
    """Divide a line that is being typed; the last word is the unfinished one (it may be empty)."""
    words: list[TypedWord] = []
    word: TypedWord | None = None
    at = 0
    while at < len(line):
        char = line[at]
        at += 1
        if char in " \t\n":
            if word is not None:
                words.append(word)
            word = None
            continue
        word = word or TypedWord()
        if char == "\\":
            word.add(line[at : at + 1], True)
            at += 1
        elif char == "$" and line[at : at + 1] == "'":
            end = re.compile(r"(?:[^'\\]|\\.)*", re.S).match(line, at + 1)
            assert end is not None
            word.add(_ansi(end[0]), True)
            at = end.end() + 1
        elif char in "'\"":
            start = len(word.value)
            while at < len(line) and line[at] != char:
                if char == '"' and line[at] == "\\" and line[at + 1 : at + 2] in ("$", "`", '"', "\\"):
                    at += 1
                word.add(line[at], True)
                at += 1
            if at >= len(line):
                word.quote, word.opened = char, start
            at += 1
        else:
            word.add(char, False)
    return [*words, word or TypedWord()]


def _ansi(text: str) -> str:
    """What `$'text'` stands for, of the escapes that `bash_word` makes."""
    return re.sub(r"\\(.)", lambda found: {"n": "\n", "t": "\t"}.get(found[1], found[1]), text, flags=re.S)


def bash_word(value: str, quote: str = "") -> str:
    """`value` as bash takes it literally, where a quote of this kind is open already (readline closes it)."""
    out = []
    for char in value:
        if char in "\n\t":
            out.append(f"{quote}$'\\{'n' if char == chr(10) else 't'}'{quote}")
        elif quote == "'":
            out.append("'\\''" if char == "'" else char)
        elif quote:
            # History expansion happens within double quotes, and a backslash would stay there.
            out.append('"\\!"' if char == "!" else "\\" + char if char in '$`"\\' else char)
        else:
            out.append(char if _SAFE.match(char) or not char.isascii() else "\\" + char)
    word = "".join(out)
    # readline closes an open quote after the only candidate, unless it sees that quote at the end already.
    return word + quote if quote and word.endswith(quote) else word


def _answer_bash(line: str, breaks: str) -> str:
    *before, word = typed_words(line)
    start = word.start(breaks)
    lines = []
    for item in _offered([each.value for each in before[1:]], word.value):
        kind = "part" if item.type == "plain" and item.value.endswith("/") else item.type
        lines.append(f"{kind}\t{bash_word(item.value[start:], word.quote)}\n")
    return "".join(lines)
