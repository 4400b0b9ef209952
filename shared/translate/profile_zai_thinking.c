/* SPDX-License-Identifier: MIT */
/*
 * profile_zai_thinking.c - how thinking is asked for, by generation of model.
 *
 * Models think unless they are told not to. On the Messages endpoint the
 * dialect's own fields say what is wanted; on the Chat Completions endpoint
 * `thinking` and, from some generation on, an effort do.
 */
#include "shared/translate/profile_zai.h"

static bool
is_no_effort(enum llm_effort e)
{
	return e == LLM_EFFORT_NONE || e == LLM_EFFORT_MINIMAL;
}

/* What the client asks for. Where reasoning is always shown, an effort alone
 * asks for it; elsewhere it is about the whole answer. */
static enum llm_think_mode
asked_mode(const struct zai_adapt *z)
{
	const struct llm_think *const t = &z->req->think;

	if (t->mode != LLM_THINK_UNSET || t->effort == LLM_EFFORT_UNSET ||
		!z->client->shows_reasoning)
		return t->mode;
	return is_no_effort(t->effort) ? LLM_THINK_OFF : LLM_THINK_ON;
}

static enum llm_think_mode
wanted_mode(const struct zai_adapt *z, enum llm_think_mode asked)
{
	if (z->options->force_thinking >= 0)
		return z->options->force_thinking > 0 ? LLM_THINK_ON :
							LLM_THINK_OFF;
	/* Its clients expect to be asked: what nobody sees is not thought. */
	if (asked == LLM_THINK_UNSET && z->is_chat &&
		!z->client->shows_reasoning)
		return LLM_THINK_OFF;
	return asked;
}

/* The effort that the model knows. */
static enum llm_effort
known_effort(enum model_thinking how, enum llm_effort e)
{
	if (is_no_effort(e))
		return LLM_EFFORT_UNSET;
	switch (how) {
	case MODEL_THINKING_NONE:
	case MODEL_THINKING_SWITCH:
		return LLM_EFFORT_UNSET;
	case MODEL_THINKING_EFFORT:
		return e;
	case MODEL_THINKING_ALWAYS:
		break;
	}
	if (e == LLM_EFFORT_MEDIUM)
		return LLM_EFFORT_HIGH;
	return e == LLM_EFFORT_XHIGH ? LLM_EFFORT_MAX : e;
}

static bool
replays_thinking(const struct llm_req *r)
{
	for (size_t i = 0; i < r->turns.n; i++) {
		const struct llm_parts *const parts = &r->turns.v[i].parts;

		for (size_t k = 0; k < parts->n; k++) {
			if (parts->v[k].kind == LLM_PART_THINK)
				return true;
		}
	}
	return false;
}

/* `thinking` when it is on. Earlier thinking that is sent is meant to count,
 * and the prompt stays the same from turn to turn. */
static struct jraw
enabled(const struct zai_adapt *z)
{
	const struct llm_think *const t = &z->req->think;

	if (t->drop_all)
		return JRAW("{\"type\":\"enabled\",\"clear_thinking\":true}");
	if (t->keep_all ||
		(z->model->keeps_thinking && replays_thinking(z->req)))
		return JRAW("{\"type\":\"enabled\",\"clear_thinking\":false}");
	return JRAW("{\"type\":\"enabled\"}");
}

static void
adapt_chat(const struct zai_adapt *z, enum llm_think_mode asked,
	enum llm_think_mode wanted)
{
	const bool always = z->model->thinking == MODEL_THINKING_ALWAYS;
	struct llm_think *const t = &z->req->think;

	t->effort = known_effort(z->model->thinking, t->effort);
	if (wanted == LLM_THINK_ON) {
		zai_add_field(z->req, JESC("thinking"), enabled(z));
		return;
	}
	if (wanted != LLM_THINK_OFF)
		return;
	if (!always) {
		t->effort = LLM_EFFORT_UNSET;
		zai_add_field(z->req, JESC("thinking"),
			JRAW("{\"type\":\"disabled\"}"));
	} else if (asked == LLM_THINK_OFF || z->options->force_thinking == 0) {
		t->effort = LLM_EFFORT_LOW;
	}
}

static void
adapt_messages(const struct zai_adapt *z, enum llm_think_mode wanted)
{
	struct llm_think *const t = &z->req->think;

	/* The encoder makes a budget out of the effort. */
	if (wanted == LLM_THINK_OFF || is_no_effort(t->effort))
		t->effort = LLM_EFFORT_UNSET;
	if (wanted == LLM_THINK_OFF)
		t->budget_tokens = 0;
}

static void
drop_thoughts(struct llm_req *r)
{
	for (size_t i = 0; i < r->turns.n; i++) {
		struct llm_parts *const parts = &r->turns.v[i].parts;
		size_t kept = 0;

		for (size_t k = 0; k < parts->n; k++) {
			if (parts->v[k].kind == LLM_PART_THINK)
				continue;
			if (kept != k)
				parts->v[kept] = parts->v[k];
			kept++;
		}
		parts->n = kept;
	}
}

void
zai_adapt_thinking(const struct zai_adapt *z)
{
	struct llm_think *const t = &z->req->think;
	const enum llm_think_mode asked = asked_mode(z);
	const enum llm_think_mode wanted = wanted_mode(z, asked);

	if (!z->options->replay_reasoning)
		drop_thoughts(z->req);
	if (z->model->thinking == MODEL_THINKING_NONE) {
		if (wanted == LLM_THINK_ON)
			notice_add(
				&z->req->notices, "dropped", SPAN("thinking"));
		*t = (struct llm_think){ .is_hidden = t->is_hidden };
		return;
	}
	if (z->is_chat)
		adapt_chat(z, asked, wanted);
	else
		adapt_messages(z, wanted);
	/* The operator may make a model think, but the answer goes by what the
	 * client asked for. */
	t->mode = wanted;
	if (wanted == LLM_THINK_ON && z->is_chat && !z->client->shows_reasoning)
		t->mode =
			asked == LLM_THINK_ON ? LLM_THINK_ON : LLM_THINK_UNSET;
}
