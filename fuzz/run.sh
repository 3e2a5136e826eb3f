#!/bin/sh
# Fuzzes every target on the stable toolchain.
#
#   fuzz/run.sh                 a smoke run: 10 seconds a target
#   fuzz/run.sh 3600            that many seconds a target
#   fuzz/run.sh 0 100000000     that many executions a target, however long they take
#
# New inputs go into a scratch folder, not into the corpora that are checked in; `cargo fuzz cmin` on
# both makes a small corpus of them. A finding ends the run, is kept in fuzz/artifacts, and fails.
set -eu
cd "$(dirname "$0")/.."
seconds="${1:-10}"
runs="${2:--1}"
export RUSTC_BOOTSTRAP=1
for target in cookie_fields key_ring_text record_bytes token_values; do
    scratch="${FUZZ_SCRATCH:-fuzz/target/scratch}/$target"
    mkdir -p "$scratch"
    echo "== $target"
    # Without the address sanitizer: the crate forbids unsafe code, and is a few times faster so.
    cargo fuzz run --sanitizer none "$target" "$scratch" "fuzz/corpus/$target" -- \
        -max_total_time="$seconds" -runs="$runs" -max_len=4096 -print_final_stats=1
done
