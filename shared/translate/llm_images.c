/* SPDX-License-Identifier: MIT */
/* llm_images.c - which images of a conversation count. */
#include "shared/translate/llm_images.h"

static size_t
count_parts(const struct llm_parts *parts)
{
	size_t n = 0;

	for (size_t i = 0; i < parts->n; i++) {
		const struct llm_part *const p = &parts->v[i];

		n += p->kind == LLM_PART_IMAGE;
		/* Results do not nest. */
		for (size_t k = 0; k < p->parts.n; k++)
			n += p->parts.v[k].kind == LLM_PART_IMAGE;
	}
	return n;
}

size_t
llm_count_images(const struct llm_req *r)
{
	size_t n = 0;

	for (size_t i = 0; i < r->turns.n; i++)
		n += count_parts(&r->turns.v[i].parts);
	return n;
}

/* The user has said something, not only his tools. */
static bool
has_words(const struct llm_turn *t)
{
	for (size_t i = 0; t->role == LLM_USER && i < t->parts.n; i++)
		if (t->parts.v[i].kind != LLM_PART_RESULT)
			return true;
	return false;
}

size_t
llm_count_last_images(const struct llm_req *r)
{
	size_t n = 0;

	for (size_t i = r->turns.n; i > 0; i--) {
		n += count_parts(&r->turns.v[i - 1].parts);
		if (has_words(&r->turns.v[i - 1]))
			break;
	}
	return n;
}

static bool
leave_out(struct llm_part *p)
{
	if (p->kind != LLM_PART_IMAGE)
		return false;
	*p = (struct llm_part){
		.kind = LLM_PART_TEXT,
		.text = JESC("[image left out]"),
		.signature = JESC_EMPTY,
		.id = JESC_EMPTY,
		.name = JESC_EMPTY,
		.args = { .text = JESC_EMPTY, .value = JRAW_NONE },
		.image = { .media_type = JESC_EMPTY, .data = JESC_EMPTY },
		.cache_control = p->cache_control,
	};
	return true;
}

static size_t
leave_out_parts(struct llm_parts *parts)
{
	size_t n = 0;

	for (size_t i = 0; i < parts->n; i++) {
		struct llm_part *const p = &parts->v[i];

		n += leave_out(p);
		for (size_t k = 0; k < p->parts.n; k++)
			n += leave_out(&p->parts.v[k]);
	}
	return n;
}

size_t
llm_leave_out_images(struct llm_req *r)
{
	size_t n = 0;

	for (size_t i = 0; i < r->turns.n; i++)
		n += leave_out_parts(&r->turns.v[i].parts);
	return n;
}
