module("webrepl.py", base_path="modules")  # noqa: F821
module("_boot.py", base_path="modules")  # noqa: F821
