/* SPDX-License-Identifier: MIT */
/*
 * dialect_anthropic_enc.c - events as a Messages answer, streamed or not.
 *
 * A body is collected in the arena and written at the end, since its form
 * depends on what comes: empty blocks are left out, arguments are checked.
 */
#include "shared/base/check.h"
#include "shared/translate/dialect_anthropic.h"
#include "shared/translate/llm_estimate.h"

#define ID_MAX 128

/* A block of a body. */
struct enc_block {
	enum llm_block kind;
	struct jesc id, name;  /* LLM_TOOL */
	struct jesc signature; /* LLM_THINK */
	VEC_OF(struct jesc) pieces;
	size_t bytes; /* of all pieces */
};

struct anthropic_enc {
	struct llm_sink sink;
	struct llm_enc_env env;
	struct buf *out;
	struct jesc id;
	struct llm_usage usage;
	uint64_t text_bytes; /* of all blocks */
	unsigned made_ids;
	int64_t index;                   /* SSE: of the open or next block */
	VEC_OF(struct enc_block) blocks; /* BODY */
};

/* --- ids ------------------------------------------------------------------ */

/* "msg_" and what of the upstream's id is letters and digits. */
static struct jesc
answer_id(struct anthropic_enc *e, struct span from)
{
	const struct span prefix = SPAN("msg_");
	char *const out = arena_alloc(e->env.arena, prefix.n + ID_MAX);
	size_t n = prefix.n;

	memcpy(out, prefix.p, prefix.n);
	if (span_starts(from, prefix))
		from = span_from(from, prefix.n);
	for (size_t i = 0; i < from.n && n < prefix.n + ID_MAX; i++) {
		const char c = from.p[i];

		if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
			(c >= 'A' && c <= 'Z'))
			out[n++] = c;
	}
	if (n == prefix.n) {
		memcpy(out + n, e->env.fallback_id,
			sizeof(e->env.fallback_id) - 1);
		n += sizeof(e->env.fallback_id) - 1;
	}
	return (struct jesc){ span_of(out, n) };
}

/* A call id for a call that upstream gave none: never twice in one answer. */
static struct jesc
call_id(struct anthropic_enc *e, struct jesc from)
{
	static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyz";
	unsigned nth = e->made_ids;
	char id[sizeof(e->env.fallback_id)];
	size_t at = sizeof(id) - 1;

	if (!jesc_is_empty(from))
		return from;
	memcpy(id, e->env.fallback_id, sizeof(id));
	for (; nth > 0 && at > 0; nth /= ARRAY_LEN(digits) - 1)
		id[--at] = digits[nth % (ARRAY_LEN(digits) - 1)];
	e->made_ids++;
	return (struct jesc){ arena_printf(e->env.arena, "toolu_%s", id) };
}

/* --- usage ---------------------------------------------------------------- */

static void
put_counts(struct jout *j, const struct llm_usage *u, bool is_marked)
{
	jout_key(j, "usage");
	jout_obj(j);
	jout_kv_int(j, "input_tokens", u->input);
	jout_kv_int(j, "output_tokens", u->output);
	jout_kv_int(j, "cache_creation_input_tokens", MAX(u->cache_write, 0));
	jout_kv_int(j, "cache_read_input_tokens", MAX(u->cache_read, 0));
	if (u->reasoning >= 0) {
		jout_key(j, "output_tokens_details");
		jout_obj(j);
		jout_kv_int(j, "thinking_tokens", u->reasoning);
		jout_obj_end(j);
	}
	if (is_marked)
		jout_kv_bool(j, "estimated", true);
	jout_obj_end(j);
}

/* The members "usage" and "context_info": what upstream has said, the estimate
 * where it has not. */
static void
put_usage(struct jout *j, const struct anthropic_enc *e)
{
	struct llm_usage u = e->usage;
	struct llm_fill fill;

	u.is_estimate = u.input < 0 || u.output < 0;
	if (u.input < 0)
		u.input = e->env.estimated_input;
	if (u.output < 0)
		u.output = llm_estimate_bytes((size_t)e->text_bytes);
	fill = llm_fill_of(&u);
	u = llm_scale_usage(&u, e->env.context.scale);
	put_counts(j, &u, false);
	llm_context_put_info(j, &e->env.context, &fill, true);
}

/* --- streams -------------------------------------------------------------- */

static void
frame_begin(struct anthropic_enc *e, struct jout *j, struct span type)
{
	buf_puts(e->out, "event: ");
	buf_put(e->out, type);
	buf_puts(e->out, "\ndata: ");
	jout_init(j, e->out);
	jout_obj(j);
	jout_kv_span(j, "type", type);
}

static void
frame_end(struct anthropic_enc *e, struct jout *j)
{
	jout_obj_end(j);
	buf_puts(e->out, "\n\n");
}

/* Nothing but the cache may have been read: 0 is a count then. */
static struct llm_usage
usage_at_start(const struct anthropic_enc *e, const struct llm_usage *said)
{
	struct llm_usage u = *said;

	u.is_estimate = u.input <= 0 && u.cache_read <= 0 && u.cache_write <= 0;
	if (u.is_estimate)
		u.input = e->env.estimated_input;
	u.input = MAX(u.input, 0);
	u.output = MAX(u.output, 0);
	u.reasoning = -1;
	return llm_scale_usage(&u, e->env.context.scale);
}

static void
sse_start(struct anthropic_enc *e, const struct llm_event *ev)
{
	const struct llm_usage u = usage_at_start(e, &ev->usage);
	struct jout j;

	frame_begin(e, &j, SPAN("message_start"));
	jout_key(&j, "message");
	jout_obj(&j);
	jout_kv_jesc(&j, "id", e->id);
	jout_kv_cstr(&j, "type", "message");
	jout_kv_cstr(&j, "role", "assistant");
	jout_kv_jesc(&j, "model", e->env.model);
	jout_key(&j, "content");
	jout_arr(&j);
	jout_arr_end(&j);
	jout_kv_null(&j, "stop_reason");
	jout_kv_null(&j, "stop_sequence");
	put_counts(&j, &u, u.is_estimate && e->env.context.is_shown);
	jout_obj_end(&j);
	frame_end(e, &j);
}

static void
sse_open(struct anthropic_enc *e, const struct llm_event *ev)
{
	struct jout j;

	frame_begin(e, &j, SPAN("content_block_start"));
	jout_kv_int(&j, "index", e->index);
	jout_key(&j, "content_block");
	switch (ev->block) {
	case LLM_TEXT:
		jout_raw(&j, JRAW("{\"type\":\"text\",\"text\":\"\"}"));
		break;
	case LLM_THINK:
		jout_raw(&j,
			JRAW("{\"type\":\"thinking\",\"thinking\":\"\","
			     "\"signature\":\"\"}"));
		break;
	case LLM_TOOL:
		jout_obj(&j);
		jout_kv_cstr(&j, "type", "tool_use");
		jout_kv_jesc(&j, "id", call_id(e, ev->id));
		jout_kv_jesc(&j, "name", ev->name);
		jout_kv_raw(&j, "input", JRAW("{}"));
		jout_obj_end(&j);
		break;
	}
	frame_end(e, &j);
}

static void
put_delta(struct anthropic_enc *e, const char *type, const char *key,
	struct jesc text)
{
	struct jout j;

	frame_begin(e, &j, SPAN("content_block_delta"));
	jout_kv_int(&j, "index", e->index);
	jout_key(&j, "delta");
	jout_obj(&j);
	jout_kv_cstr(&j, "type", type);
	jout_kv_jesc(&j, key, text);
	jout_obj_end(&j);
	frame_end(e, &j);
}

static void
sse_delta(struct anthropic_enc *e, const struct llm_event *ev)
{
	switch (ev->block) {
	case LLM_TEXT:
		put_delta(e, "text_delta", "text", ev->text);
		break;
	case LLM_THINK:
		put_delta(e, "thinking_delta", "thinking", ev->text);
		break;
	case LLM_TOOL:
		put_delta(e, "input_json_delta", "partial_json", ev->text);
		break;
	}
}

static struct jesc
signature_of(struct jesc signature)
{
	return jesc_is_empty(signature) ? JESC(ANTHROPIC_SIGNATURE) : signature;
}

static void
sse_close(struct anthropic_enc *e, const struct llm_event *ev)
{
	struct jout j;

	if (ev->block == LLM_THINK)
		put_delta(e, "signature_delta", "signature",
			signature_of(ev->signature));
	frame_begin(e, &j, SPAN("content_block_stop"));
	jout_kv_int(&j, "index", e->index++);
	frame_end(e, &j);
}

static void
put_stop(struct jout *j, const struct llm_event *ev)
{
	jout_kv_cstr(j, "stop_reason", anthropic_stop_name(ev->stop));
	if (ev->stop == LLM_STOP_SEQUENCE && !jesc_is_empty(ev->stop_text))
		jout_kv_jesc(j, "stop_sequence", ev->stop_text);
	else
		jout_kv_null(j, "stop_sequence");
}

static void
sse_stop(struct anthropic_enc *e, const struct llm_event *ev)
{
	struct jout j;

	frame_begin(e, &j, SPAN("message_delta"));
	jout_key(&j, "delta");
	jout_obj(&j);
	put_stop(&j, ev);
	jout_obj_end(&j);
	put_usage(&j, e);
	frame_end(e, &j);
	frame_begin(e, &j, SPAN("message_stop"));
	frame_end(e, &j);
}

static void
sse_put_event(struct anthropic_enc *e, const struct llm_event *ev)
{
	switch (ev->kind) {
	case LLM_START:
		sse_start(e, ev);
		break;
	case LLM_OPEN:
		sse_open(e, ev);
		break;
	case LLM_DELTA:
		sse_delta(e, ev);
		break;
	case LLM_CLOSE:
		sse_close(e, ev);
		break;
	case LLM_PING:
		dialect_anthropic.heartbeat(true, e->out);
		break;
	case LLM_STOP:
		sse_stop(e, ev);
		break;
	case LLM_USAGE:
	case LLM_ERROR:
		break;
	}
}

/* --- bodies --------------------------------------------------------------- */

static struct jesc
keep(struct anthropic_enc *e, struct jesc text)
{
	if (jesc_is_empty(text))
		return JESC_EMPTY;
	return (struct jesc){ arena_dup(e->env.arena, text.s) };
}

static void
body_open(struct anthropic_enc *e, const struct llm_event *ev)
{
	struct enc_block *const b = VEC_PUSH(e->env.arena, &e->blocks);

	b->kind = ev->block;
	b->signature = JESC_EMPTY;
	b->name = keep(e, ev->name);
	b->id = ev->block == LLM_TOOL ? keep(e, call_id(e, ev->id)) :
					JESC_EMPTY;
}

/* All pieces as one, which no cut of the stream shows in. */
static struct jesc
joined(struct anthropic_enc *e, const struct enc_block *b)
{
	size_t n = 0;
	char *out;

	if (b->pieces.n == 1)
		return b->pieces.v[0];
	out = arena_alloc(e->env.arena, b->bytes);
	for (size_t i = 0; i < b->pieces.n; i++) {
		const struct span s = b->pieces.v[i].s;

		memcpy(out + n, s.p, s.n);
		n += s.n;
	}
	return (struct jesc){ span_of(out, n) };
}

static void
put_pieces(struct jout *j, const char *key, const struct enc_block *b)
{
	jout_key(j, key);
	jout_str_begin(j);
	for (size_t i = 0; i < b->pieces.n; i++)
		jout_str_jesc(j, b->pieces.v[i]);
	jout_str_end(j);
}

static void
put_block(struct anthropic_enc *e, struct jout *j, const struct enc_block *b)
{
	struct llm_args args;

	if (b->bytes == 0 && b->kind == LLM_TEXT)
		return;
	jout_obj(j);
	switch (b->kind) {
	case LLM_TEXT:
		jout_kv_cstr(j, "type", "text");
		put_pieces(j, "text", b);
		break;
	case LLM_THINK:
		jout_kv_cstr(j, "type", "thinking");
		put_pieces(j, "thinking", b);
		jout_kv_jesc(j, "signature", signature_of(b->signature));
		break;
	case LLM_TOOL:
		args = (struct llm_args){ .text = joined(e, b),
			.has_text = true,
			.value = JRAW_NONE };
		jout_kv_cstr(j, "type", "tool_use");
		jout_kv_jesc(j, "id", b->id);
		jout_kv_jesc(j, "name", b->name);
		jout_kv_raw(j, "input", llm_args_value(e->env.arena, &args));
		break;
	}
	jout_obj_end(j);
}

static void
body_stop(struct anthropic_enc *e, const struct llm_event *ev)
{
	struct jout j;

	jout_init(&j, e->out);
	jout_obj(&j);
	jout_kv_jesc(&j, "id", e->id);
	jout_kv_cstr(&j, "type", "message");
	jout_kv_cstr(&j, "role", "assistant");
	jout_kv_jesc(&j, "model", e->env.model);
	jout_key(&j, "content");
	jout_arr(&j);
	for (size_t i = 0; i < e->blocks.n; i++)
		put_block(e, &j, &e->blocks.v[i]);
	jout_arr_end(&j);
	put_stop(&j, ev);
	put_usage(&j, e);
	jout_obj_end(&j);
}

static void
body_put_event(struct anthropic_enc *e, const struct llm_event *ev)
{
	struct enc_block *const b =
		e->blocks.n > 0 ? &e->blocks.v[e->blocks.n - 1] : NULL;

	switch (ev->kind) {
	case LLM_OPEN:
		body_open(e, ev);
		break;
	case LLM_DELTA:
		GP_ASSERT(b != NULL);
		*VEC_PUSH(e->env.arena, &b->pieces) = keep(e, ev->text);
		b->bytes += ev->text.s.n;
		break;
	case LLM_CLOSE:
		GP_ASSERT(b != NULL);
		b->signature = keep(e, ev->signature);
		break;
	case LLM_STOP:
		body_stop(e, ev);
		break;
	case LLM_START:
	case LLM_USAGE:
	case LLM_PING:
	case LLM_ERROR:
		break;
	}
}

/* --- the sink ------------------------------------------------------------- */

static enum gp_code
enc_put(struct llm_sink *s, const struct llm_event *ev, struct gp_error *err)
{
	struct anthropic_enc *const e =
		CONTAINER_OF(s, struct anthropic_enc, sink);

	if (ev->kind == LLM_START)
		e->id = answer_id(e, ev->id.s);
	else if (ev->kind == LLM_DELTA)
		e->text_bytes += ev->text.s.n;
	else if (ev->kind == LLM_USAGE)
		llm_usage_merge(&e->usage, &ev->usage);
	else if (ev->kind == LLM_STOP && ev->stop == LLM_STOP_UNKNOWN)
		notice_add(e->env.notices, "degraded", SPAN("stop_reason"));
	if (e->env.mode == LLM_SSE)
		sse_put_event(e, ev);
	else
		body_put_event(e, ev);
	return buf_check(e->out, err);
}

struct llm_sink *
anthropic_enc_new(
	struct arena *a, const struct llm_enc_env *env, struct buf *out)
{
	struct anthropic_enc *const e = arena_alloc(a, sizeof(*e));

	e->sink.put = enc_put;
	e->env = *env;
	e->env.arena = a;
	e->out = out;
	e->id = JESC_EMPTY;
	e->usage = LLM_USAGE_NONE;
	return &e->sink;
}
