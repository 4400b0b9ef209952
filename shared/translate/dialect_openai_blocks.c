/* SPDX-License-Identifier: MIT */
/* dialect_openai_blocks.c - an answer's blocks, one after the other. */
#include "shared/base/check.h"
#include "shared/translate/dialect_openai.h"
#include "shared/translate/llm_filter.h"

#define QUEUE_MAX 4096 /* blocks that wait */

void
openai_text_add(struct arena *a, struct openai_text *t, struct span s)
{
	if (s.n == 0)
		return;
	if (s.n > t->cap - t->n) {
		const size_t cap = MAX(2 * t->cap, t->n + s.n);
		char *const p = arena_alloc(a, cap);

		if (t->n > 0)
			memcpy(p, t->p, t->n);
		t->p = p;
		t->cap = cap;
	}
	memcpy(t->p + t->n, s.p, s.n);
	t->n += s.n;
}

/* --- the end of a JSON value ---------------------------------------------- */

/* The character at the front of *s, which is dropped from there. Only quotes,
 * backslashes and brackets matter: other escapes may become anything else. */
static char
next_char(struct span *s)
{
	static const struct {
		struct span digits;
		char c;
	} escapes[] = {
		{ SPAN_INIT("0022"), '"' },
		{ SPAN_INIT("005c"), '\\' },
		{ SPAN_INIT("005b"), '[' },
		{ SPAN_INIT("005d"), ']' },
		{ SPAN_INIT("007b"), '{' },
		{ SPAN_INIT("007d"), '}' },
	};
	struct span digits;
	char c = s->p[0];

	*s = span_from(*s, 1);
	if (c != '\\')
		return c;
	c = s->n > 0 ? s->p[0] : '\\';
	*s = span_from(*s, 1);
	if (c == '"' || c == '\\')
		return c;
	if (c != 'u')
		return ' ';
	digits = span_head(*s, 4);
	*s = span_from(*s, 4);
	for (size_t i = 0; i < ARRAY_LEN(escapes); i++) {
		if (span_ieq(digits, escapes[i].digits))
			return escapes[i].c;
	}
	return ' ';
}

static void
scan_char(struct openai_scan *s, char c)
{
	if (s->in_string) {
		if (s->is_escaped)
			s->is_escaped = false;
		else if (c == '\\')
			s->is_escaped = true;
		else if (c == '"')
			s->in_string = false;
		return;
	}
	if (c == '"') {
		s->in_string = true;
	} else if (c == '{' || c == '[') {
		s->depth++;
	} else if ((c == '}' || c == ']') && s->depth > 0) {
		s->depth--;
		s->is_complete = s->depth == 0;
	}
}

size_t
openai_scan_feed(struct openai_scan *s, struct jesc piece)
{
	struct span rest = piece.s;

	while (rest.n > 0 && !s->is_complete)
		scan_char(s, next_char(&rest));
	return piece.s.n - rest.n;
}

/* --- sending -------------------------------------------------------------- */

/* No block is open and none waits. */
static bool
is_idle(const struct openai_blocks *b)
{
	return b->head == b->queue.n;
}

static struct openai_segment *
current(struct openai_blocks *b)
{
	GP_ASSERT(!is_idle(b));
	return &b->queue.v[b->head];
}

static bool
is_last(const struct openai_blocks *b)
{
	return b->head + 1 == b->queue.n;
}

static enum gp_code
send_delta(struct openai_blocks *b, enum llm_block block, struct jesc text,
	struct gp_error *err)
{
	struct llm_event e = openai_event(LLM_DELTA);

	e.block = block;
	e.text = text;
	return jesc_is_empty(text) ? GP_OK : llm_put(b->to, &e, err);
}

static enum gp_code
send_held(struct openai_blocks *b, enum llm_block block,
	struct openai_text *held, struct gp_error *err)
{
	const enum gp_code rc =
		send_delta(b, block, openai_text_jesc(held), err);

	b->held_bytes -= held->n;
	*held = (struct openai_text){ 0 };
	return rc;
}

static enum gp_code
hold(struct openai_blocks *b, struct openai_text *held, struct jesc text,
	struct gp_error *err)
{
	if (text.s.n > LLM_HOLD_MAX - b->held_bytes)
		return gp_fail(err, GP_E_LIMIT,
			"the upstream's answer needs more than %u bytes to be "
			"put in order",
			LLM_HOLD_MAX);
	b->held_bytes += text.s.n;
	openai_text_add(b->arena, held, text.s);
	return GP_OK;
}

static enum gp_code
send_open(struct openai_blocks *b, struct gp_error *err)
{
	struct openai_segment *const s = current(b);
	struct llm_event e = openai_event(LLM_OPEN);
	struct openai_text *held = &s->held;
	enum gp_code rc;

	e.block = s->block;
	if (s->block == LLM_TOOL) {
		struct openai_call *const c = &b->calls.v[s->call];

		e.id = c->id;
		e.name = c->name;
		held = &c->held;
		c->is_open = true;
	}
	b->is_open = true;
	rc = llm_put(b->to, &e, err);
	if (rc != GP_OK)
		return rc;
	return send_held(b, s->block, held, err);
}

/* Open the current block when enough of it is known. A call's id usually comes
 * with its name; where it does not, the first argument is waited for. */
static enum gp_code
open_if_ready(struct openai_blocks *b, struct gp_error *err)
{
	const struct openai_segment *s;
	const struct openai_call *c;

	if (is_idle(b) || b->is_open)
		return GP_OK;
	s = current(b);
	if (s->block == LLM_TOOL) {
		c = &b->calls.v[s->call];
		if (jesc_is_empty(c->name))
			return GP_OK;
		if (jesc_is_empty(c->id) && !c->keeps_no_id && c->held.n == 0)
			return GP_OK;
	}
	return send_open(b, err);
}

static void
drop_current(struct openai_blocks *b)
{
	b->is_open = false;
	b->head++;
	if (b->head == b->queue.n) {
		b->head = 0;
		b->queue.n = 0;
	}
}

/* The current block is over. */
static enum gp_code
close_current(struct openai_blocks *b, struct gp_error *err)
{
	const struct openai_segment *const s = current(b);
	struct llm_event e = openai_event(LLM_CLOSE);
	enum gp_code rc = GP_OK;

	e.block = s->block;
	if (s->block == LLM_TOOL) {
		struct openai_call *const c = &b->calls.v[s->call];

		c->is_closed = true;
		if (jesc_is_empty(c->name)) {
			/* Nobody could run it. */
			notice_add(b->notices, "dropped", SPAN("tool_call"));
			b->held_bytes -= c->held.n;
			drop_current(b);
			return GP_OK;
		}
	}
	if (!b->is_open)
		rc = send_open(b, err);
	if (rc == GP_OK)
		rc = llm_put(b->to, &e, err);
	drop_current(b);
	return rc;
}

/* Text ends when something else begins; a name may come after everything. */
static bool
is_finished(const struct openai_blocks *b, const struct openai_segment *s)
{
	const struct openai_call *c;

	if (s->block != LLM_TOOL)
		return true;
	c = &b->calls.v[s->call];
	return c->scan.is_complete && !jesc_is_empty(c->name);
}

/* Finish what can be finished since something waits behind it. */
static enum gp_code
advance(struct openai_blocks *b, struct gp_error *err)
{
	enum gp_code rc = GP_OK;

	while (rc == GP_OK && !is_idle(b) && !is_last(b) &&
		is_finished(b, current(b)))
		rc = close_current(b, err);
	if (rc == GP_OK)
		rc = open_if_ready(b, err);
	return rc;
}

/* Forget the blocks that are over. */
static void
compact(struct openai_blocks *b)
{
	if (b->head == 0)
		return;
	b->queue.n -= b->head;
	memmove(b->queue.v, b->queue.v + b->head,
		b->queue.n * sizeof(*b->queue.v));
	b->head = 0;
}

/* A place for a new block: at the end, calls in the order of their numbers. */
static enum gp_code
add_segment(struct openai_blocks *b, enum llm_block block, size_t call,
	struct gp_error *err)
{
	size_t at;
	enum gp_code rc = GP_OK;

	/* The usual case: nothing waits, and the queue stays short. */
	if (!is_idle(b) && is_last(b) && is_finished(b, current(b)))
		rc = close_current(b, err);
	if (rc != GP_OK)
		return rc;
	compact(b);
	if (b->queue.n == QUEUE_MAX)
		return gp_fail(err, GP_E_LIMIT,
			"the upstream's answer has more than %d blocks out of "
			"order",
			QUEUE_MAX);
	(void)VEC_PUSH(b->arena, &b->queue);
	at = b->queue.n - 1;
	while (block == LLM_TOOL && at > 1 &&
		b->queue.v[at - 1].block == LLM_TOOL &&
		b->calls.v[b->queue.v[at - 1].call].index >
			b->calls.v[call].index) {
		b->queue.v[at] = b->queue.v[at - 1];
		at--;
	}
	b->queue.v[at] =
		(struct openai_segment){ .block = block, .call = call };
	return GP_OK;
}

/* --- text ----------------------------------------------------------------- */

enum gp_code
openai_blocks_text(struct openai_blocks *b, enum llm_block block,
	struct jesc text, struct gp_error *err)
{
	enum gp_code rc = GP_OK;

	if (b->queue.n == 0 || b->queue.v[b->queue.n - 1].block != block)
		rc = add_segment(b, block, 0, err);
	if (rc != GP_OK)
		return rc;
	if (!is_last(b))
		return hold(b, &b->queue.v[b->queue.n - 1].held, text, err);
	rc = open_if_ready(b, err);
	return rc == GP_OK ? send_delta(b, block, text, err) : rc;
}

/* --- calls ---------------------------------------------------------------- */

#define NOT_FOUND SIZE_MAX

/* The newest call with that number; without one, that id; without one, the
 * newest of all. */
static size_t
find_call(const struct openai_blocks *b, const struct openai_piece *piece)
{
	for (size_t i = b->calls.n; i-- > 0;) {
		const struct openai_call *const c = &b->calls.v[i];

		if (piece->index != OPENAI_NO_INDEX) {
			if (c->index == piece->index)
				return i;
		} else if (jesc_is_empty(piece->id) ||
			jesc_cmp(c->id, piece->id) == 0) {
			return i;
		}
	}
	return NOT_FOUND;
}

/* Some servers give all calls the same number, or none. */
static bool
begins_another(const struct openai_call *c, const struct openai_piece *piece)
{
	const bool has_ids = !jesc_is_empty(c->id) && !jesc_is_empty(piece->id);

	if (piece->is_whole)
		return true;
	if (has_ids && jesc_cmp(c->id, piece->id) == 0)
		return false;
	if (has_ids && (c->scan.is_complete || !jesc_is_empty(piece->name)))
		return true;
	return c->scan.is_complete && !jesc_is_empty(c->name) &&
		!jesc_is_empty(piece->name) &&
		(jesc_cmp(c->name, piece->name) != 0 ||
			!jesc_is_blank(piece->arguments));
}

static bool
is_taken(const struct openai_blocks *b, struct jesc id)
{
	for (size_t i = 0; i < b->calls.n; i++) {
		if (jesc_cmp(b->calls.v[i].id, id) == 0)
			return true;
	}
	return false;
}

/* Frames go, calls stay. */
static struct jesc
keep(struct openai_blocks *b, struct jesc e)
{
	return (struct jesc){ arena_dup(b->arena, e.s) };
}

static void
learn_names(struct openai_blocks *b, struct openai_call *c,
	const struct openai_piece *piece)
{
	if (c->is_open || c->is_closed)
		return;
	if (jesc_is_empty(c->name) && !jesc_is_empty(piece->name))
		c->name = keep(b, piece->name);
	if (!jesc_is_empty(c->id) || jesc_is_empty(piece->id) || c->keeps_no_id)
		return;
	if (is_taken(b, piece->id))
		c->keeps_no_id = true;
	else
		c->id = keep(b, piece->id);
}

static enum gp_code
add_call(struct openai_blocks *b, const struct openai_piece *piece, size_t *at,
	struct gp_error *err)
{
	struct openai_call *c;

	if (b->calls.n == OPENAI_CALLS_MAX)
		return gp_fail(err, GP_E_LIMIT,
			"the upstream's answer has more than %d tool calls",
			OPENAI_CALLS_MAX);
	*at = b->calls.n;
	c = VEC_PUSH(b->arena, &b->calls);
	*c = (struct openai_call){
		.index = piece->index, .id = JESC_EMPTY, .name = JESC_EMPTY
	};
	return add_segment(b, LLM_TOOL, *at, err);
}

/* Text behind the end of the arguments cannot be part of them. */
static struct jesc
cut_arguments(struct openai_blocks *b, struct openai_call *c, struct jesc text)
{
	const size_t n = c->is_closed ? 0 : openai_scan_feed(&c->scan, text);
	const struct jesc rest = { span_from(text.s, n) };

	if (!jesc_is_blank(rest))
		notice_add(b->notices, "dropped", SPAN("tool_arguments"));
	return (struct jesc){ span_head(text.s, n) };
}

static bool
says_nothing(const struct openai_piece *piece)
{
	return jesc_is_empty(piece->id) && jesc_is_empty(piece->name) &&
		jesc_is_empty(piece->arguments);
}

enum gp_code
openai_blocks_call(struct openai_blocks *b, const struct openai_piece *piece,
	struct gp_error *err)
{
	size_t at = find_call(b, piece);
	struct openai_call *c;
	struct jesc text;
	enum gp_code rc = GP_OK;

	if (says_nothing(piece))
		return GP_OK;
	if (at == NOT_FOUND || begins_another(&b->calls.v[at], piece))
		rc = add_call(b, piece, &at, err);
	if (rc != GP_OK)
		return rc;
	c = &b->calls.v[at];
	learn_names(b, c, piece);
	text = cut_arguments(b, c, piece->arguments);
	if (piece->is_whole)
		c->scan.is_complete = true;
	if (c->is_open && !c->is_closed)
		rc = send_delta(b, LLM_TOOL, text, err);
	else if (!c->is_closed)
		rc = hold(b, &c->held, text, err);
	return rc == GP_OK ? advance(b, err) : rc;
}

enum gp_code
openai_blocks_end(struct openai_blocks *b, struct gp_error *err)
{
	enum gp_code rc = GP_OK;

	while (rc == GP_OK && !is_idle(b))
		rc = close_current(b, err);
	return rc;
}
