# make demo   everything upytool does, on a simulated board, in an environment of its own
# make test   installs what the tests need and runs all of them (what .ci/run runs)
# make bench  side by side with mpremote and mpytool, in one run

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed

.PHONY: demo test check unit rigs bench docs clean

$(STAMP): pyproject.toml .hatch_build.py
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[dev,bench]"
	touch $@

demo: $(STAMP)
	@$(BIN)/python -m tests.demo

test: check rigs
	$(BIN)/python -m pytest -n 2

# Formatting, types, the arrows between the layers.
check: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Without the rigs that have to be built: quick, for every save.
unit: $(STAMP)
	$(BIN)/python -m pytest -n 2 tests/unit tests/cli tests/architecture

# Real MicroPython to test on: built once, kept in the user's cache.
rigs: $(STAMP)
	$(BIN)/python -m tests.rigs prepare

bench: rigs
	$(BIN)/python -m tests.bench

docs: $(STAMP)
	$(BIN)/python docs/render.py

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
