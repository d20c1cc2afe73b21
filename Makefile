# `make demo` and `make test` do all set-up themselves; `make help` lists the rest.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help setup demo test test-fast test-spark check bench bench-stats plots faults lock clean

# The interpreter that makes the virtual environment; python3.11, else python3, when not given.
export PYTHON
RUN := .venv/bin/python

# A stamp carries the hash of what it was made from, so that a change of those files undoes it.
hash = $(shell cat $(1) | sha256sum | cut -c1-16)
INSTALLED := .venv/.installed-$(call hash,requirements.lock pyproject.toml)
READY := .venv/.ready-$(call hash,requirements.lock pyproject.toml streaming_eval/adapters/jars.lock)

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 13

$(INSTALLED):
	@scripts/setup.sh venv
	@touch $@

$(READY): $(INSTALLED)
	@scripts/setup.sh java
	@scripts/setup.sh downloads
	@scripts/setup.sh prometheus || echo "Without it, make demo skips the alert in Prometheus." >&2
	@touch $@

setup: $(READY) ## virtual environment, Java, jars, real data, Prometheus; done by what needs it

demo: $(READY) ## the whole product on real data, until the alert fires; ARGS="--rate 200 ..."
	@.venv/bin/streaming-eval demo $(ARGS)

test: $(READY) ## all tests, with Spark, Kafka, Prometheus and Alertmanager; ARGS are pytest's
	@scripts/setup.sh prometheus
	@scripts/setup.sh alertmanager
	@time scripts/test.sh $(ARGS)

test-fast: $(INSTALLED) ## the tests that need neither Spark nor outside processes
	@$(RUN) -m pytest -m "not spark and not slow" $(ARGS)

test-spark: $(READY) ## the tests that need Spark
	@time $(RUN) -m pytest -m spark $(ARGS)

check: $(INSTALLED) ## format, lint, types, import contracts
	@$(RUN) -m ruff format --check .
	@$(RUN) -m ruff check .
	@$(RUN) -m mypy
	@.venv/bin/lint-imports

bench: $(READY) ## the figures of docs/benchmarks.md; ARGS are those of benchmarks
	@$(RUN) -m benchmarks $(ARGS)

bench-stats: $(INSTALLED) ## what the statistics promise, by simulation; ARGS are those of benchmarks.stats
	@$(RUN) -m benchmarks.stats $(ARGS)

plots: $(INSTALLED) ## the figures of docs/statistics.md
	@$(RUN) -m benchmarks.plots docs/plots

faults: $(READY) ## breaks the running job in many ways; ARGS are those of tests.faults
	@$(RUN) -m tests.faults $(ARGS)

lock: $(INSTALLED) ## writes the locks anew, from pyproject.toml and versions.py
	@.venv/bin/pip-compile --quiet --extra dev --generate-hashes --strip-extras --allow-unsafe \
	  --no-emit-index-url --no-emit-options --no-header --no-annotate \
	  --output-file requirements.lock pyproject.toml
	@$(RUN) scripts/lock_jars.py

clean: ## removes the virtual environment and tool caches; keeps state and the user's cache
	@rm -rf .venv build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache \
	  .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
