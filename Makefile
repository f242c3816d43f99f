# What people type. Continuous integration runs .ci/run, which ends in `make test`.
# Needed: Rust (the version Cargo.toml names), a C compiler, Python 3, make. Optional: cargo-nextest, Java 17 and npm.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help demo test prove lint docs bench clean needs

# On a CI machine a missing oracle is a failure; at home it is a line that says what was skipped. DynamoDB Local runs on Java.
JAVA := $(shell command -v java)
ORACLES := tests/oracles/run $(if $(CI),--require moto --require ministack --require awscli $(if $(JAVA),--require dynamodb-local))

help: ## Say what there is
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: needs ## Build, then take a tour on this machine alone: no AWS account, ends by itself
	@cargo build --locked
	@cargo run --locked --quiet -- demo

# Built before the oracles start: they need not wait in memory while it compiles.
test: needs ## Run every test: unit, integration, documentation, and against the independent oracles
	@if cargo nextest --version >/dev/null 2>&1; then \
		cargo nextest run --locked --no-run && $(ORACLES) -- cargo nextest run --locked; \
	else \
		echo "cargo-nextest is not installed: using cargo test"; \
		cargo test --locked --lib --bins --tests --no-run && $(ORACLES) -- cargo test --locked --lib --bins --tests; \
	fi
	@cargo test --locked --doc

# Whole in continuous integration; `tests/planted/run` and longer runs are for a person to start.
prove: needs ## Simulate 2,000 seeds, crash at every request, let every fault strike (optimised build)
	@cargo build --locked --profile dist --example sim
	@cargo run --locked --profile dist --quiet --example sim -- seeds 2000
	@cargo run --locked --profile dist --quiet --example sim -- crashes
	@cargo run --locked --profile dist --quiet --example sim -- faults

lint: needs ## Check format, lints, documentation, dependencies, Dockerfile and scripts
	@.ci/run lint

docs: needs ## Build the API documentation into target/doc
	@RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --locked

bench: needs ## Run the benchmarks (release build)
	@cargo bench --locked

clean: ## Delete what was built and the tools in .tools/; a store in .evenkeel/ is never touched
	cargo clean
	rm -rf .tools

needs:
	@command -v cargo >/dev/null || { echo "cargo is missing: install Rust from https://rustup.rs" >&2; exit 1; }
	@command -v cc >/dev/null || command -v gcc >/dev/null || command -v clang >/dev/null || \
		{ echo "no C compiler found: the TLS library and SQLite need one (Debian/Ubuntu: apt install gcc libc6-dev)" >&2; exit 1; }
	@command -v python3 >/dev/null || { echo "python3 is missing: the test oracles and the dependency check need it" >&2; exit 1; }
