#!/usr/bin/env bash
# Lays out a C compiler and linker for every target under target/zig, from PyPI's wheels of zig and cargo-zigbuild, and prints its
# folder. Needs Python with pip, and no root. Does nothing the second time.
set -euo pipefail
cd "$(dirname "$0")/../.."

folder=$PWD/target/zig
if ! [ -x "$folder/bin/cargo-zigbuild" ]; then
  python3 -m pip install --quiet --no-compile --disable-pip-version-check --target "$folder" \
    ziglang==0.14.1 cargo-zigbuild==0.24.1 >&2
fi
# A program that cargo-zigbuild finds, wherever it runs.
ln -sf ../ziglang/zig "$folder/bin/zig"
"$folder/bin/zig" version >/dev/null
echo "$folder"
