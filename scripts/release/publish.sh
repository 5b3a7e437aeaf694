#!/usr/bin/env bash
# Publishes the tarballs in a folder: scripts/release/publish.sh build/packages --dry-run. The packages of the platforms go first, so that
# candlewick itself finds them; one that is there already is left as it is, so that what was interrupted can be gone on with.
# Without --dry-run, in CI's job that npm trusts, it says where they were built (provenance).
set -euo pipefail

folder=$(cd "${1:?which folder?}" && pwd) # of a path without a slash before it, npm would make a repository on GitHub
dry=${2:-}
manifest() { tar -xzOf "$1" package/package.json; }
field() { manifest "$1" | node -p "(({ $2 }) => $3)(JSON.parse(require('fs').readFileSync(0, 'utf8')))"; }

root=() platforms=()
for tarball in "$folder"/*.tgz; do
  if [ "$(field "$tarball" name name)" = candlewick ]; then root+=("$tarball"); else platforms+=("$tarball"); fi
done
[ ${#root[@]} = 1 ] || { echo "There is no tarball of candlewick itself in $folder." >&2; exit 1; }
wanted=$(field "${root[0]}" optionalDependencies 'Object.keys(optionalDependencies).length')
[ "$wanted" = ${#platforms[@]} ] || { echo "candlewick asks for $wanted packages of platforms; there are ${#platforms[@]}." >&2; exit 1; }

for tarball in "${platforms[@]}" "${root[@]}"; do
  name=$(field "$tarball" name name) version=$(field "$tarball" version version)
  if npm view "$name@$version" version >/dev/null 2>&1; then
    echo "$name@$version is published already"
  elif [ "$dry" = --dry-run ]; then
    npm publish --dry-run --access public "$tarball"
  else
    npm publish ${GITHUB_ACTIONS:+--provenance} --access public "$tarball"
  fi
done
