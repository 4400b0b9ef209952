/* SPDX-License-Identifier: MIT */
/* test_openai_enc.c - answers, failures and counts as Chat Completions. */
#include <stdlib.h>

#include "shared/translate/dialect_openai.h"
#include "tests/lib/t.h"

#define OUT_MAX (1u << 20)

/* --- events --------------------------------------------------------------- */

#define NONE                                                                   \
	{                                                                      \
		"", 0                                                          \
	}
#define BLANK                                                                  \
	.id = { NONE }, .name = { NONE }, .text = { NONE },                    \
	.signature = { NONE }, .stop_text = { NONE }, .error = { NONE }
/* Later initialisers would override earlier ones: each event has its own. */
#define START(i, m)                                                            \
	{                                                                      \
		.kind = LLM_START, .id = { SPAN_INIT(i) },                     \
		.name = { SPAN_INIT(m) }, .text = {                            \
			NONE                                                   \
		}                                                              \
	}
#define OPEN(b)                                                                \
	{                                                                      \
		.kind = LLM_OPEN, .block = (b), BLANK                          \
	}
#define TOOL(i, n)                                                             \
	{                                                                      \
		.kind = LLM_OPEN, .block = LLM_TOOL, .id = { SPAN_INIT(i) },   \
		.name = { SPAN_INIT(n) }, .text = {                            \
			NONE                                                   \
		}                                                              \
	}
#define DELTA(b, t)                                                            \
	{                                                                      \
		.kind = LLM_DELTA, .block = (b), .id = { NONE },               \
		.name = { NONE }, .text = {                                    \
			SPAN_INIT(t)                                           \
		}                                                              \
	}
#define CLOSE(b)                                                               \
	{                                                                      \
		.kind = LLM_CLOSE, .block = (b), BLANK                         \
	}
#define PING                                                                   \
	{                                                                      \
		.kind = LLM_PING, BLANK                                        \
	}
#define STOP(s)                                                                \
	{                                                                      \
		.kind = LLM_STOP, .stop = (s), BLANK                           \
	}
#define USED(in, read, written, out, thought)                                  \
	{                                                                      \
		.kind = LLM_USAGE, BLANK, .usage = {                           \
			(in),                                                  \
			(read),                                                \
			(written),                                             \
			(out),                                                 \
			(thought),                                             \
			false                                                  \
		}                                                              \
	}

/* Thinking, text and one call: the worked example of a stream. */
static const struct llm_event example[] = {
	START("msg_x1", "upstream"),
	OPEN(LLM_THINK),
	DELTA(LLM_THINK, "hm"),
	CLOSE(LLM_THINK),
	OPEN(LLM_TEXT),
	DELTA(LLM_TEXT, "Checking."),
	CLOSE(LLM_TEXT),
	TOOL("call_1", "w"),
	DELTA(LLM_TOOL, "{\\\"q\\\":\\\"Oslo\\\"}"),
	CLOSE(LLM_TOOL),
	USED(56, 64, 0, 30, -1),
	STOP(LLM_STOP_TOOL),
};

struct fixture {
	struct arena arena;
	struct notices notices;
	struct llm_enc_env env;
	struct buf out;
};

static int
set_up(void **state)
{
	struct fixture *const f = calloc(1, sizeof(*f));

	assert_non_null(f);
	arena_init(&f->arena);
	notices_init(&f->notices, &f->arena);
	buf_init(&f->out, OUT_MAX);
	f->env = (struct llm_enc_env){
		.mode = LLM_SSE,
		.now_wall_s = 1790000000,
		.fallback_id = "abcdefghijklmnopqrstuvwx",
		.model = JESC("glm-4.6"),
		.estimated_input = 77,
		.arena = &f->arena,
		.notices = &f->notices,
	};
	*state = f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *const f = *state;

	buf_fini(&f->out);
	arena_fini(&f->arena);
	free(f);
	return 0;
}

static struct span
encode(struct fixture *f, const struct llm_event *events, size_t n)
{
	struct llm_sink *const sink =
		dialect_openai.enc_new(&f->arena, &f->env, &f->out);
	struct gp_error err;

	for (size_t i = 0; i < n; i++)
		assert_ok(llm_put(sink, &events[i], &err), &err);
	return buf_span(&f->out);
}

#define ENCODE(f, events) encode((f), (events), ARRAY_LEN(events))

/* --- streams -------------------------------------------------------------- */

#define HEAD(id)                                                               \
	"data: {\"id\":\"chatcmpl-" id "\",\"object\":"                        \
	"\"chat.completion.chunk\",\"created\":1790000000,"                    \
	"\"model\":\"glm-4.6\",\"choices\":["
#define CHOICE(delta, finish)                                                  \
	"{\"index\":0,\"delta\":{" delta "},\"logprobs\":null,"                \
	"\"finish_reason\":" finish "}]"
/* With usage asked for, and without. */
#define CU(delta) HEAD("x1") CHOICE(delta, "null") ",\"usage\":null}\n\n"
#define FU(reason)                                                             \
	HEAD("x1") CHOICE("", "\"" reason "\"") ",\"usage\":null}\n\n"
#define C(delta)  HEAD("x1") CHOICE(delta, "null") "}\n\n"
#define F(reason) HEAD("x1") CHOICE("", "\"" reason "\"") "}\n\n"
#define ROLE      "\"role\":\"assistant\",\"content\":\"\""
#define DONE      "data: [DONE]\n\n"
#define CALL(i, id, name)                                                      \
	"\"tool_calls\":[{\"index\":" #i ",\"id\":\"" id                       \
	"\",\"type\":\"function\",\"function\":{\"name\":\"" name              \
	"\",\"arguments\":\"\"}}]"
#define ARGS(i, args)                                                          \
	"\"tool_calls\":[{\"index\":" #i                                       \
	",\"function\":{\"arguments\":\"" args "\"}}]"

static void
row_031_example(void **state)
{
	struct fixture *const f = *state;

	f->env.wants_usage = true;
	assert_span_eq(ENCODE(f, example),
		CU(ROLE) CU("\"reasoning_content\":\"hm\"") CU(
			"\"content\":\"Checking.\"") CU(CALL(0, "call_1", "w"))
			CU(ARGS(0, "{\\\"q\\\":\\\"Oslo\\\"}")) FU("tool_calls")
				HEAD("x1") "],\"usage\":{\"prompt_tokens\":120,"
					   "\"completion_tokens\":30,\"total_"
					   "tokens\":150,"
					   "\"prompt_tokens_details\":{"
					   "\"cached_tokens\":64},"
					   "\"cache_read_input_tokens\":64,"
					   "\"cache_creation_input_tokens\":0}}"
					   "\n\n" DONE);
}

static void
row_030_no_usage(void **state)
{
	struct fixture *const f = *state;

	assert_span_eq(ENCODE(f, example),
		C(ROLE) C("\"reasoning_content\":\"hm\"")
			C("\"content\":\"Checking.\"") C(CALL(0, "call_1", "w"))
				C(ARGS(0, "{\\\"q\\\":\\\"Oslo\\\"}"))
					F("tool_calls") DONE);
}

/* Numbers count calls, not blocks; what has no arguments gets some. */
static void
row_086_088_089_calls(void **state)
{
	static const struct llm_event events[] = {
		START("x1", ""),
		OPEN(LLM_TEXT),
		DELTA(LLM_TEXT, "a"),
		CLOSE(LLM_TEXT),
		TOOL("c1", "v"),
		CLOSE(LLM_TOOL),
		OPEN(LLM_TEXT),
		DELTA(LLM_TEXT, "b"),
		CLOSE(LLM_TEXT),
		TOOL("c2", "w"),
		DELTA(LLM_TOOL, " \\n"),
		DELTA(LLM_TOOL, "{"),
		DELTA(LLM_TOOL, " "),
		DELTA(LLM_TOOL, "}"),
		CLOSE(LLM_TOOL),
		TOOL("c3", "w"),
		DELTA(LLM_TOOL, " "),
		CLOSE(LLM_TOOL),
		STOP(LLM_STOP_TOOL),
	};
	struct fixture *const f = *state;

	assert_span_eq(ENCODE(f, events),
		C(ROLE) C("\"content\":\"a\"") C(CALL(0, "c1", "v")) C(
			ARGS(0, "{}")) C("\"content\":\"b\"")
			C(CALL(1, "c2", "w")) C(ARGS(1, "{")) C(ARGS(1, " "))
				C(ARGS(1, "}")) C(CALL(2, "c3", "w"))
					C(ARGS(2, "{}")) F("tool_calls") DONE);
}

static void
row_067_functions(void **state)
{
	static const struct llm_event events[] = {
		START("x1", ""),
		TOOL("c1", "v"),
		DELTA(LLM_TOOL, "{}"),
		CLOSE(LLM_TOOL),
		TOOL("c2", "w"),
		DELTA(LLM_TOOL, "{}"),
		CLOSE(LLM_TOOL),
		STOP(LLM_STOP_TOOL),
	};
	struct fixture *const f = *state;

	f->env.has_functions = true;
	assert_span_eq(ENCODE(f, events),
		C(ROLE) C("\"function_call\":{\"name\":\"v\","
			  "\"arguments\":\"\"}")
			C("\"function_call\":{\"arguments\":\"{}\"}")
				F("function_call") DONE);
}

static void
test_missing_ids(void **state)
{
	static const struct llm_event events[] = {
		START("", ""),
		TOOL("", "v"),
		CLOSE(LLM_TOOL),
		TOOL("", "w"),
		CLOSE(LLM_TOOL),
		STOP(LLM_STOP_TOOL),
	};
	struct fixture *const f = *state;
#define M(delta) HEAD("abcdefghijklmnopqrstuvwx") CHOICE(delta, "null") "}\n\n"

	assert_span_eq(ENCODE(f, events),
		M(ROLE) M(CALL(0, "call_abcdefghijklmnopqrstuvwx", "v")) M(ARGS(
			0, "{}")) M(CALL(1, "call_abcdefghijklmnopqrst0002",
			"w")) M(ARGS(1, "{}")) HEAD("abcdefghijklmnopqrstuvwx")
			CHOICE("", "\"tool_calls\"") "}\n\n" DONE);
}

/* Nothing in an answer may end a line of the stream. */
static void
row_010_118_line_ends(void **state)
{
	static const struct llm_event events[] = {
		START("x1", ""),
		OPEN(LLM_TEXT),
		DELTA(LLM_TEXT, "data: [DONE]\\n\\n\xe2\x80\xa8\xc2\x85"),
		CLOSE(LLM_TEXT),
		PING,
		STOP(LLM_STOP_END),
	};
	struct fixture *const f = *state;

	assert_span_eq(ENCODE(f, events),
		C(ROLE) C("\"content\":\"data: [DONE]\\n\\n"
			  "\\u2028\\u0085\"") ": ping\n\n" F("stop") DONE);
}

static void
test_finish_reasons(void **state)
{
	static const struct {
		enum llm_stop stop;
		const char *reason;
	} reasons[] = {
		{ LLM_STOP_END, "stop" },
		{ LLM_STOP_LENGTH, "length" },
		{ LLM_STOP_SEQUENCE, "stop" },
		{ LLM_STOP_REFUSAL, "content_filter" },
		{ LLM_STOP_CONTEXT, "length" },
		{ LLM_STOP_PAUSE, "stop" },
		{ LLM_STOP_UNKNOWN, "stop" },
	};
	struct fixture *const f = *state;
	struct buf want;

	for (size_t i = 0; i < ARRAY_LEN(reasons); i++) {
		const struct llm_event events[] = { START("x1", ""),
			STOP(reasons[i].stop) };

		buf_reset(&f->out, 0);
		buf_init(&want, OUT_MAX);
		buf_printf(&want, C(ROLE) F("%s") DONE, reasons[i].reason);
		assert_spans_eq(ENCODE(f, events), buf_span(&want));
		assert_int_equal(f->notices.total,
			reasons[i].stop == LLM_STOP_UNKNOWN ? 1 : 0);
		buf_fini(&want);
	}
}

/* The client hears the name it used; who used none hears upstream's. */
static void
test_model_of_upstream(void **state)
{
	static const struct llm_event events[] = { START("x1", "up\\\"x") };
	struct fixture *const f = *state;

	f->env.model = JESC_EMPTY;
	assert_span_eq(ENCODE(f, events),
		"data: {\"id\":\"chatcmpl-x1\",\"object\":"
		"\"chat.completion.chunk\",\"created\":1790000000,"
		"\"model\":\"up\\\"x\",\"choices\":[" CHOICE(
			ROLE, "null") "}\n\n");
}

static void
test_full_buffer(void **state)
{
	struct fixture *const f = *state;
	struct llm_sink *sink;
	struct gp_error err;

	f->out.max = 100;
	sink = dialect_openai.enc_new(&f->arena, &f->env, &f->out);
	assert_fails(llm_put(sink, &example[0], &err), GP_E_LIMIT, &err, "");
}

/* --- bodies --------------------------------------------------------------- */

#define BODY                                                                   \
	"{\"id\":\"chatcmpl-x1\",\"object\":\"chat.completion\","              \
	"\"created\":1790000000,\"model\":\"glm-4.6\",\"choices\":["           \
	"{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":"
#define BODY_END(reason)                                                       \
	"},\"logprobs\":null,\"finish_reason\":\"" reason "\"}],"

static void
test_body(void **state)
{
	struct fixture *const f = *state;

	f->env.mode = LLM_BODY;
	assert_span_eq(ENCODE(f, example),
		BODY
		"\"Checking.\",\"refusal\":null,"
		"\"reasoning_content\":\"hm\",\"tool_calls\":["
		"{\"id\":\"call_1\",\"type\":\"function\","
		"\"function\":{\"name\":\"w\",\"arguments\":"
		"\"{\\\"q\\\":\\\"Oslo\\\"}\"}}]" BODY_END(
			"tool_calls") "\"usage\":{\"prompt_tokens\":120,"
				      "\"completion_tokens\":30,\"total_"
				      "tokens\":150,"
				      "\"prompt_tokens_details\":{\"cached_"
				      "tokens\":64},"
				      "\"cache_read_input_tokens\":64,"
				      "\"cache_creation_input_tokens\":0}}");
}

static void
test_body_only_calls(void **state)
{
	static const struct llm_event events[] = {
		START("x1", ""),
		TOOL("c1", "v"),
		CLOSE(LLM_TOOL),
		TOOL("c2", "w"),
		DELTA(LLM_TOOL, "{"),
		PING,
		DELTA(LLM_TOOL, "}"),
		CLOSE(LLM_TOOL),
		USED(14, 100, 5, 9, 4),
		STOP(LLM_STOP_TOOL),
	};
	struct fixture *const f = *state;

	f->env.mode = LLM_BODY;
	assert_span_eq(ENCODE(f, events),
		BODY
		"null,\"refusal\":null,\"tool_calls\":["
		"{\"id\":\"c1\",\"type\":\"function\",\"function\":"
		"{\"name\":\"v\",\"arguments\":\"{}\"}},"
		"{\"id\":\"c2\",\"type\":\"function\",\"function\":"
		"{\"name\":\"w\",\"arguments\":\"{}\"}}]" BODY_END(
			"tool_calls") "\"usage\":{\"prompt_tokens\":119,"
				      "\"completion_tokens\":9,\"total_"
				      "tokens\":128,"
				      "\"prompt_tokens_details\":{\"cached_"
				      "tokens\":100,"
				      "\"cache_write_tokens\":5},"
				      "\"completion_tokens_details\":{"
				      "\"reasoning_tokens\":4},"
				      "\"cache_read_input_tokens\":100,"
				      "\"cache_creation_input_tokens\":5}}");
}

static void
test_body_functions(void **state)
{
	struct fixture *const f = *state;
	struct span got;

	f->env.mode = LLM_BODY;
	f->env.has_functions = true;
	got = ENCODE(f, example);
	assert_true(span_find(got,
			    SPAN("\"function_call\":{\"name\":\"w\","
				 "\"arguments\":"
				 "\"{\\\"q\\\":\\\"Oslo\\\"}\"}}")) < got.n);
	assert_true(
		span_find(got, SPAN("\"finish_reason\":\"function_call\"")) <
		got.n);
	assert_int_equal(span_find(got, SPAN("tool_calls")), got.n);
}

/* Usage that nobody reported is estimated; an answer may be empty. */
static void
test_body_empty(void **state)
{
	static const struct llm_event events[] = { START("x1", ""),
		STOP(LLM_STOP_END) };
	struct fixture *const f = *state;
	struct span got;

	f->env.mode = LLM_BODY;
	got = ENCODE(f, events);
	assert_true(span_starts(got,
		SPAN(BODY "\"\",\"refusal\":null" BODY_END(
			"stop") "\"usage\":{\"prompt_tokens\":77,")));
}

/* --- failures ------------------------------------------------------------- */

#define SENTENCE "went \"wrong\""

static void
check_failure(const struct llm_failure *f, unsigned status, const char *rest)
{
	struct buf want, got;

	buf_init(&want, OUT_MAX);
	buf_init(&got, OUT_MAX);
	assert_int_equal(dialect_openai.fail_status(f), status);
	dialect_openai.fail_encode(f, LLM_BODY, SPAN("req_1"), &got);
	buf_printf(&want, "{\"error\":{\"message\":%s}}", rest);
	assert_spans_eq(buf_span(&got), buf_span(&want));
	buf_reset(&got, 0);
	buf_reset(&want, 0);
	dialect_openai.fail_encode(f, LLM_SSE, SPAN("req_1"), &got);
	buf_printf(&want, "data: {\"error\":{\"message\":%s}}\n\n", rest);
	assert_spans_eq(buf_span(&got), buf_span(&want));
	buf_fini(&want);
	buf_fini(&got);
}

#define AS(type, param, code)                                                  \
	"\"went \\\"wrong\\\"\",\"type\":\"" type "\",\"param\":" param        \
	",\"code\":" code

static void
test_failures(void **state)
{
	static const struct {
		enum llm_fail kind;
		unsigned status;
		const char *rest;
	} samples[] = {
		{ LLM_FAIL_BAD_REQUEST, 400,
			AS("invalid_request_error", "null", "null") },
		{ LLM_FAIL_AUTH, 401,
			AS("invalid_request_error", "null",
				"\"invalid_api_key\"") },
		{ LLM_FAIL_BILLING, 429,
			AS("insufficient_quota", "null",
				"\"insufficient_quota\"") },
		{ LLM_FAIL_DEACTIVATED, 403,
			AS("invalid_request_error", "null",
				"\"account_deactivated\"") },
		{ LLM_FAIL_MODEL_NOT_FOUND, 404,
			AS("invalid_request_error", "null",
				"\"model_not_found\"") },
		{ LLM_FAIL_RATE, 429,
			AS("rate_limit_error", "null",
				"\"rate_limit_exceeded\"") },
		{ LLM_FAIL_SERVER, 500, AS("server_error", "null", "null") },
		{ LLM_FAIL_UPSTREAM_TIMEOUT, 504,
			AS("server_error", "null", "\"upstream_timeout\"") },
		{ LLM_FAIL_OVERLOADED, 429,
			AS("rate_limit_error", "null",
				"\"server_overloaded\"") },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(samples); i++) {
		const struct llm_failure f = { .kind = samples[i].kind,
			.message = SPAN(SENTENCE) };

		check_failure(&f, samples[i].status, samples[i].rest);
	}
	/* No class is without a row. */
	for (int k = 0; k < LLM_FAIL_COUNT; k++) {
		const struct llm_failure f = { .kind = (enum llm_fail)k };

		assert_in_range(dialect_openai.fail_status(&f), 400, 599);
	}
}

static void
test_failure_details(void **state)
{
	struct llm_failure f = { .kind = LLM_FAIL_BAD_REQUEST,
		.message = SPAN(SENTENCE),
		.param = SPAN("messages[2].role"),
		.reason = "unsupported_value" };

	(void)state;
	check_failure(&f, 400,
		AS("invalid_request_error", "\"messages[2].role\"",
			"\"unsupported_value\""));
	f.keep_status = 422;
	assert_int_equal(dialect_openai.fail_status(&f), 400);
	f.keep_status = 418;
	assert_int_equal(dialect_openai.fail_status(&f), 418);
}

#define OVERFLOW                                                               \
	",\"type\":\"invalid_request_error\",\"param\":\"messages\","          \
	"\"code\":\"context_length_exceeded\""

static void
test_overflow(void **state)
{
	struct llm_failure f = { .kind = LLM_FAIL_CONTEXT,
		.message = SPAN("too long"),
		.input_tokens = 182387,
		.completion_tokens = 32768,
		.limit_tokens = 202750 };

	(void)state;
	check_failure(&f, 400,
		"\"This model's maximum context length is 202750 tokens. "
		"However, you requested 215155 tokens (182387 in the "
		"messages, 32768 in the completion). Please reduce the "
		"length of the messages or completion.\"" OVERFLOW);
	f.input_tokens = 210000;
	check_failure(&f, 400,
		"\"This model's maximum context length is 202750 tokens. "
		"However, your messages resulted in 210000 tokens. Please "
		"reduce the length of the messages.\"" OVERFLOW);
	f.input_tokens = 100;
	f.completion_tokens = 0;
	check_failure(&f, 400,
		"\"This model's maximum context length is 202750 tokens. "
		"However, your messages resulted in 202751 tokens. Please "
		"reduce the length of the messages.\"" OVERFLOW);
	f.limit_tokens = 0;
	check_failure(&f, 400, "\"too long\"" OVERFLOW);
}

/* --- the rest ------------------------------------------------------------- */

static void
test_count(void **state)
{
	struct fixture *const f = *state;

	dialect_openai.count_encode(
		&(struct llm_counted){ 12, -1, true, false, false }, &f->out);
	assert_buf_eq(&f->out,
		"{\"object\":\"response.input_tokens\",\"input_tokens\":12}");
	buf_reset(&f->out, 0);
	dialect_openai.count_encode(
		&(struct llm_counted){ 12, -1, false, true, false }, &f->out);
	assert_buf_eq(&f->out,
		"{\"object\":\"response.input_tokens\",\"input_tokens\":12,"
		"\"usage\":{\"prompt_tokens\":12,\"completion_tokens\":0,"
		"\"total_tokens\":12}}");
}

static void
test_heartbeat(void **state)
{
	struct fixture *const f = *state;

	dialect_openai.heartbeat(false, &f->out);
	dialect_openai.heartbeat(true, &f->out);
	assert_buf_eq(&f->out, ": keep-alive\n\n: keep-alive\n\n");
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(row_031_example),
		TEST(row_030_no_usage),
		TEST(row_086_088_089_calls),
		TEST(row_067_functions),
		TEST(test_missing_ids),
		TEST(row_010_118_line_ends),
		TEST(test_finish_reasons),
		TEST(test_model_of_upstream),
		TEST(test_full_buffer),
		TEST(test_body),
		TEST(test_body_only_calls),
		TEST(test_body_functions),
		TEST(test_body_empty),
		cmocka_unit_test(test_failures),
		cmocka_unit_test(test_failure_details),
		cmocka_unit_test(test_overflow),
		TEST(test_count),
		TEST(test_heartbeat),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
