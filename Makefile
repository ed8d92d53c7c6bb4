# Lonja: two commands for a new machine are `make run` and `make test`.
PYTHON ?= python3
BIN := .venv/bin
ARGS ?=
INSTALL := install --disable-pip-version-check --require-hashes -r requirements.lock

.PHONY: help setup run lint check test contracts bench clean
.DEFAULT_GOAL := help

help:  ## this list
	@sed -n 's/^\([a-z]*\):.*## /  make \1	/p' Makefile | expand -t 20

setup: .venv/ready  ## virtual environment, hashed requirements, the lonja command

.venv/ready: requirements.lock Makefile
	@$(PYTHON) -c 'import sys; sys.exit("Lonja needs Python 3.11 or newer; name one: make PYTHON=python3.12" if sys.version_info < (3, 11) else 0)'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv || $(PYTHON) -m venv --clear --without-pip .venv
	@test -x $(BIN)/pip || $(PYTHON) -m pip --version >/dev/null || { echo "No pip: install your system's python3-venv or python3-pip package, then run make again." >&2; exit 1; }
	@if test -x $(BIN)/pip; then $(BIN)/pip $(INSTALL); else $(PYTHON) -m pip --python $(BIN)/python $(INSTALL); fi
	@printf '%s\n' '#!/bin/sh' 'PYTHONPATH="$(CURDIR)$${PYTHONPATH:+:$$PYTHONPATH}" exec "$(CURDIR)/$(BIN)/python" -c "from services.console.cli.main import main; main()" "$$@"' > $(BIN)/lonja
	@chmod +x $(BIN)/lonja
	@touch $@

run: setup  ## everything with the demo; make run ARGS="--orders 50 --exit"
	@$(BIN)/lonja demo $(ARGS)

lint: setup  ## lint, types, import contracts, generated code is fresh
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m libs.codec.generate --check

check: lint  ## lint, then the unit and property tests: what one runs all day
	$(BIN)/pytest tests/unit tests/property -q -n 2

test: lint  ## lint, then the whole suite on the embedded broker and database
	LONJA_THOROUGH=1 $(BIN)/pytest tests/unit tests/property -q -n 2
	$(BIN)/pytest tests/e2e -q -m alone
	$(BIN)/pytest tests/contract tests/integration tests/simulation tests/e2e -m "not alone" -n 4 --dist loadfile --no-loadscope-reorder $(ARGS)

contracts: setup  ## the generated code of libs/contracts from the schemas
	$(BIN)/python -m libs.codec.generate

bench: setup  ## the table of rates and latencies
	$(BIN)/pytest tests/bench -q -s -o python_files='bench_*.py' -o python_functions='bench_*' $(ARGS)

clean:  ## the data, the caches and the virtual environment
	rm -rf .lonja .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
