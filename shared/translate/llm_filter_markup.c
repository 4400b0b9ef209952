/* SPDX-License-Identifier: MIT */
/*
 * llm_filter_markup.c - finds tool calls that a model wrote into its text:
 *
 *	<tool_call>NAME <arg_key>KEY</arg_key> <arg_value>VALUE</arg_value>
 *	... </tool_call>
 *
 * with or without blanks between the marks. What begins so is held until it is
 * clear; every byte is looked at once. What is no call of a tool of the request
 * stays text.
 */
#include "shared/json/jscan.h"
#include "shared/translate/llm_hold.h"
#include "shared/translate/llm_mark.h"

#define NAME_BYTES_MAX 512 /* with the blanks in front */
#define ARGS_MAX       1024

enum markup_phase {
	MARKUP_TEXT,
	MARKUP_NAME,  /* a tool's name must follow */
	MARKUP_ARGS,  /* a key or the end */
	MARKUP_KEY,   /* inside of one */
	MARKUP_GAP,   /* a value */
	MARKUP_VALUE, /* inside of one */
	MARKUP_AFTER, /* the blanks behind a call */
};

/* Bytes of what is held. */
struct range {
	size_t from, to;
};

struct argument {
	struct range key, value;
};

struct markup {
	struct llm_sink sink;
	struct llm_sink *next;
	const struct llm_req *req;
	struct notices *notices;
	bool recovers;
	struct hold held; /* from the beginning of a mark on */
	enum markup_phase phase;
	size_t at;   /* of what is held: seen so far */
	size_t from; /* where the key or value begins */
	const struct llm_tool *tool;
	VEC_OF(struct argument) args;
	bool is_open;  /* OPEN was sent for the text */
	bool was_sent; /* something of the upstream's block was */
	bool has_call;
};

/* What a step says of the text that is held. */
enum verdict {
	VERDICT_WAIT, /* more is needed */
	VERDICT_GO_ON,
	VERDICT_CALL,
	VERDICT_NONE, /* up to `at` it is plain text */
};

static const struct span call_begin[] = { SPAN_INIT("<tool_call>") };
static const struct span in_args[] = { SPAN_INIT("<arg_key>"),
	SPAN_INIT("</tool_call>") };
static const struct span key_end[] = { SPAN_INIT("</arg_key>") };
static const struct span value_begin[] = { SPAN_INIT("<arg_value>") };
static const struct span value_end[] = { SPAN_INIT("</arg_value>") };

/* --- text ----------------------------------------------------------------- */

static enum gp_code
put_text(struct markup *f, struct span text, struct gp_error *err)
{
	struct llm_event e = llm_event_of(LLM_OPEN, LLM_TEXT);
	enum gp_code rc = GP_OK;

	if (text.n == 0)
		return GP_OK;
	if (!f->is_open)
		rc = llm_put(f->next, &e, err);
	f->is_open = true;
	f->was_sent = true;
	e.kind = LLM_DELTA;
	e.text = (struct jesc){ text };
	return rc == GP_OK ? llm_put(f->next, &e, err) : rc;
}

static enum gp_code
close_text(struct markup *f, struct gp_error *err)
{
	const struct llm_event e = llm_event_of(LLM_CLOSE, LLM_TEXT);

	if (!f->is_open)
		return GP_OK;
	f->is_open = false;
	return llm_put(f->next, &e, err);
}

/* The first n bytes that are held are text. */
static enum gp_code
release_held(struct markup *f, size_t n, struct gp_error *err)
{
	const enum gp_code rc =
		put_text(f, span_head(hold_span(&f->held), n), err);

	hold_consume(&f->held, n);
	f->phase = MARKUP_TEXT;
	f->at = 0;
	return rc;
}

/* --- a call --------------------------------------------------------------- */

static const struct llm_tool *
find_tool(const struct llm_req *r, struct span name)
{
	for (size_t i = 0; i < r->tools.n; i++) {
		if (jesc_cmp(r->tools.v[i].name, (struct jesc){ name }) == 0)
			return &r->tools.v[i];
	}
	return NULL;
}

static enum verdict
step_name(struct markup *f, struct span rest)
{
	const size_t blanks = mark_blanks(rest);
	const struct span behind = span_from(rest, blanks);
	const size_t n = mark_word(behind);

	if (n == behind.n && rest.n <= NAME_BYTES_MAX)
		return VERDICT_WAIT;
	f->at += blanks + n;
	f->tool = n < behind.n ? find_tool(f->req, span_head(behind, n)) : NULL;
	f->phase = MARKUP_ARGS;
	f->args.n = 0;
	return f->tool == NULL ? VERDICT_NONE : VERDICT_GO_ON;
}

/* Nothing but one of the marks may follow, or blanks. */
static enum verdict
step_between(struct markup *f, struct span rest)
{
	const bool is_args = f->phase == MARKUP_ARGS;
	const size_t blanks = mark_blanks(rest);
	const struct mark_found m = mark_match(span_from(rest, blanks),
		is_args ? in_args : value_begin,
		is_args ? ARRAY_LEN(in_args) : ARRAY_LEN(value_begin));

	f->at += blanks + m.len;
	f->from = f->at;
	if (m.at > 0 || f->args.n > ARGS_MAX)
		return VERDICT_NONE;
	if (m.len == 0)
		return VERDICT_WAIT;
	if (is_args && m.which == 1)
		return VERDICT_CALL;
	f->phase = is_args ? MARKUP_KEY : MARKUP_VALUE;
	return VERDICT_GO_ON;
}

static enum verdict
step_inside(struct markup *f, struct span rest)
{
	const bool is_key = f->phase == MARKUP_KEY;
	const struct mark_found m =
		mark_find(rest, is_key ? key_end : value_end, 1);
	const struct range range = { f->from, f->at + m.at };
	struct argument *arg;

	f->at = range.to + m.len;
	if (m.len == 0)
		return VERDICT_WAIT;
	if (is_key) {
		arg = VEC_PUSH(f->held.arena, &f->args);
		arg->key = range;
		f->phase = MARKUP_GAP;
	} else {
		arg = &f->args.v[f->args.n - 1];
		arg->value = range;
		f->phase = MARKUP_ARGS;
	}
	return VERDICT_GO_ON;
}

static enum verdict
step_call(struct markup *f)
{
	const struct span rest = span_from(hold_span(&f->held), f->at);

	if (f->phase == MARKUP_NAME)
		return step_name(f, rest);
	if (f->phase == MARKUP_ARGS || f->phase == MARKUP_GAP)
		return step_between(f, rest);
	return step_inside(f, rest);
}

/* --- its delivery --------------------------------------------------------- */

static struct jesc
text_of(const struct markup *f, struct range r)
{
	const struct span from = span_from(hold_span(&f->held), r.from);

	return (struct jesc){ span_head(from, r.to - r.from) };
}

/* Escaped once already: exactly what a JSON string holds. */
static void
put_string(struct buf *out, struct jesc text)
{
	buf_putc(out, '"');
	buf_put(out, text.s);
	buf_putc(out, '"');
}

/* Strings stand there without quotes, everything else as JSON. */
static void
put_value(struct arena *a, struct buf *out, struct jesc text)
{
	const struct span value = span_trim(jtext_unescape_dup(a, text));

	if (jscan_text(value, NULL, NULL) == GP_OK)
		buf_put(out, value);
	else
		put_string(out, text);
}

/* The arguments as one object. It is shorter than the markup. */
static void
put_object(const struct markup *f, struct arena *a, struct buf *out)
{
	buf_putc(out, '{');
	for (size_t i = 0; i < f->args.n; i++) {
		const struct argument *const arg = &f->args.v[i];

		if (i > 0)
			buf_putc(out, ',');
		put_string(out, text_of(f, arg->key));
		buf_putc(out, ':');
		put_value(a, out, text_of(f, arg->value));
	}
	buf_putc(out, '}');
}

static enum gp_code
put_arguments(struct markup *f, struct gp_error *err)
{
	struct llm_event e = llm_event_of(LLM_DELTA, LLM_TOOL);
	struct arena a;
	struct buf object;
	enum gp_code rc;

	/* The request's own arena would grow with every call. */
	arena_init(&a);
	buf_init(&object, hold_span(&f->held).n + 2);
	put_object(f, &a, &object);
	rc = buf_check(&object, err);
	if (rc == GP_OK) {
		e.text = jtext_escape_dup(&a, buf_span(&object));
		rc = llm_put(f->next, &e, err);
	}
	buf_fini(&object);
	arena_fini(&a);
	return rc;
}

static enum gp_code
put_call(struct markup *f, struct gp_error *err)
{
	struct llm_event e = llm_event_of(LLM_OPEN, LLM_TOOL);
	enum gp_code rc;

	/* An id is made by who writes the answer. */
	e.name = f->tool->name;
	rc = llm_put(f->next, &e, err);
	if (rc == GP_OK)
		rc = put_arguments(f, err);
	e = llm_event_of(LLM_CLOSE, LLM_TOOL);
	return rc == GP_OK ? llm_put(f->next, &e, err) : rc;
}

/* What is held up to `at` is a call. */
static enum gp_code
take_call(struct markup *f, struct gp_error *err)
{
	enum gp_code rc = GP_OK;

	notice_add(f->notices, f->recovers ? "recovered" : "stripped",
		SPAN("tool_markup"));
	if (f->recovers) {
		rc = close_text(f, err);
		if (rc == GP_OK)
			rc = put_call(f, err);
		f->has_call = true;
		f->was_sent = true;
	}
	hold_consume(&f->held, f->at);
	f->phase = f->recovers ? MARKUP_AFTER : MARKUP_TEXT;
	f->at = 0;
	return rc;
}

/* --- events --------------------------------------------------------------- */

/* Look at what is held, as far as that goes. */
static enum gp_code
go_on(struct markup *f, struct gp_error *err)
{
	enum verdict verdict = VERDICT_GO_ON;
	enum gp_code rc = GP_OK;
	struct mark_found m;

	while (rc == GP_OK && verdict != VERDICT_WAIT &&
		hold_span(&f->held).n > 0) {
		if (f->phase == MARKUP_AFTER) {
			hold_consume(
				&f->held, mark_blanks(hold_span(&f->held)));
			if (hold_span(&f->held).n > 0)
				f->phase = MARKUP_TEXT;
		} else if (f->phase == MARKUP_TEXT) {
			m = mark_find(hold_span(&f->held), call_begin, 1);
			rc = release_held(f, m.at, err);
			if (m.len == 0)
				return rc;
			f->phase = MARKUP_NAME;
			f->at = m.len;
		} else {
			verdict = step_call(f);
			if (verdict == VERDICT_CALL)
				rc = take_call(f, err);
			else if (verdict == VERDICT_NONE)
				rc = release_held(f, f->at, err);
		}
	}
	return rc;
}

static enum gp_code
put_delta(struct markup *f, struct span text, struct gp_error *err)
{
	struct mark_found m;
	enum gp_code rc = GP_OK;

	/* So long a call is none. */
	if (text.n > LLM_HOLD_MAX - hold_span(&f->held).n)
		rc = release_held(f, hold_span(&f->held).n, err);
	if (rc == GP_OK && f->phase == MARKUP_TEXT &&
		hold_span(&f->held).n == 0) {
		/* The usual case: nothing is held, nothing is copied. */
		m = mark_find(text, call_begin, 1);
		rc = put_text(f, span_head(text, m.at), err);
		text = span_from(text, m.at);
	}
	if (rc == GP_OK && text.n > LLM_HOLD_MAX)
		return put_text(f, text, err);
	if (rc == GP_OK)
		rc = hold_put(&f->held, text, err);
	return rc == GP_OK ? go_on(f, err) : rc;
}

static enum gp_code
put_close(struct markup *f, struct gp_error *err)
{
	struct llm_event e = llm_event_of(LLM_OPEN, LLM_TEXT);
	enum gp_code rc = release_held(f, hold_span(&f->held).n, err);

	/* It was empty before, or is so now. */
	if (rc == GP_OK && !f->was_sent) {
		f->is_open = true;
		rc = llm_put(f->next, &e, err);
	}
	return rc == GP_OK ? close_text(f, err) : rc;
}

static enum gp_code
markup_put(struct llm_sink *s, const struct llm_event *e, struct gp_error *err)
{
	struct markup *const f = CONTAINER_OF(s, struct markup, sink);
	struct llm_event out = *e;

	switch (e->kind) {
	case LLM_OPEN:
		if (e->block != LLM_TEXT)
			break;
		f->was_sent = false;
		return GP_OK;
	case LLM_DELTA:
		if (e->block != LLM_TEXT)
			break;
		return put_delta(f, e->text.s, err);
	case LLM_CLOSE:
		if (e->block != LLM_TEXT)
			break;
		return put_close(f, err);
	case LLM_STOP:
		if (f->has_call && e->stop == LLM_STOP_END)
			out.stop = LLM_STOP_TOOL;
		break;
	case LLM_START:
	case LLM_USAGE:
	case LLM_PING:
	case LLM_ERROR:
		break;
	}
	return llm_put(f->next, &out, err);
}

struct llm_sink *
llm_filter_markup(struct arena *a, const struct llm_req *r, struct notices *n,
	bool recovers, struct llm_sink *next)
{
	struct markup *const f = arena_alloc(a, sizeof(*f));

	*f = (struct markup){
		.sink = { markup_put },
		.next = next,
		.req = r,
		.notices = n,
		.recovers = recovers,
		.held = { .arena = a },
	};
	return &f->sink;
}
