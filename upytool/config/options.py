"""The one table of settings: name, type, default, flags, environment variable, configuration key, help.

The command line's global options, `upytool help env|options`, the check of configuration files and
`upytool config list` are all made from `OPTIONS`. It stays free of heavy imports: the root help reads it.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any, Literal

    Kind = Literal["str", "int", "float", "bool", "tristate", "level"]

_TRUE = frozenset(("1", "true", "yes", "on"))
_FALSE = frozenset(("0", "false", "no", "off"))


class Option:
    """One setting.

    Args:
        name: as the program reads it (`Settings.NAME`); the configuration key is the same with hyphens.
        kind: what values look like; "tristate" is a bool that may be left open (None), "level" an int that
            `flags` raise and `off` lowers.
        default: the value of the lowest layer.
        help: one line.
        flags: the spellings on the command line, the short one first; none where only files and the
            environment set it.
        off: the spellings that mean the opposite.
        env: its environment variable.
        metavar: what the help calls its value.
        choices: the only values allowed.
        configurable: whether a configuration file may hold it.
        minimum: the smallest number allowed.
    """

    __slots__ = (
        "choices",
        "configurable",
        "default",
        "env",
        "flags",
        "help",
        "kind",
        "metavar",
        "minimum",
        "name",
        "off",
    )

    def __init__(
        self,
        name: str,
        kind: Kind,
        default: Any,
        help: str,
        *,
        flags: tuple[str, ...] = (),
        off: tuple[str, ...] = (),
        env: str = "",
        metavar: str = "",
        choices: tuple[str, ...] = (),
        configurable: bool = True,
        minimum: float | None = None,
    ) -> None:
        self.name, self.kind, self.default, self.help = name, kind, default, help
        self.flags, self.off, self.env, self.metavar = flags, off, env, metavar
        self.choices, self.configurable, self.minimum = choices, configurable, minimum

    @property
    def key(self) -> str:
        """The name in a configuration file."""
        return self.name.replace("_", "-")

    @property
    def takes_value(self) -> bool:
        """Whether the flag is followed by a value."""
        return self.kind in ("str", "int", "float")

    @property
    def expects(self) -> str:
        """What a value has to be, for an error message."""
        if self.choices:
            return "one of " + ", ".join(self.choices)
        low = "" if self.minimum is None else f", at least {self.minimum:g}"
        return {
            "str": "a string",
            "int": "a whole number" + low,
            "level": "a whole number from -2 to 2",
            "float": "a number" + low,
            "bool": "true or false",
            "tristate": "true or false",
        }[self.kind]

    def parse(self, text: str) -> Any:
        """A value from a flag's or a variable's text. Raises ValueError."""
        kind = self.kind
        if kind == "str":
            return self._in_range(text)
        if kind in ("int", "level"):
            return self._in_range(int(text, 10))
        if kind == "float":
            return self._in_range(float(text))
        word = text.strip().lower()
        if word in _TRUE:
            return True
        if word in _FALSE:
            return False
        raise ValueError(self.expects)

    def check(self, value: Any) -> Any:
        """A value from a configuration file, whose type is already known there. Raises ValueError."""
        is_bool = isinstance(value, bool)
        if self.kind in ("bool", "tristate"):
            good = is_bool
        elif self.kind == "str":
            good = isinstance(value, str)
        elif self.kind == "float":
            good = isinstance(value, (int, float)) and not is_bool
        else:
            good = isinstance(value, int) and not is_bool
        if not good:
            raise ValueError(self.expects)
        return self._in_range(float(value) if self.kind == "float" else value)

    def _in_range(self, value: Any) -> Any:
        if self.choices and value not in self.choices:
            raise ValueError(self.expects)
        if self.kind == "level" and not -2 <= value <= 2:
            raise ValueError(self.expects)
        # Written so that NaN fails as well.
        if self.minimum is not None and not value >= self.minimum:
            raise ValueError(self.expects)
        return value


OPTIONS: tuple[Option, ...] = (
    Option(
        "device",
        "str",
        None,
        "which board: a port, an alias, id:SERIAL, a URL, sim (see `upytool help selectors`)",
        flags=("-d", "--device"),
        env="UPYTOOL_DEVICE",
        metavar="SELECTOR",
    ),
    Option(
        "baud",
        "int",
        115200,
        "speed of a serial port",
        flags=("--baud",),
        env="UPYTOOL_BAUD",
        metavar="RATE",
        minimum=1,
    ),
    Option(
        "wait",
        "float",
        0.0,
        "wait up to this long for the board to appear",
        flags=("--wait",),
        env="UPYTOOL_WAIT",
        metavar="SECONDS",
        minimum=0,
    ),
    Option(
        "timeout",
        "float",
        None,
        "stop a program on the board (exit code 124), or give up a silent transfer, after this long",
        flags=("--timeout",),
        env="UPYTOOL_TIMEOUT",
        metavar="SECONDS",
        minimum=0,
    ),
    Option(
        "dtr",
        "tristate",
        None,
        "hold the DTR line of the port on or off",
        flags=("--dtr",),
        off=("--no-dtr",),
        env="UPYTOOL_DTR",
    ),
    Option(
        "rts",
        "tristate",
        None,
        "hold the RTS line of the port on or off",
        flags=("--rts",),
        off=("--no-rts",),
        env="UPYTOOL_RTS",
    ),
    Option(
        "reset",
        "bool",
        True,
        "soft-reset the board before the first command that uses it",
        flags=("--reset",),
        off=("--no-reset",),
        env="UPYTOOL_RESET",
    ),
    Option("json", "bool", False, "print results as JSON", flags=("--json",), env="UPYTOOL_JSON"),
    Option(
        "json_events",
        "bool",
        False,
        "print progress as JSON lines on stderr",
        flags=("--json-events",),
        env="UPYTOOL_JSON_EVENTS",
    ),
    Option(
        "verbosity",
        "level",
        0,
        "say more (-v, -vv) or less (-q, -qq)",
        flags=("-v", "--verbose"),
        off=("-q", "--quiet"),
        env="UPYTOOL_VERBOSITY",
    ),
    Option(
        "color",
        "str",
        "auto",
        "when to use colour: auto, always or never",
        flags=("--color",),
        env="UPYTOOL_COLOR",
        metavar="WHEN",
        choices=("auto", "always", "never"),
    ),
    Option(
        "no_progress",
        "bool",
        False,
        "no progress bars",
        flags=("--no-progress",),
        env="UPYTOOL_NO_PROGRESS",
    ),
    Option(
        "no_input",
        "bool",
        False,
        "never ask; fail where a question would be needed",
        flags=("--no-input",),
        env="UPYTOOL_NO_INPUT",
    ),
    Option(
        "yes",
        "bool",
        False,
        "answer yes to every question",
        flags=("-y", "--yes"),
        env="UPYTOOL_YES",
        configurable=False,
    ),
    Option(
        "offline",
        "bool",
        False,
        "use no network, only the cache",
        flags=("--offline",),
        env="UPYTOOL_OFFLINE",
    ),
    Option(
        "index",
        "str",
        "https://micropython.org/pi/v2",
        "where `mip` finds packages",
        env="UPYTOOL_INDEX",
        metavar="URL",
    ),
    Option(
        "firmware_url",
        "str",
        "https://micropython.org",
        "where firmware is downloaded from",
        env="UPYTOOL_FIRMWARE_URL",
        metavar="URL",
    ),
)

BY_NAME: dict[str, Option] = {option.name: option for option in OPTIONS}
BY_KEY: dict[str, Option] = {option.key: option for option in OPTIONS if option.configurable}

# Variables that are not settings of the table, but that upytool reads: name and meaning.
VARIABLES: tuple[tuple[str, str], ...] = (
    ("UPYTOOL_CONFIG_FILE", "the user's configuration file, instead of the platform's place"),
    ("UPYTOOL_CONFIG_DIR", "the directory of config.toml and config.py"),
    ("UPYTOOL_CACHE_DIR", "the directory of downloads and completion data"),
    ("UPYTOOL_STATE_DIR", "the directory of error reports and running simulators"),
    ("UPYTOOL_DATA_DIR", "the directory of what must last, the flash of simulated boards for instance"),
    ("UPYTOOL_BLE_PASSWORD", "the password of a board at ble://, where it is locked"),
    ("UPYTOOL_WEBREPL_PASSWORD", "the WebREPL password of the board (`upytool help config` has the other places)"),
    ("UPYTOOL_WIFI_PASSWORD", "the password of the Wi-Fi that `webrepl setup --wifi` makes the board join"),
    ("UPYTOOL_TOKEN_NAME", "the access token of the package host NAME"),
    ("GITHUB_TOKEN, GITLAB_TOKEN, CODEBERG_TOKEN", "the same for these three"),
    ("NO_COLOR", "any value: no colour (https://no-color.org)"),
    ("FORCE_COLOR", "any value but 0: colour also where the output is not a terminal"),
    ("TERM", "`dumb`: no colour and no progress bars"),
    ("COLUMNS", "the width of the terminal"),
    ("CI", "any value: no questions and no progress bars"),
    ("VISUAL, EDITOR", "the editor of `edit` and `config edit`"),
)


def global_flags(options: Iterable[Option] = OPTIONS) -> dict[str, tuple[Option, bool]]:
    """Every spelling on the command line, with its option and whether it means the opposite."""
    table: dict[str, tuple[Option, bool]] = {}
    for option in options:
        for flag in option.flags:
            table[flag] = (option, False)
        for flag in option.off:
            table[flag] = (option, True)
    return table
