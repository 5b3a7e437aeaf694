#!/usr/bin/env bash
# Lays out a CUDA compiler under target/cuda, from PyPI's wheels, and prints its folder: what CUDA_HOME is to name. Needs Python
# with pip, and a C++ compiler; neither a GPU nor root. Does nothing the second time.
set -euo pipefail
cd "$(dirname "$0")/.."

folder=$PWD/target/cuda
home=$folder/nvidia/cu13

if ! [ -x "$home/bin/nvcc" ]; then
  python3 -m pip install --quiet --no-compile --disable-pip-version-check --target "$folder" \
    'cuda-toolkit[nvcc,crt,nvvm,cudart,cccl]==13.0.2' >&2
  ln -sfn lib "$home/lib64" # where nvcc looks
  chmod +x "$home"/bin/* "$home"/nvvm/bin/*
fi
"$home/bin/nvcc" --version >/dev/null
echo "$home"
