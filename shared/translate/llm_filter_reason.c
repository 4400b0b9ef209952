/* SPDX-License-Identifier: MIT */
/* llm_filter_reason.c - hides reasoning; delivers it when there is nothing
 * else. */
#include "shared/translate/llm_hold.h"

struct reason {
	struct llm_sink sink;
	struct llm_sink *next;
	struct notices *notices;
	bool hides;
	bool is_holding; /* for rescue; over as soon as there is content */
	struct hold held;
};

static void
stop_holding(struct reason *f)
{
	f->is_holding = false;
	f->held = (struct hold){ .arena = f->held.arena };
}

static enum gp_code
put_thinking(struct reason *f, const struct llm_event *e, struct gp_error *err)
{
	enum gp_code rc = GP_OK;

	if (f->is_holding && e->kind == LLM_OPEN && hold_span(&f->held).n > 0)
		rc = hold_put(&f->held, SPAN("\\n"), err);
	else if (f->is_holding && e->kind == LLM_DELTA)
		rc = hold_put(&f->held, e->text.s, err);
	if (rc != GP_OK || f->hides)
		return rc;
	return llm_put(f->next, e, err);
}

static enum gp_code
deliver_as_text(struct reason *f, struct gp_error *err)
{
	struct llm_event e = llm_event_of(LLM_OPEN, LLM_TEXT);
	enum gp_code rc = llm_put(f->next, &e, err);

	if (rc != GP_OK)
		return rc;
	e.kind = LLM_DELTA;
	e.text = (struct jesc){ hold_span(&f->held) };
	rc = llm_put(f->next, &e, err);
	if (rc != GP_OK)
		return rc;
	e.kind = LLM_CLOSE;
	e.text = JESC_EMPTY;
	notice_add(f->notices, "reasoning_as_text", SPAN_EMPTY);
	return llm_put(f->next, &e, err);
}

static enum gp_code
reason_put(struct llm_sink *s, const struct llm_event *e, struct gp_error *err)
{
	struct reason *const f = CONTAINER_OF(s, struct reason, sink);
	enum gp_code rc;

	switch (e->kind) {
	case LLM_OPEN:
	case LLM_DELTA:
	case LLM_CLOSE:
		if (e->block == LLM_THINK)
			return put_thinking(f, e, err);
		if (e->block == LLM_TOOL || e->kind == LLM_DELTA)
			stop_holding(f);
		break;
	case LLM_STOP:
		if (!f->is_holding || hold_span(&f->held).n == 0)
			break;
		rc = deliver_as_text(f, err);
		if (rc != GP_OK)
			return rc;
		break;
	case LLM_START:
	case LLM_USAGE:
	case LLM_PING:
	case LLM_ERROR:
		break;
	}
	return llm_put(f->next, e, err);
}

struct llm_sink *
llm_filter_reason(struct arena *a, struct notices *n, bool hide, bool rescue,
	struct llm_sink *next)
{
	struct reason *const f = arena_alloc(a, sizeof(*f));

	*f = (struct reason){
		.sink = { reason_put },
		.next = next,
		.notices = n,
		.hides = hide,
		.is_holding = rescue,
		.held = { .arena = a },
	};
	return &f->sink;
}
