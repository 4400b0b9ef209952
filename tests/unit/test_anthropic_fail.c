/* SPDX-License-Identifier: MIT */
/* test_anthropic_fail.c - failures and small answers of the Messages dialect.
 */
#include "tests/unit/anthropic_util.h"

#define FRAME(type, rest)                                                      \
	"event: " type "\ndata: {\"type\":\"" type "\"" rest "}\n\n"

/* --- failures ------------------------------------------------------------- */

static const struct {
	enum llm_fail kind;
	unsigned keep, status;
	const char *type;
} fails[] = {
	{ LLM_FAIL_BAD_REQUEST, 0, 400, "invalid_request_error" },
	{ LLM_FAIL_AUTH, 0, 401, "authentication_error" },
	{ LLM_FAIL_BILLING, 0, 402, "billing_error" },
	{ LLM_FAIL_PERMISSION, 0, 403, "permission_error" },
	{ LLM_FAIL_DEACTIVATED, 0, 403, "permission_error" },
	{ LLM_FAIL_MODEL_NOT_ALLOWED, 0, 403, "permission_error" },
	{ LLM_FAIL_NOT_FOUND, 0, 404, "not_found_error" },
	{ LLM_FAIL_MODEL_NOT_FOUND, 0, 404, "not_found_error" },
	{ LLM_FAIL_METHOD, 0, 405, "invalid_request_error" },
	{ LLM_FAIL_REQUEST_TIMEOUT, 0, 408, "timeout_error" },
	{ LLM_FAIL_CONFLICT, 0, 409, "conflict_error" },
	{ LLM_FAIL_TOO_LARGE, 0, 413, "request_too_large" },
	{ LLM_FAIL_MEDIA_TYPE, 0, 415, "invalid_request_error" },
	{ LLM_FAIL_HEAD_TOO_LARGE, 0, 431, "invalid_request_error" },
	{ LLM_FAIL_CONTENT_POLICY, 0, 400, "invalid_request_error" },
	{ LLM_FAIL_RATE, 0, 429, "rate_limit_error" },
	{ LLM_FAIL_QUOTA, 0, 429, "rate_limit_error" },
	{ LLM_FAIL_FAIR_USE, 0, 429, "rate_limit_error" },
	{ LLM_FAIL_SERVER, 0, 500, "api_error" },
	{ LLM_FAIL_UPSTREAM, 0, 502, "api_error" },
	{ LLM_FAIL_UNAVAILABLE, 0, 529, "overloaded_error" },
	{ LLM_FAIL_UPSTREAM_TIMEOUT, 0, 504, "timeout_error" },
	{ LLM_FAIL_OVERLOADED, 0, 529, "overloaded_error" },
	/* Row 84: upstream's own status tells the type. */
	{ LLM_FAIL_BAD_REQUEST, 418, 418, "invalid_request_error" },
	{ LLM_FAIL_BAD_REQUEST, 422, 400, "invalid_request_error" },
	{ LLM_FAIL_SERVER, 429, 429, "rate_limit_error" },
	{ LLM_FAIL_SERVER, 529, 529, "overloaded_error" },
	{ LLM_FAIL_SERVER, 503, 503, "api_error" },
	{ LLM_FAIL_SERVER, 200, 500, "api_error" },
};

static void
test_fails(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(fails); i++) {
		struct llm_failure f =
			llm_failure_of(fails[i].kind, SPAN("no \"luck\""));
		struct buf got, want;

		f.keep_status = fails[i].keep;
		assert_int_equal(
			dialect_anthropic.fail_status(&f), fails[i].status);
		buf_init(&got, OUT_MAX);
		buf_init(&want, OUT_MAX);
		dialect_anthropic.fail_encode(
			&f, LLM_BODY, SPAN("req_1"), &got);
		buf_printf(&want,
			"{\"type\":\"error\",\"error\":{\"type\":\"%s\","
			"\"message\":\"no \\\"luck\\\"\"},\"request_id\":"
			"\"req_1\"}",
			fails[i].type);
		assert_spans_eq(buf_span(&got), buf_span(&want));
		buf_fini(&got);
		buf_fini(&want);
	}
}

static void
test_fail_frame_and_param(void **state)
{
	struct llm_failure f =
		llm_failure_of(LLM_FAIL_OVERLOADED, SPAN("busy"));
	struct buf b;

	(void)state;
	buf_init(&b, OUT_MAX);
	dialect_anthropic.fail_encode(&f, LLM_SSE, SPAN("req_1"), &b);
	assert_buf_eq(&b,
		FRAME("error",
			",\"error\":{\"type\":\"overloaded_error\","
			"\"message\":\"busy\"}"));
	buf_reset(&b, 0);
	f = llm_failure_of(LLM_FAIL_BAD_REQUEST, SPAN("is wrong"));
	f.param = SPAN("tools[0]");
	dialect_anthropic.fail_encode(&f, LLM_BODY, SPAN_EMPTY, &b);
	assert_buf_eq(&b,
		"{\"type\":\"error\",\"error\":{\"type\":"
		"\"invalid_request_error\",\"message\":"
		"\"tools[0]: is wrong\"}}");
	buf_reset(&b, 0);
	f.message = SPAN("tools[0] is wrong");
	dialect_anthropic.fail_encode(&f, LLM_BODY, SPAN_EMPTY, &b);
	assert_buf_eq(&b,
		"{\"type\":\"error\",\"error\":{\"type\":"
		"\"invalid_request_error\",\"message\":"
		"\"tools[0] is wrong\"}}");
	buf_reset(&b, 0);
	/* A reason that the dialect has no place for, and the one it has. */
	f.reason = "unsupported_value";
	dialect_anthropic.fail_encode(&f, LLM_BODY, SPAN_EMPTY, &b);
	assert_buf_eq(&b,
		"{\"type\":\"error\",\"error\":{\"type\":"
		"\"invalid_request_error\",\"message\":"
		"\"tools[0] is wrong\"}}");
	buf_reset(&b, 0);
	f.reason = ANTHROPIC_NO_THREADS;
	dialect_anthropic.fail_encode(&f, LLM_BODY, SPAN_EMPTY, &b);
	assert_buf_eq(&b,
		"{\"type\":\"error\",\"error\":{\"type\":"
		"\"invalid_request_error\",\"message\":"
		"\"tools[0] is wrong\",\"details\":{\"error_code\":"
		"\"thread_unsupported_request\"}}}");
	buf_fini(&b);
}

#define TOO_LONG(n, m) "prompt is too long: " n " tokens > " m " maximum"

/* Row 111: overflow in its own words. */
static void
test_row_111_context(void **state)
{
	static const struct {
		int64_t n, x, m;
		const char *want;
	} overflows[] = {
		{ 210000, 0, 202750, TOO_LONG("210000", "202750") },
		{ 182387, 32768, 202750,
			"input length and `max_tokens` exceed context limit: "
			"182387 + 32768 > 202750, decrease input length or "
			"`max_tokens` and try again" },
		{ 202750, 1, 202750,
			"input length and `max_tokens` exceed context limit: "
			"202750 + 1 > 202750, decrease input length or "
			"`max_tokens` and try again" },
		/* The first form needs N above M. */
		{ 100, 200, 202750, TOO_LONG("202751", "202750") },
		{ 0, 0, 202750, TOO_LONG("202751", "202750") },
		{ INT64_MAX, INT64_MAX, INT64_MAX,
			TOO_LONG(
				"9223372036854775807", "9223372036854775806") },
		{ 5, 0, 0, "prompt is too long: said upstream" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(overflows); i++) {
		struct llm_failure f =
			llm_failure_of(LLM_FAIL_CONTEXT, SPAN("said upstream"));
		struct buf got, want;

		f.input_tokens = overflows[i].n;
		f.completion_tokens = overflows[i].x;
		f.limit_tokens = overflows[i].m;
		f.param = SPAN("messages");
		assert_int_equal(dialect_anthropic.fail_status(&f), 400);
		buf_init(&got, OUT_MAX);
		buf_init(&want, OUT_MAX);
		dialect_anthropic.fail_encode(
			&f, LLM_BODY, SPAN("req_1"), &got);
		buf_printf(&want,
			"{\"type\":\"error\",\"error\":{\"type\":"
			"\"invalid_request_error\",\"message\":\"%s\"},"
			"\"request_id\":\"req_1\"}",
			overflows[i].want);
		assert_spans_eq(buf_span(&got), buf_span(&want));
		buf_fini(&got);
		buf_fini(&want);
	}
}

/* --- small answers -------------------------------------------------------- */

static void
test_heartbeats(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, OUT_MAX);
	dialect_anthropic.heartbeat(false, &b);
	assert_buf_eq(&b, ": keep-alive\n\n");
	buf_reset(&b, 0);
	dialect_anthropic.heartbeat(true, &b);
	assert_buf_eq(&b, FRAME("ping", ""));
	buf_fini(&b);
}

static void
test_row_117_counts(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, OUT_MAX);
	dialect_anthropic.count_encode(
		&(struct llm_counted){ 7, -1, true, false, false }, &b);
	assert_buf_eq(&b, "{\"input_tokens\":7}");
	buf_reset(&b, 0);
	dialect_anthropic.count_encode(
		&(struct llm_counted){ 7, -1, false, true, false }, &b);
	assert_buf_eq(&b,
		"{\"input_tokens\":7,\"token_count\":7,"
		"\"input_token_count\":7}");
	buf_reset(&b, 0);
	dialect_anthropic.count_encode(
		&(struct llm_counted){ 7, -1, true, true, false }, &b);
	assert_buf_eq(&b,
		"{\"input_tokens\":7,\"token_count\":7,"
		"\"input_token_count\":7,\"proxy_estimate\":true}");
	buf_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fails),
		cmocka_unit_test(test_fail_frame_and_param),
		cmocka_unit_test(test_row_111_context),
		cmocka_unit_test(test_heartbeats),
		cmocka_unit_test(test_row_117_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
