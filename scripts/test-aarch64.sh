#!/usr/bin/env bash
# Runs the crate's own tests as a program for aarch64, on NEON, under qemu: that processor gives the same bits as this one.
# On Debian, as root, it installs what is missing: qemu-user-static, a linker for aarch64, and Rust's standard library for it.
# Where that can't be had it says so and exits with 0, unless REQUIRE=1.
set -euo pipefail
cd "$(dirname "$0")/.."

target=aarch64-unknown-linux-gnu

skip() {
  echo "The tests for aarch64 are skipped: $*"
  exit "${REQUIRE:-0}"
}

install() { apt-get install -y -qq qemu-user-static gcc-aarch64-linux-gnu libc6-dev-arm64-cross; }

if ! command -v qemu-aarch64-static >/dev/null || ! command -v aarch64-linux-gnu-gcc >/dev/null; then
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    skip 'qemu-aarch64-static or aarch64-linux-gnu-gcc is missing; on Debian: apt-get install qemu-user-static gcc-aarch64-linux-gnu libc6-dev-arm64-cross'
  fi
  { install || { apt-get update -qq && install; }; } >/dev/null 2>&1 || skip 'apt-get cannot install qemu-user-static and gcc-aarch64-linux-gnu'
fi
rustup target add "$target" >/dev/null 2>&1 || skip "rustup target add $target fails"

export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER='qemu-aarch64-static -L /usr/aarch64-linux-gnu'
# Not the whole epoch, which would take an hour, nor the test that starts itself as another user, without qemu.
cargo test --package candlewick --target "$target" --locked --quiet --lib -- \
  --skip an_epoch --skip in_a_folder_that_may_not_be_written
