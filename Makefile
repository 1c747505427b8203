# Every command sets up what it needs in .venv, with nothing but python3 (3.11 or later), pip and make.
# The stamps remember what is installed; a change of pyproject.toml or of this file installs again.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEV := $(VENV)/dev.stamp
PEERS := $(VENV)/peers.stamp
PIP := $(BIN)/python -m pip --disable-pip-version-check
# Many tests start processes, which would compile the package anew each time where nothing compiled is kept.
export PYTHONDONTWRITEBYTECODE :=
# Each file is run by one process, so that what its tests share is made once.
PYTEST_ARGS ?= -n auto --dist loadfile

.PHONY: help demo test peers test-peers bench lint format clean

help:
	@echo 'make demo        the backward lines of a network, pasted, run and compared'
	@echo 'make test        the tests; those against other libraries skip unless `make peers` was run'
	@echo 'make test-peers  the tests, with those against JAX, PyTorch and autograd'
	@echo 'make bench       speed against the other libraries, as ratios measured in one run'
	@echo 'make lint        ruff and mypy'
	@echo 'make format      format the code and mend what ruff can mend'
	@echo 'make clean       remove .venv and caches'

$(DEV): pyproject.toml Makefile
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "chainrule needs Python 3.11 or later; set PYTHON=... to one.")'
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet --upgrade 'pip>=25.1'
	$(PIP) install --quiet --group dev --editable .
	@touch $@

$(PEERS): $(DEV)
	$(PIP) install --quiet --group peers
	@touch $@

demo: $(DEV)
	@$(BIN)/python -m examples.demo

test: $(DEV)
	@$(BIN)/python -m pytest $(PYTEST_ARGS)

peers: $(PEERS)

test-peers: $(PEERS)
	@$(BIN)/python -m pytest $(PYTEST_ARGS)

# One thread each: the ratios are of the libraries, not of their thread pools.
bench: $(PEERS)
	@OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1 $(BIN)/python -m benchmarks

lint: $(DEV)
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy

format: $(DEV)
	@$(BIN)/ruff format
	@$(BIN)/ruff check --fix

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist
