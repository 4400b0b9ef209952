/* SPDX-License-Identifier: MIT */
/* llm_hold.c - text that a filter holds back. */
#include "shared/translate/llm_hold.h"

#include "shared/base/check.h"

#define FIRST_CAP 256

/* Room for n more bytes behind what is held. */
static void
make_room(struct hold *h, size_t n)
{
	const struct span held = hold_span(h);
	/* Of a queue at least half is free after growing, so that moving is
	 * rare. */
	const size_t want = (held.n + n) * (h->head > 0 ? 2 : 1);
	char *data = h->data;

	if (n <= h->cap - h->len)
		return;
	if (want > h->cap) {
		h->cap = MAX(h->cap, FIRST_CAP);
		while (h->cap < want)
			h->cap *= 2;
		data = arena_alloc(h->arena, h->cap);
	}
	memmove(data, held.p, held.n);
	h->data = data;
	h->head = 0;
	h->len = held.n;
}

enum gp_code
hold_put(struct hold *h, struct span s, struct gp_error *err)
{
	if (s.n > LLM_HOLD_MAX - (h->len - h->head))
		return gp_fail(err, GP_E_LIMIT,
			"more than %u bytes of the answer would have to be "
			"held back",
			LLM_HOLD_MAX);
	if (s.n == 0)
		return GP_OK;
	make_room(h, s.n);
	memcpy(h->data + h->len, s.p, s.n);
	h->len += s.n;
	return GP_OK;
}

void
hold_consume(struct hold *h, size_t n)
{
	GP_ASSERT(n <= h->len - h->head);
	h->head += n;
	if (h->head == h->len) {
		h->head = 0;
		h->len = 0;
	}
}
