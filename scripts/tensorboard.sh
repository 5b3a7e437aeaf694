#!/usr/bin/env bash
# Makes a virtual environment with the real TensorBoard under target/tensorboard, from PyPI, and prints its Python, by which tests
# read the event files that were written. Needs python3 with venv; does nothing the second time.
set -euo pipefail
cd "$(dirname "$0")/.."

folder=$PWD/target/tensorboard
python=$folder/bin/python

if ! "$python" -c 'import tensorboard' 2>/dev/null; then
  python3 -m venv "$folder" >&2
  "$python" -m pip install --quiet --no-compile --disable-pip-version-check tensorboard==2.21.0 >&2
fi
"$python" -c 'import tensorboard'
echo "$python"
