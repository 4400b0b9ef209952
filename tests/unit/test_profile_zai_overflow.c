/* SPDX-License-Identifier: MIT */
/* test_profile_zai_overflow.c - what the texts of errors tell: traces, times,
 * fields, and the numbers of a full context. */
#include "tests/unit/zai_fail.h"

/* --- what the text tells -------------------------------------------------- */

static void
test_trace(void **state)
{
	static const struct {
		const char *header, *body;
		struct span trace;
	} rows[] = {
		{ "h", "{}", SPAN_INIT("h") },
		{ "h", "{\"request_id\":\"r\"}", SPAN_INIT("r") },
		{ "h",
			"{\"request_id\":\"r\",\"error\":{\"message\":"
			"\"[1302][x][20260921230707ab]\"}}",
			SPAN_INIT("20260921230707ab") },
		{ "", "{\"error\":{\"request_id\":\"e\"}}", SPAN_INIT("e") },
		{ "", "{\"request_id\":\"a\\r\\nb\"}", SPAN_INIT("") },
		{ "", "{\"request_id\":7}", SPAN_INIT("") },
	};
	struct fixture *const x = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		x->reply.trace = span_cstr(rows[i].header);
		assert_spans_eq(
			fail_with(x, 429, rows[i].body)->trace, rows[i].trace);
	}
}

static void
test_reset(void **state)
{
	static const struct {
		const char *text;
		struct span reset;
	} rows[] = {
		{ "Usage limit reached for 5 hours. Your limit will reset at "
		  "2026-09-21 23:07:07",
			SPAN_INIT("2026-09-21T23:07:07+08:00") },
		{ "\xe6\x82\xa8\xe7\x9a\x84\xe9\x99\x90\xe9\xa2\x9d\xe5\xb0\x86"
		  "\xe5\x9c\xa8 2026-09-21 23:07:07 "
		  "\xe9\x87\x8d\xe7\xbd\xae\xe3\x80\x82",
			SPAN_INIT("2026-09-21T23:07:07+08:00") },
		{ "it was 2026-09-21 23:07:07", SPAN_INIT("") },
		{ "reset at 2026-13-21 23:07:07", SPAN_INIT("") },
		{ "reset at 2026-09-21 24:07:07", SPAN_INIT("") },
		{ "reset at 2026-09-21 23:07:0", SPAN_INIT("") },
		{ "reset soon", SPAN_INIT("") },
	};
	struct fixture *const x = *state;

	/* 110: and no time to sleep until then. */
	x->reply.retry_after = SPAN("18000");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char body[256];
		const struct llm_failure *f;

		(void)snprintf(body, sizeof(body),
			"{\"error\":{\"code\":\"1308\",\"message\":\"%s\"}}",
			rows[i].text);
		f = fail_with(x, 429, body);
		check_kind(rows[i].text, f->kind, LLM_FAIL_QUOTA);
		assert_spans_eq(f->reset, rows[i].reset);
		assert_int_equal(f->retry_after_s, -1);
	}
}

static void
test_param(void **state)
{
	static const struct {
		const char *body;
		struct span param;
	} rows[] = {
		{ "{\"error\":{\"code\":\"1214\",\"message\":\"The messages "
		  "parameter is illegal\"}}",
			SPAN_INIT("messages") },
		{ "{\"error\":{\"code\":\"1214\",\"message\":\"top_p "
		  "\xe5\x8f\x82\xe6\x95\xb0\xe9\x9d\x9e\xe6\xb3\x95\"}}",
			SPAN_INIT("top_p") },
		{ "{\"error\":{\"code\":\"1210\",\"message\":\"Invalid "
		  "parameter, see the documentation\"}}",
			SPAN_INIT("") },
		{ "{\"error\":{\"code\":\"1210\",\"message\":\"please stop\"}}",
			SPAN_INIT("") },
		{ "{\"error\":{\"code\":\"1214\",\"message\":\"parameter "
		  "max_tokens_x\"}}",
			SPAN_INIT("") },
		{ "{\"detail\":[{\"loc\":[\"body\",\"messages\",1,\"role\"],"
		  "\"msg\":\"x\"}]}",
			SPAN_INIT("messages.1.role") },
		{ "{\"error\":{\"code\":\"1211\",\"message\":\"Unknown "
		  "Model\"}}",
			SPAN_INIT("model") },
		{ "{\"error\":{\"code\":\"1301\",\"message\":\"the model "
		  "parameter\"}}",
			SPAN_INIT("") },
	};
	struct fixture *const x = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_spans_eq(
			fail_with(x, 400, rows[i].body)->param, rows[i].param);
}

static void
test_unknown_model(void **state)
{
	struct fixture *const x = *state;

	x->asked.model = SPAN("glm-9");
	assert_span_eq(fail_with(x, 400,
			       "{\"error\":{\"code\":\"1211\",\"message\":"
			       "\"Unknown Model\"}}")
			       ->message,
		"model: glm-9 (Unknown Model) (z.ai code 1211)");
}

/* --- a full context ------------------------------------------------------- */

#define REAL                                                                   \
	"Request 182387 input tokens exceeds the model's maximum context "     \
	"length "                                                              \
	"202750"

static void
test_overflow(void **state)
{
	/* The estimate says 150000, max_tokens is 32768, the table 200000. */
	static const struct {
		const char *text, *code;
		unsigned status;
		bool is_overflow;
		int64_t input, limit;
	} rows[] = {
		{ REAL, "1261", 400, true, 182387, 202750 },
		{ REAL, "1210", 400, true, 182387, 202750 },
		{ REAL, "9999", 422, true, 182387, 202750 },
		{ REAL, "9999", 413, true, 182387, 202750 },
		{ REAL, "1302", 429, false, 0, 0 },
		{ REAL, "1301", 400, false, 0, 0 },
		{ REAL, "1200", 500, false, 0, 0 },
		{ "Prompt exceeds max length", "1261", 400, true, 200001,
			200000 },
		{ "Prompt exceeds the limit", "1210", 400, true, 200001,
			200000 },
		{ "Prompt \xe8\xb6\x85\xe9\x95\xbf", "1210", 400, true, 200001,
			200000 },
		{ "request exceed max context length", "1210", 400, true,
			200001, 200000 },
		{ "it exceeds the maximum length", "1210", 400, true, 200001,
			200000 },
		{ "The context window was exceeded", "1210", 400, true, 200001,
			200000 },
		{ "INPUT of 300,000 TOKENS EXCEEDS what glm-4.6 takes, 202,750",
			"1210", 400, true, 300000, 200000 },
		{ "This model's maximum context length is 131072 tokens. "
		  "However, you requested 140000 tokens (108000 in the "
		  "messages, 32000 in the completion).",
			"1210", 400, true, 108000, 131072 },
		{ "length 190000, context length 7", "1261", 400, true, 190000,
			200000 },
		{ "Wrong parameter", "1210", 400, false, 0, 0 },
		{ "max_tokens exceeds the maximum", "1210", 400, false, 0, 0 },
		{ "whatever", "1261", 400, true, 200001, 200000 },
		{ "maximum context length 99999999999999999999", "1261", 400,
			true, 200001, 200000 },
	};
	struct fixture *const x = *state;

	x->asked = (struct profile_asked){ .estimated_input = 150000,
		.max_tokens = 32768,
		.limit_tokens = 200000,
		.model = SPAN("glm-4.6") };
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char body[512];
		const struct llm_failure *f;

		(void)snprintf(body, sizeof(body),
			"{\"error\":{\"code\":\"%s\",\"message\":\"%s\"}}",
			rows[i].code, rows[i].text);
		f = fail_with(x, rows[i].status, body);
		if ((f->kind == LLM_FAIL_CONTEXT) != rows[i].is_overflow ||
			f->input_tokens != rows[i].input ||
			f->limit_tokens != rows[i].limit)
			fail_msg("%s: class %d, %lld of %lld", rows[i].text,
				(int)f->kind, (long long)f->input_tokens,
				(long long)f->limit_tokens);
		if (rows[i].is_overflow)
			assert_int_equal(f->completion_tokens, 32768);
	}
}

/* 14.5 */
static void
test_overflow_example(void **state)
{
	struct fixture *const x = *state;

	x->asked.max_tokens = 32768;
	(void)fail_with(x, 400,
		"{\"type\":\"error\",\"error\":{\"code\":\"1261\",\"message\":"
		"\"[1261][" REAL "][20260921230707ab]\"}}");
	assert_span_eq(x->f.trace, "20260921230707ab");
	assert_int_equal(dialect_anthropic.fail_status(&x->f), 400);
	assert_int_equal(dialect_openai.fail_status(&x->f), 400);
	dialect_anthropic.fail_encode(&x->f, LLM_BODY, SPAN("req_1"), &x->out);
	assert_buf_eq(&x->out,
		"{\"type\":\"error\",\"error\":{\"type\":"
		"\"invalid_request_error\",\"message\":\"input length and "
		"`max_tokens` exceed context limit: 182387 + 32768 > 202750, "
		"decrease input length or `max_tokens` and try again\"},"
		"\"request_id\":\"req_1\"}");
	buf_reset(&x->out, 0);
	dialect_openai.fail_encode(&x->f, LLM_BODY, SPAN("req_1"), &x->out);
	assert_buf_eq(&x->out,
		"{\"error\":{\"message\":\"This model's maximum context length "
		"is 202750 tokens. However, you requested 215155 tokens "
		"(182387 in the messages, 32768 in the completion). Please "
		"reduce the length of the messages or completion.\",\"type\":"
		"\"invalid_request_error\",\"param\":\"messages\",\"code\":"
		"\"context_length_exceeded\"}}");
}

/* Nothing is known: the class stays, the dialects find words. */
static void
test_overflow_unknown(void **state)
{
	struct fixture *const x = *state;
	const struct llm_failure *const f = fail_with(x, 400,
		"{\"error\":{\"code\":\"1261\",\"message\":\"too long\"}}");

	check_kind("1261", f->kind, LLM_FAIL_CONTEXT);
	assert_int_equal(f->input_tokens, 0);
	assert_int_equal(f->limit_tokens, 0);
	assert_int_equal(f->completion_tokens, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_trace),
		TEST(test_reset),
		TEST(test_param),
		TEST(test_unknown_model),
		TEST(test_overflow),
		TEST(test_overflow_example),
		TEST(test_overflow_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
