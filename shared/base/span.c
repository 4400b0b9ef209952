/* SPDX-License-Identifier: MIT */
/* span.c - searching and cutting views of bytes. */
#include "shared/base/span.h"

static unsigned char
lower(char c)
{
	const unsigned char u = (unsigned char)c;

	return u >= 'A' && u <= 'Z' ? (unsigned char)(u + ('a' - 'A')) : u;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

bool
span_ieq(struct span a, struct span b)
{
	if (a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; i++) {
		if (lower(a.p[i]) != lower(b.p[i]))
			return false;
	}
	return true;
}

bool
span_starts(struct span s, struct span prefix)
{
	return s.n >= prefix.n && memcmp(s.p, prefix.p, prefix.n) == 0;
}

bool
span_istarts(struct span s, struct span prefix)
{
	return s.n >= prefix.n && span_ieq(span_head(s, prefix.n), prefix);
}

bool
span_ends(struct span s, struct span suffix)
{
	return s.n >= suffix.n &&
		memcmp(s.p + (s.n - suffix.n), suffix.p, suffix.n) == 0;
}

size_t
span_find_char(struct span s, char c)
{
	const char *const hit = memchr(s.p, (unsigned char)c, s.n);

	return hit == NULL ? s.n : (size_t)(hit - s.p);
}

size_t
span_find(struct span s, struct span needle)
{
	if (needle.n == 0)
		return 0;
	for (size_t at = 0; s.n - at >= needle.n; at++) {
		/* Positions at which the needle would not fit are left out. */
		const size_t tail = s.n - at - needle.n + 1;
		const size_t skip =
			span_find_char(span_of(s.p + at, tail), needle.p[0]);

		if (skip == tail)
			break;
		at += skip;
		if (memcmp(s.p + at, needle.p, needle.n) == 0)
			return at;
	}
	return s.n;
}

size_t
span_ifind(struct span s, struct span needle)
{
	for (size_t at = 0; s.n - at >= needle.n; at++) {
		if (span_istarts(span_from(s, at), needle))
			return at;
		if (at == s.n)
			break;
	}
	return s.n;
}

struct span
span_rtrim(struct span s)
{
	while (s.n > 0 && is_blank(s.p[s.n - 1]))
		s.n--;
	return s;
}

struct span
span_trim(struct span s)
{
	s = span_rtrim(s);
	while (s.n > 0 && is_blank(s.p[0])) {
		s.p++;
		s.n--;
	}
	return s;
}

bool
span_is_blank(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (!is_blank(s.p[i]))
			return false;
	}
	return true;
}

bool
span_split(struct span *rest, char c, struct span *field)
{
	size_t at;

	if (rest->n == 0)
		return false;
	at = span_find_char(*rest, c);
	*field = span_head(*rest, at);
	*rest = at == rest->n ? SPAN_EMPTY : span_from(*rest, at + 1);
	return true;
}

bool
span_u64(struct span s, uint64_t *out)
{
	uint64_t v = 0;

	if (s.n == 0)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9' ||
			__builtin_mul_overflow(v, UINT64_C(10), &v) ||
			__builtin_add_overflow(v, (uint64_t)(s.p[i] - '0'), &v))
			return false;
	}
	*out = v;
	return true;
}
