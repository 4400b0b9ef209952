/* SPDX-License-Identifier: MIT */
/* test_profile_zai_tools.c - tools, the choice among them, their names. */
#include "tests/unit/zai_util.h"

#define OFF          ",\"thinking\":{\"type\":\"disabled\"}"
#define TOKENS       "\"max_tokens\":100"
#define DFLT         "\"max_tokens\":32768"

#define EMPTY_SCHEMA "{\"type\":\"object\",\"properties\":{}}"
#define O_FUNC(name)                                                           \
	"{\"type\":\"function\",\"function\":{\"name\":\"" name "\"}}"
#define O_FULL(name)                                                           \
	"{\"type\":\"function\",\"function\":{\"name\":\"" name                \
	"\",\"description\":\"" name "\",\"parameters\":" EMPTY_SCHEMA "}}"
#define A_TOOL(name) "{\"name\":\"" name "\",\"input_schema\":" EMPTY_SCHEMA "}"
#define TOOLS(list)  "\"tools\":[" list "]"
#define CHOICE(c)    ",\"tool_choice\":" c
#define AUTO         CHOICE("\"auto\"")
#define NAMED        CHOICE("{\"type\":\"function\",\"function\":{\"name\":\"b\"}}")
#define STREAM       "\"stream\":true"
#define USAGE        ",\"stream_options\":{\"include_usage\":true}"

static void
test_choice(void **state)
{
	static const struct zai_case cases[] = {
		{ "61", OA, "glm-4.6", TOOLS(O_FUNC("a")) CHOICE("\"none\""),
			DFLT "," TOOLS(A_TOOL("a"))
				CHOICE("{\"type\":\"none\"}"),
			"", 0 },
		{ "62", OO, "glm-4.6", TOOLS(O_FUNC("a")) CHOICE("\"none\""),
			"", "", 0 },
		{ "62 AO", AO, "glm-4.6",
			TOOLS(A_TOOL("a")) CHOICE("{\"type\":\"none\"}"),
			TOKENS OFF, "", 0 },
		{ "63", OO, "glm-4.6", TOOLS(O_FUNC("a") "," O_FUNC("b")) NAMED,
			TOOLS(O_FULL("b")) AUTO, "degraded:tool_choice", 0 },
		{ "63 AO", AO, "glm-4.6",
			TOOLS(A_TOOL("a") "," A_TOOL("b"))
				CHOICE("{\"type\":\"tool\",\"name\":\"b\"}"),
			TOKENS "," TOOLS(O_FULL("b")) AUTO OFF,
			"degraded:tool_choice", 0 },
		{ "named, but of a kind that is dropped", AO, "glm-4.6",
			TOOLS(A_TOOL(
				"a") ",{\"type\":\"bash_1\",\"name\":\"bash\"}")
				CHOICE("{\"type\":\"tool\","
				       "\"name\":\"bash\"}"),
			TOKENS "," TOOLS(O_FULL("a")) AUTO OFF,
			"dropped:bash_1,degraded:tool_choice", 0 },
		{ "required", OO, "glm-4.6",
			TOOLS(O_FUNC("a")) CHOICE("\"required\""),
			TOOLS(O_FULL("a")) AUTO, "degraded:tool_choice", 0 },
		{ "any AO", AO, "glm-4.6",
			TOOLS(A_TOOL("a")) CHOICE("{\"type\":\"any\"}"),
			TOKENS "," TOOLS(O_FULL("a")) AUTO OFF,
			"degraded:tool_choice", 0 },
		{ "required OA", OA, "glm-4.6",
			TOOLS(O_FUNC("a")) CHOICE("\"required\""),
			DFLT "," TOOLS(A_TOOL("a"))
				CHOICE("{\"type\":\"any\"}"),
			"", 0 },
		{ "64", OA, "glm-4.6", "\"tool_choice\":\"required\"", DFLT,
			"dropped:tool_choice", 0 },
		{ "64 OO", OO, "glm-4.6", "\"tool_choice\":\"required\"", "",
			"dropped:tool_choice", 0 },
		{ "unset", OO, "glm-4.6", TOOLS(O_FUNC("a")),
			TOOLS(O_FULL("a")), "", 0 },
		{ "65", OA, "glm-4.6",
			TOOLS(O_FUNC("a")) ",\"parallel_tool_calls\":false",
			DFLT "," TOOLS(A_TOOL("a"))
				CHOICE("{\"type\":\"auto\","
				       "\"disable_parallel_tool_use\":true}"),
			"", 0 },
		{ "66 OO", OO, "glm-4.6",
			TOOLS(O_FUNC("a")) ",\"parallel_tool_calls\":false",
			TOOLS(O_FULL("a")), "", 0 },
		{ "T43", AO, "glm-4.6",
			TOOLS("{\"name\":\"a\",\"input_schema\":" EMPTY_SCHEMA
			      ",\"strict\":true,\"defer_loading\":true,"
			      "\"eager_input_streaming\":true}"),
			TOKENS "," TOOLS(O_FULL("a")) OFF, "", 0 },
	};

	(void)state;
	CHECK_CASES(cases);
}

/* The filters of the answer go by what the client has asked for. */
static void
test_choice_stays(void **state)
{
	static const struct zai_case none = { "none", OO, "glm-4.6",
		TOOLS(O_FUNC("a"))
			CHOICE("\"none\"") ",\"parallel_tool_calls\":false",
		"", "", 0 };
	struct zai_run z;

	(void)state;
	zai_run_init(&z);
	assert_ok(run_case(&z, &none), &z.err);
	assert_int_equal(z.req.choice, LLM_CHOICE_NONE);
	assert_true(z.req.single_call);
	zai_run_fini(&z);
}

static void
test_tool_stream(void **state)
{
	static const struct zai_case cases[] = {
		{ "T39", OO, "glm-4.6", STREAM "," TOOLS(O_FUNC("a")),
			STREAM USAGE
			"," TOOLS(O_FULL("a")) ",\"tool_stream\":true",
			"", 0 },
		{ "T39 AO", AO, "glm-5.2", STREAM "," TOOLS(A_TOOL("a")),
			STREAM USAGE "," TOKENS "," TOOLS(O_FULL("a")) OFF
			",\"tool_stream\":true",
			"", 0 },
		{ "client decides", OO, "glm-4.6",
			STREAM "," TOOLS(O_FUNC("a")) ",\"tool_stream\":false",
			STREAM USAGE
			"," TOOLS(O_FULL("a")) ",\"tool_stream\":false",
			"", 0 },
		{ "no tools", OO, "glm-4.6", STREAM, STREAM USAGE, "", 0 },
		{ "no stream", OO, "glm-4.6", TOOLS(O_FUNC("a")),
			TOOLS(O_FULL("a")), "", 0 },
		{ "below 4.6", OO, "glm-4.5", STREAM "," TOOLS(O_FUNC("a")),
			STREAM USAGE "," TOOLS(O_FULL("a")), "", 0 },
		{ "vision", OO, "glm-4.6v", STREAM "," TOOLS(O_FUNC("a")),
			STREAM USAGE "," TOOLS(O_FULL("a")), "", 0 },
		{ "choice none", OO, "glm-4.6",
			STREAM "," TOOLS(O_FUNC("a")) CHOICE("\"none\""),
			STREAM USAGE, "", 0 },
	};

	(void)state;
	CHECK_CASES(cases);
}

/* --- names ---------------------------------------------------------------- */

#define X45    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define X90    "mcp__" X45 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define X90_TO "mcp__" X45 "xxxxx_0e64a5ec"
#define X64    X45 "xxxxxxxxxxxxxxxxxxx"

#define CALLS(name)                                                            \
	"{\"model\":\"m\"," TOKENS ",\"messages\":["                           \
	"{\"role\":\"user\",\"content\":\"a\"},"                               \
	"{\"role\":\"assistant\",\"content\":[{\"type\":\"tool_use\","         \
	"\"id\":\"c\",\"name\":\"" name "\",\"input\":{}}]},"                  \
	"{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\","           \
	"\"tool_use_id\":\"c\",\"content\":\"d\"}]}],"
#define CALLED(model, name)                                                    \
	"{\"model\":\"" model "\",\"messages\":["                              \
	"{\"role\":\"user\",\"content\":\"a\"},"                               \
	"{\"role\":\"assistant\",\"content\":\"\",\"tool_calls\":[{\"id\":"    \
	"\"c\","                                                               \
	"\"type\":\"function\",\"function\":{\"name\":\"" name                 \
	"\",\"arguments\":\"{}\"}}]},"                                         \
	"{\"role\":\"tool\",\"tool_call_id\":\"c\",\"content\":\"d\"}],"

static void
test_names(void **state)
{
	static const struct zai_case cases[] = {
		{ "60", AO, "glm-4.6", CALLS(X90) TOOLS(A_TOOL(X90)) "}",
			CALLED("glm-4.6", X90_TO) TOKENS
			"," TOOLS(O_FULL(X90_TO)) OFF "}",
			"", 0 },
		{ "60 named", AO, "glm-4.6",
			TOOLS(A_TOOL("a") "," A_TOOL(X90)) CHOICE(
				"{\"type\":\"tool\",\"name\":\"" X90 "\"}"),
			TOKENS "," TOOLS(O_FULL(X90_TO)) AUTO OFF,
			"degraded:tool_choice", 0 },
		{ "64 characters", AO, "glm-4.6", TOOLS(A_TOOL(X64)),
			TOKENS "," TOOLS(O_FULL(X64)) OFF, "", 0 },
		{ "65 characters", AO, "glm-4.6", TOOLS(A_TOOL(X64 "x")),
			TOKENS "," TOOLS(O_FULL(X45 "xxxxxxxxxx_9537c5fd")) OFF,
			"", 0 },
		{ "a blank", AO, "glm-4.6",
			CALLS("a b") TOOLS(A_TOOL("a b")) "}",
			CALLED("glm-4.6", "a_b_c8687a08") TOKENS
			"," TOOLS(O_FULL("a_b_c8687a08")) OFF "}",
			"", 0 },
		{ "another spelling", AO, "glm-4.6",
			CALLS("a\\u0020b") TOOLS(A_TOOL("a b")) "}",
			CALLED("glm-4.6", "a_b_c8687a08") TOKENS
			"," TOOLS(O_FULL("a_b_c8687a08")) OFF "}",
			"", 0 },
		{ "an escape that needs none", AO, "glm-4.6",
			TOOLS(A_TOOL("\\u0061b")),
			TOKENS "," TOOLS(O_FULL("\\u0061b")) OFF, "", 0 },
		{ "history only", AO, "glm-4.6",
			CALLS("a b") TOOLS(A_TOOL("c")) "}",
			CALLED("glm-4.6", "a_b_c8687a08") TOKENS
			"," TOOLS(O_FULL("c")) OFF "}",
			"", 0 },
	};

	(void)state;
	CHECK_CASES(cases);
}

/* The way back, for the answer. */
static void
test_renames(void **state)
{
	static const struct zai_case c = { "renames", AO, "glm-4.6",
		TOOLS(A_TOOL("a") "," A_TOOL("b c") "," A_TOOL("d.e")), "", "",
		0 };
	struct zai_run z;

	(void)state;
	zai_run_init(&z);
	assert_ok(run_case(&z, &c), &z.err);
	assert_int_equal(z.req.renames.n, 2);
	assert_span_eq(z.req.renames.v[0].original.s, "b c");
	assert_span_eq(z.req.renames.v[0].wire.s, "b_c_47d8a4a8");
	assert_span_eq(z.req.renames.v[1].original.s, "d.e");
	assert_span_eq(z.req.renames.v[1].wire.s, "d_e_e67adc82");
	zai_run_fini(&z);
}

/* --- a model without tools ------------------------------------------------ */

#define SHOT(result)                                                           \
	"{\"model\":\"m\"," TOKENS ",\"messages\":["                           \
	"{\"role\":\"user\",\"content\":\"a\"},"                               \
	"{\"role\":\"assistant\",\"content\":[{\"type\":\"text\",\"text\":"    \
	"\"b\"},"                                                              \
	"{\"type\":\"tool_use\",\"id\":\"c\",\"name\":\"f\","                  \
	"\"input\":{\"q\":\"\\u00fc\"}}]},"                                    \
	"{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\","           \
	"\"tool_use_id\":\"c\"" result                                         \
	"},{\"type\":\"text\",\"text\":\"e\"}]}]"
#define SHOWN                                                                  \
	"{\"model\":\"glm-4.5v\",\"messages\":["                               \
	"{\"role\":\"user\",\"content\":\"a\"},"                               \
	"{\"role\":\"assistant\",\"content\":\"b\\n[tool call c: f]\\n"        \
	"{\\\"q\\\":\\\"\\\\u00fc\\\"}\"},{\"role\":\"user\",\"content\":"

static void
test_without_tools(void **state)
{
	static const struct zai_case cases[] = {
		{ "3.4 tools", OO, "glm-4.5v", TOOLS(O_FUNC("a")) AUTO, "",
			"dropped:tools", 0 },
		{ "3.4 history", AO, "glm-4.5v",
			SHOT(",\"content\":\"d\"") "," TOOLS(A_TOOL("f")) "}",
			SHOWN "\"[tool result c]\\nd\\ne\"}]," TOKENS OFF "}",
			"dropped:tools", 0 },
		{ "no output", AO, "glm-4.5v", SHOT("") "}",
			SHOWN
			"\"[tool result c]\\n(no output)\\ne\"}]," TOKENS OFF
			"}",
			"", 0 },
		{ "error", AO, "glm-4.5v",
			SHOT(",\"is_error\":true,\"content\":\"d\"") "}",
			SHOWN "\"[tool result c]\\nError: d\\ne\"}]," TOKENS OFF
			      "}",
			"", 0 },
		{ "image", AO, "glm-4.5v",
			SHOT(",\"content\":[{\"type\":\"text\",\"text\":\"d\"},"
			     "{\"type\":\"image\",\"source\":{\"type\":"
			     "\"base64\",\"media_type\":\"image/png\","
			     "\"data\":\"iVBO\"}}]") "}",
			SHOWN "[{\"type\":\"text\",\"text\":"
			      "\"[tool result c]\\nd\"},{\"type\":\"image_url\""
			      ",\"image_url\":{\"url\":"
			      "\"data:image/png;base64,iVBO\"}},{\"type\":"
			      "\"text\",\"text\":\"e\"}]}]," TOKENS OFF "}",
			"", 0 },
		{ "others keep their tools", OO, "glm-4.6v", TOOLS(O_FUNC("a")),
			TOOLS(O_FULL("a")), "", 0 },
	};

	(void)state;
	CHECK_CASES(cases);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_choice),
		cmocka_unit_test(test_choice_stays),
		cmocka_unit_test(test_tool_stream),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_renames),
		cmocka_unit_test(test_without_tools),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
