/* SPDX-License-Identifier: MIT */
/*
 * span.h - a view of bytes that somebody else owns.
 *
 * Passed by value. p is never NULL, not even for n == 0, so that pointer
 * arithmetic and memcpy on an empty span are defined. A span does not keep its
 * bytes alive; whoever hands one out says how long they live.
 */
#ifndef BASE_SPAN_H
#define BASE_SPAN_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "shared/base/defs.h"

struct span {
	const char *p;
	size_t n;
};

/* A span over a string literal; as an initialiser of static data. */
#define SPAN(lit) ((struct span){ "" lit, sizeof(lit) - 1 })
#define SPAN_INIT(lit)                                                         \
	{                                                                      \
		"" lit, sizeof(lit) - 1                                        \
	}
#define SPAN_EMPTY ((struct span){ "", 0 })
/* For "%.*s". The caller makes sure that n fits an int. */
#define SPAN_ARG(s) (int)(s).n, (s).p

static inline struct span
span_of(const char *p, size_t n)
{
	return n == 0 ? SPAN_EMPTY : (struct span){ p, n };
}

static inline struct span
span_cstr(const char *s)
{
	return (struct span){ s, strlen(s) };
}

static inline bool
span_eq(struct span a, struct span b)
{
	return a.n == b.n && memcmp(a.p, b.p, a.n) == 0;
}

/* From byte `from` (cut to n) to the end. */
static inline struct span
span_from(struct span s, size_t from)
{
	from = MIN(from, s.n);
	return (struct span){ s.p + from, s.n - from };
}

/* The first n bytes, fewer if there are fewer. */
static inline struct span
span_head(struct span s, size_t n)
{
	return (struct span){ s.p, MIN(n, s.n) };
}

/* Comparison without regard to ASCII case. */
bool span_ieq(struct span a, struct span b);
bool span_starts(struct span s, struct span prefix);
bool span_istarts(struct span s, struct span prefix);
bool span_ends(struct span s, struct span suffix);

/* Offset of the first occurrence, or s.n. The second ignores ASCII case. Cost:
 * O(s.n * needle.n) at worst; needles are short constants. */
size_t span_find(struct span s, struct span needle);
size_t span_ifind(struct span s, struct span needle);
size_t span_find_char(struct span s, char c);

/* Without blanks (space, tab, CR, LF) at both ends / at the end. */
struct span span_trim(struct span s);
struct span span_rtrim(struct span s);

/* True if there is nothing but blanks. */
bool span_is_blank(struct span s);

/* Cut off and return the text before the first c; *rest is what follows it. At
 * the end *rest is empty and the call returns what was left. False when *rest
 * was empty at the call. */
bool span_split(struct span *rest, char c, struct span *field);

/* Decimal digits only, whole span, no sign. False on anything else or past
 * UINT64_MAX; *out is then untouched. */
bool span_u64(struct span s, uint64_t *out) GP_WUR;

#endif
