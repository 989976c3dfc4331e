# Everything that a person or CI calls. What is missing gets installed, once: see scripts/install.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
.DELETE_ON_ERROR:

export FIREBELL ?= $(abspath $(or $(CARGO_TARGET_DIR),target))/release/firebell
PYTHON := $(CURDIR)/.venv/bin/python
UI_SOURCES := $(wildcard ui/*.html ui/*.json ui/*.ts) $(shell find ui/src -type f ! -name '*.test.*')

.PHONY: help demo test fuzz soak acceptance bench-metrics bench-rules bench-notify python wheel python-wheel bench-python build fmt lint tools browser peers

help: ## Say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' Makefile
	@echo "  make demo ONCE=1 ends by itself: exit code 0 only if every hop happened"

demo: build .venv/runs ## Break a real shop and watch Firebell tell; Ctrl-C ends it
	@cd examples && exec $(PYTHON) -m demo

test: build .venv/checks browser peers ## Run every test; the last line counts them
	@cargo xtask ci

python: .venv-python/tests ## Install the Python package for development into .venv-python, and test it
	@cd python && VIRTUAL_ENV=$(CURDIR)/.venv-python ../.venv-python/bin/maturin develop --quiet
	@cd python && ../.venv-python/bin/ruff check -q . && ../.venv-python/bin/ruff format -q --check . && ../.venv-python/bin/mypy -p firebell
	@cd python && ../.venv-python/bin/python -m pytest

wheel: build .venv-python/tests ## Build python/dist/firebell-….whl with the binary in it, install it somewhere, use it, uninstall it
	@mkdir -p python/firebell._native.data/scripts && cp $(FIREBELL) python/firebell._native.data/scripts/firebell
	@rm -rf python/dist && cd python && ../.venv-python/bin/maturin build --release --quiet --out dist
	@scripts/test-wheel python/dist/*.whl

python-wheel: .venv-python/tests ## The same from a quick build, and what docs/python shows runs with it; needs the binary
	@mkdir -p python/firebell._native.data/scripts && cp $(FIREBELL) python/firebell._native.data/scripts/firebell
	@rm -rf target/quick-wheel && cd python && ../.venv-python/bin/maturin build --quiet --strip --out ../target/quick-wheel
	@TESTS=.venv-python scripts/test-wheel target/quick-wheel/*.whl

bench-python: .venv-bench/peers ## Measure the Python package beside prometheus_client, OpenTelemetry, structlog and others: QUICK=1 is a minute
	@rm -rf target/bench-wheel && cd python && ../.venv-bench/bin/maturin build --release --quiet --out ../target/bench-wheel
	@.venv-bench/bin/pip install -q --disable-pip-version-check --force-reinstall --no-deps target/bench-wheel/*.whl
	@.venv-bench/bin/python python/bench/bench.py $(if $(QUICK),--quick)

fuzz: tools ## Fuzz every reader of foreign bytes, FUZZ_SECONDS=60 each
	@scripts/fuzz $${FUZZ_SECONDS:-60}

soak: build .venv/runs ## Play the demo's fault ROUNDS=20 times, after HOURS=200000 simulated ones, fuzzing, EXPRESSIONS=20000 of PromQL and KILLS=200 under load
	@FIREBELL_SIM_HOURS=$${HOURS:-200000} cargo test -q -p firebell-sim --test simulation --test pages
	@FIREBELL_SIM_HOURS=$${HOURS:-200000} cargo test -q -p firebell-escalation --test it simulation
	@scripts/fuzz $${FUZZ_SECONDS:-3600}
	@N=$${EXPRESSIONS:-20000} scripts/e2e/promql_differential
	@FIREBELL_KILLS=$${KILLS:-200} scripts/e2e/kill9_load
	@cd examples && ROUNDS=$${ROUNDS:-20} exec $(PYTHON) -m demo

acceptance: build ## Point Alertmanager's own acceptance suites at Firebell; needs Go
	@scripts/acceptance

bench-metrics: build ## Measure beside Prometheus and VictoriaMetrics: QUICK=1 is minutes, ROWS=query,ingest
	@cargo build -q --release --package firebell-server --example store
	@scripts/bench/metrics $(if $(QUICK),--quick) $(ROWS)

bench-rules: build ## Measure tests of rules beside promtool and vmalert-tool, and a cycle of 10,000 rules: QUICK=1 is a minute
	@scripts/bench/rules $(if $(QUICK),--quick)

bench-notify: build ## Measure beside Alertmanager: QUICK=1 is minutes, ROWS=post,lists
	@scripts/bench/notify $(if $(QUICK),--quick) $(ROWS)

build: tools ui/dist/index.html ## Build the page and the release binary
	@cargo build --release --package firebell

fmt: .venv/checks ui/node_modules/installed ## Format everything
	@cargo fmt --all
	@cd examples && ../.venv/bin/ruff format -q . ../scripts
	@npm --prefix ui run --silent format >/dev/null

lint: .venv/checks ui/node_modules/installed ## Check everything without running it
	@cargo xtask tidy
	@cargo clippy -q --workspace --all-targets -- -D warnings
	@cd examples && ../.venv/bin/ruff check -q . ../scripts && ../.venv/bin/mypy
	@npm --prefix ui run --silent check

tools browser peers:
	@scripts/install $@

.venv/runs: examples/requirements.txt
	@scripts/install venv
	@.venv/bin/pip install -q --disable-pip-version-check -r $<
	@touch $@

.venv/checks: examples/requirements-dev.txt .venv/runs
	@.venv/bin/pip install -q --disable-pip-version-check -r $<
	@touch $@

.venv-python/tests: python/requirements-test.txt
	@VENV=.venv-python scripts/install venv
	@.venv-python/bin/pip install -q --disable-pip-version-check -r $<
	@scripts/install redis
	@touch $@

.venv-bench/peers: python/requirements-bench.txt
	@VENV=.venv-bench scripts/install venv
	@.venv-bench/bin/pip install -q --disable-pip-version-check -r $<
	@touch $@

ui/node_modules/installed: ui/package-lock.json
	@npm --prefix ui ci --silent
	@touch $@

ui/dist/index.html: ui/node_modules/installed $(UI_SOURCES)
	@npm --prefix ui run --silent build -- --logLevel warn
	@touch $@
