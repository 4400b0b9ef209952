/* SPDX-License-Identifier: MIT */
/* heap.c - intrusive binary min-heap. */
#include "shared/base/heap.h"

#include <stdlib.h>

#include "shared/base/check.h"

#define FIRST_CAP  64
#define SLOT_BYTES sizeof(void *)

void
heap_init(struct heap *h)
{
	*h = (struct heap){ 0 };
}

void
heap_fini(struct heap *h)
{
	for (size_t i = 0; i < h->n; i++)
		h->v[i]->at = 0;
	free(h->v);
	heap_init(h);
}

static void
place(struct heap *h, size_t i, struct heap_node *node)
{
	h->v[i] = node;
	node->at = i + 1;
}

/* Put node, whose place i is free, where its key belongs. */
static void
sift_up(struct heap *h, size_t i, struct heap_node *node)
{
	while (i > 0) {
		const size_t parent = (i - 1) / 2;

		if (h->v[parent]->key <= node->key)
			break;
		place(h, i, h->v[parent]);
		i = parent;
	}
	place(h, i, node);
}

static void
sift_down(struct heap *h, size_t i, struct heap_node *node)
{
	for (;;) {
		size_t child = 2 * i + 1;

		if (child >= h->n)
			break;
		if (child + 1 < h->n && h->v[child + 1]->key < h->v[child]->key)
			child++;
		if (node->key <= h->v[child]->key)
			break;
		place(h, i, h->v[child]);
		i = child;
	}
	place(h, i, node);
}

void
heap_push(struct heap *h, struct heap_node *node, int64_t key)
{
	GP_ASSERT(node->at == 0);
	if (h->n == h->cap) {
		const size_t cap = h->cap == 0 ? FIRST_CAP : h->cap * 2;
		struct heap_node **v;

		if (cap > SIZE_MAX / SLOT_BYTES)
			GP_NOMEM();
		v = realloc(h->v, cap * SLOT_BYTES);
		if (v == NULL)
			GP_NOMEM();
		h->v = v;
		h->cap = cap;
	}
	node->key = key;
	sift_up(h, h->n++, node);
}

void
heap_remove(struct heap *h, struct heap_node *node)
{
	struct heap_node *last;
	size_t i;

	if (node->at == 0)
		return;
	i = node->at - 1;
	GP_ASSERT(i < h->n && h->v[i] == node);
	node->at = 0;
	last = h->v[--h->n];
	if (last == node)
		return;
	if (i > 0 && last->key < h->v[(i - 1) / 2]->key)
		sift_up(h, i, last);
	else
		sift_down(h, i, last);
}
