# ruff: noqa: F821 (the names are those of a freeze manifest)
# A frozen boot.py that a bad main.py cannot lock out. boot=False: only the module, for a boot.py of yours.
# main=True: romfs_start's main.py is in as well.
options.defaults(boot=True, main=False)
freeze("../modules/safe_boot", "safe_boot.py")
if options.boot:
    freeze("../modules/start" if options.main else "../modules/safe_boot", "boot.py")
