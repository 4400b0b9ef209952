#!/bin/sh
# run.sh SECONDS - every fuzzer for that long, on seeds cut from the golden
# cases; what it finds stays in build/fuzz/findings.
set -eu
cd "$(dirname "$0")/../.."
seconds=$1
mkdir -p build/fuzz/findings
tests/fuzz/seeds.sh
passed=0
failed=0
for program in build/fuzz/tests/fuzz/fuzz_*; do
	[ -x "$program" ] || continue
	name=$(basename "$program")
	case $name in *.o | *.d) continue ;; esac
	corpus=build/fuzz/corpus/$name
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
	if "$program" "$@" > "build/fuzz/$name.log" 2>&1; then
		passed=$((passed + 1))
		echo "$name: $(grep -a executed_units "build/fuzz/$name.log")"
	else
		failed=$((failed + 1))
		echo "$name: FAILED"
		tail -n 40 "build/fuzz/$name.log"
	fi
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
