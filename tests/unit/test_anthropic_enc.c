/* SPDX-License-Identifier: MIT */
/* test_anthropic_enc.c - events become Messages answers. */
#include "tests/unit/anthropic_util.h"

#define FALLBACK "abcdefghijklmnopqrstuvwx"

struct rig {
	struct arena arena;
	struct notices notices;
	struct buf out;
	struct llm_sink *sink;
};

static void
rig_init(struct rig *r, enum llm_mode mode)
{
	struct llm_enc_env env = {
		.mode = mode,
		.fallback_id = FALLBACK,
		.model = JESC("glm-4.6v"),
		.estimated_input = 118,
		.arena = &r->arena,
		.notices = &r->notices,
	};

	arena_init(&r->arena);
	notices_init(&r->notices, &r->arena);
	buf_init(&r->out, OUT_MAX);
	r->sink = dialect_anthropic.enc_new(&r->arena, &env, &r->out);
}

static void
rig_fini(struct rig *r)
{
	buf_fini(&r->out);
	arena_fini(&r->arena);
}

static void
put(struct rig *r, const struct llm_event *e)
{
	struct gp_error err;

	assert_ok(llm_put(r->sink, e, &err), &err);
}

static void
start(struct rig *r, const char *id)
{
	struct llm_event e = llm_event_of(LLM_START, LLM_TEXT);

	e.id.s = span_cstr(id);
	e.name = JESC("upstream-name");
	put(r, &e);
}

static void
open_tool(struct rig *r, const char *id)
{
	struct llm_event e = llm_event_of(LLM_OPEN, LLM_TOOL);

	e.id.s = span_cstr(id);
	e.name = JESC("w");
	put(r, &e);
}

/* The text lives only as long as the call, as upstream's do. */
static void
delta(struct rig *r, enum llm_block block, const char *text)
{
	struct llm_event e = llm_event_of(LLM_DELTA, block);
	char *const copy = t_exact(span_cstr(text));

	e.text.s = (struct span){ copy, strlen(text) };
	put(r, &e);
	memset(copy, '?', strlen(text));
	free(copy);
}

static void
kind(struct rig *r, enum llm_kind k, enum llm_block block)
{
	const struct llm_event e = llm_event_of(k, block);

	put(r, &e);
}

static void
usage(struct rig *r, struct llm_usage u)
{
	struct llm_event e = llm_event_of(LLM_USAGE, LLM_TEXT);

	e.usage = u;
	put(r, &e);
}

static void
stop(struct rig *r, enum llm_stop why, const char *text)
{
	struct llm_event e = llm_event_of(LLM_STOP, LLM_TEXT);

	e.stop = why;
	e.stop_text.s = span_cstr(text);
	put(r, &e);
}

/* The answer of worked example 14.3. */
static void
play(struct rig *r)
{
	start(r, "x1");
	kind(r, LLM_OPEN, LLM_THINK);
	delta(r, LLM_THINK, "hm");
	kind(r, LLM_CLOSE, LLM_THINK);
	kind(r, LLM_OPEN, LLM_TEXT);
	delta(r, LLM_TEXT, "Checking.");
	kind(r, LLM_CLOSE, LLM_TEXT);
	open_tool(r, "call_1");
	delta(r, LLM_TOOL, "{\\\"q\\\":\\\"Oslo\\\"}");
	kind(r, LLM_CLOSE, LLM_TOOL);
	open_tool(r, "call_2");
	delta(r, LLM_TOOL, "{\\\"q\\\":\\\"Rome\\\"}");
	kind(r, LLM_CLOSE, LLM_TOOL);
	usage(r, (struct llm_usage){ 56, 64, -1, 30, -1, false });
	stop(r, LLM_STOP_TOOL, "");
}

#define FRAME(type, rest)                                                      \
	"event: " type "\ndata: {\"type\":\"" type "\"" rest "}\n\n"
#define MESSAGE_START(id)                                                      \
	FRAME("message_start",                                                 \
		",\"message\":{\"id\":\"" id "\",\"type\":\"message\","        \
		"\"role\":\"assistant\",\"model\":\"glm-4.6v\",\"content\":[]" \
		",\"stop_reason\":null,\"stop_sequence\":null,\"usage\":{"     \
		"\"input_tokens\":118,\"output_tokens\":0,"                    \
		"\"cache_creation_input_tokens\":0,"                           \
		"\"cache_read_input_tokens\":0}}")
#define BLOCK_START(i, block)                                                  \
	FRAME("content_block_start",                                           \
		",\"index\":" i ",\"content_block\":" block)
#define BLOCK_DELTA(i, delta)                                                  \
	FRAME("content_block_delta", ",\"index\":" i ",\"delta\":" delta)
#define BLOCK_STOP(i) FRAME("content_block_stop", ",\"index\":" i)
#define COUNTS(in, out, read)                                                  \
	"\"usage\":{\"input_tokens\":" in ",\"output_tokens\":" out            \
	",\"cache_creation_input_tokens\":0,\"cache_read_input_tokens\":" read \
	"}"
#define MESSAGE_END(reason, counts)                                            \
	FRAME("message_delta",                                                 \
		",\"delta\":{\"stop_reason\":\"" reason                        \
		"\",\"stop_sequence\":null}," counts)                          \
	FRAME("message_stop", "")

/* The strings of a list, one behind the other. */
static void
assert_joined(struct span got, const char *const *want, size_t n)
{
	struct buf b;

	buf_init(&b, OUT_MAX);
	for (size_t i = 0; i < n; i++)
		buf_puts(&b, want[i]);
	assert_spans_eq(got, buf_span(&b));
	buf_fini(&b);
}

static void
test_worked_stream(void **state)
{
	static const char *const want[] = {
		MESSAGE_START("msg_x1"),
		BLOCK_START("0",
			"{\"type\":\"thinking\",\"thinking\":\"\","
			"\"signature\":\"\"}"),
		BLOCK_DELTA("0",
			"{\"type\":\"thinking_delta\",\"thinking\":\"hm\"}"),
		BLOCK_DELTA("0",
			"{\"type\":\"signature_delta\",\"signature\":"
			"\"Z2xtcHJveHk=\"}"),
		BLOCK_STOP("0"),
		BLOCK_START("1", "{\"type\":\"text\",\"text\":\"\"}"),
		BLOCK_DELTA("1",
			"{\"type\":\"text_delta\",\"text\":\"Checking.\"}"),
		BLOCK_STOP("1"),
		BLOCK_START("2",
			"{\"type\":\"tool_use\",\"id\":\"call_1\","
			"\"name\":\"w\",\"input\":{}}"),
		BLOCK_DELTA("2",
			"{\"type\":\"input_json_delta\",\"partial_json\":"
			"\"{\\\"q\\\":\\\"Oslo\\\"}\"}"),
		BLOCK_STOP("2"),
		BLOCK_START("3",
			"{\"type\":\"tool_use\",\"id\":\"call_2\","
			"\"name\":\"w\",\"input\":{}}"),
		BLOCK_DELTA("3",
			"{\"type\":\"input_json_delta\",\"partial_json\":"
			"\"{\\\"q\\\":\\\"Rome\\\"}\"}"),
		BLOCK_STOP("3"),
		MESSAGE_END("tool_use", COUNTS("56", "30", "64")),
	};
	struct rig r;

	(void)state;
	rig_init(&r, LLM_SSE);
	play(&r);
	assert_joined(buf_span(&r.out), want, ARRAY_LEN(want));
	rig_fini(&r);
}

#define BODY(content, reason, sequence, counts)                                \
	"{\"id\":\"msg_x1\",\"type\":\"message\",\"role\":\"assistant\","      \
	"\"model\":\"glm-4.6v\",\"content\":[" content "],\"stop_reason\":"    \
	"\"" reason "\",\"stop_sequence\":" sequence "," counts "}"

static void
test_worked_body(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, LLM_BODY);
	play(&r);
	assert_buf_eq(&r.out,
		BODY("{\"type\":\"thinking\",\"thinking\":\"hm\","
		     "\"signature\":\"Z2xtcHJveHk=\"},"
		     "{\"type\":\"text\",\"text\":\"Checking.\"},"
		     "{\"type\":\"tool_use\",\"id\":\"call_1\",\"name\":\"w\","
		     "\"input\":{\"q\":\"Oslo\"}},"
		     "{\"type\":\"tool_use\",\"id\":\"call_2\",\"name\":\"w\","
		     "\"input\":{\"q\":\"Rome\"}}",
			"tool_use", "null", COUNTS("56", "30", "64")));
	rig_fini(&r);
}

static void
test_body_says_nothing_before_its_end(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, LLM_BODY);
	start(&r, "x1");
	kind(&r, LLM_OPEN, LLM_TEXT);
	delta(&r, LLM_TEXT, "a");
	kind(&r, LLM_PING, LLM_TEXT);
	kind(&r, LLM_CLOSE, LLM_TEXT);
	assert_int_equal(buf_len(&r.out), 0);
	stop(&r, LLM_STOP_END, "");
	assert_true(buf_len(&r.out) > 0);
	rig_fini(&r);
}

/* Row 103 and the like: blocks that stayed empty, text in many pieces. */
static void
test_body_pieces(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, LLM_BODY);
	start(&r, "x1");
	kind(&r, LLM_OPEN, LLM_TEXT);
	kind(&r, LLM_CLOSE, LLM_TEXT);
	kind(&r, LLM_OPEN, LLM_TEXT);
	delta(&r, LLM_TEXT, "\\ud83d");
	delta(&r, LLM_TEXT, "\\ude00\xe2\x80\xa8");
	kind(&r, LLM_CLOSE, LLM_TEXT);
	stop(&r, LLM_STOP_END, "");
	assert_buf_eq(&r.out,
		BODY("{\"type\":\"text\",\"text\":"
		     "\"\\ud83d\\ude00\\u2028\"}",
			"end_turn", "null", COUNTS("118", "5", "0")));
	rig_fini(&r);
}

static void
test_body_arguments(void **state)
{
	static const struct {
		const char *first, *second, *want;
	} args[] = {
		{ "", "", "{}" },
		{ "{\\\"a\\\"", ":1e400}", "{\"a\":1e400}" },
		/* Row 52 and the like: what cannot be parsed. */
		{ "{\\\"a\\\":", "", "{\"__raw_arguments\":\"{\\\"a\\\":\"}" },
		{ "[1", "]", "{\"__raw_arguments\":\"[1]\"}" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(args); i++) {
		struct buf want;
		struct rig r;

		rig_init(&r, LLM_BODY);
		start(&r, "x1");
		open_tool(&r, "c");
		delta(&r, LLM_TOOL, args[i].first);
		delta(&r, LLM_TOOL, args[i].second);
		kind(&r, LLM_CLOSE, LLM_TOOL);
		usage(&r, (struct llm_usage){ 1, 0, 0, 2, -1, false });
		stop(&r, LLM_STOP_TOOL, "");
		buf_init(&want, OUT_MAX);
		buf_printf(&want,
			BODY("{\"type\":\"tool_use\",\"id\":\"c\",\"name\":"
			     "\"w\",\"input\":%s}",
				"tool_use", "null", COUNTS("1", "2", "0")),
			args[i].want);
		assert_spans_eq(buf_span(&r.out), buf_span(&want));
		buf_fini(&want);
		rig_fini(&r);
	}
}

/* Row 99: usage in several reports, or never. */
static void
test_row_099_usage(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, LLM_SSE);
	start(&r, "x1");
	usage(&r, (struct llm_usage){ 25, -1, 3, 1, -1, false });
	usage(&r, (struct llm_usage){ -1, 75, -1, 9, 4, false });
	stop(&r, LLM_STOP_END, "");
	assert_buf_eq(&r.out,
		MESSAGE_START("msg_x1") MESSAGE_END("end_turn",
			"\"usage\":{\"input_tokens\":25,\"output_tokens\":9,"
			"\"cache_creation_input_tokens\":3,"
			"\"cache_read_input_tokens\":75,"
			"\"output_tokens_details\":{\"thinking_tokens\":4}}"));
	rig_fini(&r);

	rig_init(&r, LLM_SSE);
	start(&r, "x1");
	stop(&r, LLM_STOP_END, "");
	assert_buf_eq(&r.out,
		MESSAGE_START("msg_x1")
			MESSAGE_END("end_turn", COUNTS("118", "0", "0")));
	rig_fini(&r);
}

static void
test_row_026_stop_sequence(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, LLM_BODY);
	start(&r, "x1");
	usage(&r, (struct llm_usage){ 1, -1, -1, 2, -1, false });
	stop(&r, LLM_STOP_SEQUENCE, "X\\n");
	assert_buf_eq(&r.out,
		BODY("", "stop_sequence", "\"X\\n\"", COUNTS("1", "2", "0")));
	rig_fini(&r);
}

static void
test_stop_reasons(void **state)
{
	static const struct {
		enum llm_stop stop;
		const char *want, *notices;
	} stops[] = {
		{ LLM_STOP_END, "\"end_turn\"", "" },
		{ LLM_STOP_TOOL, "\"tool_use\"", "" },
		{ LLM_STOP_LENGTH, "\"max_tokens\"", "" },
		{ LLM_STOP_SEQUENCE, "\"stop_sequence\"", "" },
		{ LLM_STOP_REFUSAL, "\"refusal\"", "" },
		{ LLM_STOP_CONTEXT, "\"model_context_window_exceeded\"", "" },
		{ LLM_STOP_PAUSE, "\"pause_turn\"", "" },
		{ LLM_STOP_UNKNOWN, "\"end_turn\"", "degraded:stop_reason" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(stops); i++) {
		const struct span want = span_cstr(stops[i].want);
		struct rig r;

		rig_init(&r, LLM_SSE);
		start(&r, "x1");
		stop(&r, stops[i].stop, "");
		assert_true(
			span_find(buf_span(&r.out), want) < buf_len(&r.out));
		buf_reset(&r.out, 0);
		notices_print(&r.notices, &r.out);
		assert_spans_eq(buf_span(&r.out), span_cstr(stops[i].notices));
		rig_fini(&r);
	}
}

static void
test_answer_ids(void **state)
{
	static const struct {
		const char *in, *want;
	} ids[] = {
		{ "20260921230707ab", "\"id\":\"msg_20260921230707ab\"" },
		{ "msg_2026", "\"id\":\"msg_2026\"" },
		{ "chatcmpl-a_b:c", "\"id\":\"msg_chatcmplabc\"" },
		{ "", "\"id\":\"msg_" FALLBACK "\"" },
		{ "--", "\"id\":\"msg_" FALLBACK "\"" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
		const struct span want = span_cstr(ids[i].want);
		struct rig r;

		rig_init(&r, LLM_SSE);
		start(&r, ids[i].in);
		assert_true(
			span_find(buf_span(&r.out), want) < buf_len(&r.out));
		rig_fini(&r);
	}
}

/* T42: calls without an id get different ones. */
static void
test_call_ids(void **state)
{
	static const char *const want[] = {
		"\"id\":\"toolu_" FALLBACK "\"",
		"\"id\":\"functions.read:0\"",
		"\"id\":\"toolu_abcdefghijklmnopqrstuvw1\"",
		"\"id\":\"toolu_abcdefghijklmnopqrstuvw2\"",
	};
	struct rig r;

	(void)state;
	for (unsigned mode = LLM_BODY; mode <= LLM_SSE; mode++) {
		rig_init(&r, (enum llm_mode)mode);
		start(&r, "x1");
		open_tool(&r, "");
		kind(&r, LLM_CLOSE, LLM_TOOL);
		open_tool(&r, "functions.read:0");
		kind(&r, LLM_CLOSE, LLM_TOOL);
		open_tool(&r, "");
		kind(&r, LLM_CLOSE, LLM_TOOL);
		open_tool(&r, "");
		kind(&r, LLM_CLOSE, LLM_TOOL);
		stop(&r, LLM_STOP_TOOL, "");
		for (size_t i = 0; i < ARRAY_LEN(want); i++)
			assert_true(
				span_find(buf_span(&r.out),
					span_cstr(want[i])) < buf_len(&r.out));
		rig_fini(&r);
	}
}

/* Row 31 of the users' cases: upstream's signature reaches the client. */
static void
test_t31_signature(void **state)
{
	struct rig r;

	(void)state;
	for (unsigned mode = LLM_BODY; mode <= LLM_SSE; mode++) {
		struct llm_event e = llm_event_of(LLM_CLOSE, LLM_THINK);
		const struct span want = SPAN("\"signature\":\"s1\"");

		rig_init(&r, (enum llm_mode)mode);
		start(&r, "x1");
		kind(&r, LLM_OPEN, LLM_THINK);
		delta(&r, LLM_THINK, "t");
		e.signature = JESC("s1");
		put(&r, &e);
		stop(&r, LLM_STOP_END, "");
		assert_true(
			span_find(buf_span(&r.out), want) < buf_len(&r.out));
		rig_fini(&r);
	}
}

static void
test_full_buffer(void **state)
{
	struct llm_event e = llm_event_of(LLM_START, LLM_TEXT);
	struct gp_error err;
	struct rig r;

	(void)state;
	rig_init(&r, LLM_SSE);
	r.out.max = 10;
	assert_fails(llm_put(r.sink, &e, &err), GP_E_LIMIT, &err, "");
	rig_fini(&r);
}

static void
test_t53_ping(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, LLM_SSE);
	kind(&r, LLM_PING, LLM_TEXT);
	assert_buf_eq(&r.out, FRAME("ping", ""));
	rig_fini(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_worked_stream),
		cmocka_unit_test(test_worked_body),
		cmocka_unit_test(test_body_says_nothing_before_its_end),
		cmocka_unit_test(test_body_pieces),
		cmocka_unit_test(test_body_arguments),
		cmocka_unit_test(test_row_099_usage),
		cmocka_unit_test(test_row_026_stop_sequence),
		cmocka_unit_test(test_stop_reasons),
		cmocka_unit_test(test_answer_ids),
		cmocka_unit_test(test_call_ids),
		cmocka_unit_test(test_t31_signature),
		cmocka_unit_test(test_full_buffer),
		cmocka_unit_test(test_t53_ping),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
