/* SPDX-License-Identifier: MIT */
/* plan_tools.c - scenarios that call tools. */
#include <stdio.h>

#include "tests/upstream/plan.h"
#include "tests/upstream/text.h"

#define FRAGMENT_BYTES 8
#define CALLS_MAX      64

/* Both dialects' definitions: name and schema of tool i (from 0, round). */
static json_t *
tool_at(const struct plan *p, size_t i, struct span *name)
{
	size_t n = json_array_size(p->r->tools);
	json_t *tool = n > 0 ? json_array_get(p->r->tools, i % n) : NULL;
	json_t *function = json_object_get(tool, "function");

	if (function != NULL) {
		*name = text_of(json_object_get(function, "name"));
		return json_object_get(function, "parameters");
	}
	*name = text_of(json_object_get(tool, "name"));
	return json_object_get(tool, "input_schema");
}

static json_t *
tool_named(const struct plan *p, struct span wanted, struct span *name)
{
	for (size_t i = 0; i < json_array_size(p->r->tools); i++) {
		json_t *schema = tool_at(p, i, name);

		if (span_eq(*name, wanted))
			return schema;
	}
	*name = wanted;
	return NULL;
}

static void
call_add(struct plan *p, size_t i)
{
	static uint64_t counter;
	unsigned long long mixed = ++counter * 0xbf58476d1ce4e5b9u;
	struct call *call = VEC_PUSH(p->arena, &p->calls);
	struct span name = SPAN_EMPTY;
	json_t *schema = p->sc->name.n > 0 ? tool_named(p, p->sc->name, &name) :
					     tool_at(p, i, &name);

	if (name.n == 0)
		name = SPAN("missing_tool");
	call->name = text_escaped(p->arena, name);
	(void)snprintf(call->id, sizeof(call->id), "call_%016llx", mixed);
	call->args = p->sc->args.n > 0 ? p->sc->args :
					 toolargs_make(p->arena, schema);
	if (p->quirk == QUIRK_NO_ARGS)
		call->args = SPAN_EMPTY;
	if (p->quirk == QUIRK_BAD_ARGS)
		call->args = SPAN("{\"a\":");
	if (p->quirk == QUIRK_CUT_ARGS)
		call->args = text_cut(call->args, call->args.n / 2);
}

static void
act_add(struct plan *p, enum act_kind kind, size_t call, struct span text)
{
	struct act *act = VEC_PUSH(p->arena, &p->acts);

	act->kind = kind;
	act->call = (unsigned)call;
	act->text = text;
}

/* The next fragment of call i's arguments; false when there is none left. */
static bool
fragment_add(struct plan *p, size_t i, size_t *done)
{
	int64_t bytes = scenario_number(p->sc->frag, FRAGMENT_BYTES);
	struct span rest = span_from(p->calls.v[i].args, *done), s = rest;

	if (rest.n == 0)
		return false;
	if (bytes > 0)
		s = text_cut(rest, (size_t)bytes);
	if (s.n == 0)
		s = text_points(rest, 1);
	act_add(p, ACT_ARGS, i, text_escaped(p->arena, s));
	*done += s.n;
	return true;
}

static void
acts_of_call(struct plan *p, size_t i)
{
	size_t done = 0;

	act_add(p, ACT_CALL, i, SPAN_EMPTY);
	while (fragment_add(p, i, &done))
		;
}

static void
acts_interleaved(struct plan *p)
{
	size_t done[CALLS_MAX] = { 0 };
	bool is_more = true;

	for (size_t i = 0; i < p->calls.n; i++)
		act_add(p, ACT_CALL, i, SPAN_EMPTY);
	while (is_more) {
		is_more = false;
		for (size_t i = 0; i < p->calls.n; i++)
			is_more |= fragment_add(p, i, &done[i]);
	}
}

static void
begin(struct plan *p, int quirk)
{
	p->quirk = (enum quirk)quirk;
	p->finish = FINISH_TOOLS;
	/* A body cannot hold arguments that are no JSON on that side. */
	if (p->quirk == QUIRK_BAD_ARGS && p->r->side == SIDE_A && !p->is_stream)
		p->quirk = QUIRK_NONE;
	if (p->quirk == QUIRK_CUT_ARGS)
		p->finish = FINISH_LENGTH;
	if (p->quirk == QUIRK_SAYS_STOP)
		p->finish = FINISH_STOP;
	if (p->r->wants_thinking || p->sc->think.n > 0)
		plan_put_thinking(p);
}

void
plan_tool(struct plan *p, int arg)
{
	begin(p, arg);
	if (p->quirk == QUIRK_NO_CALL)
		return;
	call_add(p, 0);
	acts_of_call(p, 0);
}

void
plan_text_tool(struct plan *p, int arg)
{
	struct span text = p->sc->text;

	begin(p, arg);
	plan_put_text(p, ACT_TEXT, text.n > 0 ? text : SPAN("Let me look."));
	call_add(p, 0);
	acts_of_call(p, 0);
	if (p->sc->after > 0)
		plan_put_text(p, ACT_TEXT, SPAN("That is running now."));
}

void
plan_tools(struct plan *p, int arg)
{
	size_t n = (size_t)scenario_number(p->sc->n, 2);

	begin(p, arg);
	for (size_t i = 0; i < MIN(n, CALLS_MAX); i++)
		call_add(p, i);
	if (p->quirk == QUIRK_INTERLEAVED && p->r->side == SIDE_O) {
		acts_interleaved(p);
		return;
	}
	for (size_t i = 0; i < p->calls.n; i++)
		acts_of_call(p, i);
}
