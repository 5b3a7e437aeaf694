#!/usr/bin/env bash
# Makes the environments of all peers, each for itself under bench/peers/environments (6 GB, most of it PyTorch's CUDA
# libraries). Needs Python 3.11 or later for PyTorch and JAX, 3.8 for MXNet, npm for tfjs and sharp; candle is our own reference engine. A
# peer that can't be had is named and left out.
#
#   bench/peers/setup.sh              all of them
#   bench/peers/setup.sh pytorch jax  those
set -uo pipefail
cd "$(dirname "$0")"
mkdir -p environments

# The first of these interpreters that is there and runs.
python() {
  local candidate
  for candidate in "$@"; do
    if "$candidate" -c '' 2>/dev/null; then command -v "$candidate"; return; fi
    # pyenv keeps interpreters that are not on the path.
    candidate=$(ls -d "${PYENV_ROOT:-$HOME/.pyenv}"/versions/"${candidate#python}".*/bin/python 2>/dev/null | tail -n 1)
    if [ -x "$candidate" ]; then echo "$candidate"; return; fi
  done
  return 1
}

# environment NAME PACKAGES... : a virtual environment made with $interpreter
environment() {
  local folder=environments/$1
  shift
  [ -x "$folder/bin/python" ] || "$interpreter" -m venv "$folder" || return
  "$folder/bin/pip" install --quiet --disable-pip-version-check "$@"
}

pytorch() {
  interpreter=$(python python3.12 python3.13 python3.11) && environment pytorch torch numpy setuptools pillow &&
    environment pytorch --no-deps scikit-learn scikit-image # for their photographs
}
jax() { interpreter=$(python python3.12 python3.13 python3.11) && environment jax jax numpy; }
mxnet() { interpreter=$(python python3.8) && environment mxnet mxnet==1.9.1 'numpy<1.24' 'requests'; }
tfjs() { npm install --silent --no-audit --no-fund --prefix environments/tfjs @tensorflow/tfjs@4 @tensorflow/tfjs-backend-wasm@4; }
sharp() { npm install --silent --no-audit --no-fund --prefix environments/sharp sharp@0.35; }

status=0
[ $# -gt 0 ] || set -- pytorch jax mxnet tfjs sharp
for peer in "$@"; do
  echo "== $peer"
  "$peer" || { echo "$peer is left out: its environment could not be made" >&2; status=1; }
done
exit $status
