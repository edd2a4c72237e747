# What a contributor needs daily; `make` alone lists it. Every target sets up what
# it needs. Cargo builds where CARGO_TARGET_DIR says, and the program and the
# plugins are at target/release/alchemiser and target/plugins all the same.

BUILT := $(or $(CARGO_TARGET_DIR),target)
ALCHEMISER := target/release/alchemiser
WASM := wasm32-unknown-unknown
PLUGINS := $(filter-out sdk,$(notdir $(patsubst %/Cargo.toml,%,$(wildcard plugins/*/Cargo.toml))))
VERSION := $(shell sed -n 's/^version = "\(.*\)"$$/\1/p' Cargo.toml)
# nextest runs tests side by side and sums up; without it cargo does as well.
TEST := $(if $(shell command -v cargo-nextest),cargo nextest run,cargo test --lib --bins --tests)

.PHONY: help
help: ## List these targets
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile | expand -t 10

.PHONY: setup
setup: ## Install what building plugins needs and is not there
	@scripts/setup-wasm

.PHONY: build
build: setup ## Build the program and the plugins
	cargo build --release --workspace --bins
	@$(install)
	$(ALCHEMISER) plugin build

.PHONY: run
run: build ## Run one workflow on the bundled prices; ARGS="--date 2022-12-28" picks the session
	$(ALCHEMISER) run $(ARGS)

.PHONY: test
test: setup ## Run all tests
	cargo build --release --locked --workspace --bins --tests
	@$(install)
	$(ALCHEMISER) plugin build
	$(ALCHEMISER) plugin test --no-build
	scripts/build-fail-points
	cargo test --release --locked --workspace --exclude 'torture*' --exclude previous-interface --doc
	$(TEST) --release --locked --workspace --no-fail-fast

.PHONY: examples
examples: build ## Build and check the strategies in Python and JavaScript; needs python3 and node
	plugins/examples/build
	python3 plugins/examples/check.py

.PHONY: lint
lint: setup ## Check format and style
	cargo fmt --all --check
	cargo clippy --release --locked --workspace --all-targets -- -D warnings
	cargo clippy --release --locked --package alchemiser-fail-points --features enabled --all-targets -- -D warnings
	@# Code for plugins only is seen only there. Debian's compiler has no clippy.
	@if ls "$$(rustc --print target-libdir --target $(WASM))"/libstd-*.rlib >/dev/null 2>&1; then \
		set -x; cargo clippy --release --locked --target $(WASM) --target-dir $(BUILT)/wasm \
			$(PLUGINS:%=--package %) -- -D warnings; \
	else \
		echo "lint: the default toolchain lacks $(WASM): plugins were checked as host code only"; \
	fi

.PHONY: bench
bench: build ## Measure
	cargo bench --locked --workspace

.PHONY: package
package: PACKAGE = alchemiser-$(VERSION)-$(shell rustc -vV | sed -n 's/^host: //p')
package: FILES = $(wildcard README.md LICENSE* alchemiser.toml) routes.toml data strategies
package: build ## Pack the program with its plugins, strategies, routes and prices
	@rm -rf target/package && mkdir -p target/package/$(PACKAGE)/target
	@cp -R $(FILES) $(ALCHEMISER) target/package/$(PACKAGE)
	@cp -R target/plugins target/package/$(PACKAGE)/target
	@tar -czf target/package/$(PACKAGE).tar.gz -C target/package $(PACKAGE)
	@ls -l target/package/$(PACKAGE).tar.gz

.PHONY: clean
clean: ## Remove what was built; accounts and ledgers in .alchemiser stay
	cargo clean
	rm -rf target

# Puts the program where it is looked for. A link may point anywhere by the next
# build, so it is a copy; and only where cargo builds elsewhere.
ifneq ($(abspath $(BUILT)),$(abspath target))
install = mkdir -p target/release && cp -f $(BUILT)/release/alchemiser $(ALCHEMISER)
else
install = :
endif
