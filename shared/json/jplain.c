/* SPDX-License-Identifier: MIT */
/* jplain.c - the plain inside of a JSON string, 64 bytes at a time. */
#include "shared/json/jplain.h"

#include "shared/base/swar.h"

#if defined(__SSE2__) && !defined(JPLAIN_WORDS)
#include <emmintrin.h>
#endif

#define BLOCK 64
#define EVEN  UINT64_C(0x5555555555555555)

/* --- lanes: as many bytes as one instruction looks at ----------------------
 */

#if defined(__SSE2__) && !defined(JPLAIN_WORDS)

#define LANE_BYTES 16
typedef __m128i lane;

static inline lane
lane_load(const char *p)
{
	return _mm_loadu_si128((const void *)p);
}

/* The bytes that are c once the bits of `but` are cleared. */
static inline lane
lane_is(lane l, uint8_t c, uint8_t but)
{
	const lane kept = _mm_andnot_si128(_mm_set1_epi8((char)but), l);

	return _mm_cmpeq_epi8(kept, _mm_set1_epi8((char)c));
}

/* Controls, and what is outside of ASCII: that is below 0 here. */
static inline lane
lane_is_strange(lane l)
{
	return _mm_cmplt_epi8(l, _mm_set1_epi8(0x20));
}

static inline lane
lane_or(lane a, lane b)
{
	return _mm_or_si128(a, b);
}

static inline uint64_t
lane_bits(lane l)
{
	return (uint32_t)_mm_movemask_epi8(l);
}

#else

#define LANE_BYTES SWAR_BYTES
typedef uint64_t lane;

static inline lane
lane_load(const char *p)
{
	return swar_load(p);
}

static inline lane
lane_is(lane l, uint8_t c, uint8_t but)
{
	return swar_zeros((l & ~SWAR_ALL(but)) ^ SWAR_ALL(c));
}

static inline lane
lane_is_strange(lane l)
{
	return (l & SWAR_TOP) | swar_zeros(l & SWAR_ALL(0xe0));
}

static inline lane
lane_or(lane a, lane b)
{
	return a | b;
}

static inline uint64_t
lane_bits(lane l)
{
	return swar_bits(l);
}

#endif

/* --- blocks: a bit for each byte, the lowest for the first -----------------
 */

struct block {
	uint64_t quotes, backslashes, strange;
};

static inline struct block
block_at(const char *p)
{
	struct block b = { 0 };

	for (unsigned at = 0; at < BLOCK; at += LANE_BYTES) {
		const lane l = lane_load(p + at);

		b.quotes |= lane_bits(lane_is(l, '"', 0)) << at;
		b.backslashes |= lane_bits(lane_is(l, '\\', 0)) << at;
		b.strange |= lane_bits(lane_is_strange(l)) << at;
	}
	return b;
}

/* Those of "/bfnrt, which together with a backslash are escapes. */
static inline uint64_t
letters_at(const char *p)
{
	uint64_t found = 0;

	for (unsigned at = 0; at < BLOCK; at += LANE_BYTES) {
		const lane l = lane_load(p + at);
		const lane fn = lane_is(l, 'f', 'f' ^ 'n');
		const lane br = lane_is(l, 'b', 'b' ^ 'r');
		const lane t = lane_is(l, 't', 0);
		const lane marks =
			lane_or(lane_is(l, '"', 0), lane_is(l, '/', 0));

		found |= lane_bits(lane_or(lane_or(fn, br), lane_or(t, marks)))
			<< at;
	}
	return found;
}

/* The bytes behind rows of backslashes of odd length. A row that is added its
 * own first bit carries into the byte behind it. */
static inline uint64_t
behind_odd_rows(uint64_t backslashes)
{
	const uint64_t starts = backslashes & ~(backslashes << 1);
	const uint64_t from_even =
		(backslashes + (starts & EVEN)) & ~backslashes;
	const uint64_t from_odd =
		(backslashes + (starts & ~EVEN)) & ~backslashes;

	return (from_even & ~EVEN) | (from_odd & EVEN);
}

/* The last byte is a backslash that escapes the byte behind the block. */
static inline bool
ends_in_escape(uint64_t backslashes)
{
	const uint64_t others = ~backslashes;
	const int row = others == 0 ? BLOCK : __builtin_clzll(others);

	return row % 2 != 0;
}

/* --- all of it --------------------------------------------------------------
 */

bool
jplain_is_short_escape(char c)
{
	static const bool is_short[256] = {
		['"'] = true,
		['\\'] = true,
		['/'] = true,
		['b'] = true,
		['f'] = true,
		['n'] = true,
		['r'] = true,
		['t'] = true,
	};

	return is_short[(uint8_t)c];
}

/* Keys, and the gaps between words of other scripts, end within a few bytes;
 * NULL if the text goes on for longer, or comes to an escape of two bytes. */
static const char *
stop_soon(const char *p, const char *end)
{
	uint64_t mask;

	if (end - p <= SWAR_BYTES)
		return NULL;
	mask = swar_json_special(swar_load(p));
	if (mask == 0)
		return NULL;
	p += swar_first(mask);
	return *p != '\\' || p[1] == 'u' ? p : NULL;
}

static const char *
skip_words(const char *p, const char *end)
{
	while (end - p >= SWAR_BYTES) {
		const uint64_t mask = swar_json_special(swar_load(p));

		if (mask != 0)
			return p + swar_first(mask);
		p += SWAR_BYTES;
	}
	return p;
}

/* What is shorter than a block. */
static const char *
skip_rest(const char *p, const char *end)
{
	while ((p = skip_words(p, end)) < end) {
		const uint8_t c = (uint8_t)*p;

		if (c == '"' || c < 0x20 || c >= 0x80)
			break;
		if (c != '\\') {
			p++;
			continue;
		}
		if (end - p < 2 || !jplain_is_short_escape(p[1]))
			break;
		p += 2;
	}
	return p;
}

const char *
jplain_skip(const char *p, const char *end)
{
	const char *const soon = stop_soon(p, end);

	if (soon != NULL)
		return soon;
	while (end - p >= BLOCK) {
		const struct block b = block_at(p);
		uint64_t stops = b.quotes | b.strange;
		unsigned n = BLOCK;

		if (b.backslashes != 0) {
			const uint64_t escaped = behind_odd_rows(b.backslashes);
			const uint64_t wrong = escaped & ~letters_at(p);

			stops = (stops & ~escaped) | wrong >> 1;
			/* The next block begins with it. */
			n -= ends_in_escape(b.backslashes);
		}
		if (stops != 0)
			return p + __builtin_ctzll(stops);
		p += n;
	}
	return skip_rest(p, end);
}
