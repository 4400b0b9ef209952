/* SPDX-License-Identifier: MIT */
/* dialect_anthropic.c - the Messages dialect: its object and its tables. */
#include "shared/translate/dialect_anthropic.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "shared/base/check.h"

#define SSE_PING "event: ping\ndata: {\"type\":\"ping\"}\n\n"

/* --- stop reasons --------------------------------------------------------- */

static const struct {
	struct span name;
	enum llm_stop stop;
} stops[] = {
	{ SPAN_INIT("end_turn"), LLM_STOP_END },
	{ SPAN_INIT("tool_use"), LLM_STOP_TOOL },
	{ SPAN_INIT("max_tokens"), LLM_STOP_LENGTH },
	{ SPAN_INIT("stop_sequence"), LLM_STOP_SEQUENCE },
	{ SPAN_INIT("refusal"), LLM_STOP_REFUSAL },
	{ SPAN_INIT("model_context_window_exceeded"), LLM_STOP_CONTEXT },
	{ SPAN_INIT("pause_turn"), LLM_STOP_PAUSE },
	{ SPAN_INIT("compaction"), LLM_STOP_PAUSE },
};

enum llm_stop
anthropic_stop_of(struct jesc reason)
{
	for (size_t i = 0; i < ARRAY_LEN(stops); i++) {
		if (jesc_eq(reason, stops[i].name))
			return stops[i].stop;
	}
	return LLM_STOP_UNKNOWN;
}

const char *
anthropic_stop_name(enum llm_stop stop)
{
	for (size_t i = 0; i < ARRAY_LEN(stops); i++) {
		if (stops[i].stop == stop)
			return stops[i].name.p;
	}
	/* Clients tolerate an unknown reason, but none helps them. */
	return "end_turn";
}

/* --- failures ------------------------------------------------------------- */

/* By class; the order of failure.def is not relied on. */
static const struct {
	unsigned status;
	const char *type;
} fails[LLM_FAIL_COUNT] = {
	[LLM_FAIL_BAD_REQUEST] = { 400, "invalid_request_error" },
	[LLM_FAIL_AUTH] = { 401, "authentication_error" },
	[LLM_FAIL_BILLING] = { 402, "billing_error" },
	[LLM_FAIL_PERMISSION] = { 403, "permission_error" },
	[LLM_FAIL_DEACTIVATED] = { 403, "permission_error" },
	[LLM_FAIL_MODEL_NOT_ALLOWED] = { 403, "permission_error" },
	[LLM_FAIL_NOT_FOUND] = { 404, "not_found_error" },
	[LLM_FAIL_MODEL_NOT_FOUND] = { 404, "not_found_error" },
	[LLM_FAIL_METHOD] = { 405, "invalid_request_error" },
	[LLM_FAIL_REQUEST_TIMEOUT] = { 408, "timeout_error" },
	[LLM_FAIL_CONFLICT] = { 409, "conflict_error" },
	[LLM_FAIL_TOO_LARGE] = { 413, "request_too_large" },
	[LLM_FAIL_MEDIA_TYPE] = { 415, "invalid_request_error" },
	[LLM_FAIL_HEAD_TOO_LARGE] = { 431, "invalid_request_error" },
	[LLM_FAIL_CONTEXT] = { 400, "invalid_request_error" },
	[LLM_FAIL_CONTENT_POLICY] = { 400, "invalid_request_error" },
	[LLM_FAIL_RATE] = { 429, "rate_limit_error" },
	[LLM_FAIL_QUOTA] = { 429, "rate_limit_error" },
	[LLM_FAIL_FAIR_USE] = { 429, "rate_limit_error" },
	[LLM_FAIL_SERVER] = { 500, "api_error" },
	[LLM_FAIL_UPSTREAM] = { 502, "api_error" },
	/* The dialect's own word for "busy"; it has none for 503. */
	[LLM_FAIL_UNAVAILABLE] = { 529, "overloaded_error" },
	[LLM_FAIL_UPSTREAM_TIMEOUT] = { 504, "timeout_error" },
	[LLM_FAIL_OVERLOADED] = { 529, "overloaded_error" },
};

/* Types of statuses that are kept as upstream sent them. */
static const struct {
	unsigned status;
	const char *type;
} kept[] = {
	{ 401, "authentication_error" },
	{ 402, "billing_error" },
	{ 403, "permission_error" },
	{ 404, "not_found_error" },
	{ 408, "timeout_error" },
	{ 409, "conflict_error" },
	{ 413, "request_too_large" },
	{ 429, "rate_limit_error" },
	{ 504, "timeout_error" },
	{ 529, "overloaded_error" },
};

static bool
keeps_status(const struct llm_failure *f)
{
	return f->keep_status >= 400 && f->keep_status <= 599;
}

static unsigned
fail_status(const struct llm_failure *f)
{
	GP_ASSERT((size_t)f->kind < ARRAY_LEN(fails));
	if (!keeps_status(f))
		return fails[f->kind].status;
	/* The dialect does not know 422. */
	return f->keep_status == 422 ? 400 : f->keep_status;
}

static const char *
fail_type(const struct llm_failure *f)
{
	if (!keeps_status(f))
		return fails[f->kind].type;
	for (size_t i = 0; i < ARRAY_LEN(kept); i++) {
		if (kept[i].status == f->keep_status)
			return kept[i].type;
	}
	return f->keep_status < 500 ? "invalid_request_error" : "api_error";
}

/* Clients find the numbers in these texts by pattern and compact their
 * conversation, or lower max_tokens and try again. */
static void
put_context_text(struct jout *j, const struct llm_failure *f)
{
	const int64_t n = f->input_tokens, x = f->completion_tokens;
	const int64_t m = MIN(f->limit_tokens, INT64_MAX - 1);
	char text[192];

	if (m <= 0) {
		jout_str_span(j, SPAN("prompt is too long: "));
		jout_str_span(j, f->message);
		return;
	}
	if (n > 0 && n <= m && x > m - n)
		(void)snprintf(text, sizeof(text),
			"input length and `max_tokens` exceed context limit: "
			"%" PRId64 " + %" PRId64 " > %" PRId64 ", decrease "
			"input length or `max_tokens` and try again",
			n, x, m);
	else
		(void)snprintf(text, sizeof(text),
			"prompt is too long: %" PRId64 " tokens > %" PRId64
			" maximum",
			MAX(n, m + 1), m);
	jout_str_span(j, span_cstr(text));
}

static void
put_message(struct jout *j, const struct llm_failure *f)
{
	jout_key(j, "message");
	jout_str_begin(j);
	if (f->kind == LLM_FAIL_CONTEXT) {
		put_context_text(j, f);
	} else {
		/* The dialect has no field for the place of a mistake. */
		if (f->param.n > 0 &&
			span_find(f->message, f->param) == f->message.n) {
			jout_str_span(j, f->param);
			jout_str_span(j, SPAN(": "));
		}
		jout_str_span(j, f->message);
	}
	jout_str_end(j);
}

/* The one reason of our own that clients of the dialect act upon. */
static void
put_details(struct jout *j, const struct llm_failure *f)
{
	if (f->reason == NULL || strcmp(f->reason, ANTHROPIC_NO_THREADS) != 0)
		return;
	jout_key(j, "details");
	jout_obj(j);
	jout_kv_cstr(j, "error_code", f->reason);
	jout_obj_end(j);
}

static void
fail_encode(const struct llm_failure *f, enum llm_mode mode,
	struct span request_id, struct buf *out)
{
	struct jout j;

	if (mode == LLM_SSE)
		buf_puts(out, "event: error\ndata: ");
	jout_init(&j, out);
	jout_obj(&j);
	jout_kv_cstr(&j, "type", "error");
	jout_key(&j, "error");
	jout_obj(&j);
	jout_kv_cstr(&j, "type", fail_type(f));
	put_message(&j, f);
	put_details(&j, f);
	jout_obj_end(&j);
	if (mode == LLM_BODY && request_id.n > 0)
		jout_kv_span(&j, "request_id", request_id);
	jout_obj_end(&j);
	if (mode == LLM_SSE)
		buf_puts(out, "\n\n");
}

/* --- small answers -------------------------------------------------------- */

static void
heartbeat(bool started, struct buf *out)
{
	/* Before message_start some clients take comments only. */
	buf_puts(out, started ? SSE_PING : ": keep-alive\n\n");
}

static void
count_encode(const struct llm_counted *c, struct buf *out)
{
	struct jout j;

	jout_init(&j, out);
	jout_obj(&j);
	jout_kv_int(&j, "input_tokens", c->tokens);
	if (c->real >= 0)
		jout_kv_int(&j, "real_input_tokens", c->real);
	if (c->is_compat) {
		jout_kv_int(&j, "token_count", c->tokens);
		jout_kv_int(&j, "input_token_count", c->tokens);
		if (c->is_estimate)
			jout_kv_bool(&j, "proxy_estimate", true);
	}
	if (c->shows_original) {
		jout_key(&j, "context_management");
		jout_obj(&j);
		jout_kv_int(&j, "original_input_tokens", c->tokens);
		jout_obj_end(&j);
	}
	jout_obj_end(&j);
}

static void
req_head(struct buf *head)
{
	buf_puts(head, "anthropic-version: 2023-06-01\r\n");
}

/* --- the object ----------------------------------------------------------- */

static const struct dialect_route routes[] = {
	{ SPAN_INIT("/v1/messages"), LLM_CHAT },
	{ SPAN_INIT("/messages"), LLM_CHAT },
	{ SPAN_INIT("/v1/messages/count_tokens"), LLM_COUNT },
	{ SPAN_INIT("/messages/count_tokens"), LLM_COUNT },
};

const struct dialect dialect_anthropic = {
	.name = "anthropic",
	.suffix = SPAN_INIT("-anthropic"),
	.routes = routes,
	.nroutes = ARRAY_LEN(routes),
	.chat_path = SPAN_INIT("/v1/messages"),
	.count_path = SPAN_INIT("/v1/messages/count_tokens"),
	.request_id_header = "request-id",
	.prefers_api_key_header = true,
	.marker_header = SPAN_INIT("anthropic-version"),
	.feature_header = SPAN_INIT("anthropic-beta"),
	.limit_header = SPAN_INIT("anthropic-ratelimit-"),
	.reports_stop = true,
	.shows_reasoning = false,
	.needs_max_tokens = true,
	.req_decode = anthropic_req_decode,
	.req_encode = anthropic_req_encode,
	.req_copy = anthropic_req_copy,
	.req_head = req_head,
	.dec_size = sizeof(struct anthropic_dec),
	.dec_init = anthropic_dec_init,
	.dec_sse = anthropic_dec_sse,
	.dec_body = anthropic_dec_body,
	.dec_end = anthropic_dec_end,
	.enc_new = anthropic_enc_new,
	.ans_copy_sse = anthropic_ans_copy_sse,
	.ans_copy_body = anthropic_ans_copy_body,
	.ans_copy_end = anthropic_ans_copy_end,
	.fail_status = fail_status,
	.fail_encode = fail_encode,
	.heartbeat = heartbeat,
	.count_encode = count_encode,
};
