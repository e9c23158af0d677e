# Two commands do everything on a fresh machine: `make demo` and `make test`. Both make .venv first.

PYTHON ?= python3
BIN := .venv/bin
# The pool of test workers: one a core, but never more than four against the same servers.
WORKERS ?= $(shell n=$$(nproc 2>/dev/null || echo 2); [ $$n -gt 4 ] && echo 4 || echo $$n)
# Whether the native kernel was built here, so that its own checks can run.
NATIVE = command -v cargo >/dev/null && $(BIN)/python -c 'import strongroom_kernel' 2>/dev/null

.PHONY: help demo test test-full attack check bench kernel clean

help:  ## what the targets do
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/' | expand -t 14

.venv/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

.cache/ready: tests/kit/fetch.py tests/kit/system.sh tests/conformance/node/package.json $(wildcard tests/audit/go/*) | .venv/ready
	tests/kit/system.sh
	$(BIN)/python -m tests.kit.fetch
	@touch $@

# The native kernel is built where cargo is, and all works without it. It is an optional part: where its crates
# cannot be had, that is said and no more. It is built for this machine's processor; one that is to run on others
# is built with, say, KERNEL_CPU=x86-64-v2, and finds out at run time what the processor has.
KERNEL_CPU ?= native
define build_kernel
	@if ! command -v cargo >/dev/null; then echo "no cargo here: the Python kernel serves"; \
	elif RUSTFLAGS='-C target-cpu=$(KERNEL_CPU)' $(BIN)/pip install --quiet --force-reinstall ./rust/kernel-py; then echo "the native kernel is built"; \
	else echo "the native kernel could not be built: the Python kernel serves"; fi
	@touch .venv/kernel
endef

.venv/kernel: .venv/ready rust/Cargo.toml $(wildcard rust/kernel*/Cargo.toml rust/kernel*/src/*.rs)
	$(build_kernel)

kernel: .venv/ready  ## the native kernel anew, where cargo is there; KERNEL_CPU=x86-64-v2 for any processor
	$(build_kernel)

demo: .venv/kernel  ## what Strongroom does, on a database of its own, in under a minute
	$(BIN)/strongroom demo

check: .venv/kernel  ## ruff, mypy --strict, and the docs
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest -q -p no:cacheprovider tests/test_docs.py tests/test_errors.py
	@if $(NATIVE); then $(BIN)/stubtest --concise strongroom._kernel.native && cd rust && cargo fmt --check && \
	cargo clippy --quiet --all-targets -- -D warnings; fi

test: .venv/kernel .cache/ready  ## the tests, on real servers, in under 15 minutes
	@if $(NATIVE); then cd rust && cargo test --quiet; fi
	$(BIN)/pytest -m 'not full' -n $(WORKERS) --dist loadgroup

test-full: .venv/kernel .cache/ready  ## all tests, the long fuzz and soak included: half an hour more, unattended
	@if $(NATIVE); then cd rust && PROPTEST_CASES=20000 cargo test --quiet; fi
	$(BIN)/pytest -n $(WORKERS) --dist loadgroup

# What an adversary would try, of the tests and of the long fuzz: leaks of other products, hostile clients and
# databases, changed values, random octets and statements.
ATTACKS = $(addprefix tests/conformance/test_,statements.py failures.py pipelines.py transactions.py) \
	$(addprefix tests/gateway/test_,client_faults.py upstream_faults.py stored_faults.py preamble.py) tests/fuzz

attack: .venv/kernel .cache/ready  ## leaks of others, hostile peers, changed values, fuzz: tried on real servers
	$(BIN)/pytest -n $(WORKERS) --dist loadgroup $(ATTACKS)

bench: .venv/kernel .cache/ready  ## straight, pgbouncer and Strongroom side by side, into docs/benchmarks.md
	$(BIN)/python -m bench

clean:  ## removes what the targets made
	rm -rf .venv .cache .demo rust/target
