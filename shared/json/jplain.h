/* SPDX-License-Identifier: MIT */
/*
 * jplain.h - the plain inside of a JSON string, 64 bytes at a time.
 *
 * Conversations of coding tools are mostly source text, with an escape every
 * few bytes: looking at each of them by itself costs more than all the rest of
 * a request. Here every byte of a block becomes a bit.
 */
#ifndef JSON_JPLAIN_H
#define JSON_JPLAIN_H

#include <stdbool.h>

/* c, behind a backslash, is an escape of two bytes. */
bool jplain_is_short_escape(char c);

/* From p, inside a string and not behind a backslash, over ASCII text and
 * escapes of two bytes to the first byte that is neither: the quote that ends
 * the string, a control, a byte outside of ASCII, the backslash of any other
 * escape or of one that does not lie before end as a whole; or end. Linear,
 * reads nothing behind end.
 * source: https://arxiv.org/abs/1902.08318 (blocks as bits) */
const char *jplain_skip(const char *p, const char *end);

#endif
