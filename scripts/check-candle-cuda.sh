#!/usr/bin/env bash
# Compiles the crate and the addon with cargo's feature `candle-cuda`, the reference engine on NVIDIA GPUs (docs/engines.md), on a
# machine with neither a GPU nor a CUDA toolkit. candle's own kernels are passed over: they take nvcc minutes, and what is compiled
# here takes them as text.
set -euo pipefail
cd "$(dirname "$0")/.."

CUDA_HOME=${CUDA_HOME:-$(scripts/cuda-toolkit.sh)}
export CUDA_HOME
folder=$PWD/target/candle-cuda
mkdir -p "$folder"

# In place of nvcc: candle's build script compiles what it includes as text, and calls for objects only where it links.
cat > "$folder/nvcc" <<'NVCC'
#!/usr/bin/env bash
while [ $# -gt 0 ]; do
  arguments+=("$1")
  case $1 in
    -c) objects=1 ;;
    -o) out=$2 ;;
    --lib) library=1 ;;
    --output-directory) folder=$2 ;;
    --ptx) text=1 ;;
    *.cu) kernels=$1 ;;
  esac
  shift
done
if [ -n "${library:-}" ]; then exec ar rcs "$out"; fi
if [ -n "${objects:-}" ]; then exec cc -c -x c /dev/null -o "$out"; fi
if [ -n "${text:-}" ]; then exec touch "$folder/$(basename "$kernels" .cu).ptx"; fi
exec "$CUDA_HOME/bin/nvcc" "${arguments[@]}"
NVCC
chmod +x "$folder/nvcc"

export NVCC=$folder/nvcc CUDA_COMPUTE_CAP=80
# With a target, the flag stays away from build scripts, of which cudarc's would refuse it.
export RUSTFLAGS='--cfg feature="dynamic-loading"' CARGO_BUILD_TARGET=x86_64-unknown-linux-gnu
cargo clippy -p candlewick -p candlewick-node --features candlewick-node/candle-cuda --locked --quiet -- -D warnings
