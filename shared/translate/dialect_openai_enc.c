/* SPDX-License-Identifier: MIT */
/* dialect_openai_enc.c - an answer's events as chunks or as one body. */
#include <stdio.h>

#include "shared/base/check.h"
#include "shared/translate/dialect_openai.h"
#include "shared/translate/llm_estimate.h"

#define NAME_MAX_LEN 4096 /* bytes of upstream's id and model */
#define HEAD_MAX     (1u << 20)

struct enc_call {
	struct jesc id, name;
	struct openai_text arguments;
};

struct openai_enc {
	struct llm_sink sink;
	struct llm_enc_env env;
	struct buf *out;
	struct jesc id; /* without the dialect's prefix */
	struct jesc model;
	struct llm_usage usage;
	size_t text_bytes; /* for the estimate */
	size_t ncalls;
	bool has_arguments; /* of the call that is open */
	/* LLM_SSE: what stands around each delta. */
	struct span before, after;
	/* LLM_BODY: what was collected. */
	struct openai_text text, think;
	struct span members; /* of upstream's own, without the braces */
	VEC_OF(struct enc_call) calls;
};

#define ID_PREFIX "chatcmpl-"

static struct jesc
keep(struct openai_enc *e, struct jesc s)
{
	return (struct jesc){ arena_dup(e->env.arena, s.s) };
}

static bool
is_stream(const struct openai_enc *e)
{
	return e->env.mode == LLM_SSE;
}

/* The deprecated shape has room for one call. */
static bool
is_surplus(const struct openai_enc *e)
{
	return e->env.has_functions && e->ncalls > 1;
}

/* --- usage ---------------------------------------------------------------- */

static int64_t
tokens(int64_t n)
{
	return MIN(MAX(n, 0), LLM_TOKENS_MAX);
}

/* Counts that upstream did not say are estimated. */
static struct llm_usage
real_usage(const struct openai_enc *e)
{
	struct llm_usage u = e->usage;

	u.is_estimate = u.input < 0 || u.output < 0;
	u.input = tokens(u.input < 0 ? e->env.estimated_input : u.input);
	u.output = tokens(
		u.output < 0 ? llm_estimate_bytes(e->text_bytes) : u.output);
	u.cache_read = tokens(u.cache_read);
	u.cache_write = tokens(u.cache_write);
	return u;
}

/* The members "usage" and "context_info". */
static void
put_usage(struct jout *j, const struct openai_enc *e)
{
	const struct llm_usage real = real_usage(e);
	const struct llm_fill fill = llm_fill_of(&real);
	const struct llm_usage u = llm_scale_usage(&real, e->env.context.scale);
	const int64_t prompt = u.input + u.cache_read + u.cache_write;

	jout_key(j, "usage");
	jout_obj(j);
	jout_kv_int(j, "prompt_tokens", prompt);
	jout_kv_int(j, "completion_tokens", u.output);
	jout_kv_int(j, "total_tokens", prompt + u.output);
	jout_key(j, "prompt_tokens_details");
	jout_obj(j);
	jout_kv_int(j, "cached_tokens", u.cache_read);
	if (u.cache_write > 0)
		jout_kv_int(j, "cache_write_tokens", u.cache_write);
	jout_obj_end(j);
	if (u.reasoning >= 0) {
		jout_key(j, "completion_tokens_details");
		jout_obj(j);
		jout_kv_int(j, "reasoning_tokens", tokens(u.reasoning));
		jout_obj_end(j);
	}
	/* Roo reads these two. */
	jout_kv_int(j, "cache_read_input_tokens", u.cache_read);
	jout_kv_int(j, "cache_creation_input_tokens", u.cache_write);
	llm_context_put_usage(j, &e->env.context, &fill);
	jout_obj_end(j);
	llm_context_put_info(j, &e->env.context, &fill, false);
}

/* --- the envelope --------------------------------------------------------- */

/* The members that every chunk and the body begin with. */
static void
put_head(struct jout *j, const struct openai_enc *e, const char *object)
{
	jout_key(j, "id");
	jout_str_begin(j);
	jout_str_span(j, SPAN(ID_PREFIX));
	jout_str_jesc(j, e->id);
	jout_str_end(j);
	jout_kv_cstr(j, "object", object);
	jout_kv_int(j, "created", e->env.now_wall_s);
	jout_kv_jesc(j, "model", e->model);
	jout_key(j, "choices");
}

static struct span
chunk_head(const struct openai_enc *e)
{
	struct buf b;
	struct jout j;
	struct span head;

	buf_init(&b, HEAD_MAX);
	jout_init(&j, &b);
	buf_puts(&b, "data: ");
	jout_obj(&j);
	put_head(&j, e, "chat.completion.chunk");
	head = arena_dup(e->env.arena, buf_span(&b));
	buf_fini(&b);
	return head;
}

static struct span
strip(struct span s, struct span prefix)
{
	return span_starts(s, prefix) ? span_from(s, prefix.n) : s;
}

static void
take_start(struct openai_enc *e, const struct llm_event *ev)
{
	struct jesc id = { strip(
		strip(ev->id.s, SPAN("msg_")), SPAN(ID_PREFIX)) };

	/* Both stand in every chunk: what is too long is nobody's. */
	if (jesc_is_empty(id) || id.s.n > NAME_MAX_LEN)
		id.s = span_cstr(e->env.fallback_id);
	e->id = keep(e, id);
	e->model = e->env.model;
	if (jesc_is_empty(e->model) && ev->name.s.n <= NAME_MAX_LEN)
		e->model = keep(e, ev->name);
	if (!is_stream(e) && !jraw_is_none(ev->extra) &&
		ev->owner == &dialect_openai)
		e->members = arena_dup(e->env.arena,
			span_of(ev->extra.s.p + 1, ev->extra.s.n - 2));
}

/* --- chunks --------------------------------------------------------------- */

/* Each chunk is one delta, written between begin and end. Most are one string,
 * so the text around it is not made anew. */
static void
begin_chunk(struct openai_enc *e)
{
	buf_put(e->out, e->before);
	buf_put(e->out, SPAN("[{\"index\":0,\"delta\":"));
}

static void
end_chunk(struct openai_enc *e)
{
	buf_put(e->out, e->after);
}

static void
put_chunk(struct openai_enc *e, struct span delta)
{
	begin_chunk(e);
	buf_put(e->out, delta);
	end_chunk(e);
}

static void
put_string_chunk(struct openai_enc *e, struct span opening, struct jesc text,
	struct span closing)
{
	struct jout j;

	begin_chunk(e);
	buf_put(e->out, opening);
	jout_init(&j, e->out);
	jout_jesc(&j, text);
	buf_put(e->out, closing);
	end_chunk(e);
}

static void
begin_stream(struct openai_enc *e)
{
	e->before = chunk_head(e);
	/* Who asked for usage is told in each chunk that it is not here. */
	e->after = e->env.wants_usage ?
		SPAN(",\"logprobs\":null,\"finish_reason\":null}],"
		     "\"usage\":null}\n\n") :
		SPAN(",\"logprobs\":null,\"finish_reason\":null}]}\n\n");
	put_chunk(e, SPAN("{\"role\":\"assistant\",\"content\":\"\"}"));
}

static void
put_call_chunk(struct openai_enc *e, struct jesc id, struct jesc name)
{
	struct jout j;

	begin_chunk(e);
	jout_init(&j, e->out);
	jout_obj(&j);
	if (e->env.has_functions) {
		jout_key(&j, "function_call");
	} else {
		jout_key(&j, "tool_calls");
		jout_arr(&j);
		jout_obj(&j);
		jout_kv_int(&j, "index", (int64_t)e->ncalls - 1);
		jout_kv_jesc(&j, "id", id);
		jout_kv_cstr(&j, "type", "function");
		jout_key(&j, "function");
	}
	jout_obj(&j);
	jout_kv_jesc(&j, "name", name);
	jout_kv_cstr(&j, "arguments", "");
	jout_obj_end(&j);
	if (!e->env.has_functions) {
		jout_obj_end(&j);
		jout_arr_end(&j);
	}
	jout_obj_end(&j);
	end_chunk(e);
}

static void
put_arguments_chunk(struct openai_enc *e, struct jesc text)
{
	char opening[80];

	if (e->env.has_functions) {
		put_string_chunk(e, SPAN("{\"function_call\":{\"arguments\":"),
			text, SPAN("}}"));
		return;
	}
	(void)snprintf(opening, sizeof(opening),
		"{\"tool_calls\":[{\"index\":%zu,\"function\":{\"arguments\":",
		e->ncalls - 1);
	put_string_chunk(e, span_cstr(opening), text, SPAN("}}]}"));
}

static const char *
finish_reason(const struct openai_enc *e, enum llm_stop stop)
{
	const char *const call =
		e->env.has_functions ? "function_call" : "tool_calls";

	switch (stop) {
	case LLM_STOP_TOOL:
		return call;
	case LLM_STOP_LENGTH:
	case LLM_STOP_CONTEXT:
		return "length";
	case LLM_STOP_REFUSAL:
		return "content_filter";
	case LLM_STOP_UNKNOWN:
		notice_add(e->env.notices, "degraded", SPAN("finish_reason"));
		return e->ncalls > 0 ? call : "stop";
	case LLM_STOP_END:
	case LLM_STOP_SEQUENCE:
	case LLM_STOP_PAUSE:
		break;
	}
	return "stop";
}

static void
end_stream(struct openai_enc *e, enum llm_stop stop)
{
	struct jout j;

	begin_chunk(e);
	buf_puts(e->out, "{},\"logprobs\":null,\"finish_reason\":\"");
	buf_puts(e->out, finish_reason(e, stop));
	buf_puts(e->out,
		e->env.wants_usage ? "\"}],\"usage\":null}\n\n" : "\"}]}\n\n");
	if (e->env.wants_usage) {
		buf_puts(e->out, "data: ");
		jout_init(&j, e->out);
		jout_obj(&j);
		put_head(&j, e, "chat.completion.chunk");
		jout_arr(&j);
		jout_arr_end(&j);
		put_usage(&j, e);
		jout_obj_end(&j);
		buf_puts(e->out, "\n\n");
	}
	buf_puts(e->out, "data: [DONE]\n\n");
}

/* --- the body ------------------------------------------------------------- */

static void
put_function(struct jout *j, const struct enc_call *c)
{
	jout_obj(j);
	jout_kv_jesc(j, "name", c->name);
	jout_kv_jesc(j, "arguments", openai_text_jesc(&c->arguments));
	jout_obj_end(j);
}

static void
put_calls(struct jout *j, const struct openai_enc *e)
{
	if (e->calls.n == 0)
		return;
	if (e->env.has_functions) {
		jout_key(j, "function_call");
		put_function(j, &e->calls.v[0]);
		return;
	}
	jout_key(j, "tool_calls");
	jout_arr(j);
	for (size_t i = 0; i < e->calls.n; i++) {
		jout_obj(j);
		jout_kv_jesc(j, "id", e->calls.v[i].id);
		jout_kv_cstr(j, "type", "function");
		jout_key(j, "function");
		put_function(j, &e->calls.v[i]);
		jout_obj_end(j);
	}
	jout_arr_end(j);
}

static void
put_body(struct openai_enc *e, enum llm_stop stop)
{
	struct jout j;

	jout_init(&j, e->out);
	jout_obj(&j);
	put_head(&j, e, "chat.completion");
	jout_arr(&j);
	jout_obj(&j);
	jout_kv_int(&j, "index", 0);
	jout_key(&j, "message");
	jout_obj(&j);
	jout_kv_cstr(&j, "role", "assistant");
	if (e->text.n == 0 && e->calls.n > 0)
		jout_kv_null(&j, "content");
	else
		jout_kv_jesc(&j, "content", openai_text_jesc(&e->text));
	jout_kv_null(&j, "refusal");
	if (e->think.n > 0)
		jout_kv_jesc(
			&j, "reasoning_content", openai_text_jesc(&e->think));
	put_calls(&j, e);
	jout_obj_end(&j);
	jout_kv_null(&j, "logprobs");
	jout_kv_cstr(&j, "finish_reason", finish_reason(e, stop));
	jout_obj_end(&j);
	jout_arr_end(&j);
	put_usage(&j, e);
	if (e->members.n > 0) {
		buf_putc(e->out, ',');
		buf_put(e->out, e->members);
	}
	jout_obj_end(&j);
}

/* --- events --------------------------------------------------------------- */

/* "call_" and the request's random characters, of which the last ones count
 * the calls. */
static struct jesc
make_call_id(struct openai_enc *e)
{
	const size_t n = strlen(e->env.fallback_id);

	if (e->ncalls == 1)
		return (struct jesc){ arena_printf(
			e->env.arena, "call_%s", e->env.fallback_id) };
	return (struct jesc){ arena_printf(e->env.arena, "call_%.*s%04zu",
		(int)(n < 4 ? 0 : n - 4), e->env.fallback_id, e->ncalls) };
}

static void
take_open(struct openai_enc *e, const struct llm_event *ev)
{
	struct enc_call *c;
	struct jesc id = ev->id;

	if (ev->block != LLM_TOOL)
		return;
	e->ncalls++;
	e->has_arguments = false;
	if (is_surplus(e))
		return;
	if (jesc_is_empty(id))
		id = make_call_id(e);
	if (is_stream(e)) {
		put_call_chunk(e, id, ev->name);
		return;
	}
	c = VEC_PUSH(e->env.arena, &e->calls);
	c->id = keep(e, id);
	c->name = keep(e, ev->name);
}

static void
take_arguments(struct openai_enc *e, struct jesc text)
{
	/* Blanks in front are no arguments yet. */
	if (is_surplus(e) || (!e->has_arguments && jesc_is_blank(text)))
		return;
	e->has_arguments = true;
	if (is_stream(e))
		put_arguments_chunk(e, text);
	else
		openai_text_add(e->env.arena,
			&e->calls.v[e->calls.n - 1].arguments, text.s);
}

static void
take_delta(struct openai_enc *e, const struct llm_event *ev)
{
	const bool is_text = ev->block == LLM_TEXT;

	e->text_bytes += ev->text.s.n;
	if (jesc_is_empty(ev->text))
		return;
	if (ev->block == LLM_TOOL)
		take_arguments(e, ev->text);
	else if (!is_stream(e))
		openai_text_add(e->env.arena, is_text ? &e->text : &e->think,
			ev->text.s);
	else
		put_string_chunk(e,
			is_text ? SPAN("{\"content\":") :
				  SPAN("{\"reasoning_content\":"),
			ev->text, SPAN("}"));
}

static enum gp_code
enc_put(struct llm_sink *s, const struct llm_event *ev, struct gp_error *err)
{
	struct openai_enc *const e = CONTAINER_OF(s, struct openai_enc, sink);

	switch (ev->kind) {
	case LLM_START:
		take_start(e, ev);
		if (is_stream(e))
			begin_stream(e);
		break;
	case LLM_OPEN:
		take_open(e, ev);
		break;
	case LLM_DELTA:
		take_delta(e, ev);
		break;
	case LLM_CLOSE:
		/* Clients parse the arguments, and nothing is not JSON. */
		if (ev->block == LLM_TOOL && !e->has_arguments)
			take_arguments(e, JESC("{}"));
		break;
	case LLM_USAGE:
		llm_usage_merge(&e->usage, &ev->usage);
		break;
	case LLM_PING:
		if (is_stream(e))
			buf_puts(e->out, ": ping\n\n");
		break;
	case LLM_STOP:
		if (is_stream(e))
			end_stream(e, ev->stop);
		else
			put_body(e, ev->stop);
		break;
	case LLM_ERROR:
		GP_UNREACHED();
	}
	return buf_check(e->out, err);
}

struct llm_sink *
openai_enc_new(struct arena *a, const struct llm_enc_env *env, struct buf *out)
{
	struct openai_enc *const e = arena_alloc(a, sizeof(*e));

	*e = (struct openai_enc){
		.sink = { enc_put },
		.env = *env,
		.out = out,
		.id = JESC_EMPTY,
		.model = JESC_EMPTY,
		.usage = LLM_USAGE_NONE,
		.members = SPAN_EMPTY,
		.before = SPAN_EMPTY,
		.after = SPAN_EMPTY,
	};
	return &e->sink;
}
