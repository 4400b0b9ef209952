/* SPDX-License-Identifier: MIT */
/* llm_hold.h - text that a filter holds back, in an arena. */
#ifndef TRANSLATE_LLM_HOLD_H
#define TRANSLATE_LLM_HOLD_H

#include "shared/translate/llm_filter.h"

/* Initialise with the arena alone. */
struct hold {
	struct arena *arena;
	char *data;
	size_t head, len, cap;
};

static inline struct span
hold_span(const struct hold *h)
{
	return h->len == h->head ?
		SPAN_EMPTY :
		(struct span){ h->data + h->head, h->len - h->head };
}

/* Append; GP_E_LIMIT past LLM_HOLD_MAX. s is not part of what is held. */
enum gp_code hold_put(
	struct hold *h, struct span s, struct gp_error *err) GP_WUR;

/* Drop n bytes from the front. */
void hold_consume(struct hold *h, size_t n);

#endif
