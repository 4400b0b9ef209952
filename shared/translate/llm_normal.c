/* SPDX-License-Identifier: MIT */
/* llm_normal.c - bring a conversation into the order that upstreams demand. */
#include "shared/translate/llm_normal.h"

#include "shared/base/check.h"
#include "shared/translate/llm_repair.h"

#define EMPTY_TEXT     "(empty)"
#define CONTINUED_TEXT "(continued)"
#define CONTINUE_TEXT  "Continue."

#define SHORT_ESCAPE   2 /* \n */
#define UNICODE_ESCAPE 6 /* \u000a */

void
llm_repaired(struct llm_req *r, const char *name)
{
	notice_add(&r->notices, "repaired", span_cstr(name));
}

static bool
is_blank(const struct llm_part *p)
{
	if (p->kind == LLM_PART_THINK)
		return jesc_is_empty(p->signature) && jesc_is_blank(p->text);
	return p->kind == LLM_PART_TEXT && jesc_is_blank(p->text);
}

static void
drop_blank_parts(struct llm_parts *parts)
{
	size_t kept = 0;

	for (size_t i = 0; i < parts->n; i++) {
		if (is_blank(&parts->v[i]))
			continue;
		if (kept != i)
			parts->v[kept] = parts->v[i];
		kept++;
	}
	parts->n = kept;
}

/* Step 4 for all but user turns. Comes first, since turns whose neighbour goes
 * may have to merge. */
static void
drop_empty_turns(struct llm_req *r)
{
	size_t kept = 0;

	for (size_t i = 0; i < r->turns.n; i++) {
		struct llm_turn *const t = &r->turns.v[i];

		if (t->role != LLM_USER) {
			drop_blank_parts(&t->parts);
			if (t->parts.n == 0) {
				llm_repaired(r, REPAIR_EMPTY);
				continue;
			}
		}
		if (kept != i)
			r->turns.v[kept] = *t;
		kept++;
	}
	r->turns.n = kept;
}

/* Nothing that could be read in it. */
static bool
is_silent(const struct llm_parts *parts)
{
	for (size_t i = 0; i < parts->n; i++) {
		if (parts->v[i].kind != LLM_PART_THINK &&
			!is_blank(&parts->v[i]))
			return false;
	}
	return true;
}

static bool
has_thinking(const struct llm_parts *parts)
{
	for (size_t i = 0; i < parts->n; i++) {
		if (parts->v[i].kind == LLM_PART_THINK &&
			!is_blank(&parts->v[i]))
			return true;
	}
	return false;
}

void
llm_drop_lone_thinking(struct llm_req *r)
{
	size_t kept = 0, at = 0;

	while (at < r->turns.n) {
		bool is_lone = true, thinks = false;
		size_t end = at;

		/* Turns that will merge are looked at as one. */
		while (end < r->turns.n &&
			r->turns.v[end].role == LLM_ASSISTANT) {
			const struct llm_parts *const parts =
				&r->turns.v[end++].parts;

			is_lone = is_lone && is_silent(parts);
			thinks = thinks || has_thinking(parts);
		}
		end = MAX(end, at + 1);
		if (is_lone && thinks)
			notice_add(&r->notices, "dropped", SPAN("reasoning"));
		else
			for (size_t i = at; i < end; i++)
				r->turns.v[kept++] = r->turns.v[i];
		at = end;
	}
	r->turns.n = kept;
}

/* Step 2. */
static void
merge_turns(struct llm_req *r)
{
	size_t kept = 0;

	for (size_t i = 0; i < r->turns.n; i++) {
		const struct llm_turn t = r->turns.v[i];
		struct llm_turn *const last =
			kept > 0 ? &r->turns.v[kept - 1] : NULL;

		if (last == NULL || last->role != t.role ||
			t.role == LLM_SYSTEM) {
			r->turns.v[kept++] = t;
			continue;
		}
		for (size_t k = 0; k < t.parts.n; k++) {
			*llm_add_part(r, &last->parts, t.parts.v[k].kind) =
				t.parts.v[k];
		}
	}
	r->turns.n = kept;
}

/* Step 4 for user turns. */
static void
fill_user_turns(struct llm_req *r)
{
	for (size_t i = 0; i < r->turns.n; i++) {
		struct llm_turn *const t = &r->turns.v[i];

		if (t->role != LLM_USER)
			continue;
		drop_blank_parts(&t->parts);
		if (t->parts.n > 0)
			continue;
		llm_add_text(r, &t->parts, JESC(EMPTY_TEXT));
		llm_repaired(r, REPAIR_EMPTY);
	}
}

/* A user turn with this text at this position. */
static void
insert_user_turn(struct llm_req *r, size_t at, struct jesc text)
{
	const size_t behind = r->turns.n - at;
	struct llm_turn *t;

	(void)llm_add_turn(r, LLM_USER, 0);
	t = &r->turns.v[at];
	memmove(t + 1, t, behind * sizeof(*t));
	*t = (struct llm_turn){ .role = LLM_USER };
	llm_add_text(r, &t->parts, text);
}

/* Step 5. */
static void
begin_with_user(struct llm_req *r)
{
	size_t at = 0;

	while (at < r->turns.n && r->turns.v[at].role == LLM_SYSTEM)
		at++;
	if (at == r->turns.n) {
		insert_user_turn(r, at, JESC(CONTINUE_TEXT));
		llm_repaired(r, REPAIR_NO_USER);
	} else if (r->turns.v[at].role != LLM_USER) {
		insert_user_turn(r, at, JESC(CONTINUED_TEXT));
		llm_repaired(r, REPAIR_FIRST);
	}
}

/* True if text ends in an escape of n bytes that means a blank. */
static bool
ends_in_blank_escape(struct span text, size_t n)
{
	size_t backslashes = 0, at;

	if (text.n < n)
		return false;
	at = text.n - n;
	if (text.p[at] != '\\' ||
		(text.p[at + 1] == 'u') != (n == UNICODE_ESCAPE))
		return false;
	/* An escaped backslash and letters look the same. */
	while (backslashes <= at && text.p[at - backslashes] == '\\')
		backslashes++;
	return backslashes % 2 != 0 &&
		jesc_is_blank((struct jesc){ span_from(text, at) });
}

static struct jesc
rtrim(struct jesc text)
{
	struct span s = text.s;

	for (;;) {
		s = span_rtrim(s);
		if (ends_in_blank_escape(s, SHORT_ESCAPE))
			s.n -= SHORT_ESCAPE;
		else if (ends_in_blank_escape(s, UNICODE_ESCAPE))
			s.n -= UNICODE_ESCAPE;
		else
			return (struct jesc){ s };
	}
}

/* Step 6. */
static void
trim_beginning_of_answer(struct llm_req *r)
{
	struct llm_parts *parts;
	struct llm_part *last;
	struct jesc text;

	if (r->turns.n == 0 || r->turns.v[r->turns.n - 1].role != LLM_ASSISTANT)
		return;
	parts = &r->turns.v[r->turns.n - 1].parts;
	GP_ASSERT(parts->n > 0);
	last = &parts->v[parts->n - 1];
	if (last->kind != LLM_PART_TEXT)
		return;
	text = rtrim(last->text);
	if (text.s.n == last->text.s.n)
		return;
	last->text = text;
	llm_repaired(r, REPAIR_TRAILING);
}

/* Step 7. */
static void
settle_arguments(struct llm_req *r)
{
	for (size_t i = 0; i < r->turns.n; i++) {
		struct llm_parts *const parts = &r->turns.v[i].parts;

		for (size_t k = 0; k < parts->n; k++) {
			if (parts->v[k].kind == LLM_PART_CALL &&
				llm_args_settle(r->arena, &parts->v[k].args))
				llm_repaired(r, REPAIR_ARGUMENTS);
		}
	}
}

void
llm_normalise(struct llm_req *r)
{
	drop_empty_turns(r);
	merge_turns(r);
	llm_repair_results(r); /* steps 1 and 3 */
	fill_user_turns(r);
	begin_with_user(r);
	trim_beginning_of_answer(r);
	settle_arguments(r);
}
