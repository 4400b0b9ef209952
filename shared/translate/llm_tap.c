/* SPDX-License-Identifier: MIT */
/* llm_tap.c - counts what passes and forwards it. */
#include "shared/translate/llm_tap.h"

#include "shared/base/check.h"

static void
count(struct llm_tally *t, const struct llm_event *e)
{
	switch (e->kind) {
	case LLM_OPEN:
		GP_ASSERT((size_t)e->block < ARRAY_LEN(t->blocks));
		t->blocks[e->block]++;
		break;
	case LLM_DELTA:
		t->text_bytes += e->text.s.n;
		break;
	case LLM_USAGE:
		llm_usage_merge(&t->usage, &e->usage);
		break;
	case LLM_STOP:
		t->stop = e->stop;
		t->has_stop = true;
		break;
	case LLM_ERROR:
		t->has_error = true;
		break;
	case LLM_START:
	case LLM_CLOSE:
	case LLM_PING:
		break;
	}
}

static enum gp_code
tap_put(struct llm_sink *s, const struct llm_event *e, struct gp_error *err)
{
	struct llm_tap *const t = CONTAINER_OF(s, struct llm_tap, sink);

	count(&t->tally, e);
	return t->next == NULL ? GP_OK : llm_put(t->next, e, err);
}

struct llm_sink *
llm_tap_init(struct llm_tap *t, struct llm_sink *next)
{
	*t = (struct llm_tap){
		.sink = { tap_put },
		.next = next,
		.tally = { .usage = LLM_USAGE_NONE },
	};
	return &t->sink;
}
