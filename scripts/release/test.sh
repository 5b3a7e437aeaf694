#!/bin/sh
# Tests the addon that lies here, of this system or of a musl container's (which has no bash): the tests of the TypeScript, and the
# checksum of a training, which is the same on every target, into steps.txt. Needs Node and npm, no Rust.
set -eu
cd "$(dirname "$0")/../.."

npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
npm run --silent build:ts
node scripts/release/steps.js >steps.txt
FASHION_MNIST_DIR=$(node --input-type=module -e "
  import { fetchFashionMnist, findFashionMnist } from './dist/data/fashion-mnist.js'
  console.log((await findFashionMnist()) ?? (await fetchFashionMnist()))")
export FASHION_MNIST_DIR
# Elsewhere, those that run networks: others send signals, open terminals or start programs as this one does alone.
if [ "$(uname -s)" = Linux ] && [ -f /etc/debian_version ]; then npx ava; else npx ava 'build/test/{network,training}/**/*.test.js'; fi
