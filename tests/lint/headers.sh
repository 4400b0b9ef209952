#!/bin/sh
# headers.sh - every header compiles by itself, every file begins with its
# licence and its own name, and no file is over the limit of lines.
set -eu
cd "$(dirname "$0")/../.."
cc=${CC:-cc}
bad=0
for h in $(git ls-files '*.h'); do
	if ! $cc -std=c11 -D_GNU_SOURCE -I. -Ibuild/release/gen -fsyntax-only -x c \
		-include "$h" /dev/null; then
		echo "headers: $h does not stand alone"
		bad=1
	fi
done
for f in $(git ls-files '*.c' '*.h'); do
	if [ "$(head -n 1 "$f")" != '/* SPDX-License-Identifier: MIT */' ]; then
		echo "headers: $f does not begin with its licence"
		bad=1
	fi
	if ! sed -n 2,3p "$f" | grep -q "$(basename "$f") - "; then
		echo "headers: $f does not say what it is"
		bad=1
	fi
	if [ "$(wc -l < "$f")" -gt 700 ]; then
		echo "headers: $f is over 700 lines"
		bad=1
	fi
done
exit $bad
