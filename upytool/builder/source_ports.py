"""Facts of MicroPython's ports that a build needs: tools, outputs, submodules, containers.

Sources: the ports' Makefiles and CMakeLists.txt (outputs, GIT_SUBMODULES, compilers); the images are those that
MicroPython's own CI and mpbuild build these ports in.
"""

from __future__ import annotations

from dataclasses import dataclass

ARM = ("arm-none-eabi-gcc",)
_ARM_IMAGE = "micropython/build-micropython-arm"


@dataclass(frozen=True, slots=True)
class Port:
    """One port.

    Attributes:
        name: its folder below ports/.
        cmake: its boards are described in mpconfigboard.cmake.
        outputs: what its build leaves, the file to flash first.
        tools: compilers that it takes, besides make, python3 and a C compiler for mpy-cross.
        image: the container that compiles it.
        libraries: what the compiler must be able to link.
    """

    name: str
    outputs: tuple[str, ...]
    tools: tuple[str, ...] = ARM
    image: str = _ARM_IMAGE
    cmake: bool = False
    libraries: tuple[str, ...] = ("libc.a",)


_PORTS = (
    Port("rp2", ("firmware.uf2", "firmware.bin", "firmware.hex", "firmware.elf"), (*ARM, "cmake", "c++"),
         _ARM_IMAGE + ":bookworm", True, ("libc.a", "libstdc++.a")),
    Port("esp32", ("firmware.bin", "micropython.uf2", "micropython.bin", "micropython.elf"), ("idf.py", "cmake"),
         "espressif/idf", True, ()),
    Port("stm32", ("firmware.dfu", "firmware.hex", "firmware.bin", "firmware.elf")),
    Port("samd", ("firmware.uf2", "firmware.bin", "firmware.elf")),
    Port("nrf", ("firmware.uf2", "firmware.hex", "firmware.bin", "firmware.elf")),
    Port("mimxrt", ("firmware.uf2", "firmware.hex", "firmware.bin", "firmware.elf")),
    Port("renesas-ra", ("firmware.hex", "firmware.bin", "firmware.elf")),
    Port("alif", ("firmware.zip", "firmware.toc.bin", "firmware.bin")),
    Port("psoc-edge", ("firmware.hex", "firmware.elf"), image="ifxmakers/mpy-mtb-ci"),
    Port("esp8266", ("firmware.bin", "firmware.elf"), ("xtensa-lx106-elf-gcc",), "larsks/esp-open-sdk",
         libraries=()),
    Port("qemu", ("firmware.elf",), libraries=()),
)  # fmt: skip
PORTS = {port.name: port for port in _PORTS}
RISCV_IMAGE = "micropython/build-micropython-rp2350riscv"

# What installs a tool, by the system's package manager; "" where it has none.
_PACKAGES: dict[str, dict[str, str]] = {
    "apt-get": {
        "arm-none-eabi-gcc": "gcc-arm-none-eabi libnewlib-arm-none-eabi libstdc++-arm-none-eabi-newlib",
        "libc.a": "libnewlib-arm-none-eabi",
        "libstdc++.a": "libstdc++-arm-none-eabi-newlib",
        "cmake": "cmake", "make": "make", "cc": "gcc libc6-dev", "c++": "g++", "python3": "python3", "git": "git",
        "riscv64-unknown-elf-gcc": "gcc-riscv64-unknown-elf picolibc-riscv64-unknown-elf",
        "xtensa-lx106-elf-gcc": "gcc-xtensa-lx106",
    },
    "dnf": {
        "arm-none-eabi-gcc": "arm-none-eabi-gcc-cs arm-none-eabi-gcc-cs-c++ arm-none-eabi-newlib",
        "libc.a": "arm-none-eabi-newlib",
        "libstdc++.a": "arm-none-eabi-gcc-cs-c++ arm-none-eabi-newlib",
        "cmake": "cmake", "make": "make", "cc": "gcc", "c++": "gcc-c++", "python3": "python3", "git": "git",
        "riscv64-unknown-elf-gcc": "gcc-riscv64-linux-gnu",
    },
    "pacman": {
        "arm-none-eabi-gcc": "arm-none-eabi-gcc arm-none-eabi-newlib",
        "libc.a": "arm-none-eabi-newlib",
        "libstdc++.a": "arm-none-eabi-newlib",
        "cmake": "cmake", "make": "make", "cc": "gcc", "c++": "gcc", "python3": "python", "git": "git",
        "riscv64-unknown-elf-gcc": "riscv64-elf-gcc riscv64-elf-newlib",
    },
    "brew": {
        "arm-none-eabi-gcc": "--cask gcc-arm-embedded",
        "libc.a": "--cask gcc-arm-embedded",
        "libstdc++.a": "--cask gcc-arm-embedded",
        "cmake": "cmake", "make": "make", "python3": "python3", "git": "git",
        "riscv64-unknown-elf-gcc": "riscv64-elf-gcc",
    },
}  # fmt: skip
_INSTALL = {
    "apt-get": "sudo apt-get install", "dnf": "sudo dnf install", "pacman": "sudo pacman -S", "brew": "brew install",
}  # fmt: skip
MANAGERS = tuple(_INSTALL)


def install_lines(manager: str, tools: tuple[str, ...]) -> list[str]:
    """The lines that install some tools with a package manager; nothing for a tool that it does not have."""
    table = _PACKAGES.get(manager, {})
    words: dict[str, None] = {}
    casks: dict[str, None] = {}
    for tool in tools:
        packages = table.get(tool, "")
        if packages.startswith("--cask "):
            casks[packages] = None
        else:
            words.update(dict.fromkeys(packages.split()))
    lines = [f"{_INSTALL[manager]} {each}" for each in casks]
    if words:
        lines.insert(0, f"{_INSTALL[manager]} {' '.join(words)}")
    return lines


def rp2_submodules(settings: dict[str, str]) -> list[str]:
    """Submodules of an rp2 board. Args: settings: what its mpconfigboard.cmake sets."""
    names = ["lib/pico-sdk", "lib/mbedtls", "lib/tinyusb"]

    def on(name: str) -> bool:
        return settings.get(name, "").upper() not in ("", "0", "OFF", "FALSE", "NO")

    if on("MICROPY_PY_NETWORK_CYW43") or on("MICROPY_PY_BLUETOOTH_CYW43"):
        names.append("lib/cyw43-driver")
    if on("MICROPY_PY_NETWORK_CYW43") or on("MICROPY_PY_LWIP"):
        names.append("lib/lwip")
    if on("MICROPY_BLUETOOTH_BTSTACK"):
        names.append("lib/btstack")
    if on("MICROPY_BLUETOOTH_NIMBLE"):
        names.append("lib/mynewt-nimble")
    if on("MICROPY_PY_NETWORK_WIZNET5K"):
        names.append("lib/wiznet5k")
    return names
