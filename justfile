# The same words here and in .ci/run. `just` alone lists them.

set shell := ["bash", "-euo", "pipefail", "-c"]

buf := "integration/web/node_modules/.bin/buf"

# List the recipes.
default:
    @just --list --unsorted

# Start everything in this process, on embedded parts.
up *args:
    cargo run -- up {{ args }}

# Everything that must be green before a commit.
check: lint buf gen-check test docs

# Format Rust and proto files in place.
fmt: tools
    cargo fmt --all
    {{ buf }} format -w

# Format check and clippy.
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets --locked -- -D warnings

# All tests. SOUK_CI=1 turns every skip into a failure.
test *args:
    cargo test --workspace --locked {{ args }}

# Bend flows, signatures and tokens for so many seconds, all targets side by side.
fuzz seconds="60":
    SOUK_FUZZ_SECONDS={{ seconds }} cargo test --locked -p souk-fuzz --test targets -- --test-threads 6 --show-output

# Only the house rules: sizes, names, import walls, words.
tidy:
    cargo test -p integration --test tidy -- --show-output

# Write everything under gen/ and missing docs/errors pages.
gen: tools
    cargo run -q -p xtask -- gen
    cargo run -q -p xtask -- gen-ts

# Say what `gen` would change, and change nothing.
gen-check: tools
    cargo run -q -p xtask -- drift
    rm -rf .cache/generated
    {{ buf }} generate -o .cache/generated
    diff -r .cache/generated/gen/ts gen/ts

# Lint the proto files, check their format, and compare them with the last release.
buf: tools
    {{ buf }} lint
    {{ buf }} format -d --exit-code
    .ci/breaking {{ buf }}

# Measure the platform on this machine (docs/benchmarks.md); `just bench release` as it would be deployed.
bench profile="dev" *args:
    cargo build -q --locked --profile {{ profile }} -p souk -p souk-bench
    cargo run -q --locked --profile {{ profile }} -p souk-bench -- {{ args }}

# Measure the cold build of the first command: a fresh clone, an empty target folder, sources fetched before.
bench-build:
    #!/usr/bin/env bash
    set -euo pipefail
    dir=$(mktemp -d)
    trap 'rm -rf "$dir"' EXIT
    git clone -q . "$dir/souk"
    cd "$dir/souk"
    export CARGO_TARGET_DIR="$dir/target"
    cargo fetch -q --locked
    begun=$SECONDS
    cargo build --locked
    echo "cold build of the first command: $((SECONDS - begun)) s on $(nproc) cores"

# Licences, banned crates, sources (needs cargo-deny).
deny:
    cargo deny --locked check licenses bans sources

# Show that each safeguard is proven: without it, its proof fails (integration/mutants/README.md).
mutants *names:
    integration/mutants/run {{ names }}

# Reference documentation of every crate.
docs:
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked

# What a bare machine runs.
ci:
    bash .ci/run

# The tools from npm, once.
[private]
tools:
    @test -x {{ buf }} || (cd integration/web && npm ci)
