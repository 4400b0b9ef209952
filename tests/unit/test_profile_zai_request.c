/* SPDX-License-Identifier: MIT */
/* test_profile_zai_request.c - what each endpoint and model is sent. */
#include "tests/unit/zai_util.h"

#define OFF    ",\"thinking\":{\"type\":\"disabled\"}"
#define TOKENS "\"max_tokens\":100"
#define DFLT   "\"max_tokens\":32768"

/* --- the models ----------------------------------------------------------- */

static void
test_models(void **state)
{
	static const struct {
		struct span name;
		int64_t context, output;
		enum model_thinking thinking;
		bool is_vision, has_tools, streams_tools;
	} rows[] = {
		{ SPAN_INIT("glm-4.5"), 131072, 98304, MODEL_THINKING_SWITCH,
			false, true, false },
		{ SPAN_INIT("glm-4.5v"), 65536, 16384, MODEL_THINKING_SWITCH,
			true, false, false },
		{ SPAN_INIT("glm-4.6"), 202752, 131072, MODEL_THINKING_SWITCH,
			false, true, true },
		{ SPAN_INIT("glm-4.6v"), 128000, 32768, MODEL_THINKING_SWITCH,
			true, true, false },
		{ SPAN_INIT("glm-4.7-flash"), 200000, 131072,
			MODEL_THINKING_SWITCH, false, true, true },
		{ SPAN_INIT("glm-5v-turbo"), 200000, 131072,
			MODEL_THINKING_SWITCH, true, true, false },
		{ SPAN_INIT("glm-5.2"), 1000000, 131072, MODEL_THINKING_EFFORT,
			false, true, true },
		{ SPAN_INIT("glm-5.3"), 1000000, 131072, MODEL_THINKING_ALWAYS,
			false, true, true },
		{ SPAN_INIT("glm-5.3-flash"), 1000000, 131072,
			MODEL_THINKING_ALWAYS, true, true, false },
		{ SPAN_INIT("glm-4-32b-0414-128k"), 128000, 16384,
			MODEL_THINKING_NONE, false, true, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct model_info *const m = info_of(rows[i].name.p);

		assert_int_equal(m->context_tokens, rows[i].context);
		assert_int_equal(m->max_output_tokens, rows[i].output);
		assert_int_equal(m->thinking, rows[i].thinking);
		assert_int_equal(m->is_vision, rows[i].is_vision);
		assert_int_equal(m->has_tools, rows[i].has_tools);
		assert_int_equal(m->streams_tools, rows[i].streams_tools);
	}
	assert_null(profile_model(&profile_zai, SPAN("glm-9")));
	assert_null(profile_model(&profile_zai, SPAN("")));
	assert_ptr_equal(profile_zai.text, &dialect_anthropic);
	assert_ptr_equal(profile_zai.vision, &dialect_openai);
	for (size_t i = 0; i < profile_zai.nmodels; i++)
		assert_ptr_equal(
			profile_model(&profile_zai, profile_zai.models[i].name),
			&profile_zai.models[i]);
}

/* --- limits --------------------------------------------------------------- */

static void
test_limits(void **state)
{
	static const struct zai_case cases[] = {
		{ "19 default", OA, "glm-4.6", "", DFLT, "", 0 },
		{ "19 default, small model", OA, "glm-4-32b-0414-128k", "",
			"\"max_tokens\":16384", "", 0 },
		{ "19 OO: none", OO, "glm-4.6", "", "", "", 0 },
		{ "20", OA, "glm-4.6",
			"\"max_tokens\":100,\"max_completion_tokens\":200",
			"\"max_tokens\":200", "dropped:max_tokens", 0 },
		{ "21 OA", OA, "glm-4.6", "\"max_tokens\":500000",
			"\"max_tokens\":131072", "clamped:max_tokens", 0 },
		{ "21 OO", OO, "glm-4.6v", "\"max_tokens\":500000",
			"\"max_tokens\":32768", "clamped:max_tokens", 0 },
		{ "21 AO", AO, "glm-4.5", "\"max_tokens\":98305",
			"\"max_tokens\":98304" OFF, "clamped:max_tokens", 0 },
		{ "21 the limit itself", AO, "glm-4.5", "\"max_tokens\":98304",
			"\"max_tokens\":98304" OFF, "", 0 },
		{ "5.1 AO zero", AO, "glm-4.6", "\"max_tokens\":0",
			"!max_tokens", "", 0 },
		{ "22", OA, "glm-4.6", "\"max_tokens\":0", "!max_tokens", "",
			0 },
		{ "23 OA", OA, "glm-4.6", "\"temperature\":1.7",
			DFLT ",\"temperature\":1", "clamped:temperature", 0 },
		{ "23 OO", OO, "glm-4.6", "\"temperature\":1.7",
			"\"temperature\":1", "clamped:temperature", 0 },
		{ "23 below", OO, "glm-4.6", "\"temperature\":-0.1",
			"!temperature", "", 0 },
		{ "24", AO, "glm-4.6", "\"temperature\":1.7", "!temperature",
			"", 0 },
		{ "T22 at the bounds", OO, "glm-4.6",
			"\"temperature\":0,\"top_p\":1",
			"\"temperature\":0,\"top_p\":1", "", 0 },
		{ "spelling stays", OO, "glm-4.6", "\"temperature\":7.0e-1",
			"\"temperature\":7.0e-1", "", 0 },
		{ "two decimals", OO, "glm-4.6", "\"temperature\":0.29",
			"\"temperature\":0.29", "", 0 },
		{ "three decimals", OO, "glm-4.6", "\"temperature\":0.333",
			"\"temperature\":0.33", "clamped:temperature", 0 },
		{ "one decimal left", OO, "glm-4.6", "\"temperature\":0.699",
			"\"temperature\":0.7", "clamped:temperature", 0 },
		{ "leading zero", OO, "glm-4.6", "\"temperature\":0.051",
			"\"temperature\":0.05", "clamped:temperature", 0 },
		{ "nearly none", OO, "glm-4.6", "\"temperature\":0.001",
			"\"temperature\":0", "clamped:temperature", 0 },
		{ "nearly one", OO, "glm-4.6", "\"temperature\":0.999",
			"\"temperature\":1", "clamped:temperature", 0 },
		{ "OA takes all decimals", OA, "glm-4.6",
			"\"temperature\":0.333", DFLT ",\"temperature\":0.333",
			"", 0 },
		{ "T22 top_p", OO, "glm-4.6", "\"top_p\":0", "\"top_p\":0.01",
			"clamped:top_p", 0 },
		{ "top_p AO", AO, "glm-4.6", "\"top_p\":0.001",
			TOKENS ",\"top_p\":0.01" OFF, "clamped:top_p", 0 },
		{ "top_p OA", OA, "glm-4.6", "\"top_p\":0", DFLT ",\"top_p\":0",
			"", 0 },
	};

	(void)state;
	CHECK_CASES(cases);
}

static void
test_stop(void **state)
{
	static const struct zai_case cases[] = {
		{ "25 OA", OA, "glm-4.6", "\"stop\":[\"a\",\"b\"]",
			DFLT ",\"stop_sequences\":[\"a\",\"b\"]", "", 0 },
		{ "6.4 OO", OO, "glm-4.6", "\"stop\":[\"a\",\"b\"]",
			"\"stop\":[\"a\"]", "", 0 },
		{ "25 OO string", OO, "glm-4.6", "\"stop\":\"END\"",
			"\"stop\":[\"END\"]", "", 0 },
		{ "6.4 AO", AO, "glm-4.6", "\"stop_sequences\":[\"a\",\"b\"]",
			TOKENS OFF, "", 0 },
	};
	struct zai_run z;

	(void)state;
	CHECK_CASES(cases);
	/* The local filter still looks for all of them. */
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		zai_run_init(&z);
		assert_ok(run_case(&z, &cases[i]), &z.err);
		assert_int_equal(z.req.stop.n, i == 2 ? 1 : 2);
		zai_run_fini(&z);
	}
}

/* --- the vendor's own fields ---------------------------------------------- */

static void
test_fields(void **state)
{
	static const struct zai_case cases[] = {
		{ "do_sample OO", OO, "glm-4.6",
			"\"do_sample\":false,\"temperature\":0.5",
			"\"temperature\":0.5,\"do_sample\":false", "", 0 },
		{ "do_sample OA", OA, "glm-4.6",
			"\"do_sample\":false,\"temperature\":0.5",
			DFLT ",\"temperature\":0", "", 0 },
		{ "do_sample on", OA, "glm-4.6", "\"do_sample\":true", DFLT, "",
			0 },
		{ "do_sample type", OA, "glm-4.6", "\"do_sample\":\"no\"",
			"!do_sample", "", 0 },
		{ "request_id OO", OO, "glm-4.6", "\"request_id\":\"abcdef\"",
			"\"request_id\":\"abcdef\"", "", 0 },
		{ "request_id OA", OA, "glm-4.6", "\"request_id\":\"abcdef\"",
			DFLT, "", 0 },
		{ "request_id type", OO, "glm-4.6", "\"request_id\":7",
			"!request_id", "", 0 },
		{ "tool_stream OA", OA, "glm-4.6", "\"tool_stream\":true", DFLT,
			"", 0 },
		{ "tool_stream type", OA, "glm-4.6", "\"tool_stream\":1",
			"!tool_stream", "", 0 },
		{ "top_k OA", OA, "glm-4.6", "\"top_k\":40",
			DFLT ",\"top_k\":40", "", 0 },
		{ "top_k OO", OO, "glm-4.6", "\"top_k\":40", "",
			"dropped:top_k", 0 },
		{ "top_k means none", OO, "glm-4.6", "\"top_k\":-1", "", "",
			0 },
		{ "top_k type", OO, "glm-4.6", "\"top_k\":1.5", "!top_k", "",
			0 },
		{ "top_k AO", AO, "glm-4.6", "\"top_k\":40", TOKENS OFF,
			"dropped:top_k", 0 },
		{ "unknown OO", OO, "glm-4.6", "\"x\":{\"y\":1e400}",
			"\"x\":{\"y\":1e400}", "", 0 },
		{ "unknown OA", OA, "glm-4.6", "\"x\":1", DFLT, "dropped:x",
			0 },
		{ "null", OO, "glm-4.6", "\"top_k\":null,\"do_sample\":null",
			"", "", 0 },
		{ "of the other dialect", AO, "glm-4.6", "\"do_sample\":\"x\"",
			TOKENS OFF, "dropped:do_sample", 0 },
		{ "stream OO", OO, "glm-4.6", "\"stream\":true",
			"\"stream\":true,"
			"\"stream_options\":{\"include_usage\":true}",
			"", 0 },
	};

	(void)state;
	CHECK_CASES(cases);
}

#define LONG_ID                                                                \
	"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" \
	"xxxxxx"                                                               \
	"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" \
	"xxxxxx"                                                               \
	"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define META(id) "\"metadata\":{\"user_id\":\"" id "\"}"

static void
test_user(void **state)
{
	static const struct zai_case cases[] = {
		{ "OO", OO, "glm-4.6", "\"user\":\"user-1\"",
			"\"user_id\":\"user-1\"", "", 0 },
		{ "own field first", OO, "glm-4.6",
			"\"user\":\"user-1\",\"user_id\":\"user-2\"",
			"\"user_id\":\"user-2\"", "", 0 },
		{ "OO short", OO, "glm-4.6", "\"user_id\":\"@me\"",
			"\"user_id\":\"f152e05eca72067b4c68404f479b0e99\"", "",
			0 },
		{ "OO six characters", OO, "glm-4.6",
			"\"user_id\":\"\\u00fc\xc3\xbc\xc3\xbc\xc3\xbcxy\"",
			"\"user_id\":\"\\u00fc\xc3\xbc\xc3\xbc\xc3\xbcxy\"", "",
			0 },
		{ "OO with @", OO, "glm-4.6", "\"user\":\"me@example.org\"",
			"\"user_id\":\"me@example.org\"", "", 0 },
		{ "OA", OA, "glm-4.6", "\"safety_identifier\":\"me\"",
			DFLT "," META("me"), "", 0 },
		{ "OA with @", OA, "glm-4.6", "\"user\":\"me@example.org\"",
			DFLT "," META("855c94f3498940b241d6b5e78bb6f929"), "",
			0 },
		{ "OA with escaped @", OA, "glm-4.6",
			"\"user\":\"me\\u0040example.org\"",
			DFLT "," META("855c94f3498940b241d6b5e78bb6f929"), "",
			0 },
		{ "AO long", AO, "glm-4.6", META(LONG_ID),
			TOKENS
			",\"user_id\":\"aa20c23e3201834050679e1d88941b9a\"" OFF,
			"", 0 },
		{ "type", OO, "glm-4.6", "\"user_id\":7", "!user_id", "", 0 },
		{ "empty", OO, "glm-4.6", "\"user_id\":\"\"", "", "", 0 },
	};

	(void)state;
	CHECK_CASES(cases);
}

/* --- the answer's format -------------------------------------------------- */

#define JSON_TEXT                                                              \
	"Respond with a single JSON value and nothing else: no code fence, "   \
	"no "                                                                  \
	"explanation."
#define SCHEMA_TEXT                                                            \
	JSON_TEXT                                                              \
	" It must be valid under this JSON "                                   \
	"Schema:\\n{\\\"type\\\":\\\"object\\\"}"
#define FORMAT "\"response_format\":{\"type\":\"json_"
#define SCHEMA                                                                 \
	FORMAT                                                                 \
	"schema\",\"json_schema\":{\"name\":\"n\",\"schema\":{\"type\":"       \
	"\"object\"}}}"
#define ASK(before)                                                            \
	"{\"messages\":[" before "{\"role\":\"user\",\"content\":\"hi\"}],"
#define CHAT(model, system)                                                    \
	"{\"model\":\"" model                                                  \
	"\",\"messages\":[{\"role\":\"system\",\"content\":\"" system          \
	"\"},{\"role\":\"user\",\"content\":\"hi\"}]"
#define BLOCK(text) "{\"type\":\"text\",\"text\":\"" text "\"}"

static void
test_format(void **state)
{
	static const struct zai_case cases[] = {
		{ "OO text", OO, "glm-4.6",
			"\"response_format\":{\"type\":\"text\"}", "", "", 0 },
		{ "OO object", OO, "glm-4.6", FORMAT "object\"}",
			FORMAT "object\"}", "", 0 },
		{ "OO object, vision", OO, "glm-4.6v",
			ASK("") FORMAT "object\"}}",
			CHAT("glm-4.6v", JSON_TEXT) "}",
			"emulated:response_format", 0 },
		{ "OO schema", OO, "glm-4.6", ASK("") SCHEMA "}",
			CHAT("glm-4.6", SCHEMA_TEXT) "," FORMAT "object\"}}",
			"emulated:response_format", 0 },
		{ "OO schema, behind the system", OO, "glm-4.6",
			ASK("{\"role\":\"system\",\"content\":\"s\"},") SCHEMA
			"}",
			CHAT("glm-4.6", "s\\n\\n" SCHEMA_TEXT) "," FORMAT
							       "object\"}}",
			"emulated:response_format", 0 },
		{ "OA object", OA, "glm-4.6", ASK("") FORMAT "object\"}}",
			"{\"model\":\"glm-4.6\"," DFLT
			",\"system\":[" BLOCK(JSON_TEXT) "]," HI_BLOCK "}",
			"emulated:response_format", 0 },
		{ "OA schema", OA, "glm-4.6",
			ASK("{\"role\":\"system\",\"content\":\"s\"},") SCHEMA
			"}",
			"{\"model\":\"glm-4.6\"," DFLT ",\"system\":[" BLOCK(
				"s") "," BLOCK(SCHEMA_TEXT) "]," HI_BLOCK "}",
			"emulated:response_format", 0 },
		{ "AO schema", AO, "glm-4.6",
			ASK("") TOKENS
			",\"output_format\":{\"type\":\"json_schema\","
			"\"schema\":{\"type\":\"object\"}}}",
			CHAT("glm-4.6", SCHEMA_TEXT) "," TOKENS "," FORMAT
						     "object\"}" OFF "}",
			"emulated:response_format", 0 },
	};

	(void)state;
	CHECK_CASES(cases);
}

/* --- the rest ------------------------------------------------------------- */

#define IMAGE(type)                                                            \
	"{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/" type    \
	";base64,iVBO\"}}"
#define LOOK(type)                                                             \
	"[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"hi\"}" \
	"," IMAGE(type) "]}]"

static void
test_images(void **state)
{
	static const struct zai_case cases[] = {
		{ "png", OO, "glm-4.6v", "{\"messages\":" LOOK("png") "}",
			"{\"model\":\"glm-4.6v\",\"messages\":" LOOK("png") "}",
			"", 0 },
		{ "9.3 gif", OO, "glm-4.6v", "{\"messages\":" LOOK("gif") "}",
			"{\"model\":\"glm-4.6v\",\"messages\":" LOOK("gif") "}",
			"unlisted:gif", 0 },
		{ "9.3 webp", OO, "glm-4.6v", "{\"messages\":" LOOK("webp") "}",
			"{\"model\":\"glm-4.6v\",\"messages\":" LOOK(
				"webp") "}",
			"unlisted:webp", 0 },
	};

	(void)state;
	CHECK_CASES(cases);
}

/* A budget is part of max_tokens, also of the one that was cut. */
static void
test_budget_of_a_copy(void **state)
{
	static const struct zai_case cases[] = {
		{ "room", AA, "glm-4.6",
			"{\"model\":\"m\"," HI_PLAIN
			",\"max_tokens\":4096,\"thinking\":{\"type\":"
			"\"enabled\",\"budget_tokens\":4095}}",
			"{\"model\":\"glm-4.6\"," HI_PLAIN
			",\"max_tokens\":4096,\"thinking\":{\"type\":"
			"\"enabled\",\"budget_tokens\":4095}}",
			"", 0 },
		{ "the same figure", AA, "glm-4.6",
			"{\"model\":\"m\"," HI_PLAIN
			",\"max_tokens\":32000,\"thinking\":{\"type\":"
			"\"enabled\",\"budget_tokens\":32000}}",
			"{\"model\":\"glm-4.6\"," HI_PLAIN
			",\"max_tokens\":32000,\"thinking\":{\"type\":"
			"\"enabled\",\"budget_tokens\":31999}}",
			"clamped:budget_tokens", 0 },
		{ "above", AA, "glm-4.6",
			"{\"model\":\"m\"," HI_PLAIN
			",\"max_tokens\":32000,\"thinking\":{\"type\":"
			"\"enabled\",\"budget_tokens\":64000}}",
			"{\"model\":\"glm-4.6\"," HI_PLAIN
			",\"max_tokens\":32000,\"thinking\":{\"type\":"
			"\"enabled\",\"budget_tokens\":31999}}",
			"clamped:budget_tokens", 0 },
		{ "both", AA, "glm-4.6",
			"{\"model\":\"m\"," HI_PLAIN
			",\"max_tokens\":500000,\"thinking\":{\"type\":"
			"\"enabled\",\"budget_tokens\":400000}}",
			"{\"model\":\"glm-4.6\"," HI_PLAIN
			",\"max_tokens\":131072,\"thinking\":{\"type\":"
			"\"enabled\",\"budget_tokens\":131071}}",
			"clamped:max_tokens,clamped:budget_tokens", 0 },
		{ "nothing fits", AA, "glm-4.6",
			"{\"model\":\"m\"," HI_PLAIN
			",\"max_tokens\":100,\"thinking\":{\"type\":"
			"\"enabled\",\"budget_tokens\":1024}}",
			"{\"model\":\"glm-4.6\"," HI_PLAIN
			",\"max_tokens\":100,\"thinking\":{\"type\":"
			"\"enabled\",\"budget_tokens\":1024}}",
			"", 0 },
	};

	(void)state;
	CHECK_CASES(cases);
}

/* A count says nothing about an answer that nobody asks for. */
static void
test_count(void **state)
{
	static const struct zai_case cases[] = {
		{ "117 O", OA, "glm-4.6",
			"{\"model\":\"m\"," HI_PLAIN ",\"temperature\":1.7,"
			"\"max_tokens\":500000,\"user\":\"a@b\"}",
			"{\"model\":\"glm-4.6\"," HI_BLOCK "}", "",
			COUNT_TOKENS },
		{ "117 A", AA, "glm-4.6", "{\"model\":\"m\"," HI_PLAIN "}",
			"{\"model\":\"glm-4.6\"," HI_PLAIN "}", "",
			COUNT_TOKENS },
	};

	(void)state;
	CHECK_CASES(cases);
}

/* 125: the same bytes for the same bytes; worked example 14.1 as a whole. */
static void
test_example(void **state)
{
	static const struct zai_case c = { "14.1", OA, "glm-4.6",
		"{\"model\":\"glm-4.6\",\"stream\":true,\"stream_options\":"
		"{\"include_usage\":true},\"seed\":7,\"temperature\":1.5,"
		"\"messages\":[{\"role\":\"system\",\"content\":\"Be brief.\"},"
		"{\"role\":\"user\",\"content\":\"weather in Oslo and Rome?\"},"
		"{\"role\":\"assistant\",\"content\":null,\"tool_calls\":["
		"{\"id\":\"c1\",\"type\":\"function\",\"function\":{\"name\":"
		"\"w\",\"arguments\":\"{\\\"q\\\":\\\"Oslo\\\",\\\"n\\\":1e400}"
		"\"}},{\"id\":\"c2\",\"type\":\"function\",\"function\":"
		"{\"name\":\"w\",\"arguments\":\"\"}}]},"
		"{\"role\":\"tool\",\"tool_call_id\":\"c1\",\"content\":"
		"\"3C\"},{\"role\":\"tool\",\"tool_call_id\":\"c2\","
		"\"content\":\"18C\"},"
		"{\"role\":\"user\",\"content\":\"go on\"}],"
		"\"tools\":[{\"type\":\"function\",\"function\":{\"name\":"
		"\"w\"}}],\"tool_choice\":\"auto\"}",
		"{\"model\":\"glm-4.6\",\"max_tokens\":32768,\"stream\":true,"
		"\"temperature\":1,\"system\":[{\"type\":\"text\",\"text\":"
		"\"Be brief.\"}],\"messages\":["
		"{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":"
		"\"weather in Oslo and Rome?\"}]},"
		"{\"role\":\"assistant\",\"content\":[{\"type\":\"tool_use\","
		"\"id\":\"c1\",\"name\":\"w\",\"input\":{\"q\":\"Oslo\",\"n\":"
		"1e400}},{\"type\":\"tool_use\",\"id\":\"c2\",\"name\":\"w\","
		"\"input\":{}}]},"
		"{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\","
		"\"tool_use_id\":\"c1\",\"content\":\"3C\"},{\"type\":"
		"\"tool_result\",\"tool_use_id\":\"c2\",\"content\":\"18C\"},"
		"{\"type\":\"text\",\"text\":\"go on\"}]}],"
		"\"tools\":[{\"name\":\"w\",\"input_schema\":{\"type\":"
		"\"object\",\"properties\":{}}}],\"tool_choice\":{\"type\":"
		"\"auto\"}}",
		"dropped:seed,clamped:temperature", 0 };

	(void)state;
	check_cases(&c, 1);
	check_cases(&c, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_models),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_stop),
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_user),
		cmocka_unit_test(test_format),
		cmocka_unit_test(test_images),
		cmocka_unit_test(test_budget_of_a_copy),
		cmocka_unit_test(test_count),
		cmocka_unit_test(test_example),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
