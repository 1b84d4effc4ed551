# What people and CI run. Every tool is the one in .venv, whether or not that environment is active.
# JOBS is above the two cores of a small machine: many tests wait for servers and processes.

UV ?= .venv/bin/uv
JOBS ?= 3
ARGS ?=
KILLS ?= 200
FLIPS ?= 300
RACES ?= 100
SEED ?=

PYTEST := .venv/bin/python -m pytest
READY := .venv/.ready

# Setup leaves compiling to the first import, which otherwise every process would do again.
unexport PYTHONDONTWRITEBYTECODE

QUIET_PIP := .venv/bin/python -m pip --disable-pip-version-check --quiet

# The first interpreter that runs and is new enough; `make setup PYTHON=...` names one.
PYTHONS := $(if $(PYTHON),"$(PYTHON)",python3 python3.13 python3.12 python3.11 python)
SUPPORTED := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))

# The checks load the project into a Dagster home of their own, which reports nothing to anyone.
CHECK_HOME := build/check
DAGSTER := PYTHONWARNINGS=ignore VIRTUAL_ENV="$(CURDIR)/.venv" DAGSTER_HOME="$(CURDIR)/$(CHECK_HOME)" \
    MINEMAP_HOME=$(CHECK_HOME)/lake MINEMAP_STATE=$(CHECK_HOME)/state .venv/bin

# A small world whose tables the data dictionary describes, made anew each time.
DOCS_LAKE := build/docs-world/lake
DOCS_WORLD := MINEMAP_HOME=$(DOCS_LAKE) MINEMAP_STATE=build/docs-world/state

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup demo ui map report test chaos-test operations-test fast live check format lock bench chaos docs site

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

setup: $(READY) ## Make .venv and install the locked packages into it
	@:

$(READY): requirements.lock pyproject.toml
	@if [ -x .venv/bin/python ]; then \
	    .venv/bin/python -c '$(SUPPORTED)' || \
	        { echo "The Python in .venv is not 3.11, 3.12 or 3.13: remove the folder .venv and run this again." >&2; exit 1; }; \
	else \
	    for python in $(PYTHONS); do \
	        "$$python" -c '$(SUPPORTED)' >/dev/null 2>&1 && found="$$python" && break; \
	    done; \
	    [ -n "$$found" ] || \
	        { echo "minemap needs Python 3.11, 3.12 or 3.13: install one, or name it with PYTHON=/path/to/python." >&2; exit 1; }; \
	    "$$found" -m venv .venv; \
	fi
	@echo "Installing the packages of requirements.lock into .venv; the first time takes some minutes."
	@$(QUIET_PIP) install --upgrade "pip>=25"  # before it, finding 300 packages takes minutes longer
	@$(QUIET_PIP) install --no-compile --requirement requirements.lock
	@$(QUIET_PIP) install --no-deps --editable .
	@touch $(READY)

demo: setup ## Run the whole chain on the simulated world, offline
	@exec .venv/bin/minemap demo $(ARGS)

ui: setup ## Open the asset graph in the browser
	@exec .venv/bin/minemap ui $(ARGS)

map: setup ## Open the map of the demo, or of the project that MINEMAP_HOME names
	@exec .venv/bin/minemap map $(ARGS)

report: setup ## Write the report of the project
	@exec .venv/bin/minemap report $(ARGS)

test: setup ## Run the tests, but for those of chaos-test and operations-test
	@exec $(PYTEST) -n $(JOBS) --dist worksteal -m "not chaos and not operations" $(ARGS)

chaos-test: setup ## Run the tests that kill and damage whole runs
	@exec $(PYTEST) -n $(JOBS) --dist worksteal -m chaos $(ARGS)

operations-test: setup ## Run the tests that start daemons, databases and clusters
	@exec $(PYTEST) -n $(JOBS) --dist worksteal -m operations $(ARGS)

fast: setup ## Run the tests that need seconds: no servers, no browser
	@exec $(PYTEST) -n $(JOBS) --dist worksteal -m "not integration and not browser and not slow" $(ARGS)

live: setup ## Try the real services; what has no account is skipped
	@exec $(PYTEST) -m live $(ARGS)

check: setup ## Lint, types, dependencies, and whether Dagster loads the project
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/deptry . --extend-exclude benchmarks --extend-exclude docs
	.venv/bin/deptry benchmarks docs tests tests/support --exclude .venv --ignore DEP002,DEP004
	@mkdir -p $(CHECK_HOME) && printf 'telemetry:\n  enabled: false\n' > $(CHECK_HOME)/dagster.yaml
	@$(DAGSTER)/dagster definitions validate --workspace workspace.yaml
	@$(DAGSTER)/dg check toml
	@$(DAGSTER)/dg check defs

format: setup ## Rewrite the code in the house style
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

lock: ## Resolve requirements.lock again (ARGS=--upgrade for the newest versions)
	$(UV) pip compile --quiet --universal --python-version 3.11 --extra dev --extra docs --extra open-weights --extra clouds \
	    --extra ray --extra k8s --extra postgres --no-annotate --no-emit-index-url \
	    --custom-compile-command "make lock" $(ARGS) --output-file requirements.lock pyproject.toml

bench: setup ## Measure speed and accuracy as ratios against the alternatives
	@failed=0; for benchmark in benchmarks/*.py; do \
	    echo "== $$benchmark"; .venv/bin/python -W ignore "$$benchmark" || failed=1; \
	done; exit $$failed

chaos: setup ## Disturb lakes by chance and count losses (KILLS, FLIPS, RACES; SEED goes on with a run)
	@exec env PYTHONPATH=tests/support .venv/bin/python -W ignore -m chaos --jobs $(JOBS) \
	    --kills $(KILLS) --flips $(FLIPS) --races $(RACES) $(if $(SEED),--seed $(SEED)) $(ARGS)

docs: setup ## Write the reference pages from the code, and build the documentation into build/docs
	@rm -rf build/docs-world
	@$(DOCS_WORLD) .venv/bin/minemap demo --world tiny >/dev/null
	.venv/bin/python -m dagster_project.reference_pages docs/reference --lake $(DOCS_LAKE)
	@$(MAKE) --no-print-directory site

site: setup ## Build the documentation into build/docs as it is written
	@NO_MKDOCS_2_WARNING=1 .venv/bin/mkdocs build --quiet
	@echo "The documentation lies in build/docs; '.venv/bin/python -m http.server 8000 --directory build/docs' serves it."
