# make demo       the main job on a simulated board: pip alone, half a minute, nothing left outside of this directory
# make demo-pico  flashing and building on an emulated Pico: compiles MicroPython once (apt as root, minutes)
# make test       installs what the tests need and runs all of them (what .ci/run runs)
# make bench      side by side with mpremote and mpytool, in one run

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed

# The demo's environment: upytool with its simulated boards, nothing for development. The tests' includes it.
DEMO   := $(VENV)/.installed-demo

.PHONY: demo demo-pico test check unit unit-all rigs bench docs clean

$(DEMO): pyproject.toml .hatch_build.py
	@echo "Installing upytool into $(VENV) (once)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-cache-dir -e ".[sim]"
	@touch $@

$(STAMP): pyproject.toml .hatch_build.py
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[dev,bench]"
	touch $(DEMO) $@

demo: $(DEMO)
	@$(BIN)/python -m tests.demo

demo-pico: $(STAMP)
	@$(BIN)/python -m tests.demo pico

# Three at a time on two cores, as many tests only wait; in the order of tests/conftest.py, the long files first.
test: check rigs
	$(BIN)/python -m pytest -n 3 --no-loadscope-reorder

# Formatting, types, the arrows between the layers.
check: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Without rigs, compilers and apt: quick, for every save.
unit: $(STAMP)
	UPYTOOL_NO_RIGS=1 $(BIN)/python -m pytest -n 2 -m "not rig and not slow" tests/unit tests/cli tests/architecture

# The same on every Python that is here.
unit-all: $(STAMP)
	$(BIN)/python -m tests.interpreters

# Real MicroPython to test on: built once, kept in the user's cache.
rigs: $(STAMP)
	$(BIN)/python -m tests.rigs prepare

bench: rigs
	$(BIN)/python -m tests.bench

docs: $(STAMP)
	$(BIN)/python docs/render.py

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
