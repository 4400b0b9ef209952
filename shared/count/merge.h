/* SPDX-License-Identifier: MIT */
/*
 * merge.h - tokens of one piece of text: neighbours are merged, those first
 * that make the token of the lowest rank, of several such the leftmost.
 *
 * For short texts a plain loop, quadratic but without set-up; for others a heap
 * of the possible merges over a linked list, in steps.
 */
#ifndef COUNT_MERGE_H
#define COUNT_MERGE_H

#include "shared/count/vocab.h"

/* Two of the longest tokens. */
#define MERGE_SHORT_MAX (2 * VOCAB_TOKEN_MAX)

/* Number of tokens of text, of MERGE_SHORT_MAX bytes at most. ids, if not NULL,
 * has room for one a byte. */
size_t merge_short(const struct vocab *v, struct span text, uint32_t *ids);

/* The token that begins at a byte of the text. */
struct merge_node {
	uint32_t next, prev; /* where its neighbours begin */
	uint32_t rank;       /* of it with its right neighbour, or VOCAB_NONE */
	uint32_t id;
};

/* One text at a time; the memory is reused. 32 bytes a byte of the longest. */
struct merge {
	const struct vocab *vocab;
	struct span text;
	struct merge_node *nodes;
	uint64_t *heap; /* rank << 32 | position; stale ones among them */
	size_t nheap, room;
	size_t ready; /* nodes that are set up */
};

void merge_init(struct merge *m, const struct vocab *v);
void merge_fini(struct merge *m);

/* text of 1 to MERGE_TEXT_MAX bytes must outlive the steps. */
#define MERGE_TEXT_MAX ((size_t)1 << 30)
void merge_start(struct merge *m, struct span text);

/* Go on until done (true) or *work, which is counted down, is used up. O(n log
 * n) in all; a unit takes well below 100 ns on a machine of 2020. */
bool merge_step(struct merge *m, size_t *work) GP_WUR;

/* When done: end of the token that begins at `at`, which is 0 or such an end.
 */
static inline size_t
merge_end(const struct merge *m, size_t at)
{
	return m->nodes[at].next;
}

#endif
