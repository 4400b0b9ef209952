/* SPDX-License-Identifier: MIT */
/* test_openai_msg.c - Chat Completions requests into the tree: messages. */
#include "tests/unit/openai_util.h"

#define USER(parts) MSG("{\"role\":\"user\",\"content\":[" parts "]}")

/* --- messages ------------------------------------------------------------- */

#define CALL(id, args)                                                         \
	"{\"id\":\"" id "\",\"type\":\"function\",\"function\":{"              \
	"\"name\":\"w\",\"arguments\":" args "}}"
#define PNG "iVBORw0KGgo="

static struct sample message_samples[] = {
	{ "row_034_developer",
		MSG("{\"role\":\"developer\",\"content\":\"d\"},"
		    "{\"role\":\"system\",\"content\":[{\"type\":\"text\","
		    "\"text\":\"s\"}]},{\"role\":\"user\",\"content\":\"u\"}"),
		"S0[text:d]S1[text:s]U2[text:u]" },
	{ "system_empty",
		MSG("{\"role\":\"system\",\"content\":\"\"},"
		    "{\"role\":\"user\",\"content\":\"u\"}"),
		"U1[text:u]" },
	{ "row_036_only_system", MSG("{\"role\":\"system\",\"content\":\"s\"}"),
		"S0[text:s]" },
	{ "role_unknown", MSG("{\"role\":\"robot\",\"content\":\"\"}"),
		"!messages[0].role invalid_value" },
	{ "role_missing", MSG("{\"role\":\"user\",\"content\":\"a\"},{}"),
		"!messages[1].role missing_required_parameter" },
	{ "role_number", MSG("{\"role\":1}"),
		"!messages[0].role invalid_type" },
	{ "message_string", MSG("\"hi\""), "!messages[0] invalid_type" },
	{ "content_number", MSG("{\"role\":\"user\",\"content\":1}"),
		"!messages[0].content invalid_type" },
	{ "content_null", MSG("{\"role\":\"user\",\"content\":null}"), "U0[]" },
	{ "row_006_lone_surrogate",
		MSG("{\"role\":\"user\",\"content\":\"a\\ud83d\"}"),
		"U0[text:a\\ud83d]" },
	{ "row_042_empty_part",
		USER("{\"type\":\"text\",\"text\":\"\"},"
		     "{\"type\":\"text\",\"text\":\"x\"}"),
		"U0[text:x]" },
	{ "cache_control",
		USER("{\"type\":\"text\",\"text\":\"x\","
		     "\"cache_control\":{\"type\":\"ephemeral\"}}"),
		"U0[text:x+{\"type\":\"ephemeral\"}]" },
	{ "text_missing", USER("{\"type\":\"text\"}"),
		"!messages[0].content[0].text missing_required_parameter" },
	{ "part_string", USER("\"x\""),
		"!messages[0].content[0] invalid_type" },
	{ "part_without_type", USER("{\"text\":\"x\"}"),
		"!messages[0].content[0].type missing_required_parameter" },
	{ "part_unknown", USER("{\"type\":\"video_url\"}"),
		"U0[text:[part video_url omitted: unsupported]]"
		" notices:dropped:part" },
	{ "row_069_input_audio",
		USER("{\"type\":\"text\",\"text\":\"x\"},"
		     "{\"type\":\"input_audio\",\"input_audio\":{}}"),
		"!messages[0].content[1] unsupported_value" },
	{ "row_070_image_detail",
		USER("{\"type\":\"image_url\",\"image_url\":{\"url\":"
		     "\"data:image/png;base64," PNG "\",\"detail\":\"high\"}}"),
		"U0[image:image/png:" PNG "]" },
	{ "row_071_image_url",
		USER("{\"type\":\"image_url\",\"image_url\":{\"url\":"
		     "\"https://h/i.png\"}}"),
		"U0[image:url:https://h/i.png]" },
	{ "row_071_image_no_data",
		USER("{\"type\":\"image_url\",\"image_url\":{\"url\":"
		     "\"data:,x\"}}"),
		"!messages[0].content[0].image_url.url invalid_value" },
	{ "row_071_image_garbage",
		USER("{\"type\":\"image_url\",\"image_url\":{\"url\":"
		     "\"garbage\"}}"),
		"!messages[0].content[0].image_url.url invalid_value" },
	{ "image_without_url",
		USER("{\"type\":\"image_url\",\"image_url\":{}}"),
		"!messages[0].content[0].image_url.url "
		"missing_required_parameter" },
	{ "image_of_assistant",
		MSG("{\"role\":\"assistant\",\"content\":[{\"type\":"
		    "\"image_url\",\"image_url\":{\"url\":\"https://h\"}}]}"),
		"A0[text:[image omitted: unsupported]]"
		" notices:dropped:image" },
	{ "file_text",
		USER("{\"type\":\"file\",\"file\":{\"filename\":\"n.txt\","
		     "\"file_data\":\"data:text/plain;base64,"
		     "aGkgInlvdSIK\"}}"),
		"U0[text:n.txt:\\nhi \\\"you\\\"\\n]" },
	{ "file_text_unnamed",
		USER("{\"type\":\"file\",\"file\":{\"file_data\":"
		     "\"data:text/markdown;charset=utf-8;base64,aGk\"}}"),
		"U0[text:hi]" },
	{ "file_pdf",
		USER("{\"type\":\"file\",\"file\":{\"filename\":\"a.pdf\","
		     "\"file_data\":\"data:application/pdf;base64,aGk=\"}}"),
		"U0[text:[file a.pdf omitted: unsupported]]"
		" notices:dropped:file" },
	{ "file_not_utf8",
		USER("{\"type\":\"file\",\"file\":{\"file_data\":"
		     "\"data:text/plain;base64,//8=\"}}"),
		"U0[text:[file omitted: unsupported]]"
		" notices:dropped:file" },
	{ "file_id", USER("{\"type\":\"file\",\"file\":{\"file_id\":\"f-1\"}}"),
		"U0[text:[file omitted: unsupported]]"
		" notices:dropped:file" },
	{ "row_057_name",
		MSG("{\"role\":\"user\",\"name\":\"bob\",\"content\":\"x\"}"),
		X " notices:dropped:name" },
	{ "reasoning_first",
		MSG("{\"role\":\"assistant\",\"content\":\"a\","
		    "\"reasoning_content\":\"hm\"}"),
		"A0[think:hm text:a]" },
	{ "reasoning_alias",
		MSG("{\"role\":\"assistant\",\"content\":[{\"type\":\"text\","
		    "\"text\":\"a\"}],\"reasoning\":\"hm\"}"),
		"A0[think:hm text:a]" },
	{ "reasoning_object",
		MSG("{\"role\":\"assistant\",\"content\":\"a\","
		    "\"reasoning\":{\"x\":1}}"),
		"A0[text:a]" },
	{ "row_039_only_calls",
		MSG("{\"role\":\"assistant\",\"content\":null,"
		    "\"tool_calls\":[" CALL("c1", "\"{}\"") "]}"),
		"A0[call:c1:w'{}']" },
	{ "row_040_assistant_empty",
		MSG("{\"role\":\"assistant\",\"content\":\"\"}"), "A0[]" },
	{ "row_051_arguments",
		MSG("{\"role\":\"assistant\",\"content\":\"a\","
		    "\"tool_calls\":[" CALL("c1", "\"\"") "," CALL(
			    "c2", "\"null\"") "," CALL("c3",
			    "null") "," CALL("c4", "{\"a\": 1e400}") "]}"),
		"A0[text:a call:c1:w'' call:c2:w'null' call:c3:w''"
		" call:c4:w{\"a\": 1e400}]" },
	{ "arguments_number",
		MSG("{\"role\":\"assistant\",\"tool_calls\":[" CALL(
			"c1", "5") "]}"),
		"!messages[0].tool_calls[0].function.arguments "
		"invalid_type" },
	{ "row_055_refusal",
		MSG("{\"role\":\"assistant\",\"content\":null,"
		    "\"refusal\":\"no\"}"),
		"A0[text:no]" },
	{ "refusal_part",
		MSG("{\"role\":\"assistant\",\"content\":[{\"type\":"
		    "\"refusal\",\"refusal\":\"no\"}]}"),
		"A0[text:no]" },
	{ "row_122_call_without_type",
		MSG("{\"role\":\"assistant\",\"tool_calls\":[{\"id\":\"c\","
		    "\"function\":{\"name\":\"w\",\"arguments\":\"{}\"}}]}"),
		"A0[call:c:w'{}']" },
	{ "call_custom",
		MSG("{\"role\":\"assistant\",\"tool_calls\":[{\"id\":\"c\","
		    "\"type\":\"custom\"}]}"),
		"!messages[0].tool_calls[0].type unsupported_value" },
	{ "call_without_id",
		MSG("{\"role\":\"assistant\",\"tool_calls\":[{\"type\":"
		    "\"function\"}]}"),
		"!messages[0].tool_calls[0].id missing_required_parameter" },
	{ "calls_object", MSG("{\"role\":\"assistant\",\"tool_calls\":{}}"),
		"!messages[0].tool_calls invalid_type" },
	{ "result_flat",
		MSG("{\"role\":\"tool\",\"tool_call_id\":\"c1\","
		    "\"content\":\"3C\"}"),
		"U0[result:c1:flat/text:3C]" },
	{ "row_049_result_parts",
		MSG("{\"role\":\"tool\",\"tool_call_id\":\"c1\","
		    "\"content\":[{\"type\":\"text\",\"text\":\"a\"},"
		    "{\"type\":\"image_url\",\"image_url\":{\"url\":"
		    "\"https://h\"}}]}"),
		"U0[result:c1/text:a/image:url:https://h]" },
	{ "row_049_result_null",
		MSG("{\"role\":\"tool\",\"tool_call_id\":\"c1\","
		    "\"content\":null}"),
		"U0[result:c1]" },
	{ "result_without_id", MSG("{\"role\":\"tool\",\"content\":\"x\"}"),
		"!messages[0].tool_call_id missing_required_parameter" },
	{ "row_067_function_history",
		MSG("{\"role\":\"user\",\"content\":\"x\"},"
		    "{\"role\":\"assistant\",\"content\":null,"
		    "\"function_call\":{\"name\":\"f\","
		    "\"arguments\":\"{}\"}},"
		    "{\"role\":\"function\",\"name\":\"f\","
		    "\"content\":\"1\"},"
		    "{\"role\":\"assistant\",\"content\":null,"
		    "\"function_call\":{\"name\":\"f\","
		    "\"arguments\":\"{}\"}},"
		    "{\"role\":\"function\",\"name\":\"f\","
		    "\"content\":\"2\"}"),
		X "A1[call:call_fn_1:f'{}']"
		  "U2[result:call_fn_1:flat/text:1]"
		  "A3[call:call_fn_3:f'{}']"
		  "U4[result:call_fn_3:flat/text:2]" },
	{ "function_result_unasked",
		MSG("{\"role\":\"function\",\"name\":\"f\","
		    "\"content\":\"1\"}"),
		"U0[result:call_fn_0:flat/text:1]" },
	{ "function_result_nameless",
		MSG("{\"role\":\"function\",\"content\":\"1\"}"),
		"!messages[0].name missing_required_parameter" },
	{ "both_call_shapes",
		MSG("{\"role\":\"assistant\",\"tool_calls\":[" CALL("c1",
			"\"{}\"") "],\"function_call\":"
				  "{\"name\":\"w\",\"arguments\":\"{}\"}}"),
		"A0[call:c1:w'{}']" },
};

/* More open calls than are remembered: no harm, whatever the order. */
static void
test_many_function_calls(void **state)
{
	static const char call[] = "{\"role\":\"assistant\",\"function_call\":"
				   "{\"name\":\"f\"}},";
	struct gp_error err;
	enum gp_code rc;

	(void)state;
	decode_many("{\"messages\":[", call, 40,
		"{\"role\":\"function\",\"name\":\"f\",\"content\":\"\"},"
		"{\"role\":\"function\",\"name\":\"g\",\"content\":\"\"}]}",
		&err, &rc);
	assert_ok(rc, &err);
}

int
main(void)
{
	struct CMUnitTest tests[ARRAY_LEN(message_samples) + 1] = {
		cmocka_unit_test(test_many_function_calls),
	};

	add_samples(tests, 1, message_samples, ARRAY_LEN(message_samples));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
