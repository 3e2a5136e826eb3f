#!/bin/sh
# A soak of the testbed over loopback: a million requests from 200 clients, and a flood beside them.
#
#   tools/soak/run.sh                                  some minutes
#   tools/soak/run.sh smoke                            some seconds
#   SOAK_FEATURES=testbed/redis SOAK_STORE=redis://127.0.0.1:6379/0 tools/soak/run.sh
set -eu
cd "$(dirname "$0")/../.."
if [ "${1:-}" = smoke ]; then
    export SOAK_REQUESTS=8000 SOAK_CLIENTS=20 SOAK_FLOOD=1000 SOAK_RATE=200
    # What `cargo test --workspace --all-features` has built already.
    cargo build --quiet --workspace --all-features --bin testbed --bin soak
    kind=debug
else
    cargo build --quiet --release --package testbed --package soak --features "${SOAK_FEATURES:-}"
    kind=release
fi
export SOAK_TESTBED="${CARGO_TARGET_DIR:-target}/$kind/testbed"
exec "${CARGO_TARGET_DIR:-target}/$kind/soak"
