# `make run` and `make test` set everything up in .venv first; both work on a fresh machine.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DATA_DIR ?=
OUT ?= triptych-runs/paper-quick

.PHONY: run test faults lint format page benchmark clean

run: $(READY)
	$(BIN)/triptych run paper --out "$(OUT)" $(if $(DATA_DIR),--data-dir "$(DATA_DIR)")

test: lint
	$(BIN)/python -m pytest

# Every write failed in six ways, thousands of kills, broken variants: docs/faults.md.
faults: $(READY)
	$(BIN)/python tests/faults/fault_harness.py all

lint: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

format: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# The pictures of the README, from the page that `make run` wrote (needs Chromium).
page: $(READY)
	$(BIN)/python benchmarks/screenshots.py "$(OUT)/report.html" docs/pictures

benchmark: $(READY)
	$(BIN)/python benchmarks/quick_study.py $(if $(DATA_DIR),--data-dir "$(DATA_DIR)")

# constraints.txt pins what the project is developed with; users get the ranges in pyproject.toml.
$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	touch $(READY)

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
