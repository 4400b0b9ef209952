/* SPDX-License-Identifier: MIT */
/*
 * buf.h - a growable byte buffer with a hard maximum.
 *
 *      data        data+head            data+len       data+cap
 *       |  consumed  |  readable bytes     |  free space   |
 *
 * Writers append at len, readers consume at head. Failure is sticky: a write
 * that would pass `max` sets `bad`, writes nothing, and so does every later
 * one, so a sequence of writes is checked once at its end. Running out of
 * memory ends the process; a peer cannot cause it below max.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdarg.h>

#include "shared/base/err.h"
#include "shared/base/span.h"

struct buf {
	char *data;
	size_t head, len, cap;
	size_t max;
	bool bad;
};

/* Nothing is allocated before the first write. max: readable bytes that may be
 * held; the memory is at most twice that. */
void buf_init(struct buf *b, size_t max);
/* Free the memory; b may be used again after buf_init only. */
void buf_fini(struct buf *b);
/* Forget content and failure, keep up to `keep` bytes of memory. */
void buf_reset(struct buf *b, size_t keep);

static inline struct span
buf_span(const struct buf *b)
{
	return b->len == b->head ?
		SPAN_EMPTY :
		(struct span){ b->data + b->head, b->len - b->head };
}

static inline size_t
buf_len(const struct buf *b)
{
	return b->len - b->head;
}

void buf_put(struct buf *b, struct span s);
void buf_putc(struct buf *b, char c);
void buf_puts(struct buf *b, const char *s);
void buf_printf(struct buf *b, const char *fmt, ...) GP_PRINTF(2, 3);
void buf_put_u64(struct buf *b, uint64_t v);

/* A hint that about n more bytes will come, so that memory grows once. Sets
 * nothing bad. */
void buf_room(struct buf *b, size_t n);

/* Room for n bytes at the end, to be written by the caller and then counted
 * with buf_commit; NULL (and bad) if that would pass max. The address is valid
 * until the next call on b. */
char *buf_reserve(struct buf *b, size_t n) GP_WUR;
void buf_commit(struct buf *b, size_t n);

/* Drop n readable bytes from the front. Asserts n <= buf_len. Cheap: bytes are
 * moved only when the consumed part outweighs the rest and room is needed. */
void buf_consume(struct buf *b, size_t n);
/* Cut the readable bytes back to the first n. */
void buf_truncate(struct buf *b, size_t n);

/* GP_OK, or GP_E_LIMIT with *err set if a write has failed. */
enum gp_code buf_check(const struct buf *b, struct gp_error *err) GP_WUR;

#endif
