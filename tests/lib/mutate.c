/* SPDX-License-Identifier: MIT */
/* mutate.c - moves values and frames about. */
#include "tests/lib/mutate.h"

#include <stdlib.h>

#include "shared/base/check.h"

/* SplitMix64: a number from what is left of chance. */
static size_t
pick(uint64_t *chance, size_t n)
{
	uint64_t z = *chance += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return n == 0 ? 0 : (size_t)((z ^ (z >> 31)) % n);
}

static bool
begins_value(char c)
{
	return c == ':' || c == ',' || c == '[' || c == '{';
}

/* The value, or the member, behind a structural character next to `at`. */
static struct span
value_near(struct span s, size_t at)
{
	size_t begin, depth = 0;
	bool in_string = false;

	while (at < s.n && !begins_value(s.p[at]))
		at++;
	at = MIN(at + 1, s.n);
	for (begin = at; at < s.n; at++) {
		const char c = s.p[at];

		if (in_string && c == '\\') {
			at++;
		} else if (c == '"') {
			in_string = !in_string;
		} else if (in_string) {
			continue;
		} else if (c == '{' || c == '[') {
			depth++;
		} else if (c == '}' || c == ']' || (c == ',' && depth == 0)) {
			if (depth == 0)
				break;
			depth--;
		}
	}
	at = MIN(at, s.n);
	return span_of(s.p + begin, at - begin);
}

/* The frame, with the blank line behind it, around `at`. */
static struct span
frame_near(struct span s, size_t at)
{
	const struct span gap = SPAN("\n\n");
	size_t begin = 0, end;

	for (;;) {
		end = begin + span_find(span_from(s, begin), gap);
		if (end >= s.n)
			return span_from(s, begin);
		end += gap.n;
		if (end > at)
			return span_of(s.p + begin, end - begin);
		begin = end;
	}
}

size_t
mutate_text(char *text, size_t size, size_t max, uint64_t chance)
{
	const struct span s = { text, size };
	const bool is_frame = pick(&chance, 2) == 0;
	const size_t from_at = pick(&chance, size + 1);
	const size_t to_at = pick(&chance, size + 1);
	const size_t how = pick(&chance, 4);
	struct span from =
		is_frame ? frame_near(s, from_at) : value_near(s, from_at);
	struct span to = is_frame ? frame_near(s, to_at) : value_near(s, to_at);
	const size_t at = to.n == 0 ? size : (size_t)(to.p - text);
	size_t gone = to.n;
	char *copy;

	if (how == 0)
		from.n = 0; /* take one away */
	else if (how == 1 && is_frame)
		gone = 0; /* one more */
	if (size - gone + from.n > max)
		return size;
	copy = malloc(MAX(from.n, 1));
	if (copy == NULL)
		GP_NOMEM();
	memcpy(copy, from.p, from.n);
	memmove(text + at + from.n, text + at + gone, size - at - gone);
	memcpy(text + at, copy, from.n);
	free(copy);
	return size - gone + from.n;
}
