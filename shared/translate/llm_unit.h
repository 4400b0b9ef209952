/* SPDX-License-Identifier: MIT */
/* llm_unit.h - the smallest pieces into which escaped text may be cut. For
 * llm_*.c only. */
#ifndef TRANSLATE_LLM_UNIT_H
#define TRANSLATE_LLM_UNIT_H

#include "shared/json/jtext.h"

#define UNIT_SHORT 2  /* \n */
#define UNIT_ONE   6  /* \u000a */
#define UNIT_PAIR  12 /* \ud83d\ude00 */

enum unit_half {
	UNIT_NO_HALF,
	UNIT_HIGH,
	UNIT_LOW
};

/* Whether s, which begins at the beginning of a unit, begins with the escape
 * of one half of a surrogate pair. */
static inline enum unit_half
unit_half(struct span s)
{
	char c;

	if (s.n < UNIT_ONE || s.p[0] != '\\' || s.p[1] != 'u' ||
		(s.p[2] | 0x20) != 'd' || s.p[3] < '8')
		return UNIT_NO_HALF;
	c = (char)(s.p[3] | 0x20); /* 8 and 9 have the bit already */
	return c == '8' || c == '9' || c == 'a' || c == 'b' ? UNIT_HIGH :
							      UNIT_LOW;
}

/* Length of the escape that s begins with; a pair is one. */
static inline size_t
unit_escape_len(struct span s)
{
	if (s.p[1] != 'u')
		return UNIT_SHORT;
	return unit_half(s) == UNIT_HIGH &&
			unit_half(span_from(s, UNIT_ONE)) == UNIT_LOW ?
		UNIT_PAIR :
		UNIT_ONE;
}

#endif
