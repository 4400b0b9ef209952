/* SPDX-License-Identifier: MIT */
/*
 * counting.h - exact numbers of tokens, counted beside the requests.
 *
 * Counting takes about 5 ms for 100 kB of text: it is done in slices of half a
 * millisecond, one a turn of the loop.
 */
#ifndef WORKER_COUNTING_H
#define WORKER_COUNTING_H

#include "worker/worker.h"

struct counting;

/* tokens: -1 if the body cannot be read. The counting is gone. */
typedef void counting_done_fn(void *ctx, int64_t tokens);

/* Count a request of a dialect by the vocabulary, as a model of this kind gets
 * it. body must outlive it. done is called once, in a later turn. NULL, and no
 * call, when there is no vocabulary. */
struct counting *counting_start(struct worker *w, const struct dialect *d,
	enum llm_purpose purpose, const struct model_info *m, struct span body,
	counting_done_fn *done, void *ctx);
/* No call any more. Clears *c; NULL is fine. */
void counting_cancel(struct counting **c);

/* Count body, which is taken over, and learn from upstream's count of it. */
void counting_learn(struct worker *w, const struct dialect *d,
	const struct model_info *m, struct buf *body, struct calib_row *row,
	int64_t theirs);

/* The worker ends: what is still counted is of no use. */
void counting_end_all(struct worker *w);

#endif
