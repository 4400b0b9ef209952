#!/bin/sh
# seeds.sh - cut seeds for fuzz_xlate and fuzz_truncate from the golden cases:
# into build/fuzz/seeds/NAME, in the form that NAME.c describes.
set -eu
cd "$(dirname "$0")/../.."
to=build/fuzz/seeds/fuzz_xlate
short=build/fuzz/seeds/fuzz_truncate
mkdir -p "$to" "$short"

# The value of a key of the case, "" if it is not there.
value()
{
	sed -n "s/^$1=//p" "$folder/case"
}

# The position of a dialect, of a model, in the lists of the fuzzer.
number()
{
	case $1 in
	openai | glm-4.6) echo 0 ;;
	anthropic | glm-4.6v) echo 1 ;;
	glm-4.5v) echo 2 ;;
	small) echo 6 ;;
	*) echo 5 ;;
	esac
}

byte()
{
	# shellcheck disable=SC2059 # the format is the byte
	printf "\\$(printf '%03o' "$1")"
}

# What is fuzzed and between whom; model and fixed request; where to cut.
head_of()
{
	byte "$1"
	byte "$2"
	byte 0
	byte 100
}

ANSWER=4 REQUEST=8 COUNT=12
count=0
for folder in tests/golden/*/; do
	folder=${folder%/}
	flags=$(($(number "$(value client)") + 2 * $(number "$(value upstream)")))
	answer=$folder/up.sse
	if [ -f "$folder/up.body" ]; then
		answer=$folder/up.body
		flags=$((flags + 16))
	fi
	case $(value status) in '' | 200) ;; *) flags=$((flags + 32)) ;; esac
	[ "$(value end)" != reset ] || flags=$((flags + 64))
	[ "$(value purpose)" != count ] || flags=$((flags + COUNT))
	name=${folder##*/}
	{
		byte "$(number "$(value client)")"
		byte $((255 - count % 4 * 64))
		cat "$folder/in.json"
	} > "$short/$name"
	model=$(number "$(value model)")
	[ -z "$(value input_tokens)" ] || model=$(number small)
	[ "$(value validate_tool_json)" != buffer ] || model=$((model + 8))
	case $(value tool_markup) in '' | off) ;; *) model=$((model + 128)) ;; esac
	if [ ! -f "$answer" ] && [ "$(value purpose)" != count ]; then
		head_of $((flags + REQUEST)) "$model" | cat - "$folder/in.json" \
			> "$to/$name"
		count=$((count + 1))
		continue
	fi
	{
		head_of "$flags" "$model"
		cat "$folder/in.json"
		byte 0
		[ ! -f "$answer" ] || cat "$answer"
	} > "$to/$name"
	count=$((count + 1))
	[ "$(value purpose)" != count ] || continue
	# The same answer to one of the fixed requests.
	head_of $((flags + ANSWER)) $((model % 128 + count % 8 * 16)) |
		cat - "$answer" > "$to/$name-answer"
	count=$((count + 1))
done
echo "seeds: $count for fuzz_xlate, $(find "$short" -type f | wc -l) for fuzz_truncate"
