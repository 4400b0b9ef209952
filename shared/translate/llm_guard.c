/* SPDX-License-Identifier: MIT */
/* llm_guard.c - lets only the grammar of llm_event.h through. */
#include "shared/translate/llm_guard.h"

static enum gp_code
refuse(struct gp_error *err, const char *what, const char *where)
{
	return gp_fail(err, GP_E_STATE,
		"the upstream's answer is out of order: %s %s", what, where);
}

/* Between blocks. */
static enum gp_code
check_outside(const struct llm_guard *g, const char *what, struct gp_error *err)
{
	if (!g->started)
		return refuse(err, what, "before the start");
	if (g->open)
		return refuse(err, what, "inside a block");
	return GP_OK;
}

static enum gp_code
check_inside(const struct llm_guard *g, const struct llm_event *e,
	struct gp_error *err)
{
	if (!g->open)
		return refuse(err, "a piece", "outside of a block");
	if (e->block != g->block)
		return refuse(err, "a piece", "of another kind of block");
	return GP_OK;
}

static enum gp_code
put_open(struct llm_guard *g, const struct llm_event *e, struct gp_error *err)
{
	const enum gp_code rc = check_outside(g, "a block", err);

	if (rc != GP_OK)
		return rc;
	g->open = true;
	g->block = e->block;
	g->had_tool = g->had_tool || e->block == LLM_TOOL;
	return llm_put(g->next, e, err);
}

static enum gp_code
put_piece(struct llm_guard *g, const struct llm_event *e, struct gp_error *err)
{
	const enum gp_code rc = check_inside(g, e, err);

	if (rc != GP_OK)
		return rc;
	if (e->kind == LLM_CLOSE)
		g->open = false;
	else if (jesc_is_empty(e->text))
		return GP_OK;
	return llm_put(g->next, e, err);
}

static enum gp_code
put_stop(struct llm_guard *g, const struct llm_event *e, struct gp_error *err)
{
	const enum gp_code rc = check_outside(g, "an end", err);
	struct llm_event out = *e;

	if (rc != GP_OK)
		return rc;
	g->ended = true;
	if (e->stop == LLM_STOP_END && g->had_tool)
		out.stop = LLM_STOP_TOOL;
	else if (e->stop == LLM_STOP_TOOL && !g->had_tool)
		out.stop = LLM_STOP_END;
	return llm_put(g->next, &out, err);
}

static enum gp_code
guard_put(struct llm_sink *s, const struct llm_event *e, struct gp_error *err)
{
	struct llm_guard *const g = CONTAINER_OF(s, struct llm_guard, sink);
	enum gp_code rc;

	/* A sign of life is never worth a failure. */
	if (e->kind == LLM_PING && (!g->started || g->ended))
		return GP_OK;
	if (g->ended)
		return refuse(err, "something", "after the end");
	switch (e->kind) {
	case LLM_START:
		if (g->started)
			return refuse(err, "a start", "after the start");
		g->started = true;
		break;
	case LLM_OPEN:
		return put_open(g, e, err);
	case LLM_DELTA:
	case LLM_CLOSE:
		return put_piece(g, e, err);
	case LLM_USAGE:
		rc = check_outside(g, "usage", err);
		if (rc != GP_OK)
			return rc;
		break;
	case LLM_PING:
		break;
	case LLM_STOP:
		return put_stop(g, e, err);
	case LLM_ERROR:
		g->ended = true;
		break;
	}
	return llm_put(g->next, e, err);
}

struct llm_sink *
llm_guard_init(struct llm_guard *g, struct llm_sink *next)
{
	*g = (struct llm_guard){ .sink = { guard_put }, .next = next };
	return &g->sink;
}
