/* SPDX-License-Identifier: MIT */
/*
 * top_text.h - text for a terminal: clean, cut to a width, short numbers.
 *
 * Columns are counted as the C library does for the locale; where that is not
 * UTF-8 everything else than ASCII becomes '?'. Whatever a text holds, no
 * control character comes out.
 */
#ifndef MASTER_TOP_TEXT_H
#define MASTER_TOP_TEXT_H

#include "shared/base/buf.h"

/* Append as much of the text as fits into `width` columns; what is cut off
 * leaves a '~' at the end. Returns the columns that were taken. */
int top_text_put(struct buf *out, struct span s, int width, bool is_utf8);
/* The same, filled up with blanks, in front if is_right. */
void top_text_cell(
	struct buf *out, struct span s, int width, bool is_right, bool is_utf8);

/* Short forms; room of TOP_TEXT_SHORT. Below 0 is "-". */
#define TOP_TEXT_SHORT 24
/* "0.3", "12", "4.5k", "17M" */
void top_text_count(char out[TOP_TEXT_SHORT], double n);
/* "12 ms", "4.2 s", "3m20s", "2h05m", "3d04h" */
void top_text_time(char out[TOP_TEXT_SHORT], double ms);
/* "512B", "4.0K", "3.1M" */
void top_text_bytes(char out[TOP_TEXT_SHORT], double n);

#endif
