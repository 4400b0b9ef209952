/* SPDX-License-Identifier: MIT */
/* llm_filter_box.c - takes the marks of models that write them into their text
 * out of it: a section of thinking in front, boxes around results. */
#include "shared/translate/llm_hold.h"
#include "shared/translate/llm_mark.h"

#define BLANKS_MAX 64 /* bytes in front of a section of thinking */

enum box_phase {
	BOX_HEAD,  /* does the text begin with thinking? */
	BOX_THINK, /* inside of it */
	BOX_GAP,   /* the blanks behind it */
	BOX_TEXT,
};

struct box {
	struct llm_sink sink;
	struct llm_sink *next;
	struct hold held; /* in front of what may become a mark, and that */
	enum box_phase phase;
	bool was_text; /* only the first text begins with thinking */
	bool is_open;  /* OPEN was sent for a block of this kind: */
	enum llm_block block;
};

static const struct span think_begin[] = { SPAN_INIT("<think>") };
static const struct span think_end[] = { SPAN_INIT("</think>") };
static const struct span boxes[] = { SPAN_INIT("<|begin_of_box|>"),
	SPAN_INIT("<|end_of_box|>") };

static enum gp_code
open_block(struct box *f, enum llm_block block, struct gp_error *err)
{
	const struct llm_event e = llm_event_of(LLM_OPEN, block);

	if (f->is_open)
		return GP_OK;
	f->is_open = true;
	f->block = block;
	return llm_put(f->next, &e, err);
}

static enum gp_code
close_block(struct box *f, struct gp_error *err)
{
	const struct llm_event e = llm_event_of(LLM_CLOSE, f->block);

	f->is_open = false;
	return llm_put(f->next, &e, err);
}

static enum gp_code
put_text(struct box *f, struct span text, struct gp_error *err)
{
	struct llm_event e = llm_event_of(LLM_DELTA, f->block);

	e.text = (struct jesc){ text };
	return text.n == 0 ? GP_OK : llm_put(f->next, &e, err);
}

/*
 * Each step takes bytes from the front of *s and may change the phase. One that
 * takes nothing and stays in its phase waits for more.
 */
static enum gp_code
step_head(struct box *f, struct span *s, struct gp_error *err)
{
	const size_t blanks = mark_blanks(*s);
	const struct mark_found m =
		mark_match(span_from(*s, blanks), think_begin, 1);
	/* Blanks alone may go on. */
	const bool is_mark = blanks <= BLANKS_MAX && m.at == 0;

	if (is_mark && m.len == 0)
		return GP_OK;
	f->phase = is_mark ? BOX_THINK : BOX_TEXT;
	if (is_mark)
		*s = span_from(*s, blanks + m.len);
	return open_block(f, is_mark ? LLM_THINK : LLM_TEXT, err);
}

static enum gp_code
step_marks(struct box *f, struct span *s, struct gp_error *err)
{
	const bool is_text = f->phase == BOX_TEXT;
	const struct mark_found m = is_text ?
		mark_find(*s, boxes, ARRAY_LEN(boxes)) :
		mark_find(*s, think_end, ARRAY_LEN(think_end));
	const enum gp_code rc = put_text(f, span_head(*s, m.at), err);

	*s = span_from(*s, m.at + m.len);
	if (rc != GP_OK || m.len == 0 || is_text)
		return rc;
	f->phase = BOX_GAP;
	return close_block(f, err);
}

static enum gp_code
step_gap(struct box *f, struct span *s, struct gp_error *err)
{
	*s = span_from(*s, mark_blanks(*s));
	if (s->n == 0)
		return GP_OK;
	f->phase = BOX_TEXT;
	return open_block(f, LLM_TEXT, err);
}

static enum gp_code
step(struct box *f, struct span *s, struct gp_error *err)
{
	switch (f->phase) {
	case BOX_HEAD:
		return step_head(f, s, err);
	case BOX_GAP:
		return step_gap(f, s, err);
	case BOX_THINK:
	case BOX_TEXT:
		break;
	}
	return step_marks(f, s, err);
}

static enum gp_code
put_delta(struct box *f, struct span text, struct gp_error *err)
{
	const bool was_holding = hold_span(&f->held).n > 0;
	enum gp_code rc = GP_OK;
	enum box_phase phase;
	struct span s = text;
	size_t n;

	if (was_holding) {
		rc = hold_put(&f->held, text, err);
		s = hold_span(&f->held);
	}
	do {
		phase = f->phase;
		n = s.n;
		if (rc == GP_OK && n > 0)
			rc = step(f, &s, err);
	} while (rc == GP_OK && (s.n < n || f->phase != phase));
	if (rc != GP_OK)
		return rc;
	if (!was_holding)
		return hold_put(&f->held, s, err);
	hold_consume(&f->held, hold_span(&f->held).n - s.n);
	return GP_OK;
}

/* What was held is no mark. */
static enum gp_code
put_close(struct box *f, struct gp_error *err)
{
	const struct span held = hold_span(&f->held);
	enum gp_code rc = GP_OK;

	if (f->phase == BOX_HEAD)
		rc = open_block(f, LLM_TEXT, err);
	if (rc == GP_OK)
		rc = put_text(f, held, err);
	hold_consume(&f->held, held.n);
	return rc == GP_OK && f->is_open ? close_block(f, err) : rc;
}

static enum gp_code
box_put(struct llm_sink *s, const struct llm_event *e, struct gp_error *err)
{
	struct box *const f = CONTAINER_OF(s, struct box, sink);
	const bool is_text = e->block == LLM_TEXT;

	if (is_text && e->kind == LLM_OPEN) {
		f->phase = f->was_text ? BOX_TEXT : BOX_HEAD;
		f->was_text = true;
		return f->phase == BOX_TEXT ? open_block(f, LLM_TEXT, err) :
					      GP_OK;
	}
	if (is_text && e->kind == LLM_DELTA)
		return put_delta(f, e->text.s, err);
	if (is_text && e->kind == LLM_CLOSE)
		return put_close(f, err);
	return llm_put(f->next, e, err);
}

struct llm_sink *
llm_filter_box(struct arena *a, struct llm_sink *next)
{
	struct box *const f = arena_alloc(a, sizeof(*f));

	*f = (struct box){
		.sink = { box_put },
		.next = next,
		.held = { .arena = a },
	};
	return &f->sink;
}
