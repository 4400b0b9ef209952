#!/bin/sh
# purity.sh - the core may call memory, string and formatting functions only:
# no IO, clock, chance, log or globals of its own. Reads the undefined symbols
# of the archives that are given.
set -eu
allowed='free|malloc|calloc|realloc|memchr|memcmp|bcmp|memcpy|memmove|memset|memrchr|memmem'
allowed="$allowed|strlen|strchr|strcmp|strncmp|strnlen|strerror|snprintf|vsnprintf|qsort|bsearch|abort"
# What the compiler itself puts in (fortification, stack protection).
allowed="$allowed|__.*_chk|__stack_chk_fail|_GLOBAL_OFFSET_TABLE_"
# llhttp is a pure parser.
allowed="$allowed|llhttp_.*"
own=$(mktemp)
trap 'rm -f "$own"' EXIT
nm --defined-only "$@" 2>/dev/null | awk 'NF == 3 { print $3 }' | sort -u > "$own"
bad=$(nm -u "$@" 2>/dev/null | awk '$1 == "U" { print $2 }' | sort -u |
	grep -vxF -f "$own" | grep -vxE "$allowed" || true)
if [ -n "$bad" ]; then
	echo "purity: the core calls:"
	echo "$bad"
	exit 1
fi
# Writable data: only the hook of check.c.
bad=$(nm -f sysv "$@" 2>/dev/null | tr -d " " |
	awk -F "|" '$7 == ".data" || $7 == ".bss" { print $1 }' | grep -v "^words_hook$" || true)
if [ -n "$bad" ]; then
	echo "purity: the core owns globals:"
	echo "$bad"
	exit 1
fi
