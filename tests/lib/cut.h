/* SPDX-License-Identifier: MIT */
/*
 * cut.h - an incremental parser must not care where its input is cut.
 *
 *	static void
 *	feed(void *ctx, const struct span *pieces, size_t n)
 *	{
 *		struct parser p;
 *		for (size_t i = 0; i < n; i++)
 *			parser_feed(&p, pieces[i]);
 *		... compare the outcome with *ctx ...
 *	}
 *	cut_every(text, feed, &expected);
 *
 * Each piece lies in heap memory of its own of exactly its size and is freed
 * after the call: reads outside of it, or views kept into it, show under the
 * address sanitizer.
 */
#ifndef TESTS_LIB_CUT_H
#define TESTS_LIB_CUT_H

#include "shared/base/span.h"

typedef void cut_fn(void *ctx, const struct span *pieces, size_t n);

/* Calls fn with the text in one piece, in two at every byte (the first or the
 * second may be empty), and in pieces of one byte. n + 3 calls. */
void cut_every(struct span text, cut_fn *fn, void *ctx);

/* Calls fn with the text in three pieces, cut at every pair of bytes. About
 * n * n / 2 calls: for short texts. */
void cut_pairs(struct span text, cut_fn *fn, void *ctx);

#endif
