/* SPDX-License-Identifier: MIT */
/* test_profile_zai_failure.c - errors in every shape and code. */
#include "tests/unit/zai_fail.h"

/* --- shapes --------------------------------------------------------------- */

static const struct {
	const char *name, *body;
	unsigned status;
	enum llm_fail kind;
	struct span message;
} shapes[] = {
	{ "F1",
		"{\"error\":{\"code\":\"1113\",\"message\":\"No "
		"balance\"},\"request_id\":\"r\"}",
		429, LLM_FAIL_BILLING,
		SPAN_INIT("No balance (z.ai code 1113)") },
	{ "F2",
		"{\"type\":\"error\",\"error\":{\"type\":"
		"\"rate_limit_error\",\"code\":\"1302\",\"message\":"
		"\"[1302][Rate limit reached for requests][2026a]\"},"
		"\"request_id\":\"2026a\"}",
		429, LLM_FAIL_RATE,
		SPAN_INIT("Rate limit reached for requests (z.ai code "
			  "1302)") },
	{ "F2, code in the text only",
		"{\"error\":{\"message\":\"[1302][Slow [down]][t]\"}}", 429,
		LLM_FAIL_RATE, SPAN_INIT("Slow [down] (z.ai code 1302)") },
	{ "F2, no trace", "{\"error\":{\"message\":\"[1302][Slow]\"}}", 429,
		LLM_FAIL_RATE, SPAN_INIT("Slow (z.ai code 1302)") },
	{ "F2, no brackets behind", "{\"error\":{\"message\":\"[1302] Slow\"}}",
		429, LLM_FAIL_RATE, SPAN_INIT("Slow (z.ai code 1302)") },
	{ "F2, brackets that are no code",
		"{\"error\":{\"message\":\"[x][Slow]\"}}", 429, LLM_FAIL_RATE,
		SPAN_INIT("[x][Slow]") },
	{ "F2'",
		"{\"type\":\"error\",\"error\":{\"message\":\"bad\","
		"\"code\":\"1210\"}}",
		400, LLM_FAIL_BAD_REQUEST, SPAN_INIT("bad (z.ai code 1210)") },
	{ "F3",
		"{\"error\":{\"message\":\"token expired or "
		"incorrect\",\"type\":\"401\"}}",
		401, LLM_FAIL_AUTH,
		SPAN_INIT("token expired or incorrect (z.ai code "
			  "401)") },
	{ "F3, business code",
		"{\"error\":{\"message\":\"x\",\"type\":\"1000\"}}", 401,
		LLM_FAIL_AUTH, SPAN_INIT("x (z.ai code 1000)") },
	{ "107 F4",
		"{\"code\":500,\"msg\":\"404 NOT_FOUND\",\"success\":"
		"false}",
		200, LLM_FAIL_NOT_FOUND,
		SPAN_INIT("404 NOT_FOUND (z.ai code 500)") },
	{ "107 F4, 404", "{\"code\":404,\"msg\":\"gone\",\"success\":false}",
		200, LLM_FAIL_NOT_FOUND, SPAN_INIT("gone (z.ai code 404)") },
	{ "107 F4, 500", "{\"code\":500,\"msg\":\"broken\",\"success\":false}",
		200, LLM_FAIL_UPSTREAM, SPAN_INIT("broken (z.ai code 500)") },
	{ "107 F4, 401", "{\"code\":401,\"msg\":\"token\",\"success\":false}",
		200, LLM_FAIL_AUTH, SPAN_INIT("token (z.ai code 401)") },
	{ "F5", "{\"detail\":\"no such thing\"}", 422, LLM_FAIL_BAD_REQUEST,
		SPAN_INIT("no such thing") },
	{ "F5 list",
		"{\"detail\":[{\"type\":\"x\",\"loc\":[\"body\","
		"\"messages\",1,\"role\"],\"msg\":\"bad role\"},"
		"{\"loc\":[\"body\",\"x\"],\"msg\":\"y\"}]}",
		422, LLM_FAIL_BAD_REQUEST,
		SPAN_INIT("body.messages.1.role: bad role; body.x: "
			  "y") },
	{ "F6",
		"{\"timestamp\":1,\"status\":404,\"error\":\"Not "
		"Found\",\"path\":\"/v4/x\"}",
		404, LLM_FAIL_NOT_FOUND, SPAN_INIT("Not Found") },
	{ "109 F7 HTML",
		"<html><head><title>502 Bad Gateway</title></head>"
		"</html>",
		502, LLM_FAIL_UPSTREAM,
		SPAN_INIT("the upstream answered with status 502 (Bad "
			  "Gateway)") },
	{ "F7 text", "  upstream\tis\r\ntired\n", 503, LLM_FAIL_UNAVAILABLE,
		SPAN_INIT("the upstream answered with status 503: "
			  "upstream is  tired") },
	{ "F7 empty", "", 429, LLM_FAIL_RATE,
		SPAN_INIT("the upstream answered with status 429 (Too "
			  "Many Requests)") },
	{ "F7 JSON without content", "{}", 500, LLM_FAIL_SERVER,
		SPAN_INIT("the upstream answered with status 500 "
			  "(Internal Server Error)") },
	{ "F7 JSON list", "[1]", 504, LLM_FAIL_UPSTREAM_TIMEOUT,
		SPAN_INIT("the upstream answered with status 504 "
			  "(Gateway Timeout)") },
	{ "F7 broken JSON", "{\"error\":{\"mess", 500, LLM_FAIL_SERVER,
		SPAN_INIT("the upstream answered with status 500 "
			  "(Internal Server Error)") },
	{ "F7 bytes", "abc\xff\xfe", 500, LLM_FAIL_SERVER,
		SPAN_INIT("the upstream answered with status 500: "
			  "abc") },
	{ "F7 good status", "<html>", 200, LLM_FAIL_UPSTREAM,
		SPAN_INIT("the upstream's answer cannot be read") },
	{ "F7 good status, nothing", "", 200, LLM_FAIL_UPSTREAM,
		SPAN_INIT("the upstream failed and did not say "
			  "why") },
	{ "F8", "{\"code\":1214,\"message\":\"bad\"}", 400,
		LLM_FAIL_BAD_REQUEST, SPAN_INIT("bad (z.ai code 1214)") },
	{ "first code wins",
		"{\"code\":1302,\"error\":{\"code\":1305,\"type\":"
		"\"1000\",\"message\":\"[1113][x]\"}}",
		429, LLM_FAIL_OVERLOADED, SPAN_INIT("x (z.ai code 1305)") },
	{ "escapes", "{\"error\":{\"message\":\"a\\n\\u00e4\\ud800\"}}", 400,
		LLM_FAIL_BAD_REQUEST, SPAN_INIT("a \xc3\xa4\xef\xbf\xbd") },
};

static void
test_shapes(void **state)
{
	struct fixture *const x = *state;

	for (size_t i = 0; i < ARRAY_LEN(shapes); i++) {
		const struct llm_failure *const f =
			fail_with(x, shapes[i].status, shapes[i].body);

		check_kind(shapes[i].name, f->kind, shapes[i].kind);
		assert_spans_eq(f->message, shapes[i].message);
		assert_int_equal(f->keep_status, 0);
	}
}

static void
test_in_stream(void **state)
{
	static const struct {
		const char *body;
		enum llm_fail kind;
	} rows[] = {
		{ "{\"error\":{\"code\":\"1305\",\"message\":\"busy\"}}",
			LLM_FAIL_OVERLOADED },
		{ "{\"type\":\"error\",\"error\":{\"type\":"
		  "\"rate_limit_error\",\"message\":\"slow\"}}",
			LLM_FAIL_RATE },
		{ "{\"type\":\"error\",\"error\":{\"type\":\"api_error\","
		  "\"message\":\"oh\"}}",
			LLM_FAIL_SERVER },
		{ "{\"error\":{\"message\":\"oh\"}}", LLM_FAIL_UPSTREAM },
		{ "{\"error\":{\"message\":\"maximum context length\"}}",
			LLM_FAIL_CONTEXT },
	};
	struct fixture *const x = *state;

	x->reply.is_in_stream = true;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		check_kind(rows[i].body, fail_with(x, 200, rows[i].body)->kind,
			rows[i].kind);
}

/* --- codes ---------------------------------------------------------------- */

/* 7.3: what each client gets. */
static const struct {
	unsigned code, status; /* as z.ai sends them */
	unsigned a_status, o_status;
	const char *a_type, *o_type;
} codes[] = {
	{ 1000, 401, 401, 401, "authentication_error", "invalid_api_key" },
	{ 1001, 401, 401, 401, "authentication_error", "invalid_api_key" },
	{ 1005, 401, 401, 401, "authentication_error", "invalid_api_key" },
	{ 1110, 429, 403, 403, "permission_error", "account_deactivated" },
	{ 1112, 401, 403, 403, "permission_error", "account_deactivated" },
	{ 1120, 401, 403, 403, "permission_error", "account_deactivated" },
	{ 1121, 429, 403, 403, "permission_error", "account_deactivated" },
	{ 1113, 429, 402, 429, "billing_error", "insufficient_quota" },
	{ 1200, 500, 500, 500, "api_error", "server_error" },
	{ 1230, 500, 500, 500, "api_error", "server_error" },
	{ 1234, 500, 500, 500, "api_error", "server_error" },
	{ 1210, 400, 400, 400, "invalid_request_error",
		"invalid_request_error" },
	{ 1211, 400, 404, 404, "not_found_error", "model_not_found" },
	{ 1212, 400, 400, 400, "invalid_request_error",
		"invalid_request_error" },
	{ 1215, 400, 400, 400, "invalid_request_error",
		"invalid_request_error" },
	{ 1220, 403, 403, 403, "permission_error", "permission_denied" },
	{ 1221, 400, 404, 404, "not_found_error", "unknown_url" },
	{ 1222, 400, 404, 404, "not_found_error", "unknown_url" },
	{ 1231, 400, 409, 409, "conflict_error", "conflict" },
	{ 1300, 400, 400, 400, "invalid_request_error",
		"content_policy_violation" },
	{ 1301, 400, 400, 400, "invalid_request_error",
		"content_policy_violation" },
	{ 1302, 429, 429, 429, "rate_limit_error", "rate_limit_exceeded" },
	{ 1303, 429, 429, 429, "rate_limit_error", "rate_limit_exceeded" },
	{ 1304, 429, 429, 429, "rate_limit_error", "insufficient_quota" },
	{ 1305, 429, 529, 429, "overloaded_error", "server_overloaded" },
	{ 1305, 529, 529, 429, "overloaded_error", "server_overloaded" },
	{ 1308, 429, 429, 429, "rate_limit_error", "insufficient_quota" },
	{ 1309, 429, 402, 429, "billing_error", "insufficient_quota" },
	{ 1310, 429, 429, 429, "rate_limit_error", "insufficient_quota" },
	{ 1311, 429, 403, 403, "permission_error", "model_not_available" },
	{ 1313, 429, 429, 429, "rate_limit_error", "insufficient_quota" },
	{ 1314, 429, 402, 429, "billing_error", "insufficient_quota" },
	{ 1315, 429, 403, 403, "permission_error", "permission_denied" },
	{ 1316, 429, 429, 429, "rate_limit_error", "insufficient_quota" },
	{ 1321, 429, 429, 429, "rate_limit_error", "insufficient_quota" },
	{ 434, 434, 403, 403, "permission_error", "permission_denied" },
	{ 435, 435, 413, 413, "request_too_large", "request_too_large" },
	/* Unknown ones stay what they are. */
	{ 1399, 429, 429, 429, "rate_limit_error", "rate_limit_exceeded" },
	{ 1399, 418, 418, 418, "invalid_request_error",
		"invalid_request_error" },
	{ 1399, 405, 405, 405, "invalid_request_error",
		"invalid_request_error" },
	{ 1399, 520, 520, 520, "api_error", "server_error" },
	{ 1399, 422, 400, 400, "invalid_request_error",
		"invalid_request_error" },
	{ 1399, 503, 529, 503, "overloaded_error", "server_overloaded" },
	{ 1399, 200, 502, 502, "api_error", "upstream_error" },
};

static void
check_encoded(struct fixture *x, const struct dialect *d, unsigned status,
	const char *word, unsigned code)
{
	char number[32];

	(void)snprintf(number, sizeof(number), "(z.ai code %u)", code);
	buf_reset(&x->out, 0);
	d->fail_encode(&x->f, LLM_BODY, SPAN("req_1"), &x->out);
	if (d->fail_status(&x->f) != status ||
		span_find(buf_span(&x->out), span_cstr(word)) ==
			buf_len(&x->out) ||
		span_find(buf_span(&x->out), span_cstr(number)) ==
			buf_len(&x->out))
		fail_msg("%s, %u: %u %.*s", d->name, code,
			d->fail_status(&x->f), SPAN_ARG(buf_span(&x->out)));
}

static void
test_codes(void **state)
{
	struct fixture *const x = *state;

	for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
		char body[128];

		(void)snprintf(body, sizeof(body),
			"{\"error\":{\"code\":\"%u\",\"message\":\"why\"}}",
			codes[i].code);
		(void)fail_with(x, codes[i].status, body);
		check_encoded(x, &dialect_anthropic, codes[i].a_status,
			codes[i].a_type, codes[i].code);
		check_encoded(x, &dialect_openai, codes[i].o_status,
			codes[i].o_type, codes[i].code);
	}
}

static void
test_retrying(void **state)
{
	static const struct {
		unsigned code;
		bool is_retryable;
	} rows[] = {
		{ 1113, false }, /* T12 */
		{ 1302, true },  /* T13 */
		{ 1305, true },  /* T14 */
		{ 1308, false },
		{ 1231, false },
		{ 1313, false },
		{ 1000, false }, /* 112 */
		{ 1200, true },
	};
	struct fixture *const x = *state;

	x->reply.retry_after = SPAN("40");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char body[64];
		const struct llm_failure *f;

		(void)snprintf(body, sizeof(body),
			"{\"error\":{\"code\":%u,\"message\":\"why\"}}",
			rows[i].code);
		f = fail_with(x, 429, body);
		assert_int_equal(
			llm_fail_is_retryable(f->kind), rows[i].is_retryable);
		assert_int_equal(
			f->retry_after_s, rows[i].is_retryable ? 40 : -1);
	}
}

static void
test_retry_after(void **state)
{
	static const struct {
		const char *header, *body;
		int64_t seconds;
	} rows[] = {
		{ "7", "{}", 7 },
		{ "7", "{\"retry-after\":\"40\"}", 7 },
		{ "", "{\"retry-after\":\"40\"}", 40 },
		{ "", "{\"retry-after\":40}", 40 },
		{ "", "{\"retry-after\":1.5}", 2 },
		{ "", "{\"retry-after\":true}", -1 },
		{ "", "{}", -1 },
		{ "-1", "{}", -1 },
		{ "99999999999", "{}", -1 },
		/* Dates, at 07:28:00. */
		{ "Wed, 21 Oct 2026 07:28:40 GMT", "{\"retry-after\":3}", 40 },
		{ "Wed, 21 Oct 2026 07:27:00 GMT", "{}", 0 },
		{ "Wed, 21 Oct 2099 07:28:00 GMT", "{}", INT32_MAX },
		{ "", "{\"retry-after\":\"Wed, 21 Oct 2026 07:28:09 GMT\"}",
			9 },
		{ "Wed, 21 Oct 2026", "{\"retry-after\":3}", 3 },
	};
	struct fixture *const x = *state;

	x->reply.now_wall_s = 1792567680;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		x->reply.retry_after = span_cstr(rows[i].header);
		assert_int_equal(fail_with(x, 429, rows[i].body)->retry_after_s,
			rows[i].seconds);
	}
}

/* --- what is worth a look --------------------------------------------------
 */

static void
test_t19_vague(void **state)
{
	static const struct {
		unsigned status;
		const char *body;
		bool is_vague;
	} rows[] = {
		{ 400, "{\"error\":{\"code\":\"1210\",\"message\":\"x\"}}",
			true },
		{ 400,
			"{\"type\":\"error\",\"error\":{\"message\":"
			"\"[1210][API parameter error][20260921]\"}}",
			true },
		{ 400,
			"{\"error\":{\"code\":\"1210\",\"message\":"
			"\"exceeds the maximum context length\"}}",
			false },
		{ 400, "{\"error\":{\"code\":\"1214\",\"message\":\"x\"}}",
			false },
		{ 400, "", false },
		{ 500, "{}", false },
	};
	struct fixture *const x = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(
			fail_with(x, rows[i].status, rows[i].body)->is_vague,
			rows[i].is_vague);
}

/* --- bounds --------------------------------------------------------------- */

static void
test_long(void **state)
{
	struct fixture *const x = *state;
	/* Two bytes each: no cut falls inside of one. */
	char *const text = t_repeat("\xc3\xa4", 200000);
	struct buf b;
	const struct llm_failure *f;

	buf_init(&b, 1u << 21);
	buf_puts(&b, "{\"error\":{\"code\":\"1210\",\"message\":\"a");
	buf_put(&b, span_of(text, 20000));
	buf_puts(&b, "\"}}");
	f = fail_span(x, 400, buf_span(&b));
	assert_true(f->message.n < 2100);
	assert_true(span_starts(f->message, SPAN("a\xc3\xa4")));
	assert_true(span_ends(f->message, SPAN("\xc3\xa4 (z.ai code 1210)")));
	/* Too long for JSON to be read. */
	buf_reset(&b, 0);
	buf_puts(&b, "{\"error\":{\"message\":\"");
	buf_put(&b, span_of(text, 400000));
	buf_puts(&b, "\"}}");
	f = fail_span(x, 500, buf_span(&b));
	assert_span_eq(f->message,
		"the upstream answered with status 500 (Internal Server "
		"Error)");
	/* Not JSON at all. */
	f = fail_span(x, 500, span_of(text, 400000));
	assert_true(f->message.n <= 200 + 50);
	buf_fini(&b);
	free(text);
}

static void
test_is_failure(void **state)
{
	static const struct {
		const char *body;
		bool is_failure;
	} rows[] = {
		{ "{\"code\":500,\"msg\":\"404 NOT_FOUND\",\"success\":false}",
			true },
		{ "{\"success\":false,\"choices\":[]}", true },
		{ "{\"success\":true,\"choices\":[]}", false },
		{ "{\"error\":{\"message\":\"x\"}}", true },
		{ "{\"error\":\"Not Found\"}", true },
		{ "{\"error\":null,\"choices\":[]}", false },
		{ "{\"error\":{\"code\":1},\"choices\":[]}", false },
		{ "{\"error\":{\"code\":1},\"content\":[]}", false },
		{ "{\"type\":\"error\",\"error\":{\"type\":\"x\"}}", true },
		{ "{\"code\":1214,\"message\":\"x\"}", true },
		{ "{\"code\":\"1214\",\"msg\":\"x\"}", true },
		{ "{\"code\":1214}", false },
		{ "{\"id\":\"x\",\"choices\":[{\"message\":{}}]}", false },
		{ "{\"type\":\"message\",\"content\":[]}", false },
		{ "{}", false },
		{ "[]", false },
		{ "\"error\"", false },
	};
	struct jdoc d;

	(void)state;
	jdoc_init(&d);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct gp_error err;

		assert_ok(jdoc_parse(&d, span_cstr(rows[i].body), &err), &err);
		if (profile_zai.is_failure(&d) != rows[i].is_failure)
			fail_msg("%s", rows[i].body);
	}
	jdoc_fini(&d);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_shapes),
		TEST(test_in_stream),
		TEST(test_codes),
		TEST(test_retrying),
		TEST(test_retry_after),
		TEST(test_t19_vague),
		TEST(test_long),
		cmocka_unit_test(test_is_failure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
