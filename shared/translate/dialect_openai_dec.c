/* SPDX-License-Identifier: MIT */
/* dialect_openai_dec.c - an upstream's Chat Completions answer as events. */
#include "shared/translate/dialect_openai.h"

/* No model counts further; sums of a few of these fit an int64. */
/* Bytes of members that the grammar has no place for; more is dropped. */
#define OTHERS_MAX (8u << 20)

/* --- sending -------------------------------------------------------------- */

static enum gp_code
send_error(struct openai_dec *d, struct jraw error, const char *why,
	struct gp_error *err)
{
	struct llm_event e = openai_event(LLM_ERROR);

	e.error = error;
	e.why = why;
	d->is_ended = true;
	return llm_put(d->blocks.to, &e, err);
}

/* Members of an answer that events or the encoder stand for. */
static bool
is_modelled(struct jesc key)
{
	static const struct span keys[] = {
		SPAN_INIT("id"),
		SPAN_INIT("object"),
		SPAN_INIT("created"),
		SPAN_INIT("model"),
		SPAN_INIT("choices"),
		SPAN_INIT("usage"),
	};

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		if (jesc_eq(key, keys[i]))
			return true;
	}
	return false;
}

/* The other members as an object, in b. */
static struct jraw
other_members(const struct jdoc *doc, jref root, struct buf *b)
{
	size_t n = 0;
	struct jout j;

	jout_init(&j, b);
	jout_obj(&j);
	JDOC_EACH_MEMBER (doc, root, it) {
		if (is_modelled(jdoc_key(doc, it)))
			continue;
		n++;
		jout_key_jesc(&j, jdoc_key(doc, it));
		jout_raw(&j, jdoc_raw(doc, jdoc_value(doc, it)));
	}
	jout_obj_end(&j);
	return n == 0 || b->bad ? JRAW_NONE : (struct jraw){ buf_span(b) };
}

static enum gp_code
send_start(struct openai_dec *d, const struct jdoc *doc, jref root,
	bool is_whole, struct gp_error *err)
{
	struct llm_event e = openai_event(LLM_START);
	enum gp_code rc;
	struct buf b;

	if (d->is_started)
		return GP_OK;
	d->is_started = true;
	e.id = jdoc_str(doc, jdoc_get(doc, root, SPAN("id")));
	e.name = jdoc_str(doc, jdoc_get(doc, root, SPAN("model")));
	e.owner = &dialect_openai;
	buf_init(&b, OTHERS_MAX);
	if (is_whole)
		e.extra = other_members(doc, root, &b);
	rc = llm_put(d->blocks.to, &e, err);
	buf_fini(&b);
	return rc;
}

static enum gp_code
send_usage(struct openai_dec *d, struct gp_error *err)
{
	const int64_t cached =
		MAX(d->usage.cache_read, 0) + MAX(d->usage.cache_write, 0);
	struct llm_event e = openai_event(LLM_USAGE);

	e.usage = d->usage;
	/* Where the parts are more than the whole, it does not include them. */
	if (e.usage.input >= cached)
		e.usage.input -= cached;
	return llm_usage_is_said(&d->usage) ? llm_put(d->blocks.to, &e, err) :
					      GP_OK;
}

/* The answer is complete. */
static enum gp_code
send_stop(struct openai_dec *d, bool is_whole, struct gp_error *err)
{
	struct llm_event stop = openai_event(LLM_STOP);
	enum gp_code rc;

	if (!d->is_started)
		return send_error(
			d, JRAW_NONE, "the upstream's answer was empty", err);
	d->is_ended = true;
	if (!d->has_finish)
		notice_add(
			d->blocks.notices, "degraded", SPAN("finish_reason"));
	rc = openai_blocks_end(&d->blocks, err);
	stop.stop = d->stop;
	if (rc == GP_OK && !is_whole)
		rc = send_usage(d, err);
	return rc == GP_OK ? llm_put(d->blocks.to, &stop, err) : rc;
}

/* --- usage ---------------------------------------------------------------- */

/* -1 if it is not said. */
static int64_t
read_tokens(const struct jdoc *doc, jref usage, struct span key)
{
	int64_t n;

	if (!jdoc_int(doc, jdoc_get(doc, usage, key), &n) || n < 0)
		return -1;
	return MIN(n, LLM_TOKENS_MAX);
}

static void
take_usage(struct openai_dec *d, const struct jdoc *doc, jref v)
{
	const jref prompt = jdoc_get(doc, v, SPAN("prompt_tokens_details"));
	const jref completion =
		jdoc_get(doc, v, SPAN("completion_tokens_details"));
	struct llm_usage u = LLM_USAGE_NONE;

	if (jdoc_type(doc, v) != J_OBJ)
		return;
	u.input = read_tokens(doc, v, SPAN("prompt_tokens"));
	u.output = read_tokens(doc, v, SPAN("completion_tokens"));
	u.cache_read = read_tokens(doc, prompt, SPAN("cached_tokens"));
	u.cache_write = read_tokens(doc, prompt, SPAN("cache_write_tokens"));
	u.reasoning = read_tokens(doc, completion, SPAN("reasoning_tokens"));
	llm_usage_merge(&d->usage, &u);
}

/* --- the content of a message or of a piece of one ------------------------ */

static enum gp_code
take_text(struct openai_dec *d, const struct jdoc *doc, jref v,
	enum llm_block block, struct gp_error *err)
{
	const struct jesc text = jdoc_str(doc, v);

	return jesc_is_empty(text) ?
		GP_OK :
		openai_blocks_text(&d->blocks, block, text, err);
}

/* A string or, from some servers, a list of parts. */
static enum gp_code
take_content(struct openai_dec *d, const struct jdoc *doc, jref v,
	struct gp_error *err)
{
	if (jdoc_type(doc, v) != J_ARR)
		return take_text(d, doc, v, LLM_TEXT, err);
	JDOC_EACH (doc, v, part) {
		const enum gp_code rc = take_text(d, doc,
			jdoc_get(doc, part, SPAN("text")), LLM_TEXT, err);

		if (rc != GP_OK)
			return rc;
	}
	return GP_OK;
}

/* f: {name, arguments} */
static enum gp_code
take_function(struct openai_dec *d, const struct jdoc *doc, jref f,
	struct openai_piece *piece, struct gp_error *err)
{
	const jref args = jdoc_get(doc, f, SPAN("arguments"));

	piece->name = jdoc_str(doc, jdoc_get(doc, f, SPAN("name")));
	piece->arguments = jdoc_str(doc, args);
	/* Some servers forget to make a string of it. */
	if (jdoc_type(doc, args) == J_OBJ)
		piece->arguments = jtext_escape_dup(
			d->blocks.arena, jdoc_raw(doc, args).s);
	return openai_blocks_call(&d->blocks, piece, err);
}

static enum gp_code
take_calls(struct openai_dec *d, const struct jdoc *doc, jref list,
	bool is_whole, struct gp_error *err)
{
	int64_t at = 0;

	JDOC_EACH (doc, list, call) {
		struct openai_piece piece = {
			.index = OPENAI_NO_INDEX,
			.id = jdoc_str(doc, jdoc_get(doc, call, SPAN("id"))),
			.is_whole = is_whole,
		};
		enum gp_code rc;

		if (is_whole)
			piece.index = at++;
		else if (!jdoc_int(doc, jdoc_get(doc, call, SPAN("index")),
				 &piece.index) ||
			piece.index < 0)
			piece.index = OPENAI_NO_INDEX;
		rc = take_function(d, doc,
			jdoc_get(doc, call, SPAN("function")), &piece, err);
		if (rc != GP_OK)
			return rc;
	}
	return GP_OK;
}

/* The deprecated shape: one call, without id. */
static enum gp_code
take_function_call(struct openai_dec *d, const struct jdoc *doc, jref v,
	bool is_whole, struct gp_error *err)
{
	struct openai_piece piece = {
		.index = 0,
		.id = JESC_EMPTY,
		.is_whole = is_whole,
	};

	if (jdoc_type(doc, v) != J_OBJ)
		return GP_OK;
	return take_function(d, doc, v, &piece, err);
}

/* v: a message (whole) or a delta. */
static enum gp_code
take_message(struct openai_dec *d, const struct jdoc *doc, jref v,
	bool is_whole, struct gp_error *err)
{
	const jref calls = jdoc_get_set(doc, v, SPAN("tool_calls"));
	jref reasoning = jdoc_get(doc, v, SPAN("reasoning_content"));
	enum gp_code rc;

	if (jesc_is_empty(jdoc_str(doc, reasoning)))
		reasoning = jdoc_get(doc, v, SPAN("reasoning"));
	rc = take_text(d, doc, reasoning, LLM_THINK, err);
	if (rc == GP_OK)
		rc = take_content(
			d, doc, jdoc_get(doc, v, SPAN("content")), err);
	if (rc == GP_OK)
		rc = take_text(d, doc, jdoc_get(doc, v, SPAN("refusal")),
			LLM_TEXT, err);
	if (rc == GP_OK)
		rc = take_calls(d, doc, calls, is_whole, err);
	if (rc == GP_OK && calls == JREF_NONE)
		rc = take_function_call(d, doc,
			jdoc_get(doc, v, SPAN("function_call")), is_whole, err);
	return rc;
}

/* --- choices -------------------------------------------------------------- */

static const struct {
	struct span reason;
	enum llm_stop stop;
} finishes[] = {
	{ SPAN_INIT("stop"), LLM_STOP_END },
	{ SPAN_INIT("tool_calls"), LLM_STOP_TOOL },
	{ SPAN_INIT("length"), LLM_STOP_LENGTH },
	{ SPAN_INIT("function_call"), LLM_STOP_TOOL },
	{ SPAN_INIT("content_filter"), LLM_STOP_REFUSAL },
	{ SPAN_INIT("sensitive"), LLM_STOP_REFUSAL },
	{ SPAN_INIT("model_context_window_exceeded"), LLM_STOP_CONTEXT },
};

static enum gp_code
take_finish(struct openai_dec *d, const struct jdoc *doc, jref v,
	struct gp_error *err)
{
	if (jdoc_type(doc, v) != J_STR || d->has_finish)
		return GP_OK;
	if (jdoc_is(doc, v, SPAN("network_error")))
		return send_error(d, JRAW_NONE,
			"the upstream lost its model while it was answering "
			"(network_error)",
			err);
	d->has_finish = true;
	for (size_t i = 0; i < ARRAY_LEN(finishes); i++) {
		if (!jdoc_is(doc, v, finishes[i].reason))
			continue;
		d->stop = finishes[i].stop;
		return GP_OK;
	}
	notice_add(d->blocks.notices, "degraded", SPAN("finish_reason"));
	return GP_OK;
}

/* Only one answer was asked for: the first, numbered 0. */
static jref
find_choice(const struct jdoc *doc, jref root)
{
	const jref choices = jdoc_get(doc, root, SPAN("choices"));

	if (jdoc_type(doc, choices) != J_ARR)
		return JREF_NONE;
	JDOC_EACH (doc, choices, it) {
		int64_t index = 0;

		(void)!jdoc_int(doc, jdoc_get(doc, it, SPAN("index")), &index);
		if (index == 0 && jdoc_type(doc, it) == J_OBJ)
			return it;
	}
	return JREF_NONE;
}

static enum gp_code
take_choice(struct openai_dec *d, const struct jdoc *doc, jref choice,
	bool is_whole, struct gp_error *err)
{
	const jref delta = jdoc_get_set(doc, choice, SPAN("delta"));
	const jref message = jdoc_get_set(doc, choice, SPAN("message"));
	enum gp_code rc;

	/* A whole message may stand in a stream that has nothing else. */
	if (!is_whole && delta != JREF_NONE)
		rc = take_message(d, doc, delta, false, err);
	else
		rc = take_message(d, doc, message, true, err);
	if (rc != GP_OK)
		return rc;
	return take_finish(
		d, doc, jdoc_get(doc, choice, SPAN("finish_reason")), err);
}

/* Errors come in place of choices or beside them. */
static bool
is_error(const struct jdoc *doc, jref root)
{
	const jref error = jdoc_get(doc, root, SPAN("error"));

	if (jdoc_count(doc, error) > 0 || !jesc_is_empty(jdoc_str(doc, error)))
		return true;
	return jdoc_get(doc, root, SPAN("choices")) == JREF_NONE &&
		(!jesc_is_empty(
			 jdoc_str(doc, jdoc_get(doc, root, SPAN("message")))) ||
			!jesc_is_empty(jdoc_str(
				doc, jdoc_get(doc, root, SPAN("msg")))));
}

static enum gp_code
take_answer(struct openai_dec *d, const struct jdoc *doc, bool is_whole,
	struct gp_error *err)
{
	const jref root = jdoc_root(doc);
	const jref choice = find_choice(doc, root);
	enum gp_code rc;

	if (is_error(doc, root))
		return send_error(d, jdoc_raw(doc, root),
			"the upstream reported an error", err);
	if (is_whole && choice == JREF_NONE)
		return send_error(d, jdoc_raw(doc, root),
			"the upstream's answer has no choices", err);
	rc = send_start(d, doc, root, is_whole, err);
	if (rc != GP_OK)
		return rc;
	take_usage(d, doc, jdoc_get(doc, root, SPAN("usage")));
	if (choice == JREF_NONE)
		return GP_OK;
	take_usage(d, doc, jdoc_get(doc, choice, SPAN("usage")));
	/* Before the text: what cuts that off must not lose it. */
	if (is_whole)
		rc = send_usage(d, err);
	return rc == GP_OK ? take_choice(d, doc, choice, is_whole, err) : rc;
}

/* --- the dialect's functions ---------------------------------------------- */

void
openai_dec_init(
	void *dec, struct arena *a, struct notices *n, struct llm_sink *to)
{
	struct openai_dec *const d = dec;

	*d = (struct openai_dec){
		.blocks = { .arena = a, .notices = n, .to = to },
		.usage = LLM_USAGE_NONE,
		.stop = LLM_STOP_END,
	};
}

enum gp_code
openai_dec_sse(void *dec, struct jdoc *scratch, const struct sse_event *ev,
	struct gp_error *err)
{
	struct openai_dec *const d = dec;
	const struct span data = span_trim(ev->data);
	enum gp_code rc;

	if (d->is_ended || data.n == 0)
		return GP_OK;
	if (span_eq(data, SPAN("[DONE]")))
		return send_stop(d, false, err);
	rc = jdoc_parse(scratch, data, err);
	if (rc != GP_OK)
		return rc;
	if (jdoc_type(scratch, jdoc_root(scratch)) != J_OBJ)
		return gp_fail(err, GP_E_SYNTAX,
			"an event holds %s instead of an object",
			jdoc_type_name(jdoc_type(scratch, jdoc_root(scratch))));
	return take_answer(d, scratch, false, err);
}

enum gp_code
openai_dec_body(void *dec, const struct jdoc *doc, struct gp_error *err)
{
	struct openai_dec *const d = dec;
	const enum gp_code rc = take_answer(d, doc, true, err);

	if (rc != GP_OK || d->is_ended)
		return rc;
	return send_stop(d, true, err);
}

enum gp_code
openai_dec_end(void *dec, struct gp_error *err)
{
	struct openai_dec *const d = dec;

	if (d->is_ended)
		return GP_OK;
	if (!d->has_finish)
		return send_error(d, JRAW_NONE,
			"the upstream closed the stream before its end", err);
	notice_add(d->blocks.notices, "early_eof", SPAN_EMPTY);
	return send_stop(d, false, err);
}
