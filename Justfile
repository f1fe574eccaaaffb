# `just` lists the recipes; ./dev does the work, so nobody needs just.

[private]
default:
    @just --list --unsorted

# Format everything.
fmt:
    cargo fmt --all

# Long runs of what `just test` does shortly: faults on the bus, fuzz, kill -9.
soak:
    ./dev soak

# Formatting, clippy, both GPIO backends.
lint:
    ./dev lint

# All tests and the independent judges.
test *ARGS:
    ./dev test {{ARGS}}

# The dependency rules of docs/explanation/architecture.md.
arch:
    cargo test --locked -p hil-tests --test architecture

# Behaviours of the specification without a test.
coverage *ARGS:
    python3 tools/coverage.py {{ARGS}}

# Regenerate the reference pages that come from the code.
docs:
    tools/docs.sh

# Measure; writes docs/reference/performance.md.
bench *ARGS:
    ./dev bench {{ARGS}}

# Charge one simulated car; `just demo --stay` keeps the station running.
demo *ARGS:
    ./dev demo {{ARGS}}

# Change the safety logic in small ways: does a test notice?
mutants *ARGS:
    ./dev mutants {{ARGS}}

# Build all daemons for armv7 and print their stripped sizes.
cross:
    ./dev cross

# What CI runs, all of it.
ci:
    ./dev ci
