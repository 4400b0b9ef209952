#!/bin/sh
# SPDX-License-Identifier: MIT
# dist.sh FILE - write the source, and what is fetched, as one .tar.gz.
#
# The same files make the same bytes: names are sorted, and all are as old as
# the newest entry of debian/changelog. That is also where the packages take
# the time from.
set -eu
case $1 in
/*) out=$1 ;;
*) out=$PWD/$1 ;;
esac
cd "$(dirname "$0")/.."
name=$(basename "$out" .tar.gz)
vendor=build/vendor

mkdir -p "$(dirname "$out")"
work=$(mktemp -d "$(dirname "$out")/dist.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM

# What git knows or would take up; elsewhere all but what was made.
if [ -e .git ]; then
	git ls-files --cached --others --exclude-standard
else
	find . -name build -prune -o -name run -prune -o ! -type d -print
fi | sort -u >"$work/files"
mkdir "$work/$name"
# A file may have been removed and not committed.
tar -cf - --ignore-failed-read --warning=no-failed-read -T "$work/files" |
	tar -xf - -C "$work/$name"
mkdir -p "$work/$name/packaging/vendor"
for fetched in $vendor/cl100k_base.json $vendor/uplot; do
	[ ! -e "$fetched" ] || cp -R "$fetched" "$work/$name/packaging/vendor/"
done
chmod -R u+rwX,go+rX,go-w "$work/$name"

when=$(sed -n 's/^ -- .*>  //p' debian/changelog | head -n 1)
tar -cf "$work/tar" -C "$work" --sort=name --owner=0 --group=0 \
	--numeric-owner --format=gnu --mtime="$when" "$name"
gzip -n9 "$work/tar"
mv "$work/tar.gz" "$out"
