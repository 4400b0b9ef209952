/* SPDX-License-Identifier: MIT */
/* logs_bodies.c - puts the pieces of bodies together again. */
#include "admin/logs_bodies.h"

#include <stdlib.h>

#include "shared/base/utf8.h"
#include "shared/sys/log.h"
#include "shared/sys/shm.h"

struct body {
	char id[BODYPART_ID_MAX];
	size_t id_n;
	struct buf text;
	uint32_t total;
	uint64_t missing_bytes;
	bool is_there;
};

struct logs_bodies {
	struct body v[SHM_SLOTS][BODYPART_KINDS];
	struct buf valid; /* the body that was asked for last */
};

struct logs_bodies *
logs_bodies_new(void)
{
	struct logs_bodies *const b = calloc(1, sizeof(*b));

	if (b == NULL)
		fatal(1, "memory");
	for (size_t i = 0; i < SHM_SLOTS; i++)
		for (size_t k = 0; k < BODYPART_KINDS; k++)
			buf_init(&b->v[i][k].text, BODYPART_BODY_MAX);
	/* A byte may become a character of three. */
	buf_init(&b->valid, 3 * (size_t)BODYPART_BODY_MAX);
	return b;
}

void
logs_bodies_free(struct logs_bodies **bp)
{
	struct logs_bodies *const b = *bp;

	*bp = NULL;
	if (b == NULL)
		return;
	for (size_t i = 0; i < SHM_SLOTS; i++)
		for (size_t k = 0; k < BODYPART_KINDS; k++)
			buf_fini(&b->v[i][k].text);
	buf_fini(&b->valid);
	free(b);
}

static struct span
id_of(const struct body *b)
{
	return span_of(b->id, b->id_n);
}

void
logs_bodies_take(struct logs_bodies *b, unsigned slot, const struct bodypart *p)
{
	struct body *const body = &b->v[slot][p->of];

	if (p->offset == 0) {
		buf_reset(&body->text, 0);
		memcpy(body->id, p->id.p, p->id.n);
		body->id_n = p->id.n;
		body->total = p->total;
		body->missing_bytes = p->missing_bytes;
		body->is_there = true;
	}
	/* A piece before it was lost: it is of no use. */
	if (body->is_there && span_eq(id_of(body), p->id) &&
		p->offset == buf_len(&body->text))
		buf_put(&body->text, p->text);
}

struct logs_body
logs_bodies_get(struct logs_bodies *b, unsigned slot, enum bodypart_of of,
	struct span id)
{
	const struct body *const body = &b->v[slot][of];
	const size_t n = buf_len(&body->text);

	if (!body->is_there || !span_eq(id_of(body), id))
		return (struct logs_body){ .text = SPAN_EMPTY };
	buf_reset(&b->valid, 0);
	utf8_repair(buf_span(&body->text), &b->valid);
	return (struct logs_body){
		.is_there = true,
		.text = buf_span(&b->valid),
		.missing_bytes = (int64_t)(body->missing_bytes +
			(body->total - MIN(n, body->total))),
	};
}

void
logs_bodies_drop(struct logs_bodies *b, unsigned slot)
{
	for (size_t k = 0; k < BODYPART_KINDS; k++) {
		buf_reset(&b->v[slot][k].text, 0);
		b->v[slot][k].is_there = false;
	}
}
