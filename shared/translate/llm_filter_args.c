/* SPDX-License-Identifier: MIT */
/* llm_filter_args.c - looks whether the arguments of tool calls are JSON
 * objects, as they come. */
#include "shared/json/jscan.h"
#include "shared/translate/llm_hold.h"
#include "shared/translate/llm_unit.h"

#define CHUNK 512 /* bytes that are decoded at once */

struct args {
	struct llm_sink sink;
	struct llm_sink *next;
	struct notices *notices;
	bool holds;
	struct hold held;
	struct jscan scan;
	bool has_begun; /* there was more than blanks */
	bool is_bad;    /* no object, whatever follows */
};

/* Length of the beginning of s that decodes into at most CHUNK bytes, between
 * escapes. s is longer. */
static size_t
chunk_len(struct span s)
{
	size_t at = 0;

	for (;;) {
		const struct span room = span_of(s.p + at, CHUNK - at);
		const size_t plain = span_find_char(room, '\\');

		at += plain;
		if (at + UNIT_PAIR > CHUNK)
			return at;
		at += unit_escape_len(span_from(s, at));
	}
}

static void
scan_bytes(struct args *f, struct span bytes)
{
	if (!f->has_begun) {
		while (bytes.n > 0 && span_is_blank(span_head(bytes, 1)))
			bytes = span_from(bytes, 1);
		if (bytes.n == 0)
			return;
		f->has_begun = true;
		f->is_bad = *bytes.p != '{';
	}
	if (!f->is_bad && jscan_feed(&f->scan, bytes, NULL) != GP_OK)
		f->is_bad = true;
}

/* Halves of a pair that a DELTA ends between are looked at one by one: where
 * one may stand, so may U+FFFD. */
static void
scan_text(struct args *f, struct span text)
{
	while (text.n > 0 && !f->is_bad) {
		const size_t n = text.n > CHUNK ? chunk_len(text) : text.n;
		char bytes[CHUNK];
		struct buf out;

		buf_init(&out, sizeof(bytes));
		out.data = bytes;
		out.cap = sizeof(bytes);
		jtext_unescape((struct jesc){ span_head(text, n) }, &out);
		scan_bytes(f, buf_span(&out));
		text = span_from(text, n);
	}
}

static enum gp_code
put_delta(struct args *f, const struct llm_event *e, struct gp_error *err)
{
	scan_text(f, e->text.s);
	return f->holds ? hold_put(&f->held, e->text.s, err) :
			  llm_put(f->next, e, err);
}

/* Pass on what was held: as it is, or as an object that says it. */
static enum gp_code
release_held(struct args *f, bool is_good, struct gp_error *err)
{
	struct llm_event e = llm_event_of(LLM_DELTA, LLM_TOOL);
	struct llm_args args = { .has_text = true, .value = JRAW_NONE };
	struct arena a;
	enum gp_code rc;

	args.text = (struct jesc){ hold_span(&f->held) };
	if (args.text.s.n == 0)
		return GP_OK;
	/* The request's own arena would grow with every bad call. */
	arena_init(&a);
	e.text = is_good ? args.text :
			   jtext_escape_dup(&a, llm_args_value(&a, &args).s);
	rc = llm_put(f->next, &e, err);
	arena_fini(&a);
	hold_consume(&f->held, args.text.s.n);
	return rc;
}

static enum gp_code
put_close(struct args *f, const struct llm_event *e, struct gp_error *err)
{
	/* Nothing at all is what a call without arguments says. */
	const bool is_good = !f->has_begun ||
		(!f->is_bad && jscan_end(&f->scan, NULL) == GP_OK);
	enum gp_code rc;

	if (!is_good)
		notice_add(f->notices, "invalid", SPAN("tool_arguments"));
	rc = release_held(f, is_good, err);
	return rc == GP_OK ? llm_put(f->next, e, err) : rc;
}

static enum gp_code
args_put(struct llm_sink *s, const struct llm_event *e, struct gp_error *err)
{
	struct args *const f = CONTAINER_OF(s, struct args, sink);

	if (e->block == LLM_TOOL && e->kind == LLM_OPEN) {
		jscan_init(&f->scan);
		f->has_begun = false;
		f->is_bad = false;
	} else if (e->block == LLM_TOOL && e->kind == LLM_DELTA) {
		return put_delta(f, e, err);
	} else if (e->block == LLM_TOOL && e->kind == LLM_CLOSE) {
		return put_close(f, e, err);
	}
	return llm_put(f->next, e, err);
}

struct llm_sink *
llm_filter_args(
	struct arena *a, struct notices *n, bool holds, struct llm_sink *next)
{
	struct args *const f = arena_alloc(a, sizeof(*f));

	*f = (struct args){
		.sink = { args_put },
		.next = next,
		.notices = n,
		.holds = holds,
		.held = { .arena = a },
	};
	return &f->sink;
}
