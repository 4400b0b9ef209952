/* SPDX-License-Identifier: MIT */
/* llm_filter_join.c - no half characters: joins surrogate pairs that were cut
 * apart, replaces halves that have no partner. */
#include "shared/translate/llm_filter.h"
#include "shared/translate/llm_unit.h"

struct join {
	struct llm_sink sink;
	struct llm_sink *next;
	bool has_high;        /* waits for its low half */
	char pair[UNIT_PAIR]; /* the high half, as it was written */
};

static enum gp_code
put_text(struct join *f, const struct llm_event *e, struct span text,
	struct gp_error *err)
{
	struct llm_event out = *e;

	if (text.n == 0)
		return GP_OK;
	out.kind = LLM_DELTA;
	out.text = (struct jesc){ text };
	return llm_put(f->next, &out, err);
}

/* U+FFFD for a half without a partner. */
static enum gp_code
put_replacement(struct join *f, const struct llm_event *e, struct gp_error *err)
{
	return put_text(f, e, SPAN("\xef\xbf\xbd"), err);
}

/* Offset of the first half without a partner inside of text, or its length. */
static size_t
find_half(struct span text)
{
	size_t at = 0;

	for (;;) {
		struct span rest = span_from(text, at);
		const size_t plain = span_find_char(rest, '\\');
		size_t len;

		at += plain;
		if (at == text.n)
			return at;
		rest = span_from(rest, plain);
		len = unit_escape_len(rest);
		if (len == UNIT_ONE && unit_half(rest) != UNIT_NO_HALF)
			return at;
		at += len;
	}
}

/* A half was waiting and this is the text behind it. */
static enum gp_code
put_waiting(struct join *f, const struct llm_event *e, struct span *text,
	struct gp_error *err)
{
	f->has_high = false;
	if (unit_half(*text) != UNIT_LOW)
		return put_replacement(f, e, err);
	memcpy(f->pair + UNIT_ONE, text->p, UNIT_ONE);
	*text = span_from(*text, UNIT_ONE);
	return put_text(f, e, (struct span){ f->pair, UNIT_PAIR }, err);
}

static enum gp_code
put_delta(struct join *f, const struct llm_event *e, struct gp_error *err)
{
	struct span text = e->text.s;
	enum gp_code rc = GP_OK;

	if (f->has_high && text.n > 0)
		rc = put_waiting(f, e, &text, err);
	while (rc == GP_OK && text.n > 0) {
		const size_t whole = find_half(text);

		rc = put_text(f, e, span_head(text, whole), err);
		text = span_from(text, whole);
		if (rc != GP_OK || text.n == 0)
			break;
		if (text.n == UNIT_ONE && unit_half(text) == UNIT_HIGH) {
			memcpy(f->pair, text.p, UNIT_ONE);
			f->has_high = true;
			break;
		}
		text = span_from(text, UNIT_ONE);
		rc = put_replacement(f, e, err);
	}
	return rc;
}

static enum gp_code
join_put(struct llm_sink *s, const struct llm_event *e, struct gp_error *err)
{
	struct join *const f = CONTAINER_OF(s, struct join, sink);
	enum gp_code rc;

	if (e->kind == LLM_DELTA)
		return put_delta(f, e, err);
	if (e->kind == LLM_CLOSE && f->has_high) {
		f->has_high = false;
		rc = put_replacement(f, e, err);
		if (rc != GP_OK)
			return rc;
	}
	return llm_put(f->next, e, err);
}

struct llm_sink *
llm_filter_join(struct arena *a, struct llm_sink *next)
{
	struct join *const f = arena_alloc(a, sizeof(*f));

	*f = (struct join){ .sink = { join_put }, .next = next };
	return &f->sink;
}
