# The front door. Every target sets up .venv by itself; `make help` lists them.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed

# Set by some environments; without bytecode every start of Python is several times slower.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup weights demo test test-slow fuzz test-all lint format types check bench build clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(INSTALLED) ## Make .venv with agentkit (editable), its extras and the developer tools

# pip older than 25.1 knows no dependency groups, so the environment's own pip is brought up to date first.
$(INSTALLED): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else \
		"agentkit needs Python 3.11 or newer; name one: make PYTHON=python3.12 ...")'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo 'Installing agentkit and its tools into .venv (a few minutes at the most)'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[all]' --group dev
	@touch $@

demo: setup ## Ask the Kitty Vogue shop assistant, on a local model (fetched once, 1.1 GB)
	$(BIN)/agentkit models pull qwen2.5-coder-1.5b
	$(BIN)/python -m examples.kitty_vogue

weights: setup ## Fetch the embedding model that memory is tested with (23 MB)
	$(BIN)/agentkit models pull minilm

# Without a network the tests that need the embedding model are skipped, and say so.
test: setup ## Run the tests that take no more than a few minutes together
	-@$(MAKE) --no-print-directory weights
	$(BIN)/python -m pytest -n 2 -m "not slow"

test-slow: setup ## Run the rest: packaging, crash recovery, local models (those whose weights are here)
	$(BIN)/python -m pytest -n 2 -m slow

fuzz: setup ## Look for counterexamples that the tests do not know, with new random ones each time
	HYPOTHESIS_PROFILE=fuzz $(BIN)/python -m pytest -n 2 -m "hypothesis and not slow" --timeout 1200

test-all: test test-slow ## Run every test

lint: setup ## Check style and formatting
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: setup ## Format the sources and mend what can be mended mechanically
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: setup ## Check types strictly: sources, tests, examples, benchmarks
	$(BIN)/mypy

check: lint types test ## Everything a change must pass before review

bench: setup weights ## Measure speed beside raw asyncio, and what memory recalls; print the tables
	$(BIN)/python -m benchmarks
	$(BIN)/python -m benchmarks.memory

build: setup ## Build the source distribution and the wheel into dist/
	$(BIN)/python -m build --no-isolation

clean: ## Remove what was built and cached; .venv and fetched models stay
	rm -rf dist build .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage
	find . -name __pycache__ -type d -not -path './.venv/*' -prune -exec rm -rf {} +
