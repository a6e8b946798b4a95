"""mip: packages for boards.

    manifest · index · hosts · sources   what packages are and where they come from
    cache · download                     getting files, whole and verified
    resolver · requirements · lockfile   which packages an install takes
    compile · content                    .py to .mpy for one board; what the files hold, fetched and checked
    board · program · on_board · record  what is on the board
    plan · installer · uninstall · apply what an install does: first a value, then done
    inspect                              list, tree, check, outdated

A board is seen through the protocols of `board.py` alone; `upytool.device.Device` fits them.
"""
