#!/bin/sh
# Build all daemons for the board (armv7, hard float) and print their stripped sizes.
set -eu
cd "$(dirname "$0")/.."
target=armv7-unknown-linux-gnueabihf
export CARGO_TARGET_ARMV7_UNKNOWN_LINUX_GNUEABIHF_LINKER=arm-linux-gnueabihf-gcc
export CC_armv7_unknown_linux_gnueabihf=arm-linux-gnueabihf-gcc

if [ ! -d "$(rustc --print target-libdir --target "$target")" ]; then
    rustup target add "$target" || {
        echo "Rust's standard library for $target is missing: rustup target add $target" >&2
        exit 1
    }
fi

daemons="evsed ocppd meteringd rfidd recloserd configd"
# shellcheck disable=SC2046,SC2086
cargo build --locked --release --target "$target" $(printf -- '-p %s ' $daemons)

total=0
for daemon in $daemons; do
    binary=target/$target/release/$daemon
    arm-linux-gnueabihf-strip -o "$binary.stripped" "$binary"
    size=$(stat -c %s "$binary.stripped")
    total=$((total + size))
    printf '%-12s %9d bytes\n' "$daemon" "$size"
done
printf '%-12s %9d bytes (budget 16777216)\n' total "$total"
