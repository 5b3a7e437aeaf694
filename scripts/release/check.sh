#!/usr/bin/env bash
# Says how large an addon for Linux is and what it asks of the system it is loaded on, and fails for what a release does not ask:
# a glibc newer than 2.28, another library than the C library's own, more than 8 MB. Others it only weighs.
set -euo pipefail

addon=${1:?which addon?}
most_glibc=2.28 most_bytes=8000000
size=$(wc -c <"$addon" | tr -d ' ')
fail() { echo "$addon: $*" >&2; exit 1; }

echo "$addon: $size bytes"
[ "$size" -le "$most_bytes" ] || fail "it has $size bytes; a release has at most $most_bytes"
case $addon in *.linux-*) ;; *) exit 0 ;; esac

command -v readelf >/dev/null || fail 'readelf is missing, which looks at it; on Debian: apt-get install binutils'
asks=$(readelf --wide --dynamic "$addon")
libraries=$(sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' <<<"$asks")
echo "  asks for: $(tr '\n' ' ' <<<"$libraries")"
strangers=$(grep -vE '^(lib(c|m|dl|pthread|rt)\.so(\.[0-9])?|ld-linux-.*)$' <<<"$libraries" || true)
[ -z "$strangers" ] || fail "it asks for $strangers, which is not everywhere"
grep -q 'NODELETE' <<<"$asks" || fail 'it is not linked with -z nodelete'
glibc=$(readelf --wide --version-info "$addon" | { grep -o 'GLIBC_[0-9.]*' || true; } | sed 's/GLIBC_//' | sort -uV | tail -1)
case $addon in
  *-gnu.node)
    echo "  needs glibc $glibc"
    [ "$(printf '%s\n' "$glibc" "$most_glibc" | sort -V | tail -1)" = "$most_glibc" ] || fail "it needs glibc $glibc"
    ;;
  *) [ -z "$glibc" ] || fail "it needs glibc $glibc, which is not on a system of musl" ;;
esac
