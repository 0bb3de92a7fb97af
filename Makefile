# One door for developers and CI: `make setup`, `make demo`, `make test`, `make ci`. `make help` lists the rest.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

VENV ?= .venv
BIN := $(VENV)/bin
PY := $(BIN)/python
PIP := $(PY) -m pip --disable-pip-version-check install --quiet
PACKAGES := stations models gpsgrid replay
TORCH := $(shell sed -n 's/^ *"\(torch==[^"]*\)".*/\1/p' pyproject.toml)

# More than one BLAS or OpenMP thread per process makes small solves up to sixty times slower.
export OMP_NUM_THREADS := 1
export OPENBLAS_NUM_THREADS := 1
export MKL_NUM_THREADS := 1

.NOTPARALLEL:
.PHONY: help setup demo test lint fmt types arch bench fuzz docs wheel ci clean

help: ## list the targets
	@sed -n 's/^\([a-z]*\):[^#]*## \(.*\)/\1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r name text; do printf '  make %-8s %s\n' "$$name" "$$text"; done

setup: $(VENV)/.dev ## virtual environment with everything for development

demo: $(VENV)/.runtime ## broker, stations, engine, API and a live rover on this machine
	@exec $(BIN)/gpsgrid demo

# A file of tests stays in one process, for its fixtures are dear.
test: $(VENV)/.dev ## all tests but the benchmarks, on up to four cores
	$(PY) -m pytest --ignore=tests/bench --numprocesses auto --maxprocesses 4 --dist loadfile $(PYTEST)

lint: $(VENV)/.dev ## ruff, without changing anything
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

fmt: $(VENV)/.dev ## ruff, changing what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(VENV)/.dev ## mypy strict on the four packages
	$(BIN)/mypy

arch: $(VENV)/.dev ## who may import whom
	$(BIN)/lint-imports --no-logo

bench: $(VENV)/.dev ## benchmarks, as ratios against a peer or a slow twin
	@if compgen -G 'tests/bench/*.py' >/dev/null; then \
	    $(PY) -m pytest tests/bench -o python_files='bench_*.py test_*.py' -o timeout=600 -s -q $(PYTEST); \
	else echo "there are no benchmarks in tests/bench yet"; fi

SECONDS ?= 60
fuzz: $(VENV)/.dev ## all parsers of foreign bytes, guided by atheris where it can be had: make fuzz SECONDS=600
	@$(PIP) '.[fuzz]' 2>/dev/null || echo "atheris cannot be installed here: fuzzing without its guidance"
	$(PY) -m tests.fuzz --seconds $(SECONDS)

docs: $(VENV)/.dev ## links, code blocks and commands named in the documentation
	$(PY) -m pytest tests/architecture/test_docs.py -q

wheel: $(VENV)/.dev ## dist/*.whl and *.tar.gz, contents checked
	rm -rf dist
	$(PY) -m build --quiet
	$(BIN)/check-wheel-contents dist/*.whl

ci: lint types arch docs test bench ## everything that must be green

clean: ## what was built or cached; the environment too
	rm -rf build dist out .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .venv
	find $(PACKAGES) tests docs -name __pycache__ -type d -prune -exec rm -rf {} +

# ---- environment -----------------------------------------------------------------------------------------------------

# Torch goes in first and alone, so that nothing else decides which build of it comes in.
$(PY):
	@python=; for candidate in python3.11 python3 python3.12 python3.13 python3.14; do \
	    if $$candidate -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then python=$$candidate; break; fi; \
	done; \
	if [ -z "$$python" ]; then echo "gpsgrid needs Python 3.11 or newer; none of python3.11, python3, python3.12 ... on PATH is one" >&2; exit 1; fi; \
	echo "creating $(VENV) with $$($$python --version)"; \
	$$python -m venv $(VENV) || { rm -rf $(VENV); echo "$$python cannot make a virtual environment; on Debian: apt-get install python3-venv" >&2; exit 1; }

$(VENV)/.runtime: pyproject.toml | $(PY)
	@echo "installing gpsgrid and what it runs on into $(VENV)"
	@$(PIP) "$(TORCH)"
	@$(PIP) --editable .
	@$(BIN)/gpsgrid warmup >/dev/null 2>&1 || echo "gpsgrid warmup did not run; the first start compiles and takes longer"
	@touch $@

$(VENV)/.dev: pyproject.toml | $(PY)
	@echo "installing gpsgrid and the tools for its development into $(VENV)"
	@$(PIP) "$(TORCH)"
	@$(PIP) --editable '.[dev]'
	@$(BIN)/gpsgrid warmup >/dev/null 2>&1 || echo "gpsgrid warmup did not run; the first start compiles and takes longer"
	@touch $(VENV)/.runtime $@
