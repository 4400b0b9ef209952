/* SPDX-License-Identifier: MIT */
/* heap.h - intrusive binary min-heap, for timers. */
#ifndef BASE_HEAP_H
#define BASE_HEAP_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/base/defs.h"

/* Embedded in what is queued. at == 0 means: not in a heap. */
struct heap_node {
	int64_t key;
	size_t at; /* 1-based position */
};

struct heap {
	struct heap_node **v;
	size_t n, cap;
};

void heap_init(struct heap *h);
void heap_fini(struct heap *h);
/* Asserts that node is in no heap. O(log n). */
void heap_push(struct heap *h, struct heap_node *node, int64_t key);
/* Does nothing when node is in no heap. O(log n). */
void heap_remove(struct heap *h, struct heap_node *node);

/* The node with the smallest key, NULL when empty. */
static inline struct heap_node *
heap_min(const struct heap *h)
{
	return h->n > 0 ? h->v[0] : NULL;
}

static inline bool
heap_has(const struct heap_node *node)
{
	return node->at != 0;
}

#endif
