# Few verbs; `make help` lists them. Everything runs from .venv, which `make setup` fills.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.standfast-setup
ARGS ?=
TESTS ?=
# Most tests wait for real processes; those marked `alone` want the machine for themselves.
WORKERS ?= 3
PACKAGES := events actors evaluation effects projections scenarios standfast tests

.PHONY: help setup up test check format bench scenarios lock clean

help: ## list the verbs
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## fill .venv with the exact versions of requirements.lock

$(STAMP): requirements.lock pyproject.toml
	@[ -x $(BIN)/python ] || $(PYTHON) -m venv $(VENV)
	@[ -x $(BIN)/uv ] || $(BIN)/python -m pip install --quiet --disable-pip-version-check \
	    "$$(grep -E '^uv==' requirements.lock)"
	@$(BIN)/uv pip install --quiet --python $(BIN)/python -r requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	@touch $@

up: setup ## start Standfast, with the demo unless ARGS="--config FILE"
	@exec $(BIN)/standfast up $(ARGS)

test: setup ## run all tests (or TESTS="tests/unit"), with coverage of every process
	@rm -rf build/coverage && mkdir -p build/coverage
	@status=0 empty=0; \
	  group() { \
	    $(BIN)/coverage run -m pytest "$$@" $(TESTS) $(ARGS) || \
	      { code=$$?; if [ $$code = 5 ]; then empty=$$((empty + 1)); else status=$$code; fi; }; \
	  }; \
	  group -n $(WORKERS) -m "not alone"; \
	  group -m alone; \
	  [ $$empty -lt 2 ] || status=5; \
	  $(BIN)/coverage combine --quiet || true; \
	  $(BIN)/coverage xml --quiet --fail-under=0 || true; \
	  $(BIN)/coverage html --quiet --fail-under=0 || true; \
	  [ -n "$(TESTS)" ] || $(BIN)/coverage report || status=$$?; \
	  exit $$status

check: setup ## format, lint, types and imports: all four are reported
	@status=0; \
	  $(BIN)/ruff format --check . || status=1; \
	  $(BIN)/ruff check . || status=1; \
	  $(BIN)/mypy || status=1; \
	  $(BIN)/lint-imports --no-logo || status=1; \
	  exit $$status

format: setup ## put the source in order
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: setup ## measure every area; the figures go to build/bench.json
	@mkdir -p build
	@$(BIN)/standfast bench --output build $(ARGS)

scenarios: setup ## run the fault stories
	@$(BIN)/python -m pytest tests/scenario $(ARGS)

lock: setup ## choose the newest allowed versions anew
	@$(BIN)/uv pip compile --quiet --all-extras --upgrade --universal --python-version 3.11 \
	    --no-emit-index-url --no-emit-find-links --no-annotate \
	    --custom-compile-command "make lock" --output-file requirements.lock pyproject.toml

clean: ## remove what the verbs made, but not .venv
	@rm -rf build htmlcov coverage.xml .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
