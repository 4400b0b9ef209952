#!/bin/sh
# cover.sh BUILD_DIR - lines of the pure core that the tests reached, per file
# and in all; fails under the floor.
set -eu
floor=92
cd "$(dirname "$0")/.."
build=$1
for f in shared/base/*.c shared/json/*.c shared/http/*.c \
	shared/count/*.c shared/translate/*.c; do
	gcov -n -o "$build/$(dirname "$f")" "$f" 2>/dev/null |
		awk -v file="$f" '
		/^File / { ours = index($0, "'"'"'" file "'"'"'") }
		/^Lines executed:/ && ours {
			split($2, p, /[:%]/); print p[2], $NF, file; exit }'
done | awk -v floor="$floor" '
	{ printf "%6.1f %% of %4d  %s\n", $1, $2, $3
	  hit += $1 * $2 / 100; all += $2 }
	END { if (!all) { print "no coverage data"; exit 1 }
	  printf "%6.1f %% of %d lines of the pure core\n", 100 * hit / all, all
	  if (100 * hit / all < floor) { print "under the floor of " floor " %"; exit 1 } }'
