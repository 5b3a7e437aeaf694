#!/usr/bin/env bash
# A set of 4 GB on a process that may have 1 GB, its share of the page cache included: by hand, on Linux, as root, and with 5 GB of disk.
#
#   bench/larger.sh PHOTOS [DIR]   PHOTOS is a folder of two of JPEG files, such as bench/peers/environments/photos-2000
#
# The pictures are links, under so many names that their images of 3x256x256 come to 4 GB. First in a control group of 1 GB, all
# of them and as many as fit; then all without a limit. DIR is removed in the end. COUNT is another number of pictures.
set -euo pipefail
photos=$1
dir=${2:-$(mktemp -d)}/larger
trap 'rm -rf "$dir"; [ -z "${group:-}" ] || rmdir "$group"' EXIT
mkdir -p "$dir"
number=0
count=0
while [ "$count" -lt "${COUNT:-21000}" ]; do
  for file in "$photos"/*/*.jpg; do
    class=$dir/$(basename "$(dirname "$file")")
    [ "$number" -gt 0 ] || mkdir -p "$class"
    ln -s "$(realpath "$file")" "$class/$number-$(basename "$file")"
    count=$((count + 1))
  done
  number=$((number + 1))
done

root=/sys/fs/cgroup
if [ -d $root/memory ]; then
  group=$root/memory/candlewick-larger limit=memory.limit_in_bytes
else
  group=$root/candlewick-larger limit=memory.max
fi
mkdir "$group"
echo 1G > "$group/$limit"
within() { sh -c "echo \$\$ > $group/cgroup.procs; exec \"\$@\"" sh "$@"; }

cd "$(dirname "$0")/.."
echo "== all, in 1 GB"
within node build/bench/larger.js "$dir"
echo "== 3000 of them, 0.6 GB, in 1 GB"
within node build/bench/larger.js "$dir" 3000
echo "== all, without a limit"
node build/bench/larger.js "$dir"
