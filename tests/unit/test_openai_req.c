/* SPDX-License-Identifier: MIT */
/* test_openai_req.c - Chat Completions requests into the tree: the top level
 * and tools. */
#include "tests/unit/openai_util.h"

#define M           "\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]"
#define T           "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"w\"}}]"
#define XW          X " tool:w()"
#define REQ(fields) "{" M "," fields "}"
#define TOOL(f)     REQ("\"tools\":[" f "]")

/* --- the top level -------------------------------------------------------- */

static struct sample top_samples[] = {
	{ "plain", "{\"model\":\"glm-4.6\"," M "}", X },
	{ "not_an_object", "[]", "! -" },
	{ "model_empty", "{\"model\":\"\"," M "}", "!model invalid_value" },
	{ "model_number", "{\"model\":5," M "}", "!model invalid_type" },
	{ "messages_missing", "{}", "!messages missing_required_parameter" },
	{ "messages_empty", "{\"messages\":[]}",
		"!messages missing_required_parameter" },
	{ "messages_null", "{\"messages\":null}",
		"!messages missing_required_parameter" },
	{ "messages_object", "{\"messages\":{}}", "!messages invalid_type" },
	{ "null_is_absent",
		REQ("\"temperature\":null,\"stop\":null,\"tools\":null,"
		    "\"seed\":null,\"foo\":null,\"stream_options\":null"),
		X },
	{ "row_003_max_tokens_1e2", REQ("\"max_tokens\":1e2"), X " max:100" },
	{ "row_003_max_tokens_100.0", REQ("\"max_tokens\":100.0"),
		X " max:100" },
	{ "row_003_max_tokens_100.5", REQ("\"max_tokens\":100.5"),
		"!max_tokens invalid_type" },
	{ "row_003_max_tokens_string", REQ("\"max_tokens\":\"100\""),
		"!max_tokens invalid_type" },
	{ "row_003_max_tokens_1e400", REQ("\"max_tokens\":1e400"),
		"!max_tokens invalid_type" },
	{ "row_020_two_maxima",
		REQ("\"max_tokens\":100,\"max_completion_tokens\":200"),
		X " max:200 notices:dropped:max_tokens" },
	{ "same_maxima",
		REQ("\"max_tokens\":100,\"max_completion_tokens\":100"),
		X " max:100" },
	{ "row_022_max_tokens_0", REQ("\"max_tokens\":0"),
		"!max_tokens integer_below_min_value" },
	{ "row_022_max_completion_tokens_-1",
		REQ("\"max_completion_tokens\":-1"),
		"!max_completion_tokens integer_below_min_value" },
	{ "row_023_temperature_1.7", REQ("\"temperature\":1.70"), X " t:1.70" },
	{ "row_023_temperature_-0.1", REQ("\"temperature\":-0.1"),
		"!temperature decimal_below_min_value" },
	{ "row_023_temperature_3", REQ("\"temperature\":3"),
		"!temperature decimal_above_max_value" },
	{ "temperature_1e400", REQ("\"temperature\":1e400"),
		"!temperature decimal_above_max_value" },
	{ "top_p", REQ("\"top_p\":0.95"), X " p:0.95" },
	{ "top_p_1.1", REQ("\"top_p\":1.1"), "!top_p decimal_above_max_value" },
	{ "row_025_stop_string", REQ("\"stop\":\"END\""), X " stop:END" },
	{ "row_025_stop_array", REQ("\"stop\":[\"a\",\"b\"]"),
		X " stop:a stop:b" },
	{ "row_025_stop_empty_array", REQ("\"stop\":[]"), X },
	{ "row_025_stop_empty_string", REQ("\"stop\":[\"\"]"), X },
	{ "row_025_stop_five", REQ("\"stop\":[\"a\",\"b\",\"c\",\"d\",\"e\"]"),
		"!stop array_above_max_length" },
	{ "stop_number", REQ("\"stop\":[\"a\",5]"), "!stop[1] invalid_type" },
	{ "stop_object", REQ("\"stop\":{}"), "!stop invalid_type" },
	{ "row_028_n_2", REQ("\"n\":2"), "!n unsupported_value" },
	{ "n_1", REQ("\"n\":1"), X },
	{ "n_0", REQ("\"n\":0"), "!n integer_below_min_value" },
	{ "row_029_options_without_stream",
		REQ("\"stream_options\":{\"include_usage\":true}"),
		"!stream_options invalid_value" },
	{ "options_with_stream_false",
		REQ("\"stream\":false,\"stream_options\":{}"),
		"!stream_options invalid_value" },
	{ "row_030_usage_false",
		REQ("\"stream_options\":{\"include_usage\":false},"
		    "\"stream\":true"),
		X " stream" },
	{ "row_031_usage_true",
		REQ("\"stream_options\":{\"include_usage\":true,"
		    "\"include_obfuscation\":true},\"stream\":true"),
		X " stream usage" },
	{ "usage_string",
		REQ("\"stream\":true,\"stream_options\":"
		    "{\"include_usage\":\"yes\"}"),
		"!stream_options.include_usage invalid_type" },
	{ "stream_string", REQ("\"stream\":\"true\""), "!stream invalid_type" },
	{ "format_text", REQ("\"response_format\":{\"type\":\"text\"}"), X },
	{ "format_json", REQ("\"response_format\":{\"type\":\"json_object\"}"),
		X " format:json" },
	{ "row_068_format_schema",
		REQ("\"response_format\":{\"type\":\"json_schema\","
		    "\"json_schema\":{\"name\":\"n\",\"strict\":true,"
		    "\"schema\":{\"a\": 1}}}"),
		X " format:schema:n{\"a\": 1}" },
	{ "format_schema_without_schema",
		REQ("\"response_format\":{\"type\":\"json_schema\","
		    "\"json_schema\":{\"name\":\"n\"}}"),
		X " format:jsonn" },
	{ "format_schema_missing",
		REQ("\"response_format\":{\"type\":\"json_schema\"}"),
		"!response_format.json_schema missing_required_parameter" },
	{ "format_other", REQ("\"response_format\":{\"type\":\"xml\"}"),
		"!response_format.type unsupported_value" },
	{ "effort", REQ("\"reasoning_effort\":\"xhigh\""), X " effort:xhigh" },
	{ "effort_none", REQ("\"reasoning_effort\":\"none\""),
		X " effort:none" },
	{ "effort_max", REQ("\"reasoning_effort\":\"max\""), X " effort:max" },
	{ "effort_other", REQ("\"reasoning_effort\":\"lots\""),
		"!reasoning_effort unsupported_value" },
	{ "reasoning_object",
		REQ("\"reasoning\":{\"effort\":\"low\",\"enabled\":true,"
		    "\"exclude\":true}"),
		X " think:on effort:low" },
	{ "reasoning_off", REQ("\"reasoning\":{\"enabled\":false}"),
		X " think:off" },
	{ "reasoning_budget", REQ("\"reasoning\":{\"max_tokens\":2000}"),
		X " think:on budget:2000" },
	{ "reasoning_effort_wins",
		REQ("\"reasoning\":{\"effort\":\"low\"},"
		    "\"reasoning_effort\":\"high\""),
		X " effort:high" },
	{ "user", REQ("\"safety_identifier\":\"s\",\"user\":\"u\""),
		X " user:u" },
	{ "safety_identifier", REQ("\"safety_identifier\":\"s\""),
		X " user:s" },
	{ "seed", REQ("\"seed\":7"), X " notices:dropped:seed" },
	{ "seed_string", REQ("\"seed\":\"7\""), "!seed invalid_type" },
	{ "penalties_zero",
		REQ("\"frequency_penalty\":0,\"presence_penalty\":0.0"), X },
	{ "penalty", REQ("\"frequency_penalty\":-0.5"),
		X " notices:dropped:frequency_penalty" },
	{ "penalty_range", REQ("\"presence_penalty\":2.1"),
		"!presence_penalty decimal_above_max_value" },
	{ "logit_bias", REQ("\"logit_bias\":{\"1\":2}"),
		X " notices:dropped:logit_bias" },
	{ "logit_bias_empty", REQ("\"logit_bias\":{}"), X },
	{ "logprobs", REQ("\"logprobs\":true,\"top_logprobs\":3"),
		X " notices:dropped:logprobs,dropped:top_logprobs" },
	{ "logprobs_off", REQ("\"logprobs\":false,\"top_logprobs\":0"), X },
	{ "top_logprobs_21", REQ("\"top_logprobs\":21"),
		"!top_logprobs integer_above_max_value" },
	{ "prediction", REQ("\"prediction\":{},\"web_search_options\":{}"),
		X " notices:dropped:prediction,dropped:web_search_options" },
	{ "row_069_modalities_audio",
		REQ("\"modalities\":[\"text\",\"audio\"],\"audio\":{}"),
		"!modalities unsupported_value" },
	{ "modalities_text", REQ("\"modalities\":[\"text\"],\"audio\":{}"), X },
	{ "silently_dropped",
		REQ("\"service_tier\":\"auto\",\"store\":false,"
		    "\"metadata\":{\"a\":\"b\"},\"verbosity\":\"low\","
		    "\"prompt_cache_key\":\"k\",\"prompt_cache_options\":{},"
		    "\"prompt_cache_retention\":\"24h\""),
		X },
	{ "row_002_unknown_field",
		REQ("\"foo\":{\"n\": 12345678901234567890, \"x\":1e400}"),
		X " extra:foo={\"n\": 12345678901234567890, \"x\":1e400}" },
	{ "vendor_fields",
		REQ("\"thinking\":{\"type\":\"enabled\"},\"do_sample\":false,"
		    "\"top_k\":5"),
		X " extra:thinking={\"type\":\"enabled\"}"
		  " extra:do_sample=false extra:top_k=5" },
	{ "escaped_key", REQ("\"max\\u005ftokens\":5"), X " max:5" },
};

/* --- tools ---------------------------------------------------------------- */

static struct sample tool_samples[] = {
	{ "tool",
		TOOL("{\"type\":\"function\",\"function\":{\"name\":\"w\","
		     "\"description\":\"d\",\"strict\":true,"
		     "\"parameters\":{\"a\":1}},"
		     "\"cache_control\":{\"type\":\"ephemeral\"}}"),
		X " tool:w(d){\"a\":1}{\"type\":\"ephemeral\"}" },
	{ "row_058_without_parameters",
		TOOL("{\"type\":\"function\",\"function\":{\"name\":\"w\"}}"),
		XW },
	{ "row_058_parameters_null",
		TOOL("{\"type\":\"function\",\"function\":{\"name\":\"w\","
		     "\"parameters\":null}}"),
		XW },
	{ "row_058_parameters_empty",
		TOOL("{\"type\":\"function\",\"function\":{\"name\":\"w\","
		     "\"parameters\":{}}}"),
		XW "{}" },
	{ "row_059_name_with_space",
		TOOL("{\"type\":\"function\",\"function\":"
		     "{\"name\":\"a b\"}}"),
		"!tools[0].function.name invalid_value" },
	{ "row_059_name_of_65",
		TOOL("{\"type\":\"function\",\"function\":{\"name\":"
		     "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		     "aaaaaaaaaaaa\"}}"),
		"!tools[0].function.name invalid_value" },
	{ "name_of_64",
		TOOL("{\"type\":\"function\",\"function\":{\"name\":"
		     "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		     "aaaaaaaaaaa\"}}"),
		X " tool:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		  "aaaaaaaaaaaaa()" },
	{ "name_empty",
		TOOL("{\"type\":\"function\",\"function\":{\"name\":\"\"}}"),
		"!tools[0].function.name invalid_value" },
	{ "name_missing", TOOL("{\"type\":\"function\",\"function\":{}}"),
		"!tools[0].function.name missing_required_parameter" },
	{ "type_missing", TOOL("{\"function\":{\"name\":\"w\"}}"), XW },
	{ "type_custom",
		TOOL("{\"type\":\"function\",\"function\":{\"name\":\"w\"}},"
		     "{\"type\":\"custom\",\"custom\":{\"name\":\"c\"}}"),
		"!tools[1].type unsupported_value" },
	{ "tool_string", TOOL("\"w\""), "!tools[0] invalid_type" },
	{ "duplicate",
		TOOL("{\"type\":\"function\",\"function\":{\"name\":\"w\","
		     "\"description\":\"1\"}},"
		     "{\"type\":\"function\",\"function\":{\"name\":"
		     "\"\\u0077\",\"description\":\"2\"}}"),
		X " tool:w(1) notices:dropped:duplicate_tool" },
	{ "choice_auto", REQ(T ",\"tool_choice\":\"auto\""),
		XW " choice:auto" },
	{ "choice_required", REQ("\"tool_choice\":\"required\"," T),
		XW " choice:any" },
	{ "row_061_choice_none", REQ(T ",\"tool_choice\":\"none\""),
		XW " choice:none" },
	{ "row_063_choice_named",
		REQ(T ",\"tool_choice\":{\"type\":\"function\","
		      "\"function\":{\"name\":\"w\"}}"),
		XW " choice:named:w" },
	{ "choice_named_unknown",
		REQ(T ",\"tool_choice\":{\"type\":\"function\","
		      "\"function\":{\"name\":\"v\"}}"),
		"!tool_choice.function.name invalid_value" },
	{ "choice_named_nothing",
		REQ(T ",\"tool_choice\":{\"type\":\"function\"}"),
		"!tool_choice.function.name missing_required_parameter" },
	{ "choice_custom", REQ(T ",\"tool_choice\":{\"type\":\"custom\"}"),
		"!tool_choice.type unsupported_value" },
	{ "choice_other", REQ(T ",\"tool_choice\":\"any\""),
		"!tool_choice invalid_value" },
	{ "row_064_choice_without_tools", REQ("\"tool_choice\":\"required\""),
		X " notices:dropped:tool_choice" },
	{ "choice_with_empty_tools",
		REQ("\"tools\":[],\"tool_choice\":\"auto\""),
		X " notices:dropped:tool_choice" },
	{ "allowed_tools",
		REQ("\"tools\":[{\"function\":{\"name\":\"a\"}},"
		    "{\"function\":{\"name\":\"b\"}},"
		    "{\"function\":{\"name\":\"c\"}}],\"tool_choice\":"
		    "{\"type\":\"allowed_tools\",\"allowed_tools\":"
		    "{\"mode\":\"required\",\"tools\":["
		    "{\"type\":\"function\",\"function\":{\"name\":\"c\"}},"
		    "{\"type\":\"function\",\"function\":{\"name\":\"a\"}}"
		    "]}}"),
		X " tool:a() tool:c() choice:any" },
	{ "allowed_tools_unknown",
		REQ(T ",\"tool_choice\":{\"type\":\"allowed_tools\","
		      "\"allowed_tools\":{\"mode\":\"auto\",\"tools\":["
		      "{\"function\":{\"name\":\"v\"}}]}}"),
		"!tool_choice.allowed_tools.tools[0].function.name "
		"invalid_value" },
	{ "allowed_tools_mode",
		REQ(T ",\"tool_choice\":{\"type\":\"allowed_tools\","
		      "\"allowed_tools\":{\"mode\":\"none\",\"tools\":[]}}"),
		"!tool_choice.allowed_tools.mode invalid_value" },
	{ "row_065_not_parallel", REQ("\"parallel_tool_calls\":false," T),
		XW " single" },
	{ "not_parallel_without_tools", REQ("\"parallel_tool_calls\":false"),
		X },
	{ "row_067_functions",
		REQ("\"functions\":[{\"name\":\"f\",\"parameters\":{}}],"
		    "\"function_call\":{\"name\":\"f\"}"),
		X " tool:f(){} choice:named:f single functions" },
	{ "functions_none",
		REQ("\"functions\":[{\"name\":\"f\"}],"
		    "\"function_call\":\"none\""),
		X " tool:f() choice:none single functions" },
	{ "functions_name", REQ("\"functions\":[{\"name\":\"f g\"}]"),
		"!functions[0].name invalid_value" },
	{ "functions_beside_tools",
		REQ(T ",\"functions\":[{\"name\":\"f\"}],"
		      "\"function_call\":\"auto\""),
		XW " notices:dropped:functions,dropped:function_call" },
	{ "function_call_unknown",
		REQ("\"functions\":[{\"name\":\"f\"}],"
		    "\"function_call\":{\"name\":\"g\"}"),
		"!function_call.name invalid_value" },
};

/* --- limits --------------------------------------------------------------- */

static void
test_long_model(void **state)
{
	struct gp_error err;
	enum gp_code rc;

	(void)state;
	decode_many("{" M ",\"model\":\"", "x", 256, "\"}", &err, &rc);
	assert_ok(rc, &err);
	decode_many("{" M ",\"model\":\"", "x", 257, "\"}", &err, &rc);
	assert_fails(rc, GP_E_SCHEMA, &err, "256");
	assert_string_equal(err.param, "model");
}

static void
test_too_many_tools(void **state)
{
	struct gp_error err;
	enum gp_code rc;

	(void)state;
	decode_many("{" M ",\"tools\":[1", ",1", 128, "]}", &err, &rc);
	assert_fails(rc, GP_E_SCHEMA, &err, "128");
	assert_string_equal(err.param, "tools");
	assert_string_equal(err.reason, "array_above_max_length");
	decode_many("{" M ",\"functions\":[1", ",1", 128, "]}", &err, &rc);
	assert_fails(rc, GP_E_SCHEMA, &err, "128");
}

int
main(void)
{
	struct CMUnitTest
		tests[ARRAY_LEN(top_samples) + ARRAY_LEN(tool_samples) + 2] = {
			cmocka_unit_test(test_too_many_tools),
			cmocka_unit_test(test_long_model),
		};
	size_t n = 2;

	n = add_samples(tests, n, top_samples, ARRAY_LEN(top_samples));
	add_samples(tests, n, tool_samples, ARRAY_LEN(tool_samples));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
