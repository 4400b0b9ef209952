/* SPDX-License-Identifier: MIT */
/* jbones.c - a JSON text without the insides of its long strings. */
#include "shared/json/jbones.h"

#include <stdlib.h>

#include "shared/base/check.h"

/* Memory that is kept from one text to the next. */
#define KEEP_CUTS  4096u
#define KEEP_BYTES 262144u
#define FIRST_CUTS 64u

void
jbones_init(struct jbones *b)
{
	*b = (struct jbones){ .n = 0 };
	buf_init(&b->text, UINT32_MAX);
}

void
jbones_fini(struct jbones *b)
{
	free(b->cuts);
	buf_fini(&b->text);
	jbones_init(b);
}

void
jbones_reset(struct jbones *b)
{
	b->n = 0;
	if (b->cap > KEEP_CUTS) {
		free(b->cuts);
		b->cuts = NULL;
		b->cap = 0;
	}
	buf_reset(&b->text, KEEP_BYTES);
}

size_t
jbones_lost(const struct jbones *b)
{
	return b->n == 0 ? 0 : b->cuts[b->n - 1].lost;
}

void
jbones_cut(struct jbones *b, size_t at, size_t n)
{
	if (b->n == b->cap) {
		b->cap = MAX(2 * b->cap, FIRST_CUTS);
		b->cuts = realloc(b->cuts, b->cap * sizeof(*b->cuts));
		if (b->cuts == NULL)
			GP_NOMEM();
	}
	b->cuts[b->n] = (struct jbones_cut){ (uint32_t)at, (uint32_t)n,
		(uint32_t)(jbones_lost(b) + n) };
	b->n++;
}

struct span
jbones_text(struct jbones *b, struct span text)
{
	size_t from = 0;

	buf_reset(&b->text, KEEP_BYTES);
	buf_room(&b->text, text.n - jbones_lost(b));
	for (size_t i = 0; i < b->n; i++) {
		const struct jbones_cut *c = &b->cuts[i];

		buf_put(&b->text,
			span_head(span_from(text, from), c->at - from));
		from = (size_t)c->at + c->n;
	}
	buf_put(&b->text, span_from(text, from));
	return buf_span(&b->text);
}

static uint32_t
lost_before(const struct jbones *b, size_t k)
{
	return k == 0 ? 0 : b->cuts[k - 1].lost;
}

/* Cut k lies before pos. */
static bool
is_before(const struct jbones *b, size_t k, uint32_t pos)
{
	return b->cuts[k].at - lost_before(b, k) < pos;
}

uint32_t
jbones_seek(const struct jbones *b, uint32_t pos, size_t *k)
{
	while (*k < b->n && is_before(b, *k, pos))
		++*k;
	return pos + lost_before(b, *k);
}

uint32_t
jbones_find(const struct jbones *b, uint32_t pos)
{
	size_t low = 0, high = b->n;

	while (low < high) {
		const size_t middle = low + (high - low) / 2;

		if (is_before(b, middle, pos))
			low = middle + 1;
		else
			high = middle;
	}
	return pos + lost_before(b, low);
}
