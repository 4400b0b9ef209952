/* SPDX-License-Identifier: MIT */
/* llm_truncate.c - the oldest turns go, so that a conversation fits. */
#include "shared/translate/llm_truncate.h"

#include "shared/translate/llm_estimate.h"
#include "shared/translate/llm_idmap.h"

/* So that no sum passes what an integer holds. */
#define LIMIT_MAX (INT64_MAX / LLM_WEIGHT / 16)

#define NO_TURN   SIZE_MAX

/* What is known of a turn. */
struct turn {
	int64_t weight;
	size_t reach; /* the last turn with a result for one of its calls */
	size_t nopen; /* calls without a result */
	bool has_result;
};

/* A call id, and the latest turn that has it. */
struct id {
	struct idmap_entry entry;
	bool is_known;
	size_t turn;
	size_t nopen;
};

/* Where it may be cut. */
struct point {
	size_t turn;
	int64_t gone; /* weight in front of it, without system turns */
};

struct truncation {
	struct llm_req *r;
	struct turn *turns;
	int64_t limit, total, fixed; /* weights; fixed always stays */
	size_t last_user;            /* turn */
	/* The first of each kind behind the least that has to go, and the last
	 * of them all. */
	struct point user, assistant;
	struct point last_user_point, last;
};

/* --- calls and results ---------------------------------------------------- */

/* As llm_normalise knows them. */
static struct id *
id_of(struct truncation *t, struct idmap *ids, struct jesc id)
{
	struct arena *const a = t->r->arena;
	const struct jesc key =
		jesc_is_empty(id) ? JESC("call") : llm_clean_id(a, id);

	return (struct id *)(void *)idmap_add(ids, a, key.s, sizeof(struct id));
}

static void
take_call(struct truncation *t, struct id *id, size_t turn)
{
	if (!id->is_known || id->turn != turn)
		id->nopen = 0;
	id->is_known = true;
	id->turn = turn;
	id->nopen++;
	t->turns[turn].nopen++;
}

static void
take_result(struct truncation *t, struct id *id, size_t turn)
{
	t->turns[turn].has_result = true;
	if (!id->is_known)
		return;
	t->turns[id->turn].reach = turn;
	if (id->nopen > 0) {
		id->nopen--;
		t->turns[id->turn].nopen--;
	}
}

static void
look_at_turns(struct truncation *t)
{
	const struct llm_req *const r = t->r;
	struct idmap ids = { 0 };

	for (size_t i = 0; i < r->turns.n; i++) {
		const struct llm_turn *const turn = &r->turns.v[i];

		t->turns[i].weight = llm_weigh_turn(turn);
		t->total += t->turns[i].weight;
		if (turn->role == LLM_SYSTEM)
			t->fixed += t->turns[i].weight;
		else if (turn->role == LLM_USER)
			t->last_user = i;
		for (size_t k = 0; k < turn->parts.n; k++) {
			const struct llm_part *const p = &turn->parts.v[k];

			if (p->kind == LLM_PART_CALL)
				take_call(t, id_of(t, &ids, p->id), i);
			else if (p->kind == LLM_PART_RESULT)
				take_result(t, id_of(t, &ids, p->id), i);
		}
	}
}

/* --- where it may be cut -------------------------------------------------- */

/* The turn after i that is not system, or the number of turns. */
static size_t
turn_behind(const struct llm_req *r, size_t i)
{
	do
		i++;
	while (i < r->turns.n && r->turns.v[i].role == LLM_SYSTEM);
	return i;
}

/* Results of the user's turns from `at` to the next of another role. */
static bool
run_has_result(const struct truncation *t, size_t at)
{
	const struct llm_req *const r = t->r;

	for (; at < r->turns.n && r->turns.v[at].role == LLM_USER;
		at = turn_behind(r, at)) {
		if (t->turns[at].has_result)
			return true;
	}
	return false;
}

/* before: the turn in front of it that is not system. */
static bool
is_user_point(const struct truncation *t, size_t before, size_t at)
{
	const struct llm_turn *const v = t->r->turns.v;

	return v[at].role == LLM_USER && v[before].role != LLM_USER &&
		v[at].parts.n > 0 && !run_has_result(t, at);
}

static bool
is_assistant_point(const struct truncation *t, size_t before, size_t at)
{
	const struct llm_turn *const v = t->r->turns.v;

	return v[at].role == LLM_ASSISTANT && v[before].role != LLM_ASSISTANT &&
		v[at].parts.n > 0 && t->turns[at].nopen == 0 &&
		at < t->last_user;
}

/* Sets the points. */
static void
find_points(struct truncation *t, int64_t least)
{
	const struct llm_req *const r = t->r;
	size_t before = NO_TURN, reach = 0;
	int64_t gone = 0;

	t->user.turn = t->assistant.turn = NO_TURN;
	t->last.turn = t->last_user_point.turn = NO_TURN;
	for (size_t i = 0; i < r->turns.n; i++) {
		const struct point here = { i, gone };
		bool is_user, is_assistant;

		if (r->turns.v[i].role == LLM_SYSTEM)
			continue;
		/* Messages may become several turns. */
		is_user = before != NO_TURN && reach < i &&
			r->turns.v[before].source != r->turns.v[i].source;
		is_assistant = is_user && is_assistant_point(t, before, i);
		is_user = is_user && is_user_point(t, before, i);
		if (is_user || is_assistant)
			t->last = here;
		if (is_user)
			t->last_user_point = here;
		if (gone >= least && is_user && t->user.turn == NO_TURN)
			t->user = here;
		if (gone >= least && is_assistant &&
			t->assistant.turn == NO_TURN)
			t->assistant = here;
		gone += t->turns[i].weight;
		reach = MAX(reach, t->turns[i].reach);
		before = i;
	}
}

/* NO_TURN if there is none. Behind the least that has to go as much stays as a
 * step is wide, or more: all between which is chosen is there already. */
static struct point
choose(struct truncation *t)
{
	const int64_t room = t->limit - t->fixed;
	const int64_t step = MAX(MIN(t->limit / 8, room / 4), 1);
	const int64_t kept = MAX(t->limit / 4 * 3, t->fixed + room / 2);
	const int64_t least = (t->total - kept + step - 1) / step * step;

	find_points(t, least);
	if (t->user.turn == NO_TURN && t->assistant.turn == NO_TURN)
		return t->last;
	if (t->assistant.turn == NO_TURN)
		return t->user;
	if (t->user.turn != NO_TURN &&
		(t->user.turn < t->assistant.turn ||
			t->user.gone < least + step))
		return t->user;
	return t->assistant;
}

/* --- cutting -------------------------------------------------------------- */

/* Messages of the client of which the turns before `at` were made. */
static size_t
count_messages(const struct llm_req *r, size_t at)
{
	size_t n = 0, source = SIZE_MAX;

	for (size_t i = 0; i < at; i++) {
		if (r->turns.v[i].role == LLM_SYSTEM)
			continue;
		n += r->turns.v[i].source != source;
		source = r->turns.v[i].source;
	}
	return n;
}

/* There is at least one turn that goes, so that there is room for the one that
 * may come. */
static void
cut_at(struct llm_req *r, size_t at, const struct llm_turn *instead)
{
	size_t kept = 0;

	for (size_t i = 0; i < r->turns.n; i++) {
		if (i == at && instead != NULL)
			r->turns.v[kept++] = *instead;
		if (i >= at || r->turns.v[i].role == LLM_SYSTEM)
			r->turns.v[kept++] = r->turns.v[i];
	}
	r->turns.n = kept;
}

/* The place for a cut that leaves no more than fits, of those that are worth
 * trying; *rest is what stays then. False if there is none. */
static bool
find_place(struct truncation *t, int64_t filler, struct point *p, int64_t *rest)
{
	const struct point chosen = choose(t);
	const struct point places[] = { chosen, t->last, t->last_user_point };

	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		*p = places[i];
		if (p->turn == NO_TURN)
			continue;
		*rest = t->total - p->gone +
			(t->r->turns.v[p->turn].role == LLM_ASSISTANT ? filler :
									0);
		if (*rest <= t->limit)
			return true;
	}
	return false;
}

bool
llm_truncate(struct llm_req *r, int64_t limit, struct llm_cut *out)
{
	struct truncation t = {
		.r = r,
		.turns = arena_array(
			r->arena, MAX(r->turns.n, 1), sizeof(*t.turns)),
		.limit = MIN(MAX(limit, 0), LIMIT_MAX) * LLM_WEIGHT,
	};
	struct llm_turn instead = { .role = LLM_USER };
	bool needs_user;
	struct point p;
	int64_t rest;

	t.fixed = llm_weigh_tools(r);
	t.total = t.fixed;
	look_at_turns(&t);
	*out = (struct llm_cut){ .tokens_before = llm_weight_tokens(t.total) };
	out->tokens_after = out->tokens_before;
	if (t.total <= t.limit)
		return true;
	llm_add_text(r, &instead.parts, JESC(LLM_TRUNCATED));
	if (t.fixed >= t.limit ||
		!find_place(&t, llm_weigh_turn(&instead), &p, &rest))
		return false;
	needs_user = r->turns.v[p.turn].role == LLM_ASSISTANT;
	instead.source = r->turns.v[p.turn].source;
	out->tokens_after = llm_weight_tokens(rest);
	out->messages = count_messages(r, p.turn);
	r->kept_from = instead.source;
	r->instead = needs_user ? JESC(LLM_TRUNCATED) : JESC_EMPTY;
	cut_at(r, p.turn, needs_user ? &instead : NULL);
	return true;
}
