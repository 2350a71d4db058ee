# The two commands are `make demo` and `make test`. Each sets up what it needs first; nothing is asked for but Python 3.11 or newer.

PYTHON ?= python3
VENV ?= .venv
PARAMS ?= params/demo.yaml
PYTEST_ARGS ?= -n logical --dist loadscope
BENCH ?= 1M 10M
MATCHING ?=

bin := $(VENV)/bin
pip_install = $(bin)/python -m pip install --quiet --quiet --disable-pip-version-check --prefer-binary --constraint constraints.txt
notebooks = $(wildcard notebooks/*.ipynb)
apps = $(wildcard apps/*.py)
stripped = --extra-keys "metadata.papermill cell.metadata.papermill"

# What an editable install depends on besides the lists: a change here installs again, a change in reconlib/ does not.
lists = pyproject.toml constraints.txt

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test rules lint format lab explore board bench bench-matching clean

help: ## this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

demo: $(VENV)/core.stamp ## one month of a made-up MSP, end to end; prints where the report is
	$(bin)/recon demo

test: lint ## every check and every test
	$(bin)/python -m pytest $(PYTEST_ARGS)

lint: $(VENV)/dev.stamp ## style, types, layers, stripped notebooks, apps
	$(bin)/ruff check
	$(bin)/ruff format --check
	$(bin)/mypy
	$(bin)/lint-imports
	$(if $(notebooks),$(bin)/nbstripout --verify $(stripped) $(notebooks),@echo "no notebooks to check")
	$(if $(apps),$(bin)/marimo check --strict $(apps),@echo "no apps to check")

rules: $(VENV)/dev.stamp ## the numbered rules, the tests of each, and whether they pass
	@$(bin)/python tests/print_rules.py

format: $(VENV)/dev.stamp ## mend style and strip notebooks
	$(bin)/ruff check --fix
	$(bin)/ruff format
	$(if $(notebooks),$(bin)/nbstripout $(stripped) $(notebooks))

lab: $(VENV)/dev.stamp ## the four notebooks in JupyterLab
	$(bin)/jupyter lab notebooks

explore: $(VENV)/dev.stamp ## the month in a browser (PARAMS=params/….yaml)
	$(bin)/recon explore $(PARAMS)

board: $(VENV)/dev.stamp ## decide a month's mappings in a browser (PARAMS=params/….yaml, RECON_WHO=your name)
	$(bin)/recon board $(PARAMS)

bench: $(VENV)/bench.stamp ## cost of the comparison beside a bare GROUP BY, pandas, polars and Spark, into docs/benchmarks.md (BENCH="1M 10M 50M")
	$(bin)/python -m benchmarks $(BENCH)

bench-matching: $(VENV)/bench-matching.stamp ## quality and cost of suggested links beside other tools, into docs/matching_benchmarks.md (needs ../shared)
	$(bin)/python -m benchmarks.matching $(MATCHING)

clean: ## remove the environment and caches; the workspace .recon and the archive reports/ stay
	rm -rf $(VENV) .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find reconlib tests apps -name __pycache__ -type d -prune -exec rm -rf {} +

$(bin)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$(PYTHON) is older than 3.11; name a newer one: make PYTHON=…"; exit 2; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/core.stamp: $(lists) | $(bin)/python
	@echo "installing recon into $(VENV): a minute or two"
	@$(pip_install) --editable .
	@touch $@

$(VENV)/dev.stamp: $(lists) | $(bin)/python
	@echo "installing recon, its notebooks, apps and checks into $(VENV): three to five minutes"
	@$(pip_install) --editable '.[lab,marimo,postgres,spark,dev]'
	@touch $(VENV)/core.stamp $@

$(VENV)/bench.stamp: $(lists) | $(bin)/python
	@echo "installing what the benchmark compares with into $(VENV): a minute or two"
	@$(pip_install) --editable '.[bench]'
	@touch $(VENV)/core.stamp $@

# It asks for pandas < 3 and runs on 3, so it comes without what it asks for.
$(VENV)/bench-matching.stamp: $(VENV)/bench.stamp
	@$(pip_install) --no-deps recordlinkage
	@touch $@
