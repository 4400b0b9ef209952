/* SPDX-License-Identifier: MIT */
/* xlate_chain.c - decoder, guard, gate, filters and encoder of one answer. */
#include "shared/translate/xlate_private.h"

/* An answer that is nothing but "the context is full" helps no client:
 * the error with its canonical text makes them compact. */
static bool
is_empty_overflow(const struct xlate_gate *g, const struct llm_event *e)
{
	return e->kind == LLM_STOP && e->stop == LLM_STOP_CONTEXT &&
		!g->had_block && g->x->state == XLATE_PENDING;
}

static enum gp_code
gate_put(struct llm_sink *sink, const struct llm_event *e, struct gp_error *err)
{
	struct xlate_gate *g = CONTAINER_OF(sink, struct xlate_gate, sink);
	struct xlate *x = g->x;
	enum gp_code rc;

	if (e->kind == LLM_ERROR) {
		if (!jraw_is_none(e->error))
			xlate_fail_upstream(x, e->error.s, true);
		else if (x->cut != NULL)
			xlate_fail_now(x, x->cut);
		else
			xlate_fail_with(x, LLM_FAIL_UPSTREAM,
				e->why != NULL ?
					e->why :
					"the upstream closed the stream early");
		return GP_OK;
	}
	if (is_empty_overflow(g, e)) {
		xlate_fail_upstream(x,
			SPAN("{\"error\":{\"code\":\"1261\",\"message\":"
			     "\"context window exceeded\"}}"),
			false);
		return GP_OK;
	}
	g->started = true;
	if (e->kind == LLM_START)
		xlate_take_upstream_id(x, e->id.s);
	if (e->kind == LLM_OPEN)
		g->had_block = true;
	rc = llm_put(g->next, e, err);
	if (rc != GP_OK)
		return rc;
	/* START, usage and pings promise nothing: an error may still follow
	 * them at once and is then worth a status of its own. */
	if (x->state == XLATE_PENDING && x->is_stream &&
		(e->kind == LLM_OPEN || e->kind == LLM_DELTA ||
			e->kind == LLM_CLOSE))
		x->state = XLATE_OPEN;
	if (x->state == XLATE_OPEN)
		x->has_begun = true;
	if (e->kind == LLM_STOP || x->stop_matched)
		x->state = XLATE_DONE;
	return GP_OK;
}

/* Tool calls written as text are looked for. */
static bool
has_markup(const struct xlate *x)
{
	return x->env.markup != LLM_MARKUP_OFF && x->req.tools.n > 0;
}

bool
xlate_chain_is_needed(const struct xlate *x)
{
	const struct llm_req *r = &x->req;

	return r->single_call || r->renames.n > 0 || x->info->has_text_marks ||
		has_markup(x) || (x->env.holds_args && r->tools.n > 0);
}

/* The filters that this request needs, from the encoder up. */
static struct llm_sink *
chain_filters(struct xlate *x, struct llm_sink *to)
{
	struct llm_req *r = &x->req;
	bool asked = r->think.mode == LLM_THINK_ON;
	bool crosses = x->client != x->upstream;
	bool hides = r->think.is_hidden ||
		(!asked && crosses && !x->client->shows_reasoning);
	/* That an answer is made anew instead of copied must not show. */
	bool rescues = hides || crosses || x->client->ans_copy_sse == NULL;

	to = llm_filter_join(x->arena, to);
	if (x->wants_json)
		to = llm_filter_fence(x->arena, &r->notices, to);
	if (r->stop.n > 0)
		to = llm_filter_stop(x->arena, r, &x->stop_matched, to);
	to = llm_filter_args(x->arena, &r->notices, x->env.holds_args, to);
	if (r->renames.n > 0)
		to = llm_filter_names(x->arena, r, to);
	if (r->choice == LLM_CHOICE_NONE)
		to = llm_filter_calls(x->arena, &r->notices, 0, to);
	else if (r->single_call)
		to = llm_filter_calls(x->arena, &r->notices, 1, to);
	if (!asked || hides)
		to = llm_filter_reason(
			x->arena, &r->notices, hides, rescues, to);
	if (has_markup(x))
		to = llm_filter_markup(x->arena, r, &r->notices,
			x->env.markup == LLM_MARKUP_RECOVER, to);
	if (x->info->has_text_marks)
		to = llm_filter_box(x->arena, to);
	return to;
}

void
xlate_chain_build(struct xlate *x)
{
	const struct dialect *d = x->upstream;
	struct llm_sink *to = NULL;

	if (!x->is_copy)
		to = x->client->enc_new(x->arena, &x->enc_env, x->out);
	to = llm_tap_init(&x->tap, to);
	if (!x->is_copy)
		to = chain_filters(x, to);
	/* A body's arguments are JSON, or it would be none. */
	else if (x->is_stream)
		to = llm_filter_args(x->arena, &x->req.notices, false, to);
	x->gate = (struct xlate_gate){
		.sink = { gate_put },
		.next = to,
		.x = x,
	};
	to = llm_guard_init(&x->guard, &x->gate.sink);
	x->dec = arena_alloc(x->arena, d->dec_size);
	notices_init(&x->unsaid, x->arena);
	d->dec_init(x->dec, x->arena, x->is_copy ? &x->unsaid : &x->req.notices,
		to);
}
