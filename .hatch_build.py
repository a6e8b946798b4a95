"""Carries firmware/ into the wheel as upytool/_firmware; an editable install reads the checkout's own."""

from pathlib import Path

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class FirmwareHook(BuildHookInterface):
    def initialize(self, version, build_data):
        if version == "standard" and self.target_name == "wheel":
            for name in ("modules", "manifests", "usermods", "sources.toml"):
                build_data["force_include"][f"firmware/{name}"] = f"upytool/_firmware/{name}"
            for file in sorted(Path(self.root, "firmware/boards").glob("*.json")):
                build_data["force_include"][f"firmware/boards/{file.name}"] = f"upytool/_firmware/boards/{file.name}"
