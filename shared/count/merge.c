/* SPDX-License-Identifier: MIT */
/* merge.c - tokens of one piece of text. */
#include "shared/count/merge.h"

#include <stdlib.h>

#include "shared/base/check.h"

#define NO_NODE    UINT32_MAX
#define WORK_MERGE 4 /* a merge in units of a byte set up */
#define WORK_STALE 1

/* --- short texts ---------------------------------------------------------- */

/* A token, and the rank of it with its right neighbour. */
struct part {
	uint32_t rank, start;
};

/* Rank of parts i and i + 1 as one; the last part is only an end. */
static uint32_t
pair_rank(const struct vocab *v, struct span text, const struct part *parts,
	size_t n, size_t i)
{
	if (i + 2 >= n)
		return VOCAB_NONE;
	return vocab_find(v,
		span_of(text.p + parts[i].start,
			parts[i + 2].start - parts[i].start));
}

static size_t
lowest(const struct part *parts, size_t n)
{
	size_t at = 0;

	for (size_t i = 1; i < n; i++)
		if (parts[i].rank < parts[at].rank)
			at = i;
	return at;
}

size_t
merge_short(const struct vocab *v, struct span text, uint32_t *ids)
{
	struct part parts[MERGE_SHORT_MAX + 1];
	size_t n = text.n + 1;

	GP_ASSERT(text.n <= MERGE_SHORT_MAX);
	for (size_t i = 0; i < n; i++)
		parts[i].start = (uint32_t)i;
	for (size_t i = 0; i < n; i++)
		parts[i].rank = pair_rank(v, text, parts, n, i);
	for (;;) {
		const size_t at = lowest(parts, n);

		if (parts[at].rank == VOCAB_NONE)
			break;
		memmove(&parts[at + 1], &parts[at + 2],
			(n - at - 2) * sizeof(parts[0]));
		n--;
		parts[at].rank = pair_rank(v, text, parts, n, at);
		if (at > 0)
			parts[at - 1].rank =
				pair_rank(v, text, parts, n, at - 1);
	}
	for (size_t i = 0; ids != NULL && i + 1 < n; i++)
		ids[i] = vocab_find(v,
			span_of(text.p + parts[i].start,
				parts[i + 1].start - parts[i].start));
	return n - 1;
}

/* --- the heap ------------------------------------------------------------- */

static void
heap_add(struct merge *m, uint64_t key)
{
	uint64_t *const heap = m->heap;
	size_t at = m->nheap++;

	GP_ASSERT(at < 2 * m->room);
	while (at > 0 && heap[(at - 1) / 2] > key) {
		heap[at] = heap[(at - 1) / 2];
		at = (at - 1) / 2;
	}
	heap[at] = key;
}

static uint64_t
heap_take(struct merge *m)
{
	uint64_t *const heap = m->heap;
	const uint64_t least = heap[0], key = heap[--m->nheap];
	const size_t n = m->nheap;
	size_t at = 0, child;

	while ((child = 2 * at + 1) < n) {
		if (child + 1 < n && heap[child + 1] < heap[child])
			child++;
		if (heap[child] >= key)
			break;
		heap[at] = heap[child];
		at = child;
	}
	heap[at] = key;
	return least;
}

/* --- long texts ----------------------------------------------------------- */

void
merge_init(struct merge *m, const struct vocab *v)
{
	*m = (struct merge){ .vocab = v };
}

void
merge_fini(struct merge *m)
{
	free(m->nodes);
	free(m->heap);
	*m = (struct merge){ .vocab = m->vocab };
}

void
merge_start(struct merge *m, struct span text)
{
	GP_ASSERT(text.n > 0 && text.n <= MERGE_TEXT_MAX);
	if (m->room < text.n) {
		const struct vocab *const v = m->vocab;

		merge_fini(m);
		m->nodes = malloc(text.n * sizeof(*m->nodes));
		/* Each merge takes one key and adds at most two. */
		m->heap = malloc(2 * text.n * sizeof(*m->heap));
		if (m->nodes == NULL || m->heap == NULL)
			GP_NOMEM();
		m->vocab = v;
		m->room = text.n;
	}
	m->text = text;
	m->nheap = 0;
	m->ready = 0;
}

/* Find out what token `at` makes with its right neighbour. */
static void
rank_node(struct merge *m, uint32_t at)
{
	struct merge_node *const node = &m->nodes[at];
	size_t end;

	node->rank = VOCAB_NONE;
	if (node->next == m->text.n)
		return;
	/* While they are set up, the neighbour is a byte. */
	end = at == m->ready ? node->next + 1 : m->nodes[node->next].next;
	node->rank = vocab_find(m->vocab, span_of(m->text.p + at, end - at));
	if (node->rank != VOCAB_NONE)
		heap_add(m, (uint64_t)node->rank << 32 | at);
}

static void
merge_at(struct merge *m, uint32_t at)
{
	struct merge_node *const node = &m->nodes[at];
	struct merge_node *const right = &m->nodes[node->next];

	node->id = node->rank;
	node->next = right->next;
	right->rank = VOCAB_NONE;
	if (node->next < m->text.n)
		m->nodes[node->next].prev = at;
	rank_node(m, at);
	if (node->prev != NO_NODE)
		rank_node(m, node->prev);
}

bool
merge_step(struct merge *m, size_t *work)
{
	for (; m->ready < m->text.n; m->ready++) {
		const uint32_t at = (uint32_t)m->ready;

		if (*work == 0)
			return false;
		--*work;
		m->nodes[at] = (struct merge_node){ .next = at + 1,
			.prev = at > 0 ? at - 1 : NO_NODE,
			.id = vocab_find(
				m->vocab, span_of(m->text.p + at, 1)) };
		rank_node(m, at);
	}
	while (m->nheap > 0) {
		uint64_t key;
		uint32_t at;
		bool is_stale;

		if (*work == 0)
			return false;
		key = heap_take(m);
		at = (uint32_t)key;
		is_stale = m->nodes[at].rank != key >> 32;
		*work -= MIN(*work, is_stale ? WORK_STALE : WORK_MERGE);
		if (!is_stale)
			merge_at(m, at);
	}
	return true;
}
