# Two commands do everything on a fresh machine: `make demo` and `make test`. Both make .venv first.

PYTHON ?= python3
BIN := .venv/bin
# The pool of test workers: one a core, but never more than four against the same servers.
WORKERS ?= $(shell n=$$(nproc 2>/dev/null || echo 2); [ $$n -gt 4 ] && echo 4 || echo $$n)

.PHONY: help demo test test-full check bench clean

help:  ## what the targets do
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/' | expand -t 14

.venv/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

.cache/ready: tests/kit/fetch.py tests/kit/system.sh tests/conformance/node/package.json | .venv/ready
	tests/kit/system.sh
	$(BIN)/python -m tests.kit.fetch
	@touch $@

demo: .venv/ready  ## what Strongroom does, on a database of its own, in under a minute
	$(BIN)/strongroom demo

check: .venv/ready  ## ruff, mypy --strict, and the docs
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest -q -p no:cacheprovider tests/test_docs.py tests/test_errors.py

test: .venv/ready .cache/ready  ## the tests, on real servers, in under 15 minutes
	$(BIN)/pytest -m 'not full' -n $(WORKERS) --dist loadgroup

test-full: .venv/ready .cache/ready  ## all tests, the long fuzz, soak and large tables included
	$(BIN)/pytest -n $(WORKERS) --dist loadgroup

bench: .venv/ready .cache/ready  ## straight, pgbouncer and Strongroom side by side, into docs/benchmarks.md
	$(BIN)/python -m bench

clean:  ## removes what the targets made
	rm -rf .venv .cache .demo
