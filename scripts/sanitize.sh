#!/usr/bin/env bash
# Has sanitizers watch the CUDA engine's kernels on the host. ThreadSanitizer, which takes the emulation's fibers for threads,
# must find nothing where all barriers are there, and a race where one is left out; AddressSanitizer must find nothing.
# Where g++ and its sanitizers are missing it says so and exits with 0, unless REQUIRE=1.
set -euo pipefail
cd "$(dirname "$0")/.."

for library in libtsan.so libasan.so; do
  if ! command -v g++ >/dev/null || [ ! -e "$(g++ -print-file-name=$library)" ]; then
    echo "The sanitizers are skipped: g++ or its $library is missing; on Debian: apt-get install g++"
    exit "${REQUIRE:-0}"
  fi
done

# The program is that of the other tests: only the C++ is instrumented, in a library that takes the place of the plain one. Of the
# test runner's own channel, ThreadSanitizer sees but a half.
tests=$(cargo test --package candlewick --features emulation --test cuda_emulation --locked --quiet --no-run --message-format json |
  node -e '
    for (const line of require("fs").readFileSync(0, "utf8").trim().split("\n")) {
      const { executable, target } = JSON.parse(line)
      if (executable && target.name === "cuda_emulation") console.log(executable)
    }')
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
log=$folder/log
echo race:CompletedTest >"$folder/suppressions"

# watch SANITIZER ARGUMENT...: the emulation's tests
watch() {
  local sanitizer=$1 library=$folder/$1/libemulation.so
  shift
  if [ ! -e "$library" ]; then
    mkdir "$folder/$sanitizer"
    g++ -std=c++17 -O1 -g -fPIC -shared -fsanitize="$sanitizer" crates/candlewick/kernels/emulation.cpp -o "$library"
  fi
  # The sanitizer comes first, before what Rust links to.
  TSAN_OPTIONS="suppressions=$folder/suppressions" ASAN_OPTIONS=detect_leaks=0 LD_LIBRARY_PATH=$folder/$sanitizer \
    LD_PRELOAD=$(readlink -f "$(g++ -print-file-name="lib${sanitizer:0:1}san.so")") "$tests" --quiet "$@"
}

watch thread threads::seven | tee "$log"
grep -q '1 passed' "$log"
if watch thread --ignored threads::a_missing_barrier_is_a_race >"$log" 2>&1 || ! grep -q 'ThreadSanitizer: data race' "$log"; then
  cat "$log"
  echo 'A barrier was left out, and ThreadSanitizer has found no race.'
  exit 1
fi
watch address # which says that it may err about fibers; it does not
