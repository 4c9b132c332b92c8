# Every command of the project. A fresh clone needs make and Python 3.11 or newer, nothing else.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(READY): requirements-dev.lock pyproject.toml
	@$(PYTHON) tools/make_venv.py $(VENV)
	@touch $@

setup: $(READY) ## create .venv with everything pinned

run: $(READY) ## run an agent that keeps nothing, on http://127.0.0.1:8500
	@$(BIN)/fairlead agent -dev

test: lint types ## all checks and tests: what CI runs (under 10 minutes on 2 cores)
	@$(BIN)/python -m pytest -n 3 --dist loadgroup --durations=25

lint: $(READY) ## ruff: rules and format
	@$(BIN)/ruff check --quiet
	@$(BIN)/ruff format --check --quiet

types: $(READY) ## mypy --strict
	@$(BIN)/mypy

fix: $(READY) ## let ruff mend what it can
	@$(BIN)/ruff check --fix --quiet; $(BIN)/ruff format --quiet

conformance: $(READY) ## the same requests to real Consul and to Fairlead, answers compared
	@$(BIN)/python -m pytest tests/conformance -rs

test-crash: $(READY) ## kill -9 a hundred times under load, count what was lost
	@FAIRLEAD_KILLS=100 $(BIN)/python -m pytest tests/crash -rs -s

test-fuzz: $(READY) ## fuzz requests and configuration for ten minutes
	@FAIRLEAD_FUZZ_EXAMPLES=20000 $(BIN)/python -m pytest tests/fuzz -rs

test-servers: $(READY) ## whole clusters and datacenters, killed, cut off and moved (six minutes)
	@$(BIN)/python -m pytest -m long -n 2 --dist loadgroup

test-faults: $(READY) ## three servers under random faults for three minutes, every answer checked
	@$(BIN)/python -m tests.faults $(FAULTS)

bench: $(READY) ## Fairlead and, where it can be had, Consul under the same load; prints ratios
	@$(BIN)/python -m bench

bench-checks: $(READY) ## what 5 000 health checks cost one agent
	@$(BIN)/python -m bench.checks

bench-cluster: $(READY) ## three servers of each in turn: loads, leaders killed; in eight minutes
	@$(BIN)/python -m bench.cluster

bench-scale: $(READY) ## 1 000 agents with 10 000 services against one server, in two minutes
	@$(BIN)/python -m bench.scale

bench-prometheus: $(READY) ## how soon Prometheus follows a change in Fairlead, and in Consul
	@$(BIN)/python -m bench.prometheus

lock: ## pin the development requirements anew
	@$(PYTHON) tools/make_venv.py --lock requirements-dev.lock

clean: ## remove what the targets made
	@rm -rf $(VENV) .mypy_cache .ruff_cache .hypothesis build dist
	@find . -name __pycache__ -prune -exec rm -rf {} +

.PHONY: help setup run test lint types fix conformance test-crash test-servers test-faults test-fuzz bench bench-checks bench-cluster bench-scale bench-prometheus \
        lock clean
