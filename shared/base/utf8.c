/* SPDX-License-Identifier: MIT */
/* utf8.c - UTF-8 validity. */
#include "shared/base/utf8.h"

#include "shared/base/swar.h"

#define REPLACEMENT SPAN("\xef\xbf\xbd")

size_t
utf8_valid_len(struct span s)
{
	const char *p = s.p, *const end = s.p + s.n;

	while (p < end) {
		unsigned n = 1;

		while (end - p >= SWAR_BYTES && (swar_load(p) & SWAR_TOP) == 0)
			p += SWAR_BYTES;
		if (p == end)
			break;
		if ((uint8_t)*p >= 0x80)
			n = utf8_seq_len(p, end);
		if (n == 0)
			break;
		p += n;
	}
	return (size_t)(p - s.p);
}

/* Length of what one U+FFFD stands for: as many bytes at p as begin a valid
 * sequence, at least one. */
static size_t
invalid_len(const char *p, const char *end)
{
	uint8_t lo, hi;
	const unsigned more = utf8_lead((uint8_t)*p, &lo, &hi);
	size_t n = 1;

	while (n <= more && p + n < end && (uint8_t)p[n] >= lo &&
		(uint8_t)p[n] <= hi) {
		lo = 0x80;
		hi = 0xbf;
		n++;
	}
	return n;
}

void
utf8_repair(struct span s, struct buf *out)
{
	for (;;) {
		const size_t good = utf8_valid_len(s);

		buf_put(out, span_head(s, good));
		s = span_from(s, good);
		if (s.n == 0)
			return;
		buf_put(out, REPLACEMENT);
		s = span_from(s, invalid_len(s.p, s.p + s.n));
	}
}

void
utf8_put(struct buf *out, uint32_t c)
{
	char seq[4];
	size_t n = 0;

	if (c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff)) {
		buf_put(out, REPLACEMENT);
		return;
	}
	if (c < 0x80) {
		seq[n++] = (char)c;
	} else if (c < 0x800) {
		seq[n++] = (char)(0xc0 | c >> 6);
	} else if (c < 0x10000) {
		seq[n++] = (char)(0xe0 | c >> 12);
		seq[n++] = (char)(0x80 | (c >> 6 & 0x3f));
	} else {
		seq[n++] = (char)(0xf0 | c >> 18);
		seq[n++] = (char)(0x80 | (c >> 12 & 0x3f));
		seq[n++] = (char)(0x80 | (c >> 6 & 0x3f));
	}
	if (c >= 0x80)
		seq[n++] = (char)(0x80 | (c & 0x3f));
	buf_put(out, span_of(seq, n));
}
