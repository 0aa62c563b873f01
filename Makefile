# Two commands are enough on a machine with only the toolchains (Go 1.26, Rust 1.95, Python 3): `make demo`, `make test`.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help build release tools demo demo-down test test-full check check-rust check-go check-shell check-images \
        bench bench-drift bench-serving bench-faults clean

# Colour codes have no place in a log file.
export CARGO_TERM_PROGRESS_WHEN ?= auto

help: ## Show this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## Build the debug binary
	cargo build --locked

release: ## Build the stripped binary
	cargo build --locked --release

tools: ## Build Kubernetes, etcd, helm and kubectl for the tests (once, about 15 minutes on 2 cores; a real node's come later)
	tests/cluster/cluster tools

demo: ## Start a throwaway cluster, put the whole stack on it, show it
	tests/demo up

demo-down: ## End the demo's cluster
	tests/demo down

test: tools build ## Run all checks and tests
	tests/run

test-full: tools build ## As test, with the long runs of faults and kills (an hour and more)
	tests/run --full

check: check-rust check-go check-shell ## Format, lints, scripts

check-rust:
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings
	cargo clippy --locked --test cluster -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --quiet

check-go:
	cd tests/cluster && test -z "$$(gofmt -l .)" && go vet ./... && go test ./...
	cd tests/cluster/tools/images && go vet ./... && go test ./...

# Not every machine has shellcheck; where it is missing, this says so.
check-shell:
	if command -v shellcheck >/dev/null; then shellcheck .ci/run tests/run tests/demo tests/faults tests/lint-charts tests/workflows tests/cluster/cluster tests/cluster/argo tests/cluster/tools/images/{lock,*.sh} charts/*/files/*.sh images/bench images/check images/lock images/stores images/venv; \
	else echo "shellcheck is not installed, scripts were not checked" >&2; fi

check-images: ## Lint and test the Python images against real PostgreSQL and S3 (needs Python 3.11; 8 minutes the first time)
	images/check --stores

bench: tools release ## Measure speed and memory, into target/bench/
	tests/bench/run

bench-drift: ## Count false and missed alarms of the drift report, into target/bench/drift.json (5 minutes)
	images/bench drift

bench-serving: ## Compare the model server with mlflow's, into target/bench/serving.json (3 minutes)
	images/bench serving

bench-faults: tools build ## Make all faults and say which cause was named and when, into target/bench/faults.json (8 minutes)
	tests/faults

clean: demo-down ## Remove what was built here; the tool cache stays
	cargo clean
