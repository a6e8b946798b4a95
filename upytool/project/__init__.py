"""A project: a folder with `upytool.toml` (or `[tool.upytool]` in pyproject.toml), and what its commands read there."""
