"""What the protocol room says when something fails."""

from __future__ import annotations

ERRORS: dict[str, tuple[str, ...]] = {
    "interrupted.still-running": (
        "interrupted, but the program on the board is still running",
        "it ignores Ctrl-C: run `upytool rescue`, or reset the board",
    ),
    "protocol.boot-rom.no-partition-table": ("the boot ROM did not report its partition table",),
    "protocol.boot-rom.no-uf2-target": ("the boot ROM did not report where a UF2 file goes",),
    "protocol.boot-rom.status-size": ("the boot ROM sent a status of {size} bytes instead of {expected}",),
    "protocol.boot-rom.truncated": ("the boot ROM sent {size} bytes of its {name}, which is too few",),
    "protocol.boot-rom.unexpected": ("the boot ROM sent an invalid {name}",),
    "protocol.damaged.answer-cut": ("an answer from the board ended early", "try again"),
    "protocol.damaged.answer-damaged": ("an answer from the board arrived damaged", "try again"),
    "protocol.damaged.program-ended": ("the board's program ended", "try again"),
    "protocol.damaged.silent": ("the board stopped responding", "reset the board, then try again"),
    "protocol.damaged.unconfirmed": ("the board stopped acknowledging data", "try again"),
    "protocol.damaged.unsent-requested": ("the board requested data that was never sent", "try again"),
    "protocol.disturbed.prints": ("the board prints instead of reading its program: {printed!r}",),
    "protocol.disturbed.raw-paste": ("unexpected answer to raw paste: {answer!r}",),
    "protocol.disturbed.raw-prompt": ("the raw prompt was cut short",),
    "protocol.disturbed.refused": ("the board did not accept the program: {answer!r}",),
    "protocol.disturbed.window": ("raw paste announced a window of {size} bytes",),
    "protocol.no-program": ("no program is running", "start one first"),
    "protocol.raw-repl-needed": ("the raw REPL is needed, but the board's state is {state}", "reconnect to the board"),
    "protocol.raw-repl.catches-interrupt": (
        "the program on the board catches KeyboardInterrupt and goes on",
        "try `upytool rescue`, or press reset while the command tries again",
    ),
    "protocol.raw-repl.circuitpython": (
        "the board runs CircuitPython and did not stop its program",
        "press its reset button, then try again",
    ),
    "protocol.raw-repl.crashes": (
        "the firmware of the board crashes and restarts",
        "check the power supply, or put other firmware on it: `upytool flash`",
    ),
    "protocol.raw-repl.no-firmware": ("the board finds no firmware to start", "put firmware on it: `upytool flash`"),
    "protocol.raw-repl.no-prompt": (
        "the board sends data but gives no prompt within {seconds:.0f} s",
        "its program may swallow Ctrl-C: try `upytool rescue`, or press reset while this command tries",
    ),
    "protocol.raw-repl.no-prompt-after": (
        "the board sends data but gives no prompt within {seconds:.0f} s; its last line was {last!r}",
        "its program may swallow Ctrl-C: try `upytool rescue`, or press reset while this command tries",
    ),
    "protocol.raw-repl.not-text": (
        "the data from this port is not text",
        "the baud rate may be wrong (--baud), or this is not a MicroPython board",
    ),
    "protocol.raw-repl.password": (
        "what is at the other end requires a password",
        "if it is WebREPL, connect to ws://HOST:PORT; upytool asks, or takes it from UPYTOOL_WEBREPL_PASSWORD",
    ),
    "protocol.raw-repl.silent": (
        "nothing answers on this port (waited {seconds:.0f} s)",
        "check that it is the right port and a MicroPython board; for a sleeping or looping board, run "
        "`upytool rescue`",
    ),
    "protocol.stream.answer-too-long": (
        "the board sent more than {limit} bytes where a short answer was due",
        "reset the board, then try again",
    ),
    "protocol.stream.ble-repl-version": (
        "the ble_repl on the board is of another version",
        "update upytool, or ble_repl on the board",
    ),
    "protocol.stream.file-changed": ("the file changed during the copy", "try again"),
    "protocol.stream.file-refused": ("the board refused a file request", "try again"),
    "protocol.stream.no-prompt": ("the board's prompt is missing after a soft reset", "try again"),
    "protocol.stream.unrequested": (
        "the board sent more than {limit} bytes that were not requested",
        "reset the board, then try again",
    ),
    "protocol.timeout.answer": (
        "the board did not finish its answer within {seconds} s",
        "reset the board, then try again",
    ),
    "protocol.timeout.program": ("the board did not finish within {seconds:g} s",),
    "protocol.timeout.program-end": (
        "the board did not confirm the end of its program",
        "reset the board, then try again",
    ),
    "protocol.timeout.program-stalled": (
        "the board stopped reading its program after {sent} of {size} bytes",
        "reset the board, then try again",
    ),
    "protocol.timeout.soft-reset": (
        "the board did not come back from a soft reset",
        "boot.py may loop: try `upytool rescue`, or reset the board and use --no-reset",
    ),
    "protocol.timeout.stalled": (
        "the board stopped in the middle of an answer ({size} of {expected} bytes received)",
        "check the cable, reset the board, then try again",
    ),
    "time-limit.program": ("timed out after {seconds:g} s",),
    "transport.busy.webrepl-client": (
        "{name} is busy: another client is connected",
        "WebREPL serves one client at a time: close the other one (browser, upytool), or reset the board",
    ),
    "transport.no-webrepl.http-status": (
        "{url} is not a WebREPL server: HTTP status {status}",
        "WebREPL's port is 8266; over USB, `upytool webrepl status` shows whether it runs",
    ),
    "transport.no-webrepl.no-login": (
        "{url} is not a WebREPL server: the WebSocket does not ask for a password",
        "WebREPL's port is 8266; over USB, `upytool webrepl status` shows whether it runs",
    ),
    "transport.no-webrepl.no-reply": (
        "{url} is not a WebREPL server: no answer to the password",
        "WebREPL's port is 8266; over USB, `upytool webrepl status` shows whether it runs",
    ),
    "transport.no-webrepl.not-http": (
        "{url} is not a WebREPL server: not an HTTP response",
        "WebREPL's port is 8266; over USB, `upytool webrepl status` shows whether it runs",
    ),
    "transport.password.wrong": ("wrong password for {name}", "over USB, `upytool webrepl password` sets a new one"),
    "transport.proxy.unreachable": (
        "the proxy at {url} cannot reach the board: HTTP {status}",
        "check that the board is on, and that the proxy forwards to its port 8266",
    ),
    "transport.unusable.no-answer": (
        "{url} closed the connection without an answer",
        "WebREPL's port is 8266; a board that restarts does this too: retry",
    ),
    "usage.control-byte": (
        "the source holds the control byte {byte:02x}, which the raw REPL takes for a command",
        "write it as \\x{byte:02x}",
    ),
}

NOTES: dict[str, str] = {
    "protocol.program-stopped": "the program was stopped",
    "protocol.program-unstopped": "the program on the board is still running and ignores Ctrl-C: run `upytool rescue`",
    "protocol.reset-and-retry": "reset the board, then try again",
}
