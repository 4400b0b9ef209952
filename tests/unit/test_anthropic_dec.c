/* SPDX-License-Identifier: MIT */
/* test_anthropic_dec.c - Messages answers, streamed or not, become events. */
#include "tests/lib/cut.h"
#include "tests/unit/anthropic_util.h"

#define EV(name, data)                                                         \
	"event: " name "\ndata: {\"type\":\"" name "\"" data "}\n\n"
#define START                                                                  \
	EV("message_start",                                                    \
		",\"message\":{\"id\":\"msg_1\",\"model\":\"glm\",\"usage\":{" \
		"\"input_tokens\":0,\"output_tokens\":0}}")
#define OPEN(block)                                                            \
	EV("content_block_start", ",\"index\":0,\"content_block\":{" block "}")
#define DELTA(delta)                                                           \
	EV("content_block_delta", ",\"index\":0,\"delta\":{" delta "}")
#define CLOSE EV("content_block_stop", ",\"index\":0")
#define END(reason)                                                            \
	EV("message_delta",                                                    \
		",\"delta\":{\"stop_reason\":" reason                          \
		",\"stop_sequence\":null},\"usage\":{\"output_tokens\":30}")
#define STOP   EV("message_stop", "")
#define TEXT   OPEN("\"type\":\"text\",\"text\":\"\"")
#define SAY(x) DELTA("\"type\":\"text_delta\",\"text\":\"" x "\"")
#define TOOL                                                                   \
	OPEN("\"type\":\"tool_use\",\"id\":\"call_1\",\"name\":\"w\","         \
	     "\"input\":{}")
#define JSON(x)                                                                \
	DELTA("\"type\":\"input_json_delta\",\"partial_json\":\"" x "\"")

#define GOT_START       "start id=msg_1 name=glm\n"
#define GOT_END(reason) "usage out=30\nstop " reason "\n"

/* A decoder behind a parser of streams and in front of guard and recorder. */
struct rig {
	struct arena arena;
	struct notices notices;
	struct jdoc doc;
	struct buf out;
	struct recorder rec;
	struct llm_guard guard;
	void *dec;
	struct gp_error err;
	enum gp_code rc;
};

static void
rig_init(struct rig *r)
{
	arena_init(&r->arena);
	notices_init(&r->notices, &r->arena);
	jdoc_init(&r->doc);
	buf_init(&r->out, OUT_MAX);
	r->rec = (struct recorder){ { record }, &r->out };
	r->dec = arena_alloc(&r->arena, dialect_anthropic.dec_size);
	r->rc = GP_OK;
	r->err.text[0] = '\0';
	dialect_anthropic.dec_init(r->dec, &r->arena, &r->notices,
		llm_guard_init(&r->guard, &r->rec.sink));
}

static void
rig_fini(struct rig *r)
{
	buf_fini(&r->out);
	jdoc_fini(&r->doc);
	arena_fini(&r->arena);
}

static void
put_event(struct rig *r, const struct sse_event *ev)
{
	if (r->rc == GP_OK)
		r->rc = dialect_anthropic.dec_sse(r->dec, &r->doc, ev, &r->err);
}

static void
put_stream(struct rig *r, const struct span *pieces, size_t n)
{
	struct sse_event ev;
	struct sse sse;

	sse_init(&sse);
	for (size_t i = 0; i < n; i++) {
		struct span in = pieces[i];
		size_t used;

		while (sse_feed(&sse, in, &used, &ev, &r->err) == SSE_EVENT) {
			put_event(r, &ev);
			in = span_from(in, used);
		}
	}
	if (sse_end(&sse, &ev) == SSE_EVENT)
		put_event(r, &ev);
	if (r->rc == GP_OK)
		r->rc = dialect_anthropic.dec_end(r->dec, &r->err);
	sse_fini(&sse);
}

static void
check_rig(
	struct rig *r, const char *name, const char *want, const char *notices)
{
	if (r->rc != GP_OK || !span_eq(buf_span(&r->out), span_cstr(want)))
		print_error("case %s\n", name);
	assert_ok(r->rc, &r->err);
	assert_spans_eq(buf_span(&r->out), span_cstr(want));
	buf_reset(&r->out, 0);
	notices_print(&r->notices, &r->out);
	if (!span_eq(buf_span(&r->out), span_cstr(notices)))
		print_error("notices of case %s\n", name);
	assert_spans_eq(buf_span(&r->out), span_cstr(notices));
}

/* --- streams -------------------------------------------------------------- */

static const struct {
	const char *name, *in, *want, *notices;
} streams[] = {
	{ "plain",
		START EV("ping", "") TEXT SAY("a") EV("ping", "") SAY("\\n")
			CLOSE END("\"end_turn\"") STOP,
		GOT_START "ping\nopen text\ndelta text text=a\nping\n"
			  "delta text text=\\n\nclose text\n" GOT_END("end"),
		"" },
	{ "row_090_thinking",
		START OPEN("\"type\":\"thinking\",\"thinking\":\"\","
			   "\"signature\":\"\"")
			DELTA("\"type\":\"thinking_delta\",\"thinking\":\"h\"")
				DELTA("\"type\":\"signature_delta\","
				      "\"signature\":\"s1\"")
					CLOSE TEXT SAY("a")
						CLOSE END("\"end_turn\"") STOP,
		GOT_START "open think\ndelta think text=h\n"
			  "close think sig=s1\nopen text\ndelta text text=a\n"
			  "close text\n" GOT_END("end"),
		"" },
	{ "start_holds_text_and_signature",
		START OPEN("\"type\":\"thinking\",\"thinking\":\"t\","
			   "\"signature\":\"s\"")
			CLOSE OPEN("\"type\":\"text\",\"text\":\"a\"")
				CLOSE END("\"end_turn\"") STOP,
		GOT_START
		"open think\ndelta think text=t\nclose think sig=s\n"
		"open text\ndelta text text=a\nclose text\n" GOT_END("end"),
		"" },
	{ "tool",
		START TOOL JSON("{\\\"q\\\":") JSON("") JSON("1}")
			CLOSE END("\"tool_use\"") STOP,
		GOT_START "open tool id=call_1 name=w\n"
			  "delta tool text={\\\"q\\\":\ndelta tool text=1}\n"
			  "close tool\n" GOT_END("tool"),
		"" },
	{ "row_086_tool_without_deltas",
		START TOOL CLOSE END("\"tool_use\"") STOP,
		GOT_START
		"open tool id=call_1 name=w\nclose tool\n" GOT_END("tool"),
		"" },
	{ "row_087_tool_with_input_at_the_start",
		START OPEN("\"type\":\"tool_use\",\"id\":\"c\",\"name\":\"w\","
			   "\"input\":{\"q\": 1e400}") CLOSE END("\"tool_use\"")
			STOP,
		GOT_START "open tool id=c name=w\n"
			  "delta tool text={\\\"q\\\": 1e400}\n"
			  "close tool\n" GOT_END("tool"),
		"" },
	{ "deltas_win_over_input",
		START OPEN("\"type\":\"tool_use\",\"id\":\"c\",\"name\":\"w\","
			   "\"input\":{\"q\":1}") JSON("{}")
			CLOSE END("\"tool_use\"") STOP,
		GOT_START "open tool id=c name=w\ndelta tool text={}\n"
			  "close tool\n" GOT_END("tool"),
		"" },
	{ "row_088_two_tools",
		START TOOL CLOSE OPEN("\"type\":\"tool_use\",\"id\":\"d\","
				      "\"name\":\"v\"") JSON("{}")
			CLOSE END("\"tool_use\"") STOP,
		GOT_START "open tool id=call_1 name=w\nclose tool\n"
			  "open tool id=d name=v\ndelta tool text={}\n"
			  "close tool\n" GOT_END("tool"),
		"" },
	{ "row_091_tool_use_without_tool",
		START TEXT SAY("a") CLOSE END("\"tool_use\"") STOP,
		GOT_START
		"open text\ndelta text text=a\nclose text\n" GOT_END("end"),
		"" },
	{ "row_092_end_turn_with_tool",
		START TOOL CLOSE END("\"end_turn\"") STOP,
		GOT_START
		"open tool id=call_1 name=w\nclose tool\n" GOT_END("tool"),
		"" },
	{ "row_093_cut_arguments",
		START TOOL JSON("{\\\"q\\\":") CLOSE END("\"max_tokens\"") STOP,
		GOT_START
		"open tool id=call_1 name=w\n"
		"delta tool text={\\\"q\\\":\nclose tool\n" GOT_END("length"),
		"" },
	{ "unclosed_block_is_closed",
		START TEXT SAY("a") TOOL JSON("{}") END("\"tool_use\"") STOP,
		GOT_START "open text\ndelta text text=a\nclose text\n"
			  "open tool id=call_1 name=w\ndelta tool text={}\n"
			  "close tool\n" GOT_END("tool"),
		"" },
	{ "blocks_that_nobody_else_knows",
		START OPEN("\"type\":\"redacted_thinking\",\"data\":\"x\"")
			CLOSE OPEN("\"type\":\"server_tool_use\",\"id\":\"s\"")
				JSON("{}") CLOSE TEXT DELTA(
					"\"type\":\"citations_delta\"") SAY("a")
					CLOSE END("\"end_turn\"") STOP,
		GOT_START
		"open text\ndelta text text=a\nclose text\n" GOT_END("end"),
		"dropped:redacted_thinking,dropped:server_tool_use" },
	{ "unknown_event", START EV("novelty", "") END("\"end_turn\"") STOP,
		GOT_START GOT_END("end"), "" },
	{ "no_event_names",
		"data: {\"type\":\"ping\"}\n\ndata: {\"type\":"
		"\"message_start\",\"message\":{}}\n\n"
		"data: {\"type\":\"message_stop\"}\n\n",
		"start\nstop unknown\n", "" },
	{ "no_types",
		"event: message_start\ndata: {\"message\":{}}\n\n"
		"event: message_stop\ndata: {}\n\n",
		"start\nstop unknown\n", "" },
	{ "row_101_null_text",
		START TEXT DELTA("\"type\":\"text_delta\",\"text\":null")
			CLOSE END("\"end_turn\"") STOP,
		GOT_START "open text\nclose text\n" GOT_END("end"), "" },
	{ "t3_t5_usage",
		EV("message_start",
			",\"message\":{\"id\":\"a\",\"usage\":{"
			"\"input_tokens\":14,\"cache_read_input_tokens\":100,"
			"\"cache_creation_input_tokens\":0,\"output_tokens\":"
			"1}}") EV("message_delta",
			",\"delta\":{\"stop_reason\":\"end_turn\"},"
			"\"usage\":{\"input_tokens\":14,"
			"\"cache_read_input_tokens\":100,"
			"\"cache_creation_input_tokens\":0,"
			"\"output_tokens\":9,\"output_tokens_details\":"
			"{\"thinking_tokens\":4}}") STOP,
		"start id=a\nusage in=14 read=100 out=1\n"
		"usage in=14 read=100 write=0 out=9 think=4\nstop end\n",
		"" },
	{ "usage_nonsense",
		START EV("message_delta",
			",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{"
			"\"input_tokens\":-1,\"output_tokens\":1.5}") STOP,
		GOT_START "stop end\n", "" },
	{ "stop_sequence",
		START EV("message_delta",
			",\"delta\":{\"stop_reason\":\"stop_sequence\","
			"\"stop_sequence\":\"X\\n\"}") STOP,
		GOT_START "stop sequence by=X\\n\n", "" },
	{ "row_104_refusal", START END("\"refusal\"") STOP,
		GOT_START GOT_END("refusal"), "" },
	{ "context_window", START END("\"model_context_window_exceeded\"") STOP,
		GOT_START GOT_END("context"), "" },
	{ "pause", START END("\"pause_turn\"") STOP, GOT_START GOT_END("pause"),
		"" },
	{ "compaction", START END("\"compaction\"") STOP,
		GOT_START GOT_END("pause"), "" },
	{ "stop_unknown", START END("\"bored\"") STOP,
		GOT_START GOT_END("unknown"), "" },
	{ "stop_null", START END("null") STOP, GOT_START GOT_END("unknown"),
		"" },
	{ "after_the_end",
		START END("\"end_turn\"") STOP "data: [DONE]\n\n" START,
		GOT_START GOT_END("end"), "" },
	{ "row_105_no_message_stop", START TEXT SAY("a") END("\"end_turn\""),
		GOT_START
		"open text\ndelta text text=a\nclose text\n" GOT_END("end"),
		"early_eof" },
	{ "row_106_closed_early", START TEXT SAY("a"),
		GOT_START "open text\ndelta text text=a\nerror why=the "
			  "upstream closed the stream before its end\n",
		"" },
	{ "row_106_nothing_at_all", "",
		"error why=the upstream closed the stream before its end\n",
		"" },
	{ "row_106_stop_reason_null", START END("null"),
		GOT_START "usage out=30\nerror why=the upstream closed the "
			  "stream before its end\n",
		"" },
	{ "row_085_error",
		START EV("error", ",\"error\":{\"code\":\"1302\"}") STOP,
		GOT_START "error raw={\"type\":\"error\",\"error\":{\"code\":"
			  "\"1302\"}}\n",
		"" },
	{ "error_first", EV("error", ",\"error\":{\"code\":\"1302\"}"),
		"error raw={\"type\":\"error\",\"error\":{\"code\":\"1302\"}}"
		"\n",
		"" },
	{ "error_by_its_name_only",
		START "event: error\ndata: {\"code\":1305}\n\n",
		GOT_START "error raw={\"code\":1305}\n", "" },
	{ "error_without_a_name",
		START TEXT "data: {\"error\":{\"code\":\"1305\"}}\n\n",
		GOT_START "open text\nerror raw={\"error\":{\"code\":\"1305\"}}"
			  "\n",
		"" },
};

static void
test_streams(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(streams); i++) {
		const struct span in = span_cstr(streams[i].in);
		struct rig r;

		rig_init(&r);
		put_stream(&r, &in, 1);
		check_rig(&r, streams[i].name, streams[i].want,
			streams[i].notices);
		rig_fini(&r);
	}
}

static void
feed_cut(void *ctx, const struct span *pieces, size_t n)
{
	struct rig r;

	rig_init(&r);
	put_stream(&r, pieces, n);
	check_rig(&r, "cut", ctx, "");
	rig_fini(&r);
}

static void
test_cuts(void **state)
{
	char want[] = GOT_START
		"open think\ndelta think text=\xc3\xbc\nclose think sig=s1\n"
		"open tool id=c name=w\ndelta tool text={\\\"q\\\":1}\n"
		"close tool\n" GOT_END("tool");

	(void)state;
	cut_every(SPAN(START OPEN("\"type\":\"thinking\"") DELTA(
			  "\"type\":\"thinking_delta\",\"thinking\":"
			  "\"\xc3\xbc\"") DELTA("\"type\":\"signature_delta\","
						"\"signature\":\"s1\"")
				  CLOSE OPEN("\"type\":\"tool_use\",\"id\":"
					     "\"c\",\"name\":\"w\",\"input\":{"
					     "\"q\":1}")
					  CLOSE END("\"tool_use\"") STOP),
		feed_cut, want);
}

/* --- streams that break the rules ----------------------------------------- */

static void
test_broken_streams(void **state)
{
	static const struct {
		const char *name, *in;
		enum gp_code code;
	} broken[] = {
		{ "row_106_torn_frame", START "data: {\"type\":\"pi\n\n",
			GP_E_SYNTAX },
		{ "not_json", "data: hello\n\n", GP_E_SYNTAX },
		{ "block_before_start", TEXT, GP_E_STATE },
		{ "stop_before_start", STOP, GP_E_STATE },
		{ "two_starts", START START, GP_E_STATE },
		{ "delta_outside", START SAY("a"), GP_E_STATE },
		{ "delta_of_another_kind", START TOOL SAY("a"), GP_E_STATE },
		{ "delta_behind_stop", START TEXT CLOSE SAY("a"), GP_E_STATE },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(broken); i++) {
		const struct span in = span_cstr(broken[i].in);
		struct rig r;

		rig_init(&r);
		put_stream(&r, &in, 1);
		if (r.rc != broken[i].code)
			print_error("case %s\n", broken[i].name);
		assert_int_equal(r.rc, broken[i].code);
		rig_fini(&r);
	}
}

/* --- bodies --------------------------------------------------------------- */

static const struct {
	const char *name, *in, *want, *notices;
} bodies[] = {
	{ "all_blocks",
		"{\"id\":\"msg_1\",\"type\":\"message\",\"model\":\"glm\","
		"\"content\":[{\"type\":\"thinking\",\"thinking\":\"t\","
		"\"signature\":\"s\"},{\"type\":\"redacted_thinking\"},"
		"{\"type\":\"text\",\"text\":\"a\"},{\"type\":\"tool_use\","
		"\"id\":\"c\",\"name\":\"w\",\"input\":{\"q\":\"x\"}},"
		"{\"type\":\"tool_use\",\"id\":\"d\",\"name\":\"w\","
		"\"input\":{}}],\"stop_reason\":\"tool_use\","
		"\"stop_sequence\":null,\"usage\":{\"input_tokens\":0,"
		"\"output_tokens\":3,\"cache_read_input_tokens\":7}}",
		GOT_START "usage in=0 read=7 out=3\n"
			  "open think\ndelta think text=t\nclose think sig=s\n"
			  "open text\ndelta text text=a\nclose text\n"
			  "open tool id=c name=w\n"
			  "delta tool text={\\\"q\\\":\\\"x\\\"}\nclose tool\n"
			  "open tool id=d name=w\nclose tool\n"
			  "stop tool\n",
		"dropped:redacted_thinking" },
	{ "empty_content", "{\"content\":[],\"stop_reason\":\"end_turn\"}",
		"start\nstop end\n", "" },
	{ "stop_sequence",
		"{\"content\":[],\"stop_reason\":\"stop_sequence\","
		"\"stop_sequence\":\"X\"}",
		"start\nstop sequence by=X\n", "" },
	{ "no_stop_reason", "{\"content\":[]}", "start\nstop unknown\n", "" },
	{ "error", "{\"type\":\"error\",\"error\":{\"type\":\"x\"}}",
		"error raw={\"type\":\"error\",\"error\":{\"type\":\"x\"}}\n",
		"" },
	{ "error_of_another_shape", "{\"error\":\"Not Found\",\"content\":[]}",
		"error raw={\"error\":\"Not Found\",\"content\":[]}\n", "" },
};

static void
test_bodies(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
		struct rig r;

		rig_init(&r);
		assert_ok(jdoc_parse(&r.doc, span_cstr(bodies[i].in), &r.err),
			&r.err);
		r.rc = dialect_anthropic.dec_body(r.dec, &r.doc, &r.err);
		check_rig(
			&r, bodies[i].name, bodies[i].want, bodies[i].notices);
		rig_fini(&r);
	}
}

static void
test_row_107_body_without_content(void **state)
{
	static const char *const in[] = { "{}", "[]", "7", "\"a\"",
		"{\"content\":\"a\"}", "{\"code\":500,\"success\":false}" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(in); i++) {
		struct rig r;

		rig_init(&r);
		assert_ok(jdoc_parse(&r.doc, span_cstr(in[i]), &r.err), &r.err);
		r.rc = dialect_anthropic.dec_body(r.dec, &r.doc, &r.err);
		assert_fails(r.rc, GP_E_PEER, &r.err, "no content");
		assert_int_equal(buf_len(&r.out), 0);
		rig_fini(&r);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_streams),
		cmocka_unit_test(test_cuts),
		cmocka_unit_test(test_broken_streams),
		cmocka_unit_test(test_bodies),
		cmocka_unit_test(test_row_107_body_without_content),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
