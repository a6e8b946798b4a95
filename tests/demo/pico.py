"""An empty chip is flashed, then firmware with a module of the project in it. Both run the RP2040's real boot ROM."""

from __future__ import annotations

from tests.demo.stage import Stage

BLINK = """\
def main():
    print("blink: this module came inside of the firmware")
"""


def play(stage: Stage) -> None:
    from tests.fixtures.firmware_site import Site
    from tests.rigs.pico import pico_image
    from tests.unit.packages.web import serve

    print("RPI_PICO firmware for this demo: built from Debian's sources, once (minutes; apt as root)", flush=True)
    image = pico_image()
    stage.write({"blink/blink.py": BLINK})
    with serve() as web:
        Site(web).add("RPI_PICO-20250415-v1.25.0.uf2", image.read_bytes())
        stage.env["UPYTOOL_FIRMWARE_URL"] = web.address
        stage.say("An empty Pico: an emulated RP2040 that runs the real boot ROM, which waits for firmware")
        stage.run("upytool sim start pico")
        stage.export("UPYTOOL_DEVICE", "sim:pico")
        stage.run("upytool flash --board pico --yes")
        stage.run('upytool exec "import sys; print(sys.version)"')
        stage.say("Firmware with your modules in it, made without a compiler, and started")
        stage.run("upytool build blink --board pico --entry blink:main --output blink.uf2")
        stage.run("upytool flash blink.uf2 --yes")
        stage.run('upytool exec "import blink; blink.main()"')
        stage.say("Done")
        stage.run("upytool sim stop pico")
