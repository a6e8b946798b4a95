"""What is known about MicroPython's boards: names, firmware files, ways into bootloaders, flash layouts.

catalogue   boards by name, and the board that runs here
layouts     where a board's firmware keeps its file systems
data        where the data lies: firmware/boards, written by tests/rigs/board_catalogue.py
"""
