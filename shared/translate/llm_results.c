/* SPDX-License-Identifier: MIT */
/*
 * llm_results.c - every tool call gets one id and one result behind it.
 *
 * Two passes. The first walks the conversation once and pairs calls with
 * results, using what was said before only. The second writes the turns anew.
 */
#include "shared/base/check.h"
#include "shared/translate/llm_idmap.h"
#include "shared/translate/llm_repair.h"

#define MISSING_TEXT "[no result was provided for this tool call]"

/* A decimal number with an underscore. */
#define SUFFIX_MAX 24

struct call;

struct result {
	struct llm_part *part;
	size_t turn;
	struct call *call;   /* NULL: an orphan */
	struct result *next; /* another one for the same call */
};

struct call {
	struct jesc id;
	size_t turn;
	struct call *next_same;     /* of the same id in the same turn */
	struct call *next_answered; /* of the same turn, in order of results */
	struct result *first, *last;
};

/* What is known of an id. */
struct id {
	struct idmap_entry entry;
	bool is_taken;   /* some call bears it */
	uint64_t suffix; /* the last one tried */
	/* The calls that came with this id, of the latest turn that has any. */
	struct call *latest;
	struct call *last;
	struct call *unanswered; /* the first of them; NULL if there is none */
	struct call *answered;   /* the last one of them */
};

/* What is known of a turn. */
struct turn {
	size_t first_call, ncalls;
	struct call *answered, *last_answered;
	size_t nanswered;
};

struct pairing {
	struct llm_req *r;
	struct idmap ids;
	struct call *calls;
	size_t ncalls;
	struct result *results; /* in the order of the conversation */
	size_t nresults;
	struct turn *turns;
};

static size_t
count_parts(const struct llm_req *r, enum llm_part_kind kind)
{
	size_t n = 0;

	for (size_t t = 0; t < r->turns.n; t++) {
		const struct llm_parts *const parts = &r->turns.v[t].parts;

		for (size_t i = 0; i < parts->n; i++)
			n += parts->v[i].kind == kind;
	}
	return n;
}

static struct id *
id_of(struct pairing *p, struct span key)
{
	return (struct id *)(void *)idmap_add(
		&p->ids, p->r->arena, key, sizeof(struct id));
}

static struct jesc
clean_id(struct pairing *p, struct jesc id)
{
	return jesc_is_empty(id) ? JESC("call") : llm_clean_id(p->r->arena, id);
}

/* The id itself for the first call that bears it, else the first free one with
 * a suffix. */
static struct jesc
unique_id(struct pairing *p, struct id *id)
{
	struct arena *const a = p->r->arena;
	const size_t room = id->entry.key.n + SUFFIX_MAX;
	struct id *other = id;
	struct buf name;

	while (other->is_taken) {
		buf_init(&name, room);
		name.data = arena_alloc(a, room);
		name.cap = room;
		buf_put(&name, id->entry.key);
		buf_putc(&name, '_');
		id->suffix = MAX(id->suffix + 1, 2);
		buf_put_u64(&name, id->suffix);
		other = id_of(p, buf_span(&name));
	}
	other->is_taken = true;
	return (struct jesc){ other->entry.key };
}

static void
add_call(struct pairing *p, size_t turn, struct llm_part *part)
{
	struct id *const id = id_of(p, clean_id(p, part->id).s);
	struct call *const c = &p->calls[p->ncalls++];

	*c = (struct call){ .id = unique_id(p, id), .turn = turn };
	if (id->latest == NULL || id->latest->turn != turn) {
		id->latest = c;
		id->unanswered = c;
		id->answered = NULL;
	} else {
		id->last->next_same = c;
	}
	id->last = c;
	p->turns[turn].ncalls++;
	if (!span_eq(c->id.s, part->id.s))
		llm_repaired(p->r, REPAIR_TOOL_ID);
	part->id = c->id;
}

/* The call that a result of this id in this turn is for; NULL if none. */
static struct call *
call_of(const struct id *id, size_t turn)
{
	if (id->unanswered != NULL)
		return id->unanswered;
	if (id->answered != NULL && id->answered->last->turn == turn)
		return id->answered;
	return NULL;
}

static void
answer(struct pairing *p, struct id *id, struct result *res)
{
	struct call *const c = res->call;
	struct turn *const t = &p->turns[c->turn];

	res->part->id = c->id;
	if (c->first != NULL) {
		c->last->next = res;
		c->last = res;
		return;
	}
	c->first = res;
	c->last = res;
	id->unanswered = c->next_same;
	id->answered = c;
	if (t->answered == NULL)
		t->answered = c;
	else
		t->last_answered->next_answered = c;
	t->last_answered = c;
	t->nanswered++;
}

static void
add_result(struct pairing *p, size_t turn, struct llm_part *part)
{
	struct id *const id = (struct id *)(void *)idmap_find(
		&p->ids, clean_id(p, part->id).s);
	struct result *const res = &p->results[p->nresults++];

	*res = (struct result){ .part = part, .turn = turn };
	if (id != NULL)
		res->call = call_of(id, turn);
	if (res->call != NULL)
		answer(p, id, res);
}

static void
pair_turn(struct pairing *p, size_t at)
{
	const struct llm_turn *const t = &p->r->turns.v[at];

	p->turns[at].first_call = p->ncalls;
	for (size_t i = 0; i < t->parts.n; i++) {
		struct llm_part *const part = &t->parts.v[i];

		if (part->kind == LLM_PART_CALL)
			add_call(p, at, part);
		else if (part->kind == LLM_PART_RESULT)
			add_result(p, at, part);
	}
}

/* Append what the text parts say to out, one a line. */
static void
put_texts(const struct llm_parts *parts, struct buf *out)
{
	bool is_first = true;

	for (size_t i = 0; i < parts->n; i++) {
		if (parts->v[i].kind != LLM_PART_TEXT)
			continue;
		if (!is_first)
			buf_puts(out, "\\n");
		buf_put(out, parts->v[i].text.s);
		is_first = false;
	}
}

/* Room that put_texts needs. */
static size_t
texts_room(const struct llm_parts *parts)
{
	size_t n = 0;

	for (size_t i = 0; i < parts->n; i++)
		n += parts->v[i].text.s.n + 2;
	return n;
}

static void
add_images(
	struct llm_req *r, struct llm_parts *to, const struct llm_parts *from)
{
	for (size_t i = 0; i < from->n; i++) {
		if (from->v[i].kind == LLM_PART_IMAGE)
			*llm_add_part(r, to, LLM_PART_IMAGE) = from->v[i];
	}
}

/* A result that answers nothing, as text. */
static void
add_orphan(struct llm_req *r, struct llm_parts *to, const struct llm_part *res)
{
	const size_t room = sizeof("[tool result ]\\n") + res->id.s.n +
		texts_room(&res->parts);
	struct llm_part *text;
	struct buf out;

	buf_init(&out, room);
	out.data = arena_alloc(r->arena, room);
	out.cap = room;
	buf_puts(&out, "[tool result ");
	buf_put(&out, res->id.s);
	buf_puts(&out, "]\\n");
	put_texts(&res->parts, &out);
	text = llm_add_part(r, to, LLM_PART_TEXT);
	text->text = (struct jesc){ buf_span(&out) };
	text->cache_control = res->cache_control;
	add_images(r, to, &res->parts);
	llm_repaired(r, REPAIR_ORPHAN);
}

/* All results of one call as one. */
static void
join_results(struct llm_req *r, struct llm_part *to, const struct call *c)
{
	struct llm_parts joined = { 0 };
	size_t room = 0;
	struct buf out;
	bool is_first = true;

	for (const struct result *res = c->first; res != NULL; res = res->next)
		room += texts_room(&res->part->parts) + 2;
	buf_init(&out, room);
	out.data = arena_alloc(r->arena, room);
	out.cap = room;
	for (const struct result *res = c->first; res != NULL;
		res = res->next) {
		if (!is_first)
			buf_puts(&out, "\\n");
		put_texts(&res->part->parts, &out);
		is_first = false;
		to->is_error = to->is_error || res->part->is_error;
		to->is_flat = to->is_flat && res->part->is_flat;
	}
	GP_ASSERT(!out.bad);
	llm_add_text(r, &joined, (struct jesc){ buf_span(&out) });
	for (const struct result *res = c->first; res != NULL; res = res->next)
		add_images(r, &joined, &res->part->parts);
	to->parts = joined;
	llm_repaired(r, REPAIR_DUPLICATE);
}

static void
add_missing(struct llm_req *r, struct llm_parts *to, const struct call *c)
{
	struct llm_part *const part = llm_add_part(r, to, LLM_PART_RESULT);

	part->id = c->id;
	part->is_error = true;
	part->is_flat = true;
	llm_add_text(r, &part->parts, JESC(MISSING_TEXT));
	llm_repaired(r, REPAIR_MISSING);
}

/* The results of all calls of a turn, for the user turn at position `at`. */
static void
add_answers(struct pairing *p, const struct turn *asked, size_t at,
	struct llm_parts *to)
{
	for (const struct call *c = asked->answered; c != NULL;
		c = c->next_answered) {
		struct llm_part *const part =
			llm_add_part(p->r, to, LLM_PART_RESULT);

		*part = *c->first->part;
		if (c->first->next != NULL)
			join_results(p->r, part, c);
		if (c->first->turn != at)
			llm_repaired(p->r, REPAIR_MOVED);
	}
	for (size_t i = 0; i < asked->ncalls; i++) {
		const struct call *const c = &p->calls[asked->first_call + i];

		if (c->first == NULL)
			add_missing(p->r, to, c);
	}
}

/* True if the results that belong into the user turn at position `at`, and no
 * others, come first in it. res: the first one of the turn. */
static bool
is_in_order(const struct llm_parts *parts, size_t at, const struct turn *asked,
	const struct result *res)
{
	const size_t n = asked == NULL ? 0 : asked->ncalls;

	if (parts->n < n || (asked != NULL && asked->nanswered != n))
		return false;
	for (size_t i = 0; i < parts->n; i++) {
		const bool is_result = parts->v[i].kind == LLM_PART_RESULT;

		if (is_result != (i < n))
			return false;
		if (is_result &&
			(res[i].call == NULL || res[i].call->turn + 1 != at ||
				res[i].call->first->next != NULL))
			return false;
	}
	return true;
}

/* What a user turn holds beside results that have a call. */
static void
add_rest(struct llm_req *r, struct llm_parts *to, const struct llm_parts *from,
	const struct result *res)
{
	for (size_t i = 0; i < from->n; i++) {
		const struct llm_part *const part = &from->v[i];

		if (part->kind != LLM_PART_RESULT)
			*llm_add_part(r, to, part->kind) = *part;
		else if ((res++)->call == NULL)
			add_orphan(r, to, part);
	}
}

/* The new list of turns. */
struct turns {
	struct llm_turn *v;
	size_t n, cap;
};

static bool
is_behind_user(const struct turns *out)
{
	size_t i = out->n;

	while (i > 0 && out->v[i - 1].role == LLM_SYSTEM)
		i--;
	return i > 0 && out->v[i - 1].role == LLM_USER;
}

static void
write_user(struct pairing *p, size_t at, const struct result *res,
	struct turns *out)
{
	struct llm_turn t = p->r->turns.v[at];
	const struct llm_parts old = t.parts;
	const struct turn *asked = NULL;

	if (at > 0 && p->turns[at - 1].ncalls > 0)
		asked = &p->turns[at - 1];
	if (!is_in_order(&old, at, asked, res)) {
		t.parts = (struct llm_parts){ 0 };
		if (asked != NULL)
			add_answers(p, asked, at, &t.parts);
		add_rest(p->r, &t.parts, &old, res);
		/* All of it went to another turn. */
		if (old.n > 0 && t.parts.n == 0 && is_behind_user(out))
			return;
	}
	*VEC_PUSH(p->r->arena, out) = t;
}

static void
write_other(struct pairing *p, size_t at, struct turns *out)
{
	const struct llm_turn *const old = p->r->turns.v;
	struct llm_turn answers = { .role = LLM_USER,
		.source = old[at].source };

	*VEC_PUSH(p->r->arena, out) = old[at];
	if (p->turns[at].ncalls == 0 ||
		(at + 1 < p->r->turns.n && old[at + 1].role == LLM_USER))
		return;
	add_answers(p, &p->turns[at], at, &answers.parts);
	*VEC_PUSH(p->r->arena, out) = answers;
}

static void
write_turns(struct pairing *p)
{
	struct llm_req *const r = p->r;
	struct turns out = { 0 };
	size_t done = 0;

	for (size_t at = 0; at < r->turns.n; at++) {
		if (r->turns.v[at].role != LLM_USER) {
			write_other(p, at, &out);
			continue;
		}
		write_user(p, at, p->results + done, &out);
		while (done < p->nresults && p->results[done].turn == at)
			done++;
	}
	r->turns.v = out.v;
	r->turns.n = out.n;
	r->turns.cap = out.cap;
}

void
llm_repair_results(struct llm_req *r)
{
	const size_t ncalls = count_parts(r, LLM_PART_CALL);
	const size_t nresults = count_parts(r, LLM_PART_RESULT);
	struct pairing p = { .r = r };

	if (ncalls == 0 && nresults == 0)
		return;
	p.calls = arena_array(r->arena, ncalls, sizeof(*p.calls));
	p.results = arena_array(r->arena, nresults, sizeof(*p.results));
	p.turns = arena_array(r->arena, r->turns.n, sizeof(*p.turns));
	for (size_t at = 0; at < r->turns.n; at++)
		pair_turn(&p, at);
	write_turns(&p);
}
