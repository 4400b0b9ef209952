#!/bin/sh
# run.sh SECONDS [NAME...] - the named fuzzers, or all, for that long each, on
# seeds cut from the golden cases. What they find stays in build/fuzz/findings,
# the time without a finding goes to tests/fuzz/times. FUZZ_J run side by side.
set -eu
cd "$(dirname "$0")/../.."

# One fuzzer; says how it went.
run_one()
{
	seconds=$1
	name=$2
	corpus=build/fuzz/corpus/$name
	log=build/fuzz/$name.log
	# The sources may change while it runs.
	hash=$(tests/fuzz/times.sh hash "$name")
	mkdir -p "$corpus"
	dict=tests/fuzz/${name#fuzz_}.dict
	[ -f "$dict" ] || dict=tests/fuzz/$name.dict
	set -- "-max_total_time=$seconds" -timeout=10 -rss_limit_mb=4096 \
		-artifact_prefix=build/fuzz/findings/"$name"- -print_final_stats=1
	[ ! -f "$dict" ] || set -- "$@" "-dict=$dict"
	set -- "$@" "$corpus" # the first folder is the one it writes to
	for seeds in "tests/fuzz/seeds/$name" "build/fuzz/seeds/$name"; do
		[ ! -d "$seeds" ] || set -- "$@" "$seeds"
	done
	if ! "build/fuzz/tests/fuzz/$name" "$@" > "$log" 2>&1; then
		echo "$name: FAILED"
		tail -n 40 "$log"
		return 1
	fi
	runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
	tests/fuzz/times.sh add "$name" "$seconds" "$runs" "$hash"
	echo "$name: passed, $runs executions in $seconds s"
}

if [ "${1-}" = --one ]; then
	run_one "$2" "$3"
	exit
fi
seconds=$1
shift
mkdir -p build/fuzz/findings
tests/fuzz/seeds.sh
if [ $# -eq 0 ]; then
	for source in tests/fuzz/fuzz_*.c; do
		set -- "$@" "$(basename "$source" .c)"
	done
fi
results=build/fuzz/results
printf '%s\n' "$@" |
	xargs -P "${FUZZ_J:-2}" -n 1 "$0" --one "$seconds" | tee "$results" || :
passed=$(grep -c ': passed,' "$results" || :)
echo "$passed passed, $(($# - passed)) failed"
[ "$passed" -eq $# ]
