/* SPDX-License-Identifier: MIT */
/* utf8.h - UTF-8 validity. spec: RFC 3629 (no surrogates, no overlong forms,
 * nothing above U+10FFFF). */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include "shared/base/buf.h"

/* Number of bytes that follow the lead byte c; 0 if c can lead no sequence of
 * several bytes. The first of them must lie in *lo..*hi, the others in
 * 0x80..0xbf. */
static inline unsigned
utf8_lead(uint8_t c, uint8_t *lo, uint8_t *hi)
{
	*lo = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
	*hi = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
	if (c < 0xc2 || c > 0xf4)
		return 0;
	return c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
}

/* 2 or 3 if a valid sequence of so many bytes is at p, which has three; 0 if
 * something else is. What most text outside of ASCII is made of. */
static inline unsigned
utf8_usual_len(const char *p)
{
	const uint32_t w = (uint32_t)(uint8_t)p[0] << 16 |
		(uint32_t)(uint8_t)p[1] << 8 | (uint8_t)p[2];
	const uint32_t top =
		w & 0x0f2000; /* 0: overlong; 0x0d2000: surrogate */

	if ((w & 0xe0c000) == 0xc08000)
		return w >= 0xc20000 ? 2 : 0;
	if ((w & 0xf0c0c0) == 0xe08080 && top != 0 && top != 0x0d2000)
		return 3;
	return 0;
}

/* Length of the sequence of several bytes at p (p < end); 0 if it is invalid
 * or does not end before end. */
static inline unsigned
utf8_seq_len(const char *p, const char *end)
{
	const unsigned usual = end - p >= 3 ? utf8_usual_len(p) : 0;
	unsigned more;
	uint8_t lo, hi;

	if (usual != 0)
		return usual;
	more = utf8_lead((uint8_t)*p, &lo, &hi);
	if (more == 0 || (size_t)(end - p) <= more)
		return 0;
	if ((uint8_t)p[1] < lo || (uint8_t)p[1] > hi)
		return 0;
	for (unsigned i = 2; i <= more; i++) {
		if (((uint8_t)p[i] & 0xc0) != 0x80)
			return 0;
	}
	return more + 1;
}

/* Length of the longest valid prefix; s.n if all of s is valid. Linear. */
size_t utf8_valid_len(struct span s);

/* Append s with every maximal invalid sequence replaced by U+FFFD. */
void utf8_repair(struct span s, struct buf *out);

/* Append code point c (a surrogate or anything above U+10FFFF as U+FFFD). */
void utf8_put(struct buf *out, uint32_t c);

#endif
