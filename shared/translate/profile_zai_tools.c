/* SPDX-License-Identifier: MIT */
/* profile_zai_tools.c - tools, the choice among them, and their names. */
#include "shared/base/sha256.h"
#include "shared/translate/profile_zai.h"

#define NAME_MAX_LEN 64
#define NAME_KEPT    55 /* characters before '_' and part of the hash */
#define NAME_HASH    8
#define NO_OUTPUT    "(no output)"
#define ERROR_PREFIX "Error: "

/* --- names ---------------------------------------------------------------- */

static bool
is_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		(c >= '0' && c <= '9') || c == '_' || c == '-';
}

static bool
is_good_name(struct span s)
{
	size_t i = 0;

	while (i < s.n && i <= NAME_MAX_LEN && is_name_char(s.p[i]))
		i++;
	return i == s.n && i > 0 && i <= NAME_MAX_LEN;
}

/* The name under which upstream knows the tool: the same for the same name,
 * in every request. */
static struct jesc
wire_name(struct arena *a, struct jesc name)
{
	struct span plain;
	size_t kept;
	char *p;

	if (is_good_name(name.s))
		return name;
	plain = jtext_unescape_dup(a, name);
	if (is_good_name(plain))
		return (struct jesc){ plain };
	kept = MIN(plain.n, NAME_KEPT);
	p = arena_alloc(a, kept + 1 + NAME_HASH + 1);
	for (size_t i = 0; i < kept; i++)
		p[i] = is_name_char(plain.p[i]) ? plain.p[i] : '_';
	p[kept] = '_';
	sha256_hex(plain, p + kept + 1, NAME_HASH);
	return (struct jesc){ { p, kept + 1 + NAME_HASH } };
}

/* Only tools can be called: names that stand in the history alone need no way
 * back. */
static void
rename_tools(struct llm_req *r)
{
	for (size_t i = 0; i < r->tools.n; i++) {
		struct llm_tool *const t = &r->tools.v[i];
		const struct jesc wire = wire_name(r->arena, t->name);

		if (jesc_cmp(wire, t->name) == 0)
			continue;
		*VEC_PUSH(r->arena, &r->renames) =
			(struct llm_rename){ t->name, wire };
		t->name = wire;
	}
}

static void
rename_calls(struct llm_req *r)
{
	for (size_t i = 0; i < r->turns.n; i++) {
		const struct llm_turn *const t = &r->turns.v[i];

		if (t->role != LLM_ASSISTANT)
			continue;
		for (size_t k = 0; k < t->parts.n; k++) {
			struct llm_part *const p = &t->parts.v[k];

			if (p->kind == LLM_PART_CALL)
				p->name = wire_name(r->arena, p->name);
		}
	}
}

/* --- the choice ----------------------------------------------------------- */

static void
degrade_choice(struct llm_req *r)
{
	r->choice = LLM_CHOICE_AUTO;
	notice_add(&r->notices, "degraded", SPAN("tool_choice"));
}

/* Leave the named tool only. One that is not there was of a kind that cannot
 * be sent. */
static void
keep_named(struct llm_req *r)
{
	for (size_t i = 0; i < r->tools.n; i++) {
		if (jesc_cmp(r->tools.v[i].name, r->choice_name) == 0) {
			r->tools.v[0] = r->tools.v[i];
			r->tools.n = 1;
			return;
		}
	}
}

/* "auto" is all that the Chat Completions endpoint knows. */
static void
adapt_choice(struct llm_req *r)
{
	if (r->tools.n == 0) {
		if (r->choice != LLM_CHOICE_UNSET &&
			r->choice != LLM_CHOICE_NONE)
			notice_add(&r->notices, "dropped", SPAN("tool_choice"));
		return;
	}
	switch (r->choice) {
	case LLM_CHOICE_UNSET:
	case LLM_CHOICE_AUTO:
		break;
	case LLM_CHOICE_NONE:
		/* The choice itself stays: calls in the answer go by it. */
		r->tools.n = 0;
		break;
	case LLM_CHOICE_NAMED:
		keep_named(r);
		degrade_choice(r);
		break;
	case LLM_CHOICE_ANY:
		degrade_choice(r);
		break;
	}
}

/* --- models without tools ------------------------------------------------- */

/* Escaped text put together. */
static struct jesc
join(struct arena *a, const struct jesc *pieces, size_t n)
{
	size_t len = 0;
	char *p, *at;

	for (size_t i = 0; i < n; i++)
		len += pieces[i].s.n;
	at = p = arena_alloc(a, len + 1);
	for (size_t i = 0; i < n; i++) {
		memcpy(at, pieces[i].s.p, pieces[i].s.n);
		at += pieces[i].s.n;
	}
	return (struct jesc){ span_of(p, len) };
}

/* The texts of an assistant's turn stand behind each other without a break. */
static struct jesc
call_as_text(struct arena *a, const struct llm_part *call, bool is_first)
{
	const struct jesc pieces[] = { is_first ? JESC_EMPTY : JESC("\\n"),
		JESC("[tool call "), call->id, JESC(": "), call->name,
		JESC("]\\n"), llm_args_text(a, &call->args) };

	return join(a, pieces, ARRAY_LEN(pieces));
}

/* The text of the first part goes behind the mark, whatever else there is
 * follows as it is. */
static void
add_result_as_text(
	struct llm_req *r, struct llm_parts *to, const struct llm_part *result)
{
	const struct llm_parts *const parts = &result->parts;
	const bool is_text = parts->n > 0 && parts->v[0].kind == LLM_PART_TEXT;
	const struct jesc pieces[] = { JESC("[tool result "), result->id,
		JESC("]\\n"),
		result->is_error ? JESC(ERROR_PREFIX) : JESC_EMPTY,
		is_text               ? parts->v[0].text :
			parts->n == 0 ? JESC(NO_OUTPUT) :
					JESC_EMPTY };

	llm_add_text(r, to, join(r->arena, pieces, ARRAY_LEN(pieces)));
	for (size_t i = is_text ? 1 : 0; i < parts->n; i++)
		*llm_add_part(r, to, parts->v[i].kind) = parts->v[i];
}

static bool
has_tool_part(const struct llm_parts *parts)
{
	for (size_t i = 0; i < parts->n; i++) {
		if (parts->v[i].kind == LLM_PART_CALL ||
			parts->v[i].kind == LLM_PART_RESULT)
			return true;
	}
	return false;
}

static void
tools_as_text(struct llm_req *r, struct llm_parts *parts)
{
	const struct llm_parts old = *parts;

	if (!has_tool_part(parts))
		return;
	*parts = (struct llm_parts){ 0 };
	for (size_t i = 0; i < old.n; i++) {
		const struct llm_part *const p = &old.v[i];

		if (p->kind == LLM_PART_CALL)
			llm_add_text(r, parts,
				call_as_text(r->arena, p, parts->n == 0));
		else if (p->kind == LLM_PART_RESULT)
			add_result_as_text(r, parts, p);
		else
			*llm_add_part(r, parts, p->kind) = *p;
	}
}

static void
do_without_tools(struct llm_req *r)
{
	if (r->tools.n > 0)
		notice_add(&r->notices, "dropped", SPAN("tools"));
	r->tools.n = 0;
	r->choice = LLM_CHOICE_UNSET;
	r->single_call = false;
	for (size_t i = 0; i < r->turns.n; i++)
		tools_as_text(r, &r->turns.v[i].parts);
}

/* --- everything ----------------------------------------------------------- */

void
zai_adapt_tools(const struct zai_adapt *z)
{
	struct llm_req *const r = z->req;

	if (!z->model->has_tools) {
		do_without_tools(r);
		return;
	}
	if (z->is_chat)
		adapt_choice(r);
	rename_tools(r);
	rename_calls(r);
	if (!jesc_is_empty(r->choice_name))
		r->choice_name = wire_name(r->arena, r->choice_name);
	/* Without it a call arrives whole, at the end of its making. */
	if (z->is_chat && r->purpose == LLM_CHAT && r->stream &&
		r->tools.n > 0 && z->model->streams_tools &&
		!zai_has_field(r, SPAN("tool_stream")))
		zai_add_field(r, JESC("tool_stream"), JRAW("true"));
}
