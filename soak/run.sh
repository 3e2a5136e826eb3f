#!/bin/sh
# A soak of the testbed over loopback: a million requests from 200 clients, and a flood beside them.
#
#   soak/run.sh                                  some minutes
#   soak/run.sh smoke                            some seconds
#   SOAK_STORE=redis://127.0.0.1:6379/0 soak/run.sh
set -eu
cd "$(dirname "$0")/.."
if [ "${1:-}" = smoke ]; then
    # What `cargo test --all-features` has built already.
    export SOAK_REQUESTS=20000 SOAK_CLIENTS=20 SOAK_FLOOD=2000 SOAK_RATE=200
    cargo build --quiet --example testbed --all-features
    SOAK_TESTBED="${CARGO_TARGET_DIR:-target}/debug/examples/testbed"
else
    cargo build --quiet --release --example testbed --features "${SOAK_FEATURES:-axum testing}"
    SOAK_TESTBED="${CARGO_TARGET_DIR:-target}/release/examples/testbed"
fi
export SOAK_TESTBED
exec cargo run --quiet --release --manifest-path soak/Cargo.toml
