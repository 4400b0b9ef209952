#!/bin/sh
# SPDX-License-Identifier: MIT
# embed.sh - write the files of the admin page as C arrays, plain and gzipped.
#
#	admin/page/embed.sh TITLE=FILE...
#
# To the standard output goes a table of ASSET rows. In *.html @HASH@ becomes a
# hash over all files, which their addresses have in them, and @CHARTS@ yes or
# no: whether the library for charts is among them.
set -eu

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# bytes NAME FILE: an array.
bytes() {
	echo "static const unsigned char $1[] = {"
	od -An -v -tx1 "$2" | sed 's/ \([0-9a-f][0-9a-f]\)/0x\1,/g'
	echo "};"
}

hash_of() {
	cat "$@" | sha256sum | cut -c 1-16
}

type_of() {
	case $1 in
	*.html) echo "text/html; charset=utf-8" ;;
	*.css) echo "text/css; charset=utf-8" ;;
	*.js) echo "text/javascript; charset=utf-8" ;;
	*.svg) echo "image/svg+xml" ;;
	*.json) echo "application/json" ;;
	*) echo "text/plain; charset=utf-8" ;;
	esac
}

charts=no
files=
for pair; do
	case ${pair%%=*} in uplot.js) charts=yes ;; esac
	files="$files ${pair#*=}"
done
# Not quoted: a list of files of ours, without blanks.
# shellcheck disable=SC2086
all=$(hash_of $files)

i=0
: >"$work/rows"
for pair; do
	name=${pair%%=*}
	case $name in
	*.html) sed "s/@HASH@/$all/g; s/@CHARTS@/$charts/g" "${pair#*=}" ;;
	*) cat "${pair#*=}" ;;
	esac >"$work/file"
	gzip -9n <"$work/file" >"$work/file.gz"
	bytes "asset_$i" "$work/file"
	bytes "asset_${i}_gz" "$work/file.gz"
	echo "ASSET(\"$name\", \"$(type_of "$name")\"," \
		"\"$(hash_of "$work/file")\", asset_$i, asset_${i}_gz)" \
		>>"$work/rows"
	i=$((i + 1))
done
echo "#define ASSETS_HASH \"$all\""
printf '#define ASSETS'
while read -r row; do
	printf ' \\\n\t%s' "$row"
done <"$work/rows"
echo
