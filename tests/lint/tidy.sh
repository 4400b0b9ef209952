#!/bin/sh
# tidy.sh CLANG_TIDY FLAGS FILE... - clang-tidy over the files, two at a time.
# FLAGS: where the third-party headers are.
set -eu
cd "$(dirname "$0")/../.."
tidy=$1
flags=$2
shift 2
export tidy flags
# shellcheck disable=SC2016 # the inner shell expands
printf '%s\n' "$@" | xargs -P 2 -n 6 sh -c '
	# shellcheck disable=SC2086 # the flags are several words
	"$tidy" --quiet --warnings-as-errors="*" "$@" -- -std=c11 -D_GNU_SOURCE \
		-I. -Ibuild/release/gen $flags \
		2>&1 | grep -v "warnings generated" | grep . >&2 && exit 1
	exit 0' tidy
