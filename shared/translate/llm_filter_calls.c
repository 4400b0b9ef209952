/* SPDX-License-Identifier: MIT */
/* llm_filter_calls.c - lets so many tool calls through and no more. */
#include "shared/translate/llm_filter.h"

struct calls {
	struct llm_sink sink;
	struct llm_sink *next;
	struct notices *notices;
	unsigned max, seen; /* seen stops at max + 1 */
};

static enum gp_code
calls_put(struct llm_sink *s, const struct llm_event *e, struct gp_error *err)
{
	struct calls *const f = CONTAINER_OF(s, struct calls, sink);
	struct llm_event out = *e;

	switch (e->kind) {
	case LLM_OPEN:
		if (e->block != LLM_TOOL)
			break;
		f->seen = MIN(f->seen, f->max) + 1;
		if (f->seen > f->max) {
			notice_add(f->notices, "dropped",
				f->max == 0 ? SPAN("tool_call") :
					      SPAN("parallel_tool_call"));
			return GP_OK;
		}
		break;
	case LLM_DELTA:
	case LLM_CLOSE:
		if (e->block == LLM_TOOL && f->seen > f->max)
			return GP_OK;
		break;
	case LLM_STOP:
		if (e->stop == LLM_STOP_TOOL && f->max == 0)
			out.stop = LLM_STOP_END;
		break;
	case LLM_START:
	case LLM_USAGE:
	case LLM_PING:
	case LLM_ERROR:
		break;
	}
	return llm_put(f->next, &out, err);
}

struct llm_sink *
llm_filter_calls(struct arena *a, struct notices *n, unsigned max_calls,
	struct llm_sink *next)
{
	struct calls *const f = arena_alloc(a, sizeof(*f));

	*f = (struct calls){
		.sink = { calls_put },
		.next = next,
		.notices = n,
		.max = max_calls,
	};
	return &f->sink;
}
