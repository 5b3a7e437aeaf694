#!/usr/bin/env bash
# Builds the addon for a target as it is released, here or in CI: scripts/release/build.sh aarch64-unknown-linux-musl leaves
# candlewick.linux-arm64-musl.node at the top. Linux's are made on any Linux, by zig, and load on glibc 2.28; the one for x64 and
# glibc has the CUDA engine inside. Those for macOS and Windows are made by Rust's own linker, on their systems; x86_64-pc-windows-gnu is
# never released: Debian's mingw-w64 makes it anywhere, so that emulate.sh can try on Wine what is much the same.
set -euo pipefail
cd "$(dirname "$0")/../.."

glibc=2.28
target=${1:?which target? for example x86_64-unknown-linux-gnu}
features=()
builder=(cargo zigbuild)
spelled=$target
case $target in
  x86_64-unknown-linux-gnu) name=linux-x64-gnu spelled=$target.$glibc features=(--features cuda) ;;
  aarch64-unknown-linux-gnu) name=linux-arm64-gnu spelled=$target.$glibc ;;
  x86_64-unknown-linux-musl) name=linux-x64-musl ;;
  aarch64-unknown-linux-musl) name=linux-arm64-musl ;;
  x86_64-apple-darwin) name=darwin-x64 builder=(cargo build) ;;
  aarch64-apple-darwin) name=darwin-arm64 builder=(cargo build) ;;
  x86_64-pc-windows-msvc) name=win32-x64-msvc builder=(cargo build) ;;
  aarch64-pc-windows-msvc) name=win32-arm64-msvc builder=(cargo build) ;;
  x86_64-pc-windows-gnu) name=win32-x64-gnu features=(--features napi/dyn-symbols) builder=(cargo build) ;;
  *) echo "$target is none of the targets that are released." >&2; exit 1 ;;
esac

rustup target add "$target" >/dev/null 2>&1 || { echo "rustup target add $target fails." >&2; exit 1; }
if [ "${builder[1]}" = zigbuild ]; then
  zig=$(scripts/release/zig.sh)
  export PATH=$zig/bin:$PATH
fi
if [ "$target" = x86_64-pc-windows-gnu ]; then
  # What mingw links to for Node's symbols, which are looked up in Node when the addon is loaded.
  export LIBNODE_PATH=$PWD/target/mingw
  mkdir -p "$LIBNODE_PATH"
  x86_64-w64-mingw32-gcc -shared -x c /dev/null -o "$LIBNODE_PATH/libnode.dll" || {
    echo 'x86_64-w64-mingw32-gcc is missing; on Debian: apt-get install mingw-w64' >&2
    exit 1
  }
elif [ ${#features[@]} != 0 ]; then
  CUDA_HOME=${CUDA_HOME:-$(scripts/cuda-toolkit.sh)}
  export CUDA_HOME
fi
# musl is linked to as a library, as by Node; Rust's own way for that target is to bring it along.
case $target in *-musl) export RUSTFLAGS="${RUSTFLAGS:-} -C target-feature=-crt-static" ;; esac

CARGO_INCREMENTAL=0 "${builder[@]}" --release --locked --package candlewick-node --target "$spelled" ${features[@]+"${features[@]}"}

made=${CARGO_TARGET_DIR:-target}/$target/release
addon=candlewick.$name.node
for library in libcandlewick_node.so libcandlewick_node.dylib candlewick_node.dll; do
  if [ -f "$made/$library" ]; then cp "$made/$library" "$addon"; fi
done
scripts/release/check.sh "$addon"
