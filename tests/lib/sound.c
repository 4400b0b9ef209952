/* SPDX-License-Identifier: MIT */
/* sound.c - is a conversation one that every upstream accepts? */
#include "tests/lib/sound.h"

#define IDS_MAX 512

struct ids {
	struct jesc v[IDS_MAX];
	size_t n;
};

static size_t
find(const struct ids *ids, struct jesc id)
{
	size_t i = 0;

	while (i < ids->n && jesc_cmp(ids->v[i], id) != 0)
		i++;
	return i;
}

struct walk {
	struct ids all;     /* calls of the conversation */
	struct ids waiting; /* calls of the last answer that have no result */
	bool has_user;
};

static const char *
on_call(struct walk *w, struct arena *a, struct jesc id)
{
	if (jesc_is_empty(id) || llm_clean_id(a, id).s.p != id.s.p)
		return "an id that is not clean";
	if (find(&w->all, id) < w->all.n)
		return "an id that was there before";
	if (w->all.n == IDS_MAX)
		return "more calls than can be looked at";
	w->all.v[w->all.n++] = id;
	w->waiting.v[w->waiting.n++] = id;
	return NULL;
}

static const char *
on_result(struct walk *w, struct jesc id)
{
	const size_t at = find(&w->waiting, id);

	if (at == w->waiting.n)
		return "a result that nothing waits for";
	w->waiting.v[at] = w->waiting.v[--w->waiting.n];
	return NULL;
}

static const char *
on_part(struct walk *w, struct arena *a, const struct llm_part *p,
	bool *has_content)
{
	if (p->kind == LLM_PART_CALL) {
		*has_content = true;
		return on_call(w, a, p->id);
	}
	if (p->kind == LLM_PART_RESULT) {
		*has_content = true;
		return on_result(w, p->id);
	}
	*has_content = *has_content || p->kind != LLM_PART_TEXT ||
		!jesc_is_blank(p->text);
	/* Calls come last in their turn, so these are an answer's above. */
	return w->waiting.n > 0 ? "something before all results" : NULL;
}

static const char *
on_turn(struct walk *w, struct arena *a, const struct llm_turn *t)
{
	bool has_content = false;

	if (t->role == LLM_ASSISTANT && !w->has_user)
		return "an answer before a question";
	if (t->role != LLM_USER && w->waiting.n > 0)
		return "a turn before all results";
	w->has_user = w->has_user || t->role == LLM_USER;
	for (size_t i = 0; i < t->parts.n; i++) {
		const char *const fault =
			on_part(w, a, &t->parts.v[i], &has_content);

		if (fault != NULL)
			return fault;
	}
	return has_content ? NULL : "a turn that says nothing";
}

const char *
sound_fault(const struct llm_req *r)
{
	struct walk w = { 0 };

	for (size_t i = 0; i < r->turns.n; i++) {
		const char *const fault = on_turn(&w, r->arena, &r->turns.v[i]);

		if (fault != NULL)
			return fault;
	}
	if (w.waiting.n > 0)
		return "calls without results at the end";
	return w.has_user ? NULL : "no user";
}
