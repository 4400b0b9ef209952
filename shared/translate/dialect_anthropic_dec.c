/* SPDX-License-Identifier: MIT */
/*
 * dialect_anthropic_dec.c - a Messages answer, streamed or not, as events.
 *
 * Blocks do not interleave in this dialect, so their indexes are not looked at:
 * a start ends what was open, a delta belongs to what is open.
 */
#include "shared/translate/dialect_anthropic.h"

void
anthropic_dec_init(
	void *dec, struct arena *a, struct notices *n, struct llm_sink *to)
{
	struct anthropic_dec *const d = dec;

	*d = (struct anthropic_dec){
		.arena = a,
		.notices = n,
		.to = to,
		.input = JESC_EMPTY,
		.signature = JESC_EMPTY,
		.stop_text = JESC_EMPTY,
		.stop = LLM_STOP_UNKNOWN,
	};
}

/* --- events --------------------------------------------------------------- */

static enum gp_code
put_delta(struct anthropic_dec *d, struct jesc text, struct gp_error *err)
{
	struct llm_event e = llm_event_of(LLM_DELTA, d->block);

	if (jesc_is_empty(text))
		return GP_OK;
	d->has_piece = true;
	e.text = text;
	return llm_put(d->to, &e, err);
}

/* End the open block, if there is one. */
static enum gp_code
close_block(struct anthropic_dec *d, struct gp_error *err)
{
	struct llm_event e = llm_event_of(LLM_CLOSE, d->block);
	enum gp_code rc = GP_OK;

	d->is_ignored = false;
	if (!d->is_open)
		return GP_OK;
	if (d->block == LLM_TOOL && !d->has_piece)
		rc = put_delta(d, d->input, err);
	if (rc != GP_OK)
		return rc;
	d->is_open = false;
	e.signature = d->signature;
	return llm_put(d->to, &e, err);
}

static enum gp_code
put_stop(struct anthropic_dec *d, struct gp_error *err)
{
	struct llm_event e = llm_event_of(LLM_STOP, LLM_TEXT);

	d->is_ended = true;
	e.stop = d->stop;
	e.stop_text = d->stop_text;
	return llm_put(d->to, &e, err);
}

static enum gp_code
put_error(struct anthropic_dec *d, struct jraw error, const char *why,
	struct gp_error *err)
{
	struct llm_event e = llm_event_of(LLM_ERROR, LLM_TEXT);

	d->is_ended = true;
	e.error = error;
	e.why = why;
	return llm_put(d->to, &e, err);
}

/* --- pieces of answers ---------------------------------------------------- */

static int64_t
count_of(const struct jdoc *doc, jref obj, struct span key)
{
	int64_t n;

	if (!jdoc_int(doc, jdoc_get(doc, obj, key), &n) || n < 0)
		return -1;
	return MIN(n, LLM_TOKENS_MAX);
}

static struct llm_usage
usage_of(const struct jdoc *doc, jref usage)
{
	struct llm_usage u = LLM_USAGE_NONE;

	u.input = count_of(doc, usage, SPAN("input_tokens"));
	u.output = count_of(doc, usage, SPAN("output_tokens"));
	u.cache_read = count_of(doc, usage, SPAN("cache_read_input_tokens"));
	u.cache_write =
		count_of(doc, usage, SPAN("cache_creation_input_tokens"));
	u.reasoning = count_of(doc,
		jdoc_get(doc, usage, SPAN("output_tokens_details")),
		SPAN("thinking_tokens"));
	return u;
}

static enum gp_code
put_usage(struct anthropic_dec *d, const struct llm_usage *u,
	struct gp_error *err)
{
	struct llm_event e = llm_event_of(LLM_USAGE, LLM_TEXT);

	if (!llm_usage_is_said(u))
		return GP_OK;
	e.usage = *u;
	return llm_put(d->to, &e, err);
}

static enum gp_code
put_start(struct anthropic_dec *d, const struct jdoc *doc, jref message,
	const struct llm_usage *u, struct gp_error *err)
{
	struct llm_event e = llm_event_of(LLM_START, LLM_TEXT);

	d->is_started = true;
	e.id = jdoc_str(doc, jdoc_get(doc, message, SPAN("id")));
	e.name = jdoc_str(doc, jdoc_get(doc, message, SPAN("model")));
	e.usage = *u;
	return llm_put(d->to, &e, err);
}

/* Kinds of blocks that are passed on, and where their first text stands. */
static const struct {
	struct span type;
	enum llm_block block;
	struct span text;
} blocks[] = {
	{ SPAN_INIT("text"), LLM_TEXT, SPAN_INIT("text") },
	{ SPAN_INIT("thinking"), LLM_THINK, SPAN_INIT("thinking") },
	{ SPAN_INIT("tool_use"), LLM_TOOL, SPAN_INIT("") },
};

/* Views into the document die with the event: keep a copy. */
static struct jesc
keep(struct anthropic_dec *d, struct jesc text)
{
	if (jesc_is_empty(text))
		return JESC_EMPTY;
	return (struct jesc){ arena_dup(d->arena, text.s) };
}

/* Arguments that stand in the block itself, as text; empty for none. */
static struct jesc
input_of(struct anthropic_dec *d, const struct jdoc *doc, jref block)
{
	const jref input = jdoc_get(doc, block, SPAN("input"));

	if (jdoc_type(doc, input) != J_OBJ || jdoc_count(doc, input) == 0)
		return JESC_EMPTY;
	/* There are quotes to be escaped, so this is never a view. */
	return jtext_escape_dup(d->arena, jdoc_raw(doc, input).s);
}

/* A block begins; what it holds already is passed on. */
static enum gp_code
open_block(struct anthropic_dec *d, const struct jdoc *doc, jref block,
	struct gp_error *err)
{
	const jref type = jdoc_get(doc, block, SPAN("type"));
	struct llm_event e;
	enum gp_code rc;
	size_t i = 0;

	while (i < ARRAY_LEN(blocks) && !jdoc_is(doc, type, blocks[i].type))
		i++;
	if (i == ARRAY_LEN(blocks)) {
		d->is_ignored = true;
		notice_add(d->notices, "dropped", jdoc_str(doc, type).s);
		return GP_OK;
	}
	d->is_open = true;
	d->has_piece = false;
	d->block = blocks[i].block;
	d->signature = JESC_EMPTY;
	d->input = JESC_EMPTY;
	e = llm_event_of(LLM_OPEN, d->block);
	if (d->block == LLM_TOOL) {
		d->input = input_of(d, doc, block);
		e.id = jdoc_str(doc, jdoc_get(doc, block, SPAN("id")));
		e.name = jdoc_str(doc, jdoc_get(doc, block, SPAN("name")));
	} else if (d->block == LLM_THINK) {
		d->signature = keep(d,
			jdoc_str(doc, jdoc_get(doc, block, SPAN("signature"))));
	}
	rc = llm_put(d->to, &e, err);
	if (rc != GP_OK)
		return rc;
	return put_delta(
		d, jdoc_str(doc, jdoc_get(doc, block, blocks[i].text)), err);
}

static void
read_stop(struct anthropic_dec *d, const struct jdoc *doc, jref from)
{
	const jref reason = jdoc_get(doc, from, SPAN("stop_reason"));
	const jref text = jdoc_get(doc, from, SPAN("stop_sequence"));

	if (jdoc_type(doc, reason) != J_STR)
		return;
	d->has_stop = true;
	d->stop = anthropic_stop_of(jdoc_str(doc, reason));
	d->stop_text = keep(d, jdoc_str(doc, text));
}

/* --- the events of a stream ----------------------------------------------- */

typedef enum gp_code handler_fn(
	struct anthropic_dec *d, const struct jdoc *doc, struct gp_error *err);

static enum gp_code
on_message_start(
	struct anthropic_dec *d, const struct jdoc *doc, struct gp_error *err)
{
	const jref message = jdoc_get(doc, jdoc_root(doc), SPAN("message"));
	struct llm_usage u =
		usage_of(doc, jdoc_get(doc, message, SPAN("usage")));
	enum gp_code rc;

	/* Zeros at the start say that nothing is known yet. */
	if (u.input == 0)
		u.input = -1;
	if (u.output == 0)
		u.output = -1;
	if (u.cache_read == 0)
		u.cache_read = -1;
	if (u.cache_write == 0)
		u.cache_write = -1;
	rc = put_start(d, doc, message, &u, err);
	return rc != GP_OK ? rc : put_usage(d, &u, err);
}

static enum gp_code
on_block_start(
	struct anthropic_dec *d, const struct jdoc *doc, struct gp_error *err)
{
	const enum gp_code rc = close_block(d, err);

	if (rc != GP_OK)
		return rc;
	return open_block(d, doc,
		jdoc_get(doc, jdoc_root(doc), SPAN("content_block")), err);
}

static enum gp_code
on_block_delta(
	struct anthropic_dec *d, const struct jdoc *doc, struct gp_error *err)
{
	static const struct {
		struct span type, text;
		enum llm_block block;
	} deltas[] = {
		{ SPAN_INIT("text_delta"), SPAN_INIT("text"), LLM_TEXT },
		{ SPAN_INIT("thinking_delta"), SPAN_INIT("thinking"),
			LLM_THINK },
		{ SPAN_INIT("input_json_delta"), SPAN_INIT("partial_json"),
			LLM_TOOL },
	};

	const jref delta = jdoc_get(doc, jdoc_root(doc), SPAN("delta"));
	const jref type = jdoc_get(doc, delta, SPAN("type"));

	if (d->is_ignored)
		return GP_OK;
	for (size_t i = 0; i < ARRAY_LEN(deltas); i++) {
		if (!jdoc_is(doc, type, deltas[i].type))
			continue;
		if (!d->is_open || d->block != deltas[i].block)
			return gp_fail(err, GP_E_STATE,
				"a %s outside of its block", deltas[i].type.p);
		return put_delta(d,
			jdoc_str(doc, jdoc_get(doc, delta, deltas[i].text)),
			err);
	}
	if (jdoc_is(doc, type, SPAN("signature_delta")))
		d->signature = keep(d,
			jdoc_str(doc, jdoc_get(doc, delta, SPAN("signature"))));
	return GP_OK;
}

static enum gp_code
on_block_stop(
	struct anthropic_dec *d, const struct jdoc *doc, struct gp_error *err)
{
	(void)doc;
	return close_block(d, err);
}

static enum gp_code
on_message_delta(
	struct anthropic_dec *d, const struct jdoc *doc, struct gp_error *err)
{
	const jref root = jdoc_root(doc);
	const struct llm_usage u =
		usage_of(doc, jdoc_get(doc, root, SPAN("usage")));
	const enum gp_code rc = close_block(d, err);

	if (rc != GP_OK)
		return rc;
	read_stop(d, doc, jdoc_get(doc, root, SPAN("delta")));
	return put_usage(d, &u, err);
}

static enum gp_code
on_message_stop(
	struct anthropic_dec *d, const struct jdoc *doc, struct gp_error *err)
{
	const enum gp_code rc = close_block(d, err);

	(void)doc;
	return rc != GP_OK ? rc : put_stop(d, err);
}

static enum gp_code
on_ping(struct anthropic_dec *d, const struct jdoc *doc, struct gp_error *err)
{
	const struct llm_event e = llm_event_of(LLM_PING, LLM_TEXT);

	(void)doc;
	return d->is_started ? llm_put(d->to, &e, err) : GP_OK;
}

static enum gp_code
on_error(struct anthropic_dec *d, const struct jdoc *doc, struct gp_error *err)
{
	return put_error(d, jdoc_raw(doc, jdoc_root(doc)), NULL, err);
}

static const struct {
	struct span name;
	handler_fn *handle;
} handlers[] = {
	{ SPAN_INIT("content_block_delta"), on_block_delta },
	{ SPAN_INIT("content_block_start"), on_block_start },
	{ SPAN_INIT("content_block_stop"), on_block_stop },
	{ SPAN_INIT("message_start"), on_message_start },
	{ SPAN_INIT("message_delta"), on_message_delta },
	{ SPAN_INIT("message_stop"), on_message_stop },
	{ SPAN_INIT("ping"), on_ping },
	{ SPAN_INIT("error"), on_error },
};

/* An answer, or a frame of one, that is a failure. */
static bool
is_error(const struct jdoc *doc)
{
	return jdoc_get_set(doc, jdoc_root(doc), SPAN("error")) != JREF_NONE ||
		jdoc_is(doc, jdoc_get(doc, jdoc_root(doc), SPAN("type")),
			SPAN("error"));
}

enum gp_code
anthropic_dec_sse(void *dec, struct jdoc *scratch, const struct sse_event *ev,
	struct gp_error *err)
{
	struct anthropic_dec *const d = dec;
	enum gp_code rc;
	jref type;

	/* Some upstreams add a terminator of another dialect. */
	if (d->is_ended)
		return GP_OK;
	rc = jdoc_parse(scratch, ev->data, err);
	if (rc != GP_OK)
		return rc;
	type = jdoc_get(scratch, jdoc_root(scratch), SPAN("type"));
	if (span_eq(ev->name, SPAN("error")) || is_error(scratch))
		return on_error(d, scratch, err);
	for (size_t i = 0; i < ARRAY_LEN(handlers); i++) {
		if (jdoc_type(scratch, type) == J_STR ?
				jdoc_is(scratch, type, handlers[i].name) :
				span_eq(ev->name, handlers[i].name))
			return handlers[i].handle(d, scratch, err);
	}
	return GP_OK;
}

enum gp_code
anthropic_dec_end(void *dec, struct gp_error *err)
{
	struct anthropic_dec *const d = dec;
	enum gp_code rc;

	if (d->is_ended)
		return GP_OK;
	if (!d->has_stop)
		return put_error(d, JRAW_NONE,
			"the upstream closed the stream before its end", err);
	notice_add(d->notices, "early_eof", SPAN_EMPTY);
	rc = close_block(d, err);
	return rc != GP_OK ? rc : put_stop(d, err);
}

/* --- whole answers -------------------------------------------------------- */

enum gp_code
anthropic_dec_body(void *dec, const struct jdoc *doc, struct gp_error *err)
{
	struct anthropic_dec *const d = dec;
	const jref root = jdoc_root(doc);
	const jref content = jdoc_get(doc, root, SPAN("content"));
	const struct llm_usage u =
		usage_of(doc, jdoc_get(doc, root, SPAN("usage")));
	enum gp_code rc;

	if (is_error(doc))
		return on_error(d, doc, err);
	if (jdoc_type(doc, content) != J_ARR)
		return gp_fail(err, GP_E_PEER, "it has no content");
	/* Usage first: what cuts the text off must not lose it. */
	rc = put_start(d, doc, root, &u, err);
	if (rc == GP_OK)
		rc = put_usage(d, &u, err);
	JDOC_EACH (doc, content, it) {
		if (rc == GP_OK)
			rc = open_block(d, doc, it, err);
		if (rc == GP_OK)
			rc = close_block(d, err);
	}
	read_stop(d, doc, root);
	return rc != GP_OK ? rc : put_stop(d, err);
}
