#!/bin/sh
# times.sh - how long each fuzzer has run since its module last changed.
#
#	times.sh hash NAME                            of its module as it is now
#	times.sh add NAME SECONDS EXECUTIONS HASH     a run without a finding
#	times.sh check SECONDS                        list; fail below so many
#
# tests/fuzz/times holds a line a fuzzer: name, seconds, executions, and the
# hash of the files that tests/fuzz/modules names for it.
set -eu
cd "$(dirname "$0")/../.."
times=tests/fuzz/times
touch "$times"

# The state of a fuzzer's module, the fuzzer included.
hash_of()
{
	files=$(sed -n "s/^$1 //p" tests/fuzz/modules)
	[ -n "$files" ] || {
		echo "times.sh: tests/fuzz/modules does not name $1" >&2
		exit 1
	}
	# shellcheck disable=SC2086 # patterns
	cat "tests/fuzz/$1.c" $files | sha256sum | cut -c 1-16
}

# Sets seconds and runs to what counts for NAME with hash HASH.
recorded()
{
	seconds=0
	runs=0
	while read -r who s r hash; do
		if [ "$who" = "$1" ] && [ "$hash" = "$2" ]; then
			seconds=$s
			runs=$r
		fi
	done < "$times"
}

case ${1-} in
hash)
	hash_of "$2"
	;;
add)
	# Fuzzers may run side by side.
	exec 9> build/fuzz/times.lock
	flock 9
	recorded "$2" "$5"
	{
		grep -v "^$2 " "$times" || :
		echo "$2 $((seconds + $3)) $((runs + $4)) $5"
	} | sort > build/fuzz/times.new
	cat build/fuzz/times.new > "$times"
	;;
check)
	passed=0
	failed=0
	for source in tests/fuzz/fuzz_*.c; do
		name=$(basename "$source" .c)
		recorded "$name" "$(hash_of "$name")"
		printf '%-16s %6d s %12d executions\n' "$name" "$seconds" "$runs"
		if [ "$seconds" -ge "$2" ]; then
			passed=$((passed + 1))
		else
			failed=$((failed + 1))
		fi
	done
	echo "$passed passed, $failed failed"
	[ "$failed" -eq 0 ]
	;;
*)
	echo "usage: times.sh hash NAME | add NAME SECONDS EXECUTIONS HASH |" \
		"check SECONDS" >&2
	exit 64
	;;
esac
