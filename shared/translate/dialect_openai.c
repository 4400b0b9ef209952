/* SPDX-License-Identifier: MIT */
/* dialect_openai.c - Chat Completions: the dialect's object and failures. */
#include <stdio.h>

#include "shared/base/check.h"
#include "shared/translate/dialect_openai.h"

/* --- failures ------------------------------------------------------------- */

#define INVALID "invalid_request_error"
#define RATE    "rate_limit_error"
#define SERVER  "server_error"
#define QUOTA   "insufficient_quota"

static const struct {
	unsigned status;
	const char *type;
	const char *code; /* NULL: none */
} failures[LLM_FAIL_COUNT] = {
	[LLM_FAIL_BAD_REQUEST] = { 400, INVALID, NULL },
	[LLM_FAIL_AUTH] = { 401, INVALID, "invalid_api_key" },
	/* Clients know no 402: they are told about their quota. */
	[LLM_FAIL_BILLING] = { 429, QUOTA, QUOTA },
	[LLM_FAIL_PERMISSION] = { 403, INVALID, "permission_denied" },
	[LLM_FAIL_DEACTIVATED] = { 403, INVALID, "account_deactivated" },
	[LLM_FAIL_MODEL_NOT_ALLOWED] = { 403, INVALID, "model_not_available" },
	[LLM_FAIL_NOT_FOUND] = { 404, INVALID, "unknown_url" },
	[LLM_FAIL_MODEL_NOT_FOUND] = { 404, INVALID, "model_not_found" },
	[LLM_FAIL_METHOD] = { 405, INVALID, "method_not_allowed" },
	[LLM_FAIL_REQUEST_TIMEOUT] = { 408, INVALID, "request_timeout" },
	[LLM_FAIL_CONFLICT] = { 409, INVALID, "conflict" },
	[LLM_FAIL_TOO_LARGE] = { 413, INVALID, "request_too_large" },
	[LLM_FAIL_MEDIA_TYPE] = { 415, INVALID, "unsupported_media_type" },
	[LLM_FAIL_HEAD_TOO_LARGE] = { 431, INVALID, "headers_too_large" },
	[LLM_FAIL_CONTEXT] = { 400, INVALID, "context_length_exceeded" },
	[LLM_FAIL_CONTENT_POLICY] = { 400, INVALID,
		"content_policy_violation" },
	[LLM_FAIL_RATE] = { 429, RATE, "rate_limit_exceeded" },
	[LLM_FAIL_QUOTA] = { 429, QUOTA, QUOTA },
	/* The one code that clients do not repeat: the account is at risk. */
	[LLM_FAIL_FAIR_USE] = { 429, QUOTA, QUOTA },
	[LLM_FAIL_SERVER] = { 500, SERVER, NULL },
	[LLM_FAIL_UPSTREAM] = { 502, SERVER, "upstream_error" },
	[LLM_FAIL_UNAVAILABLE] = { 503, SERVER, "server_overloaded" },
	[LLM_FAIL_UPSTREAM_TIMEOUT] = { 504, SERVER, "upstream_timeout" },
	/* 529 is unknown here, and some clients repeat a 429 only. */
	[LLM_FAIL_OVERLOADED] = { 429, RATE, "server_overloaded" },
};

static unsigned
fail_status(const struct llm_failure *f)
{
	GP_ASSERT(f->kind < LLM_FAIL_COUNT);
	/* 422 is a 400 that no client of this dialect expects. */
	if (f->keep_status == 422)
		return 400;
	return f->keep_status != 0 ? f->keep_status : failures[f->kind].status;
}

/* The sentences by which clients recognise that they must compact. */
static void
put_message(struct jout *j, const struct llm_failure *f)
{
	const long long limit = f->limit_tokens;
	const long long asked = f->completion_tokens;
	long long input = f->input_tokens;
	char text[320];

	jout_key(j, "message");
	if (f->kind != LLM_FAIL_CONTEXT || limit <= 0) {
		jout_span(j, f->message);
		return;
	}
	if (input > 0 && input <= limit && asked > 0) {
		(void)snprintf(text, sizeof(text),
			"This model's maximum context length is %lld tokens. "
			"However, you requested %lld tokens (%lld in the "
			"messages, %lld in the completion). Please reduce the "
			"length of the messages or completion.",
			limit, input + asked, input, asked);
	} else {
		input = MAX(input, limit + 1);
		(void)snprintf(text, sizeof(text),
			"This model's maximum context length is %lld tokens. "
			"However, your messages resulted in %lld tokens. "
			"Please reduce the length of the messages.",
			limit, input);
	}
	jout_cstr(j, text);
}

static void
fail_encode(const struct llm_failure *f, enum llm_mode mode,
	struct span request_id, struct buf *out)
{
	const char *code = failures[f->kind].code;
	struct jout j;

	(void)request_id; /* in the head only */
	if (f->reason != NULL)
		code = f->reason;
	if (mode == LLM_SSE)
		buf_puts(out, "data: ");
	jout_init(&j, out);
	jout_obj(&j);
	jout_key(&j, "error");
	jout_obj(&j);
	put_message(&j, f);
	jout_kv_cstr(&j, "type", failures[f->kind].type);
	if (f->param.n > 0)
		jout_kv_span(&j, "param", f->param);
	else if (f->kind == LLM_FAIL_CONTEXT)
		jout_kv_cstr(&j, "param", "messages");
	else
		jout_kv_null(&j, "param");
	if (code != NULL)
		jout_kv_cstr(&j, "code", code);
	else
		jout_kv_null(&j, "code");
	jout_obj_end(&j);
	jout_obj_end(&j);
	if (mode == LLM_SSE)
		buf_puts(out, "\n\n");
}

/* --- the rest ------------------------------------------------------------- */

static void
req_head(struct buf *head)
{
	(void)head; /* the dialect has no version to name */
}

static void
heartbeat(bool started, struct buf *out)
{
	(void)started;
	buf_puts(out, ": keep-alive\n\n");
}

static void
count_encode(const struct llm_counted *c, struct buf *out)
{
	struct jout j;

	jout_init(&j, out);
	jout_obj(&j);
	jout_kv_cstr(&j, "object", "response.input_tokens");
	jout_kv_int(&j, "input_tokens", c->tokens);
	if (c->real >= 0)
		jout_kv_int(&j, "real_input_tokens", c->real);
	if (c->is_compat) {
		if (c->is_estimate)
			jout_kv_bool(&j, "proxy_estimate", true);
		jout_key(&j, "usage");
		jout_obj(&j);
		jout_kv_int(&j, "prompt_tokens", c->tokens);
		jout_kv_int(&j, "completion_tokens", 0);
		jout_kv_int(&j, "total_tokens", c->tokens);
		jout_obj_end(&j);
	}
	jout_obj_end(&j);
}

static const struct dialect_route routes[] = {
	{ SPAN_INIT("/v1/chat/completions"), LLM_CHAT },
	{ SPAN_INIT("/chat/completions"), LLM_CHAT },
	{ SPAN_INIT("/v1/responses/input_tokens"), LLM_COUNT },
};

const struct dialect dialect_openai = {
	.name = "openai",
	.suffix = SPAN_INIT("-openai"),
	.routes = routes,
	.nroutes = ARRAY_LEN(routes),
	.chat_path = SPAN_INIT("/chat/completions"),
	.count_path = SPAN_INIT(""),
	.request_id_header = "x-request-id",
	.marker_header = SPAN_INIT(""),
	.feature_header = SPAN_INIT(""),
	.limit_header = SPAN_INIT("x-ratelimit-"),
	.shows_reasoning = true,
	.req_decode = openai_req_decode,
	.req_encode = openai_req_encode,
	.req_head = req_head,
	.dec_size = sizeof(struct openai_dec),
	.dec_init = openai_dec_init,
	.dec_sse = openai_dec_sse,
	.dec_body = openai_dec_body,
	.dec_end = openai_dec_end,
	.enc_new = openai_enc_new,
	.fail_status = fail_status,
	.fail_encode = fail_encode,
	.heartbeat = heartbeat,
	.count_encode = count_encode,
};
