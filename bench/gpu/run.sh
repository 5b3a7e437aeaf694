#!/usr/bin/env bash
# On a machine with a GPU: unpacks what bench/gpu/pack.sh packed, and prints the tables. Options go on to bench/gpu.ts. With
# compute-sanitizer on the path, its tools run over a short training too; with a Python that has PyTorch, its
# times for the same training are printed.
set -euo pipefail
cd "$(dirname "$0")/../.."

work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
if tar --version >/dev/null 2>&1 && xz --version >/dev/null 2>&1; then
  tar -C "$work" -xJf target/gpu-bench/app.tar.xz
else
  python3 -c "import sys, tarfile; tarfile.open('target/gpu-bench/app.tar.xz').extractall(sys.argv[1])" "$work"
fi
export FASHION_MNIST_DIR=$PWD/target/gpu-bench/data
node=$work/app/node
chmod +x "$node"

failed=
(cd "$work/app" && "$node" build/bench/gpu.js "$@")

if command -v compute-sanitizer >/dev/null; then
  for tool in memcheck racecheck synccheck initcheck; do
    echo "== compute-sanitizer, $tool"
    (cd "$work/app" && compute-sanitizer --tool "$tool" --error-exitcode 1 "$node" build/bench/gpu.js --images 512 --epochs 1) ||
      failed="$failed $tool"
  done
else
  echo 'compute-sanitizer is not here: its tools are left out'
fi

if python3 -c 'import torch, sys; sys.exit(not torch.cuda.is_available())' 2>/dev/null; then
  for mode in eager compile; do
    (cd bench/peers && DEVICE=cuda python3 torch_training.py --mode "$mode" --epochs 5)
  done
else
  echo 'PyTorch with CUDA is not here: its times are left out'
fi
[ -z "$failed" ] || { echo "compute-sanitizer found something:$failed" >&2; exit 1; }
