/* SPDX-License-Identifier: MIT */
/* test_anthropic_copy.c - requests and answers that stay in the dialect. */
#include "tests/unit/anthropic_util.h"

#define U(x)    "{\"role\":\"user\",\"content\":" x "}"
#define A(x)    "{\"role\":\"assistant\",\"content\":" x "}"
#define S(x)    "{\"role\":\"system\",\"content\":" x "}"
#define T(x)    "{\"type\":\"text\",\"text\":\"" x "\"}"
#define R(id)   "{\"type\":\"tool_result\",\"tool_use_id\":\"" id "\"}"
#define REM(x)  T("<system-reminder>\\n" x "\\n</system-reminder>")
#define BILL    T("x-anthropic-billing-header: cch=1")
#define IN(x)   "{\"model\":\"m\",\"max_tokens\":9,\"messages\":[" x "]}"
#define OUT(x)  "{\"model\":\"glm\",\"max_tokens\":9,\"messages\":[" x "]}"
#define SYS(s)  "{\"model\":\"m\",\"system\":" s ",\"max_tokens\":9," HI "}"
#define SYSO(s) "{\"model\":\"glm\",\"system\":" s ",\"max_tokens\":9," HI "}"
#define HI      "\"messages\":[" U("\"hi\"") "]"

static const struct {
	const char *name, *in, *want, *notices;
} copies[] = {
	{ "row_082_bytes_stay",
		"\n{ \"foo\" : [1.0,1e400],\"messages\":[ " U("[ " T(
			"a") " ,"
			     "{\"type\":\"foo\"}]") " ],\n\t\"model\" : \"m\" ,"
						    "\"max_tokens\":9, "
						    "\"thinking\":{\"type\":"
						    "\"enabled\","
						    "\"budget_tokens\":5} }\n",
		"\n{ \"foo\" : [1.0,1e400],\"messages\":[ " U("[ " T(
			"a") " ,"
			     "{\"type\":\"foo\"}]") " ],\n\t\"model\" : "
						    "\"glm\" ,"
						    "\"max_tokens\":9, "
						    "\"thinking\":{\"type\":"
						    "\"enabled\","
						    "\"budget_tokens\":5} }\n",
		"" },
	{ "row_124_unsigned_thinking_stays",
		IN(U("\"hi\"") "," A("[{\"type\":\"thinking\",\"thinking\":"
				     "\"t\",\"signature\":\"\"}]")),
		OUT(U("\"hi\"") "," A("[{\"type\":\"thinking\",\"thinking\":"
				      "\"t\",\"signature\":\"\"}]")),
		"" },
	{ "no_model", "{\"max_tokens\":9," HI "}",
		"{\"model\":\"glm\",\"max_tokens\":9," HI "}", "" },
	{ "model_null", "{\"model\":null,\"max_tokens\":9," HI "}",
		"{\"model\":\"glm\",\"max_tokens\":9," HI "}", "" },
	{ "max_tokens_zero", "{\"max_tokens\":0," HI "}",
		"{\"model\":\"glm\",\"max_tokens\":0," HI "}", "" },
	/* system */
	{ "row_077_billing_block", SYS("[" BILL " , " T("be") "]"),
		SYSO("[" T("be") "]"), "" },
	{ "row_077_cache_control_stays",
		SYS("[" BILL ",{\"type\":\"text\",\"text\":\"be\","
		    "\"cache_control\":{\"type\": \"ephemeral\"}}]"),
		SYSO("[{\"type\":\"text\",\"text\":\"be\","
		     "\"cache_control\":{\"type\": \"ephemeral\"}}]"),
		"" },
	{ "system_blank_block", SYS("[" T("") "," T("be") "]"),
		SYSO("[" T("be") "]"), "" },
	{ "system_unknown_block", SYS("[" BILL ",{\"type\":\"x\"}]"),
		SYSO("[{\"type\":\"x\"}]"), "" },
	{ "system_fine", SYS("[ " T("be") " ]"), SYSO("[ " T("be") " ]"), "" },
	{ "system_string_fine", SYS("\"\""), SYSO("\"\""), "" },
	{ "system_null", SYS("null"), SYSO("null"), "" },
	{ "billing_string", SYS("\"x-anthropic-billing-header: cch=1\\nbe\""),
		SYSO("[" T("be") "]"), "" },
	{ "billing_only", SYS("[" BILL "]"),
		"{\"model\":\"glm\",\"max_tokens\":9," HI "}", "" },
	{ "billing_only_at_the_end",
		"{\"model\":\"m\",\"max_tokens\":9," HI " , \"system\":[" BILL
		"] }",
		"{\"model\":\"glm\",\"max_tokens\":9," HI " }", "" },
	{ "system_message_first",
		"{\"model\":\"m\",\"system\":\"a\",\"messages\":[" S("\"b\"") "," S(
			"[" T("c") "," BILL "," T(
				"") "]") "," U("\"hi\"") "],\"max_tokens\":9}",
		"{\"model\":\"glm\",\"system\":[" T("a") "," T("b") "," T(
			"c") "],\"messages\":[" U("\"hi\"") "],\"max_tokens\":"
							    "9}",
		"" },
	{ "system_message_first_without_field", IN(S("\"b\"") "," U("\"hi\"")),
		"{\"model\":\"glm\",\"max_tokens\":9,\"system\":[" T(
			"b") "]," HI "}",
		"" },
	{ "system_message_first_field_behind",
		"{\"model\":\"m\",\"max_tokens\":9,\"messages\":[" S(
			"\"b\"") "," U("\"hi\"") "],\"system\":[" T("a") "]}",
		"{\"model\":\"glm\",\"max_tokens\":9," HI
		",\"system\":[" T("a") "," T("b") "]}",
		"" },
	{ "system_message_empty", IN(S("\"\"") "," U("\"hi\"")),
		OUT(U("\"hi\"")), "" },
	{ "only_system_messages", IN(S("\"b\"")),
		"{\"model\":\"glm\",\"max_tokens\":9,\"system\":[" T(
			"b") "],\"messages\":[" U("[" T("Continue.") "]") "]}",
		"" },
	/* folding */
	{ "row_078_behind_the_user",
		IN(U("\"hi\"") "," S("\"x\"") "," A("\"yo\"")),
		OUT(U("[" T("hi") "," REM("x") "]") "," A("\"yo\"")), "" },
	{ "row_078_last", IN(U("[" T("a") "]") "," S("\"x\"")),
		OUT(U("[" T("a") "," REM("x") "]")), "" },
	{ "several_behind_the_user",
		IN(U("\"hi\"") "," S("\"x\"") "," S(
			"[" T("y") ",{\"type\":\"tool_addition\"},"
				   "{\"cache_control\":{},\"text\":\"z\","
				   "\"type\":\"text\","
				   "\"q\":1}]") "," U("\"more\"")),
		OUT(U("[" T("hi") "," REM("x") "," REM(
			"y") ","
			     "{\"cache_control\":{},\"text\":"
			     "\"<system-reminder>\\nz\\n</system-reminder>\","
			     "\"type\":\"text\",\"q\":1}]") "," U("\"more\"")),
		"dropped:tool_addition" },
	{ "before_the_user",
		IN(U("\"a\"") "," A("\"b\"") "," S("\"x\"") "," U(
			"\"c\"") "," S("\"y\"")),
		OUT(U("\"a\"") "," A("\"b\"") "," U(
			"[" REM("x") "," T("c") "," REM("y") "]")),
		"" },
	{ "behind_the_results",
		IN(A("\"b\"") "," S("\"x\"") "," U(
			"[" R("c") "," R("d") "," T("e") "," R("f") "]")),
		OUT(A("\"b\"") "," U("[" R("c") "," R("d") "," REM("x") "," T(
			"e") "," R("f") "]")),
		"" },
	{ "behind_results_only",
		IN(A("\"b\"") "," S("\"x\"") "," U("[" R("c") "]")),
		OUT(A("\"b\"") "," U("[" R("c") "," REM("x") "]")), "" },
	{ "message_of_its_own",
		IN(U("\"a\"") "," A("\"b\"") "," S("\"x\"") "," A(
			"\"c\"") "," S("\"\"") "," A("\"d\"") "," S("\"y\"")),
		OUT(U("\"a\"") "," A("\"b\"") "," U("[" REM("x") "]") "," A(
			"\"c\"") "," A("\"d\"") "," U("[" REM("y") "]")),
		"" },
	{ "nothing_to_fold", IN(U("\"hi\"") "," S("[" T("") "]")),
		OUT(U("\"hi\"")), "" },
	{ "fold_into_nothing", IN(U("\"\"") "," S("\"x\"")),
		OUT(U("[" REM("x") "]")), "" },
	/* empty text */
	{ "row_123_empty_text",
		IN(U("\"a\"") "," A(
			"[" T("") ",{\"type\":\"tool_use\",\"id\":"
				  "\"c\",\"name\":\"w\", \"input\":{}}]")),
		OUT(U("\"a\"") "," A("[{\"type\":\"tool_use\",\"id\":\"c\","
				     "\"name\":\"w\", \"input\":{}}]")),
		"" },
	{ "empty_user", IN(U("[" T("") "]")), OUT(U("[" T("(empty)") "]")),
		"" },
	{ "empty_assistant", IN(U("\"a\"") "," A("[" T("") "]") "," U("\"b\"")),
		OUT(U("\"a\"") "," U("\"b\"")), "" },
	{ "empty_array_stays", IN(U("\"a\"") "," A("[]") "," A("\"\"")),
		OUT(U("\"a\"") "," A("[]") "," A("\"\"")), "" },
	{ "empty_text_in_a_result",
		IN(U("[{\"type\":\"tool_result\",\"content\":[" T("") " ," T(
			"x") "],\"tool_use_id\":\"c\"}," T("y") "]")),
		OUT(U("[{\"type\":\"tool_result\",\"content\":[" T(
			"x") "],\"tool_use_id\":\"c\"}," T("y") "]")),
		"" },
	{ "key_order_of_messages",
		IN("{\"content\":[" T("") "," T("a") "],\"x\":1,\"role\":"
						     "\"user\" }"),
		OUT("{\"content\":[" T("a") "],\"x\":1,\"role\":\"user\" }"),
		"" },
};

static void
copy_as(struct asked *a, struct span model, struct buf *out)
{
	struct gp_error err;

	/* As xlate does: the decoder speaks of another dialect. */
	notices_init(&a->r.notices, &a->arena);
	assert_ok(dialect_anthropic.req_copy(&a->doc, &a->r, model, out, &err),
		&err);
}

static void
test_copies(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(copies); i++) {
		struct span want = span_cstr(copies[i].want);
		struct asked a;
		struct buf b;

		ask(&a, copies[i].in, LLM_CHAT);
		if (a.rc != GP_OK)
			print_error("case %s\n", copies[i].name);
		assert_ok(a.rc, &a.err);
		buf_init(&b, OUT_MAX);
		copy_as(&a, SPAN("glm"), &b);
		if (!span_eq(buf_span(&b), want))
			print_error("case %s\n", copies[i].name);
		assert_spans_eq(buf_span(&b), want);
		/* What comes out is JSON. */
		assert_ok(jdoc_parse(&a.doc, buf_span(&b), &a.err), &a.err);
		buf_reset(&b, 0);
		notices_print(&a.r.notices, &b);
		assert_spans_eq(buf_span(&b), span_cstr(copies[i].notices));
		buf_fini(&b);
		ask_end(&a);
	}
}

/* Row 21: the tree's figure replaces the client's. */
static void
test_row_021_max_tokens(void **state)
{
	struct asked a;
	struct buf b;

	(void)state;
	ask(&a, "{\"max_tokens\": 5e5 ," HI "}", LLM_CHAT);
	assert_ok(a.rc, &a.err);
	a.r.max_tokens = 131072;
	buf_init(&b, OUT_MAX);
	copy_as(&a, SPAN("a\"b"), &b);
	assert_buf_eq(
		&b, "{\"model\":\"a\\\"b\",\"max_tokens\": 131072 ," HI "}");
	buf_fini(&b);
	ask_end(&a);
}

/* A budget that the profile has cut. */
static void
test_budget_below_max_tokens(void **state)
{
	struct asked a;
	struct buf b;

	(void)state;
	ask(&a,
		"{\"thinking\":{\"budget_tokens\": 32000 "
		",\"type\":\"enabled\"},"
		"\"model\":\"m\",\"max_tokens\":32000," HI "}",
		LLM_CHAT);
	assert_ok(a.rc, &a.err);
	a.r.think.budget_tokens = 31999;
	buf_init(&b, OUT_MAX);
	copy_as(&a, SPAN("glm"), &b);
	assert_buf_eq(&b,
		"{\"thinking\":{\"budget_tokens\": 31999 "
		",\"type\":\"enabled\"},"
		"\"model\":\"glm\",\"max_tokens\":32000," HI "}");
	buf_fini(&b);
	ask_end(&a);
}

#define INSTEAD(x) U("[" T("gone") "]") x

/* Messages that are gone from the tree, those of role system excepted. */
static void
test_cut_messages(void **state)
{
	static const struct {
		const char *in, *want;
		size_t kept_from;
		bool has_instead;
	} cases[] = {
		/* Nothing has to be written anew: byte for byte. */
		{ "{\"model\":\"m\",\"max_tokens\":9,\"messages\" : "
		  "[ " U("\"a\"") " , " A("\"b\"") " ,\n" U("\"c\"") " , " A(
			  "\"d\"") " ] }",
			"{\"model\":\"glm\",\"max_tokens\":9,"
			"\"messages\" : [ " U("\"c\"") " , " A("\"d\"") " ] }",
			2, false },
		{ IN(U("\"a\"") " , " A("\"b\"") " , " U("\"c\"")),
			OUT(INSTEAD("," A("\"b\"") "," U("\"c\""))), 1, true },
		/* System text of what is gone stands in front. */
		{ "{\"model\":\"m\",\"system\":\"s\",\"max_tokens\":9,"
		  "\"messages\":[" U("\"a\"") "," S("\"x\"") "," A(
			  "\"b"
			  "\"") "," S("\"y\"") "," U("\"c\"") "," S("\"z\"") "]"
									     "}",
			"{\"model\":\"glm\",\"system\":[" T("s") "," T(
				"x") "," T("y") "],\"max_tokens\":9,"
						"\"messages\":[" U(
							"[" T("c") "," REM(
								"z") "]") "]}",
			4, false },
		{ IN(U("\"a\"") "," S("\"x\"") "," A("\"b\"") "," U(
			  "[" R("e") "]")),
			"{\"model\":\"glm\",\"max_tokens\":9,"
			"\"system\":[" T("x") "],\"messages\":"
					      "[" INSTEAD("," A("\"b\"") "," U(
						      "[" R("e") "]")) "]}",
			2, true },
		/* As does what the messages that stay need. */
		{ IN(U("\"a\"") "," A("\"b\"") "," U(
			  "[" T("") " , " T("c") "]")),
			OUT(U("[" T("c") "]")), 2, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct asked a;
		struct buf b;

		ask(&a, cases[i].in, LLM_CHAT);
		assert_ok(a.rc, &a.err);
		a.r.kept_from = cases[i].kept_from;
		if (cases[i].has_instead)
			a.r.instead = JESC("gone");
		buf_init(&b, OUT_MAX);
		copy_as(&a, SPAN("glm"), &b);
		assert_spans_eq(buf_span(&b), span_cstr(cases[i].want));
		buf_fini(&b);
		ask_end(&a);
	}
}

#define GROWN_1 U("\"a\"") "," S("\"x\"")
#define GROWN_2 GROWN_1 "," A("\"b\"") "," S("\"y\"")
#define GROWN_3 GROWN_2 "," U("\"c\"") "," S("\"z\"") "," S("\"zz\"")
#define GROWN_4 GROWN_3 "," A("\"d\"")
#define GROWN_5 GROWN_4 "," U("[" R("e") "]")

/* Row 125 and T49: a conversation that grows keeps its bytes. */
static void
test_row_125_prefix(void **state)
{
	static const char *const grown[] = { IN(GROWN_1), IN(GROWN_2),
		IN(GROWN_3), IN(GROWN_4), IN(GROWN_5) };
	struct buf last;

	(void)state;
	buf_init(&last, OUT_MAX);
	for (size_t i = 0; i < ARRAY_LEN(grown); i++) {
		struct asked a;
		struct buf b;

		ask(&a, grown[i], LLM_CHAT);
		assert_ok(a.rc, &a.err);
		buf_init(&b, OUT_MAX);
		copy_as(&a, SPAN("glm"), &b);
		/* But for the brackets that end the last message. */
		if (i > 0)
			buf_truncate(&last, buf_len(&last) - 4);
		assert_true(span_starts(buf_span(&b), buf_span(&last)));
		buf_fini(&last);
		last = b;
		ask_end(&a);
	}
	buf_fini(&last);
}

/* --- answers -------------------------------------------------------------- */

#define START(model, usage)                                                    \
	"{\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\"," model     \
	"\"content\":[]" usage "}}"
#define ZERO              ",\"usage\":{\"input_tokens\":0,\"output_tokens\":0}"
#define FRAME(name, data) "event: " name "\ndata: " data "\n\n"

static const struct {
	const char *name, *event, *data, *want;
} events[] = {
	{ "row_083_zero_usage_gets_estimate", "message_start",
		START("\"model\":\"glm\",", ZERO),
		FRAME("message_start",
			START("\"model\":\"claude\",",
				",\"usage\":{\"input_tokens\":118,"
				"\"output_tokens\":0}")) },
	{ "t1_usage_before_model", "message_start",
		"{\"type\":\"message_start\",\"message\":{\"usage\":{"
		"\"output_tokens\":1, \"input_tokens\" : 0},\"model\":null}}",
		FRAME("message_start",
			"{\"type\":\"message_start\",\"message\":{\"usage\":{"
			"\"output_tokens\":1, \"input_tokens\" : 118},"
			"\"model\":\"claude\"}}") },
	{ "t2_real_usage_stays", "message_start",
		START("", ",\"usage\":{\"input_tokens\":317,\"x\":1.0}"),
		FRAME("message_start",
			START("",
				",\"usage\":{\"input_tokens\":317,"
				"\"x\":1.0}")) },
	{ "all_cached_stays", "message_start",
		START("",
			",\"usage\":{\"input_tokens\":0,"
			"\"cache_read_input_tokens\":9}"),
		FRAME("message_start",
			START("",
				",\"usage\":{\"input_tokens\":0,"
				"\"cache_read_input_tokens\":9}")) },
	{ "usage_without_input", "message_start",
		START("", ",\"usage\":{\"output_tokens\":0}"),
		FRAME("message_start",
			START("",
				",\"usage\":{\"input_tokens\":118,"
				"\"output_tokens\":0}")) },
	{ "usage_empty", "message_start", START("", ",\"usage\":{}"),
		FRAME("message_start",
			START("", ",\"usage\":{\"input_tokens\":118}")) },
	{ "usage_null", "message_start", START("", ",\"usage\":null"),
		FRAME("message_start",
			START("",
				",\"usage\":{\"input_tokens\":118,"
				"\"output_tokens\":0}")) },
	{ "usage_absent", "message_start",
		"{\"type\":\"message_start\",\"message\":{\"id\":\"a\"}}",
		FRAME("message_start",
			"{\"type\":\"message_start\",\"message\":{\"usage\":{"
			"\"input_tokens\":118,\"output_tokens\":0},\"id\":"
			"\"a\"}}") },
	{ "message_absent", "message_start", "{\"type\":\"message_start\"}",
		FRAME("message_start", "{\"type\":\"message_start\"}") },
	{ "row_083_message_delta_untouched", "message_delta",
		"{\"type\":\"message_delta\",\"usage\":{\"input_tokens\":0}}",
		FRAME("message_delta",
			"{\"type\":\"message_delta\","
			"\"usage\":{\"input_tokens\":0}}") },
	{ "row_082_unknown_event", "novelty", "{ \"type\":\"novelty\"}",
		FRAME("novelty", "{ \"type\":\"novelty\"}") },
	{ "event_line_is_added", "", "{\"type\":\"ping\"}",
		FRAME("ping", "{\"type\":\"ping\"}") },
	{ "start_without_event_line", "", START("\"model\":\"glm\",", ZERO),
		FRAME("message_start",
			START("\"model\":\"claude\",",
				",\"usage\":{\"input_tokens\":118,"
				"\"output_tokens\":0}")) },
	{ "no_type_at_all", "", "{\"a\":1}", "" },
	{ "type_with_a_line_end", "", "{\"type\":\"a\\nb\"}", "" },
	{ "foreign_terminator", "", "[DONE]", "" },
	{ "row_010_line_separators", "content_block_delta",
		"{\"a\":\n\"\xe2\x80\xa8\"}",
		FRAME("content_block_delta", "{\"a\":\"\\u2028\"}") },
	{ "empty", "message_stop", "", "" },
};

static void
test_events(void **state)
{
	struct llm_enc_env env = { .model = JESC("claude"),
		.estimated_input = 118 };
	struct arena arena;
	struct jdoc doc;

	(void)state;
	arena_init(&arena);
	jdoc_init(&doc);
	env.arena = &arena;
	for (size_t i = 0; i < ARRAY_LEN(events); i++) {
		const struct sse_event ev = { span_cstr(events[i].event),
			span_cstr(events[i].data) };
		struct buf b;

		buf_init(&b, OUT_MAX);
		dialect_anthropic.ans_copy_sse(&ev, &doc, &env, &b);
		if (!span_eq(buf_span(&b), span_cstr(events[i].want)))
			print_error("case %s\n", events[i].name);
		assert_spans_eq(buf_span(&b), span_cstr(events[i].want));
		buf_fini(&b);
	}
	jdoc_fini(&doc);
	arena_fini(&arena);
}

static void
test_bodies(void **state)
{
	static const struct {
		const char *in, *model, *want;
	} bodies[] = {
		{ " {\"id\":\"a\",\"model\" : \"glm\",\"usage\":{"
		  "\"input_tokens\":0}, \"x\":1e400}",
			"claude",
			" {\"id\":\"a\",\"model\" : \"claude\",\"usage\":{"
			"\"input_tokens\":0}, \"x\":1e400}" },
		{ "{\"model\":\"glm\"}", "", "{\"model\":\"glm\"}" },
		{ "{\"x\":1}", "claude", "{\"x\":1}" },
	};
	struct llm_enc_env env = { .estimated_input = 118 };
	struct arena arena;
	struct jdoc doc;

	(void)state;
	arena_init(&arena);
	jdoc_init(&doc);
	env.arena = &arena;
	for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
		struct gp_error err;
		struct buf b;

		env.model.s = span_cstr(bodies[i].model);
		assert_ok(
			jdoc_parse(&doc, span_cstr(bodies[i].in), &err), &err);
		buf_init(&b, OUT_MAX);
		dialect_anthropic.ans_copy_body(&doc, &env, &b);
		assert_spans_eq(buf_span(&b), span_cstr(bodies[i].want));
		buf_fini(&b);
	}
	jdoc_fini(&doc);
	arena_fini(&arena);
}

static void
test_row_105_end(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, OUT_MAX);
	dialect_anthropic.ans_copy_end(&b);
	assert_buf_eq(&b, FRAME("message_stop", "{\"type\":\"message_stop\"}"));
	buf_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_copies),
		cmocka_unit_test(test_row_021_max_tokens),
		cmocka_unit_test(test_budget_below_max_tokens),
		cmocka_unit_test(test_cut_messages),
		cmocka_unit_test(test_row_125_prefix),
		cmocka_unit_test(test_events),
		cmocka_unit_test(test_bodies),
		cmocka_unit_test(test_row_105_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
