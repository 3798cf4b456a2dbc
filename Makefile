# `make run` and `make test` set everything up in .venv first; both work on a fresh machine.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DATA_DIR ?=
OUT ?= triptych-runs/paper-quick
FAULTS ?= all

.PHONY: run test faults lint format page benchmark clean

run: $(READY)
	$(BIN)/triptych run paper --out "$(OUT)" $(if $(DATA_DIR),--data-dir "$(DATA_DIR)")

test: lint
	$(BIN)/python -m pytest -n logical --dist worksteal

# Every write failed in six ways, thousands of kills, power lost, broken variants: docs/faults.md.
# Takes more than an hour on two cores; FAULTS may be a part of it, such as "power --every 10".
faults: $(READY)
	$(BIN)/python tests/faults/fault_harness.py $(FAULTS)
	$(BIN)/python tests/faults/fault_train.py points kills broken --every 7
	$(BIN)/python tests/faults/fault_outputs.py

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
# First all that has a hash in the lock, as wheels only; then PyTorch, whose build differs from
# machine to machine, and Triptych itself.
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
$(READY): pyproject.toml constraints.txt requirements-dev.lock
	$(PYTHON) -m venv $(VENV)
	$(PIP) --require-hashes --no-deps --only-binary :all: -r requirements-dev.lock
	$(PIP) -c constraints.txt --no-build-isolation -e ".[dev]"
	touch $(READY)

# 20,000 damaged and hostile files of every format that is read.
.PHONY: fuzz
fuzz: $(READY)
	$(BIN)/python tests/faults/fuzzer.py --files 20000

# The hashes of what constraints.txt pins, after a change of it. Where PIP_FIND_LINKS has PyTorch's
# build for CPUs the lock is without the packages that its build for GPUs needs, as it should be.
.PHONY: lock
lock:
	$(PYTHON) -m venv build/lock
	build/lock/bin/python -m pip install --quiet --disable-pip-version-check uv
	UV_FIND_LINKS="$(PIP_FIND_LINKS)" build/lock/bin/uv pip compile --quiet pyproject.toml --extra dev \
	  -c constraints.txt --python-version 3.11 --only-binary :all: --generate-hashes --upgrade \
	  --no-emit-package torch --no-strip-extras --no-annotate --no-emit-find-links \
	  --custom-compile-command "make lock" \
	  -o requirements-dev.lock

# Asks a database of known vulnerabilities about every package; needs the network.
.PHONY: audit
audit:
	$(PYTHON) -m venv build/audit
	build/audit/bin/python -m pip install --quiet --disable-pip-version-check pip-audit
	build/audit/bin/pip-audit --disable-pip --no-deps -r constraints.txt

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
