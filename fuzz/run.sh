#!/bin/sh
# Fuzzes every target on the stable toolchain. It needs a C++ compiler for libFuzzer, and nothing else.
#
#   fuzz/run.sh                 a smoke run: 10 seconds a target
#   fuzz/run.sh 3600            that many seconds a target
#   fuzz/run.sh 0 100000000     that many executions a target, however long they take
#
# New inputs go into a scratch folder, not into the corpora that are checked in; `-merge=1` on both makes a
# small corpus of them. A finding ends the run, is kept in fuzz/artifacts, and fails.
set -eu
cd "$(dirname "$0")/.."
seconds="${1:-10}"
runs="${2:--1}"
host=$(rustc -vV | sed -n 's/^host: //p')
built="${FUZZ_TARGET_DIR:-fuzz/target}"

# What `cargo fuzz` asks of the compiler: coverage counters and compares for libFuzzer. Without the address
# sanitizer: the crate forbids unsafe code, and is a few times faster so. With `--target`, build scripts and
# macros are left alone.
coverage="-Cllvm-args=-sanitizer-coverage"
RUSTFLAGS="--cfg fuzzing -Cdebug-assertions -Ccodegen-units=1 -Cpasses=sancov-module $coverage-level=4 \
$coverage-inline-8bit-counters $coverage-pc-table $coverage-trace-compares" \
    cargo build --quiet --release --manifest-path fuzz/Cargo.toml --target "$host" --target-dir "$built"

for path in fuzz/fuzz_targets/*.rs; do
    target=$(basename "$path" .rs)
    scratch="${FUZZ_SCRATCH:-$built/scratch}/$target"
    mkdir -p "$scratch" "fuzz/artifacts/$target"
    echo "== $target"
    "$built/$host/release/$target" "$scratch" "fuzz/corpus/$target" \
        -artifact_prefix="fuzz/artifacts/$target/" -max_total_time="$seconds" -runs="$runs" \
        -max_len=4096 -print_final_stats=1
done
