/* SPDX-License-Identifier: MIT */
/* llm_filter_fence.c - takes one code fence off an answer that is to be JSON:
 * models that were told to answer nothing but JSON like to wrap it. */
#include "shared/translate/llm_filter.h"
#include "shared/translate/llm_hold.h"
#include "shared/translate/llm_unit.h"

#define FENCE    SPAN("```")
#define LANG_MAX 16 /* letters of the language behind the opening fence */
/* Held back while inside: the closing fence with blanks on both sides. */
#define TAIL 32

enum fence_phase {
	FENCE_HEAD, /* it is not clear yet whether there is one */
	FENCE_INSIDE,
	FENCE_NONE,
};

struct fence {
	struct llm_sink sink;
	struct llm_sink *next;
	struct arena *arena;
	struct notices *notices;
	struct hold hold;
	enum fence_phase phase;
};

static enum gp_code
fence_emit(struct fence *f, const struct llm_event *e, size_t n,
	struct gp_error *err)
{
	struct llm_event out = *e;
	enum gp_code rc = GP_OK;

	if (n > 0) {
		out.kind = LLM_DELTA;
		out.text = (struct jesc){ span_head(hold_span(&f->hold), n) };
		rc = llm_put(f->next, &out, err);
		hold_consume(&f->hold, n);
	}
	return rc;
}

/* Length of a blank at the front of s (escaped or not), 0 if there is none. */
static size_t
blank_len(struct span s)
{
	if (s.n > 0 && s.p[0] == ' ')
		return 1;
	if (s.n >= UNIT_SHORT && s.p[0] == '\\' &&
		(s.p[1] == 'n' || s.p[1] == 'r' || s.p[1] == 't'))
		return UNIT_SHORT;
	return 0;
}

static bool
is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		(c >= '0' && c <= '9');
}

/* Decide on the beginning of the text: FENCE_HEAD if more is needed, else
 * *len is what to drop. */
static enum fence_phase
look_at_head(struct span s, size_t *len)
{
	size_t at = 0, n, letters = 0;
	struct span rest;

	*len = 0;
	while ((n = blank_len(span_from(s, at))) > 0)
		at += n;
	rest = span_from(s, at);
	if (rest.n < FENCE.n)
		return span_starts(FENCE, rest) || span_eq(rest, SPAN("\\")) ?
			FENCE_HEAD :
			FENCE_NONE;
	if (!span_starts(rest, FENCE))
		return FENCE_NONE;
	at += FENCE.n;
	while (at < s.n && is_letter(s.p[at]) && letters++ < LANG_MAX)
		at++;
	rest = span_from(s, at);
	if (rest.n < UNIT_SHORT)
		return rest.n == 0 || rest.p[0] == '\\' ? FENCE_HEAD :
							  FENCE_NONE;
	if (!span_starts(rest, SPAN("\\n")))
		return FENCE_NONE;
	*len = at + UNIT_SHORT;
	return FENCE_INSIDE;
}

/* How much of s may go, so that at least TAIL bytes stay and no escape or
 * character is cut. */
static size_t
safe_len(struct span s)
{
	size_t at = 0, last = 0;

	while (at + TAIL <= s.n) {
		last = at;
		if (s.p[at] == '\\')
			at += unit_escape_len(span_from(s, at));
		else
			at++;
		while (at < s.n && ((uint8_t)s.p[at] & 0xc0) == 0x80)
			at++;
	}
	return last;
}

/* s without the closing fence; s itself if there is none. */
static size_t
without_fence(struct span s)
{
	size_t end = 0, at = 0, n;

	/* The fence must be the last thing but for blanks. */
	for (at = 0; at<s.n; at += n> 0 ? n : 1) {
		n = blank_len(span_from(s, at));
		if (n == 0)
			end = at + 1;
	}
	if (!span_ends(span_head(s, end), FENCE))
		return s.n;
	end -= FENCE.n;
	if (span_ends(span_head(s, end), SPAN("\\n")))
		end -= UNIT_SHORT;
	return end;
}

static enum gp_code
fence_delta(struct fence *f, const struct llm_event *e, struct gp_error *err)
{
	enum gp_code rc;
	size_t len;

	if (f->phase == FENCE_NONE)
		return llm_put(f->next, e, err);
	rc = hold_put(&f->hold, e->text.s, err);
	if (rc != GP_OK)
		return rc;
	if (f->phase == FENCE_HEAD) {
		f->phase = look_at_head(hold_span(&f->hold), &len);
		if (f->phase == FENCE_NONE)
			return fence_emit(f, e, hold_span(&f->hold).n, err);
		if (f->phase == FENCE_INSIDE) {
			hold_consume(&f->hold, len);
			notice_add(f->notices, "stripped", SPAN("code_fence"));
		}
	}
	return f->phase == FENCE_INSIDE ?
		fence_emit(f, e, safe_len(hold_span(&f->hold)), err) :
		GP_OK;
}

static enum gp_code
fence_close(struct fence *f, const struct llm_event *e, struct gp_error *err)
{
	struct span rest = hold_span(&f->hold);
	enum gp_code rc = fence_emit(f, e,
		f->phase == FENCE_INSIDE ? without_fence(rest) : rest.n, err);

	hold_consume(&f->hold, hold_span(&f->hold).n);
	return rc == GP_OK ? llm_put(f->next, e, err) : rc;
}

static enum gp_code
fence_put(
	struct llm_sink *sink, const struct llm_event *e, struct gp_error *err)
{
	struct fence *f = CONTAINER_OF(sink, struct fence, sink);

	if (e->block != LLM_TEXT)
		return llm_put(f->next, e, err);
	if (e->kind == LLM_OPEN)
		f->phase = FENCE_HEAD;
	if (e->kind == LLM_DELTA)
		return fence_delta(f, e, err);
	if (e->kind == LLM_CLOSE)
		return fence_close(f, e, err);
	return llm_put(f->next, e, err);
}

struct llm_sink *
llm_filter_fence(struct arena *a, struct notices *n, struct llm_sink *next)
{
	struct fence *f = arena_alloc(a, sizeof(*f));

	f->sink.put = fence_put;
	f->next = next;
	f->arena = a;
	f->notices = n;
	f->hold.arena = a;
	return &f->sink;
}
