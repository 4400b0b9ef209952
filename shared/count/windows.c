/* SPDX-License-Identifier: MIT */
/* windows.c - tokens of a piece of any length, window by window. */
#include "shared/count/windows.h"

#include "shared/base/check.h"

/* Tokens that end so near to the end of a window are left to the next. */
#define MARGIN    (2 * VOCAB_TOKEN_MAX)
#define GROWTH    4
#define WORK_JOIN 128
#define WORK_TAKE 1

void
windows_init(struct windows *w, const struct vocab *v)
{
	*w = (struct windows){ .phase = WINDOWS_DONE };
	merge_init(&w->merge, v);
}

void
windows_fini(struct windows *w)
{
	merge_fini(&w->merge);
}

static bool
is_last(const struct windows *w)
{
	return w->from + w->merge.text.n == w->piece.n;
}

static void
merge_from(struct windows *w, size_t from)
{
	w->from = from;
	w->at = 0;
	w->phase = WINDOWS_MERGE;
	w->tries++;
	merge_start(&w->merge, span_head(span_from(w->piece, from), w->size));
}

void
windows_start(
	struct windows *w, struct span piece, size_t size, uint64_t before)
{
	GP_ASSERT(size > 2 * MARGIN - 1 && size <= MERGE_TEXT_MAX);
	w->piece = piece;
	w->size = size;
	w->before = before;
	w->nheld = 0;
	w->tries = 0;
	merge_from(w, 0);
}

/* Whether the last token taken and the first of the window stay these two when
 * they are merged for themselves. */
static bool
is_joined(const struct windows *w)
{
	const size_t last = w->held[w->nheld - 1];
	const size_t end = w->from + merge_end(&w->merge, 0);
	const struct span both = span_of(w->piece.p + last, end - last);
	uint32_t ids[MERGE_SHORT_MAX];

	return merge_short(w->merge.vocab, both, ids) == 2 &&
		vocab_bytes(w->merge.vocab, ids[0]).n == w->from - last;
}

/* One token more must be held than is given up, to test the next join. */
static void
back_up(struct windows *w, struct tokens *t)
{
	if (w->nheld > 1 && w->from > 0) {
		tokens_cut(t, t->n - 1);
		merge_from(w, w->held[--w->nheld]);
		return;
	}
	tokens_cut(t, w->before);
	w->nheld = 0;
	w->size = MIN(w->size * GROWTH, MERGE_TEXT_MAX);
	merge_from(w, 0);
}

static void
join(struct windows *w, struct tokens *t)
{
	/* Nothing to be done about a piece of a gigabyte. */
	if (w->from == 0 || w->size == MERGE_TEXT_MAX || is_joined(w))
		w->phase = WINDOWS_TAKE;
	else
		back_up(w, t);
}

static void
hold(struct windows *w, size_t start)
{
	if (w->nheld == WINDOWS_HELD)
		memmove(&w->held[0], &w->held[1],
			--w->nheld * sizeof(w->held[0]));
	w->held[w->nheld++] = start;
}

/* Move tokens out. False when the work is used up. */
static bool
take(struct windows *w, struct tokens *t, size_t *work)
{
	const size_t n = w->merge.text.n;

	for (;;) {
		const size_t end = w->at < n ? merge_end(&w->merge, w->at) : n;

		if (w->at == n || (!is_last(w) && end + MARGIN > n))
			break;
		if (*work == 0)
			return false;
		*work -= WORK_TAKE;
		tokens_put(t, &w->merge.nodes[w->at].id, 1);
		hold(w, w->from + w->at);
		w->at = end;
	}
	if (is_last(w))
		w->phase = WINDOWS_DONE;
	else
		merge_from(w, w->from + w->at);
	return true;
}

bool
windows_step(struct windows *w, struct tokens *t, size_t *work)
{
	while (w->phase != WINDOWS_DONE) {
		if (*work == 0)
			return false;
		switch (w->phase) {
		case WINDOWS_MERGE:
			if (merge_step(&w->merge, work))
				w->phase = WINDOWS_JOIN;
			break;
		case WINDOWS_JOIN:
			*work -= MIN(*work, WORK_JOIN);
			join(w, t);
			break;
		case WINDOWS_TAKE:
			if (!take(w, t, work))
				return false;
			break;
		case WINDOWS_DONE:
			break;
		}
	}
	return true;
}
