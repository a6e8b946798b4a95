"""The main job on the embedded board: devices, info, cp, run, mip, repl. Everything for it comes with upytool[sim]."""

from __future__ import annotations

from tests.demo.stage import Stage
from tests.fixtures.make_index import build, serve

FILES = {
    "project/main.py": """\
import greet

for name in ("board", "world"):
    print(greet.hello(name))
""",
    "project/lib/greet.py": """\
def hello(name):
    return "hello, %s" % name
""",
    "count.py": """\
import sys

total = sum(range(101))
print("the board added 0..100:", total)
sys.exit(0 if total == 5050 else 1)
""",
    "typed.txt": """\
import os
os.listdir('/lib')
print('6 x 7 =', 6 * 7)
""",
}
END = """
The same on a real board: plug it in and leave UPYTOOL_DEVICE unset. (`. .venv/bin/activate` puts upytool on your PATH;
the README says how to install it for good.)
  upytool devices
  upytool cp -r project/ : + reset + repl
With several boards, -d names one: upytool -d a0 info (`upytool help selectors`).
`make demo-pico` flashes and builds firmware on an emulated Pico (compiles MicroPython once; needs root for apt).\
"""


def play(stage: Stage) -> None:
    stage.write(FILES)
    stage.say("A simulated board: the real MicroPython, its flash in a file, behind a port that any tool can open")
    stage.run("upytool sim start")
    stage.say("What is plugged in, and what is it?")
    stage.run("upytool devices")
    stage.export("UPYTOOL_DEVICE", "sim")
    stage.run("upytool info")
    stage.say("Copy a project; the second time nothing has to go over the wire")
    stage.run("upytool cp -r project/ :")
    stage.run("upytool cp -r project/ :")
    stage.run("upytool ls : :lib")
    stage.say("Run a program without storing it; its exit status is the command's")
    stage.run("upytool run count.py")
    stage.run('upytool exec "import main"')
    with serve(build(stage.folder / ".own" / "index")) as index:
        stage.say("Install a package with what it needs, from an index that this demo serves")
        stage.run(f"upytool mip install --index {index} ringlog")
        stage.run("upytool mip list")
    stage.say("The REPL, here with its input from a file")
    stage.run("upytool repl < typed.txt")
    stage.say("Done")
    stage.run("upytool sim stop")
    print(END)
