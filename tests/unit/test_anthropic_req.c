/* SPDX-License-Identifier: MIT */
/* test_anthropic_req.c - a Messages request becomes the neutral tree. */
#include "tests/unit/anthropic_util.h"

#define HI     "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]"
#define ASK(x) "{\"model\":\"m\",\"max_tokens\":9," x "," HI "}"
#define USER(x)                                                                \
	"{\"max_tokens\":9,\"messages\":[{\"role\":\"user\",\"content\":" x    \
	"}]}"
#define REPLY(x)                                                               \
	"{\"max_tokens\":9,\"messages\":[{\"role\":\"assistant\","             \
	"\"content\":" x "}]}"
#define TREE(x) " model=m max=9" x "\nuser 0: text(hi)"
#define PNG     "iVBORw0KGgo="

struct good {
	const char *name, *in, *want;
};

static const struct good fields[] = {
	{ "plain", ASK("\"stream\":true"), TREE(" stream") },
	{ "null_is_absent",
		ASK("\"stream\":null,\"tools\":null,\"system\":null,"
		    "\"foo\":null,\"tool_choice\":null,\"thinking\":null"),
		TREE("") },
	{ "no_model", "{\"max_tokens\":1," HI "}", " max=1\nuser 0: text(hi)" },
	{ "row_003_written_otherwise", "{\"max_tokens\":1e2," HI "}",
		" max=100\nuser 0: text(hi)" },
	{ "row_003_fraction_zero", "{\"max_tokens\":100.0," HI "}",
		" max=100\nuser 0: text(hi)" },
	{ "max_tokens_zero", "{\"max_tokens\":0," HI "}",
		"\nuser 0: text(hi)" },
	{ "sampling",
		ASK("\"temperature\":0.50,\"top_p\":1,\"top_k\":40,"
		    "\"stop_sequences\":[\"a\\n\",\"\",\"b\"]"),
		TREE(" temp=0.50 top_p=1 top_k=40 stop=a\\n stop=b") },
	{ "user_id", ASK("\"metadata\":{\"user_id\":\"u1\",\"x\":1}"),
		TREE(" user=u1") },
	{ "user_id_null", ASK("\"metadata\":{\"user_id\":null}"), TREE("") },
	{ "choice_auto", ASK("\"tool_choice\":{\"type\":\"auto\"}"),
		TREE(" choice=auto") },
	{ "choice_any_single",
		ASK("\"tool_choice\":{\"type\":\"any\","
		    "\"disable_parallel_tool_use\":true}"),
		TREE(" choice=any single") },
	{ "choice_none", ASK("\"tool_choice\":{\"type\":\"none\"}"),
		TREE(" choice=none") },
	{ "choice_tool",
		ASK("\"tool_choice\":{\"type\":\"tool\",\"name\":\"w\"}"),
		TREE(" choice=named named=w") },
	{ "thinking_enabled",
		ASK("\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":"
		    "31999}"),
		TREE(" think=on budget=31999") },
	{ "t51_budget_too_small",
		ASK("\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":"
		    "500}"),
		TREE(" think=on budget=1024") "\nnotices "
					      "clamped:budget_tokens" },
	{ "t27_thinking_adaptive",
		ASK("\"thinking\":{\"type\":\"adaptive\",\"display\":"
		    "\"omitted\"},\"output_config\":{\"effort\":\"high\"}"),
		TREE(" think=on effort=5") },
	{ "thinking_between_tools",
		ASK("\"thinking\":{\"type\":\"between_tools\"}"),
		TREE(" think=on") },
	{ "thinking_disabled", ASK("\"thinking\":{\"type\":\"disabled\"}"),
		TREE(" think=off") },
	{ "thinking_new_type", ASK("\"thinking\":{\"type\":\"dreamy\"}"),
		TREE(" think=on") "\nnotices degraded:thinking" },
	{ "effort_unknown", ASK("\"output_config\":{\"effort\":\"huge\"}"),
		TREE("") "\nnotices dropped:effort" },
	{ "format",
		ASK("\"output_config\":{\"format\":{\"type\":\"json_schema\","
		    "\"schema\":{\"n\":1e400}}}"),
		TREE(" schema={\"n\":1e400}") },
	{ "format_older_name",
		ASK("\"output_format\":{\"type\":\"json_schema\","
		    "\"schema\":{}}"),
		TREE(" schema={}") },
	{ "format_unknown", ASK("\"output_format\":{\"type\":\"xml\"}"),
		TREE("") "\nnotices dropped:output_format" },
	{ "context_keep_all",
		ASK("\"context_management\":{\"edits\":[{\"type\":"
		    "\"clear_thinking_20251015\",\"keep\":\"all\"}]}"),
		TREE(" keep_all") "\nextra minor "
				  "context_management={\"edits\":[{\"type\":"
				  "\"clear_thinking_20251015\",\"keep\":"
				  "\"all\"}]}" },
	{ "context_other_edit",
		ASK("\"context_management\":{\"edits\":[{\"type\":"
		    "\"compact_20260112\"}]}"),
		TREE("") "\nextra context_management={\"edits\":[{\"type\":"
			 "\"compact_20260112\"}]}" },
	{ "minor_fields", ASK("\"service_tier\":\"auto\",\"betas\":[]"),
		TREE("") "\nextra minor service_tier=\"auto\""
			 "\nextra minor betas=[]" },
	{ "row_082_unknown_fields", ASK("\"mcp_servers\":[],\"foo\":1e400"),
		TREE("") "\nextra mcp_servers=[]\nextra foo=1e400" },
};

static const struct good tools[] = {
	{ "plain",
		ASK("\"tools\":[{\"name\":\"w\",\"description\":\"d\","
		    "\"input_schema\":{\"type\":\"object\"},\"strict\":true,"
		    "\"defer_loading\":true,\"cache_control\":{\"a\":1}}]"),
		TREE("") "\ntool name=w about=d schema={\"type\":\"object\"} "
			 "cache={\"a\":1}" },
	{ "custom",
		ASK("\"tools\":[{\"type\":\"custom\",\"name\":\"w\","
		    "\"input_schema\":{}}]"),
		TREE("") "\ntool name=w schema={}" },
	{ "typed",
		ASK("\"tools\":[{\"type\":\"bash_20250124\",\"name\":\"bash\"},"
		    "{\"type\":\"mcp_toolset\"},{\"name\":\"w\"}]"),
		TREE("") "\ntool name=w\nnotices dropped:bash_20250124,"
			 "dropped:mcp_toolset" },
	{ "row_060_long_name",
		ASK("\"tools\":[{\"name\":\"mcp__"
		    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		    "aa"
		    "aaaaaaaaaaaaaaaaaaaaaaaaa\"}]"),
		TREE("") "\ntool name=mcp__"
			 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
			 "aa"
			 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" },
};

static const struct good systems[] = {
	{ "string", ASK("\"system\":\"be\""),
		" model=m max=9\nsystem 0: text(be)\nuser 0: text(hi)" },
	{ "empty", ASK("\"system\":\"\""), TREE("") },
	{ "empty_array", ASK("\"system\":[]"), TREE("") },
	{ "row_077_billing_and_cache",
		ASK("\"system\":[{\"type\":\"text\",\"text\":"
		    "\"x-anthropic-billing-header: cch=1\"},{\"type\":\"text\","
		    "\"text\":\"be\",\"cache_control\":{\"type\":\"e\"}},"
		    "{\"type\":\"text\",\"text\":\"\"}]"),
		" model=m max=9\nsystem 0: text(be)@{\"type\":\"e\"}"
		"\nuser 0: text(hi)" },
	{ "t50_billing_line_of_a_joined_text",
		ASK("\"system\":\"x-anthropic-billing-header: cch=1\\nbe\""),
		" model=m max=9\nsystem 0: text(be)\nuser 0: text(hi)" },
	{ "billing_only",
		ASK("\"system\":\"x-anthropic-billing-header: cch=1\""),
		TREE("") },
	{ "not_text",
		ASK("\"system\":[{\"type\":\"image\"},"
		    "{\"type\":\"text\",\"text\":\"be\"}]"),
		" model=m max=9\nsystem 0: text(be)\nuser 0: text(hi)"
		"\nnotices dropped:image" },
	{ "row_078_inside_messages",
		"{\"max_tokens\":9,\"system\":\"a\",\"messages\":["
		"{\"role\":\"user\",\"content\":\"hi\"},"
		"{\"role\":\"system\",\"content\":\"b\",\"clear_at\":1},"
		"{\"role\":\"assistant\",\"content\":\"yo\"},"
		"{\"role\":\"system\",\"content\":[{\"type\":\"tool_addition\"}"
		","
		"{\"type\":\"text\",\"text\":\"c\",\"cache_control\":{}}]}]}",
		" max=9\nsystem 0: text(a)\nuser 0: text(hi)"
		"\nsystem 1: text(b)\nassistant 2: text(yo)"
		"\nsystem 3: text(c)@{}\nnotices dropped:tool_addition" },
};

static const struct good blocks[] = {
	{ "texts",
		USER("[{\"type\":\"text\",\"text\":\"a\"},{\"type\":\"text\","
		     "\"text\":\"\"},{\"type\":\"text\",\"text\":\"\\ud83d\","
		     "\"cache_control\":{\"type\":\"ephemeral\"},"
		     "\"citations\":null}]"),
		" max=9\nuser 0: text(a) text(\\ud83d)"
		"@{\"type\":\"ephemeral\"}" },
	{ "empty_content", USER("[]"), " max=9\nuser 0:" },
	{ "image_base64",
		USER("[{\"type\":\"image\",\"source\":{\"type\":\"base64\","
		     "\"media_type\":\"image/png\",\"data\":\"" PNG "\"}}]"),
		" max=9\nuser 0: image(image/png|" PNG ")" },
	{ "row_072_image_data_normalised",
		USER("[{\"type\":\"image\",\"source\":{\"type\":\"base64\","
		     "\"media_type\":\"x/y\",\"data\":\"iVBO\\nRw0KGgo\"}}]"),
		" max=9\nuser 0: image(image/png|" PNG ")" },
	{ "image_url",
		USER("[{\"type\":\"image\",\"source\":{\"type\":\"url\","
		     "\"url\":\"https://a/b.png\"}}]"),
		" max=9\nuser 0: image(url|https://a/b.png)" },
	{ "image_file",
		USER("[{\"type\":\"image\",\"source\":{\"type\":\"file\","
		     "\"file_id\":\"f\"}}]"),
		" max=9\nuser 0: text([image omitted: file reference])"
		"\nnotices degraded:image" },
	{ "document_text",
		USER("[{\"type\":\"document\",\"title\":\"T\",\"context\":"
		     "\"C\",\"source\":{\"type\":\"text\",\"data\":\"D\"},"
		     "\"cache_control\":{}}]"),
		" max=9\nuser 0: text([document \\\"T\\\": C]\\nD)@{}" },
	{ "document_untitled",
		USER("[{\"type\":\"document\",\"source\":{\"type\":\"text\","
		     "\"data\":\"D\"}}]"),
		" max=9\nuser 0: text(D)" },
	{ "document_of_blocks",
		USER("[{\"type\":\"document\",\"title\":\"T\",\"source\":{"
		     "\"type\":\"content\",\"content\":[{\"type\":\"text\","
		     "\"text\":\"a\"},{\"type\":\"image\",\"source\":{\"type\":"
		     "\"url\",\"url\":\"http://a/b\"}},{\"type\":\"x\"}]}}]"),
		" max=9\nuser 0: text([document \\\"T\\\"]) text(a) "
		"image(url|http://a/b)\nnotices dropped:x" },
	{ "document_of_a_string",
		USER("[{\"type\":\"document\",\"source\":{\"type\":"
		     "\"content\",\"content\":\"D\"}}]"),
		" max=9\nuser 0: text(D)" },
	{ "document_pdf",
		USER("[{\"type\":\"document\",\"title\":\"T\",\"source\":{"
		     "\"type\":\"base64\",\"data\":\"JVBE\"}},{\"type\":"
		     "\"document\",\"source\":{\"type\":\"url\"}}]"),
		" max=9\nuser 0: text([document \\\"T\\\" omitted: PDF input "
		"is not supported]) text([document omitted: PDF input is not "
		"supported])\nnotices degraded:document" },
	{ "search_result",
		USER("[{\"type\":\"search_result\",\"title\":\"T\","
		     "\"source\":\"S\",\"content\":[{\"type\":\"text\","
		     "\"text\":\"a\"},{\"type\":\"text\",\"text\":\"b\"}]}]"),
		" max=9\nuser 0: text(T\\nS\\na\\nb)" },
	{ "row_081_unknown",
		USER("[{\"type\":\"foo\"},{\"type\":\"text\",\"text\":\"a\"},"
		     "{\"type\":\"container_upload\"}]"),
		" max=9\nuser 0: text(a)\nnotices dropped:foo,"
		"dropped:container_upload" },
	{ "thinking_of_the_user",
		USER("[{\"type\":\"thinking\",\"thinking\":\"x\"},"
		     "{\"type\":\"text\",\"text\":\"a\"}]"),
		" max=9\nuser 0: text(a)\nnotices dropped:thinking" },
	{ "image_of_the_assistant",
		REPLY("[{\"type\":\"image\"},{\"type\":\"text\",\"text\":"
		      "\"a\"}]"),
		" max=9\nassistant 0: text(a)\nnotices dropped:image" },
	{ "row_079_whole_reply",
		REPLY("[{\"type\":\"thinking\",\"thinking\":\"t\","
		      "\"signature\":\"s\"},{\"type\":\"redacted_thinking\","
		      "\"data\":\"z\"},{\"type\":\"text\",\"text\":\"a\"},"
		      "{\"type\":\"tool_use\",\"id\":\"c1\",\"name\":\"w\","
		      "\"input\":{\"q\": 1e400}}]"),
		" max=9\nassistant 0: think(t|s) text(a) "
		"call(c1|w|{\"q\": 1e400})" },
	{ "row_124_unsigned_thinking",
		REPLY("[{\"type\":\"thinking\",\"thinking\":\"t\","
		      "\"signature\":\"\"},{\"type\":\"thinking\","
		      "\"thinking\":\"\"},{\"type\":\"thinking\","
		      "\"thinking\":\"\",\"signature\":\"s\"}]"),
		" max=9\nassistant 0: think(t|) think(|s)" },
	{ "row_054_no_input",
		REPLY("[{\"type\":\"tool_use\",\"id\":\"c\",\"name\":\"w\"},"
		      "{\"type\":\"tool_use\",\"id\":\"d\",\"name\":\"w\","
		      "\"input\":{},\"cache_control\":{}}]"),
		" max=9\nassistant 0: call(c|w|{}) call(d|w|{})@{}" },
	{ "row_052_input_is_text",
		REPLY("[{\"type\":\"tool_use\",\"id\":\"c\",\"name\":\"w\","
		      "\"input\":\"{\\\"a\\\":\"}]"),
		" max=9\nassistant 0: call(c|w|{\"__raw_arguments\":"
		"\"{\\\"a\\\":\"})" },
	{ "server_tools",
		REPLY("[{\"type\":\"server_tool_use\",\"id\":\"s\",\"name\":"
		      "\"web_search\",\"input\":{\"q\":\"x\"}},{\"type\":"
		      "\"web_search_tool_result\",\"tool_use_id\":\"s\","
		      "\"content\":[{\"type\":\"web_search_result\",\"title\":"
		      "\"T\",\"url\":\"http://u\",\"encrypted_content\":"
		      "\"zz\"}]}]"),
		" max=9\nassistant 0: text([web_search "
		"{\\\"q\\\":\\\"x\\\"}]\\n) "
		"text([web_search_tool_result]\\nT\\nhttp://u\\n)\nnotices "
		"degraded:server_tool_use,degraded:web_search_tool_result" },
	{ "server_tools_nested",
		REPLY("[{\"type\":\"web_fetch_tool_result\",\"content\":{"
		      "\"type\":\"web_fetch_result\",\"url\":\"http://u\","
		      "\"content\":{\"type\":\"document\",\"source\":{\"type\":"
		      "\"text\",\"data\":\"D\"},\"title\":\"T\"}}},{\"type\":"
		      "\"web_fetch_tool_result\",\"content\":{\"content\":{"
		      "\"source\":{\"type\":\"base64\",\"data\":\"JVBE\"}}}},"
		      "{\"type\":\"code_execution_tool_result\",\"content\":{"
		      "\"stdout\":\"o\",\"stderr\":\"\",\"return_code\":0}},"
		      "{\"type\":\"mcp_tool_result\",\"content\":\"plain\"},"
		      "{\"type\":\"mcp_tool_use\"}]"),
		" max=9\nassistant 0: text([web_fetch_tool_result]\\nhttp://u"
		"\\nD\\nT\\n) text([web_fetch_tool_result]\\n) "
		"text([code_execution_tool_result]\\no\\n) "
		"text([mcp_tool_result]\\nplain\\n) text([tool]\\n)\nnotices "
		"degraded:web_fetch_tool_result,"
		"degraded:code_execution_tool_result,degraded:mcp_tool_result,"
		"degraded:mcp_tool_use" },
	{ "server_tools_too_deep",
		REPLY("[{\"type\":\"x_tool_result\",\"content\":[[[[[[[[[["
		      "{\"text\":\"deep\"}]]]]]]]]]]}]"),
		" max=9\nassistant 0: text([x_tool_result]\\n)\nnotices "
		"degraded:x_tool_result" },
	{ "compaction",
		REPLY("[{\"type\":\"compaction\",\"content\":\"sum\"},"
		      "{\"type\":\"text\",\"text\":\"a\"}]"),
		" max=9\nassistant 0:\nuser 0: text(sum)\nassistant 0: text(a)"
		"\nnotices degraded:compaction" },
	{ "compaction_of_the_user_or_empty",
		USER("[{\"type\":\"compaction\",\"content\":\"sum\"},"
		     "{\"type\":\"compaction\",\"content\":null}]"),
		" max=9\nuser 0: text(sum)\nnotices degraded:compaction,"
		"dropped:compaction" },
};

static const struct good results[] = {
	{ "flat",
		USER("[{\"type\":\"tool_result\",\"tool_use_id\":\"c\","
		     "\"content\":\"ok\",\"cache_control\":{}}]"),
		" max=9\nuser 0: result(c|flat text(ok))@{}" },
	{ "row_075_absent",
		USER("[{\"type\":\"tool_result\",\"tool_use_id\":\"c\"},"
		     "{\"type\":\"tool_result\",\"tool_use_id\":\"d\","
		     "\"content\":null},{\"type\":\"tool_result\","
		     "\"tool_use_id\":\"e\",\"content\":\"\"}]"),
		" max=9\nuser 0: result(c|flat) result(d|flat) "
		"result(e|flat)" },
	{ "row_076_error",
		USER("[{\"type\":\"tool_result\",\"tool_use_id\":\"c\","
		     "\"content\":\"no\",\"is_error\":true},{\"type\":"
		     "\"tool_result\",\"tool_use_id\":\"d\",\"is_error\":"
		     "false}]"),
		" max=9\nuser 0: result(c|flat|error text(no)) "
		"result(d|flat)" },
	{ "row_073_image",
		USER("[{\"type\":\"tool_result\",\"tool_use_id\":\"c\","
		     "\"content\":[{\"type\":\"text\",\"text\":\"shot\"},"
		     "{\"type\":\"image\",\"source\":{\"type\":\"base64\","
		     "\"data\":\"" PNG "\"}}]},{\"type\":\"text\",\"text\":"
		     "\"see\"}]"),
		" max=9\nuser 0: result(c|blocks text(shot) image(" PNG
		")) text(see)" },
	{ "row_080_pdf",
		USER("[{\"type\":\"tool_result\",\"tool_use_id\":\"c\","
		     "\"content\":[{\"type\":\"document\",\"source\":{\"type\":"
		     "\"base64\",\"data\":\"JVBE\"}}]}]"),
		" max=9\nuser 0: result(c|blocks text([document omitted: PDF "
		"input is not supported]))\nnotices degraded:document" },
	{ "tool_reference",
		USER("[{\"type\":\"tool_result\",\"tool_use_id\":\"c\","
		     "\"content\":[{\"type\":\"tool_reference\",\"tool_name\":"
		     "\"w\"},{\"type\":\"tool_result\"},{\"type\":\"text\","
		     "\"text\":\"\"}]}]"),
		" max=9\nuser 0: result(c|blocks text(Tool w is now "
		"available.))\nnotices dropped:tool_result" },
};

static void
check_good(const struct good *g, enum llm_purpose purpose)
{
	struct asked a;
	struct buf b;

	ask(&a, g->in, purpose);
	if (a.rc != GP_OK)
		print_error("%s: %s\n", g->name, a.err.text);
	assert_ok(a.rc, &a.err);
	buf_init(&b, OUT_MAX);
	show_req(&b, &a.r);
	if (!span_eq(buf_span(&b), span_cstr(g->want)))
		print_error("case %s\n", g->name);
	assert_spans_eq(buf_span(&b), span_cstr(g->want));
	buf_fini(&b);
	ask_end(&a);
}

#define GOOD_TEST(table)                                                       \
	static void test_##table(void **state)                                 \
	{                                                                      \
		(void)state;                                                   \
		for (size_t i = 0; i < ARRAY_LEN(table); i++)                  \
			check_good(&(table)[i], LLM_CHAT);                     \
	}

GOOD_TEST(fields)
GOOD_TEST(tools)
GOOD_TEST(systems)
GOOD_TEST(blocks)
GOOD_TEST(results)

/* --- refusals ------------------------------------------------------------- */

static const struct bad {
	const char *name, *in, *param, *text;
} bads[] = {
	{ "no_messages", "{\"max_tokens\":1}", "messages", "is required" },
	{ "messages_null", "{\"max_tokens\":1,\"messages\":null}", "messages",
		"is required" },
	{ "messages_empty", "{\"max_tokens\":1,\"messages\":[]}", "messages",
		"at least one" },
	{ "messages_type", "{\"max_tokens\":1,\"messages\":\"hi\"}", "messages",
		"must be an array, not a string" },
	{ "no_max_tokens", "{" HI "}", "max_tokens", "is required" },
	{ "row_003_fraction", "{\"max_tokens\":100.5," HI "}", "max_tokens",
		"whole number" },
	{ "row_003_string", "{\"max_tokens\":\"100\"," HI "}", "max_tokens",
		"whole number" },
	{ "row_003_huge", "{\"max_tokens\":1e400," HI "}", "max_tokens",
		"whole number" },
	{ "max_tokens_negative", "{\"max_tokens\":-1," HI "}", "max_tokens",
		"whole number" },
	{ "model_type", "{\"model\":1,\"max_tokens\":1," HI "}", "model",
		"a string" },
	{ "model_empty", "{\"model\":\"\",\"max_tokens\":1," HI "}", "model",
		"empty" },
	{ "row_024_temperature", ASK("\"temperature\":1.7"), "temperature",
		"from 0 to 1" },
	{ "temperature_negative", ASK("\"temperature\":-0.1"), "temperature",
		"from 0 to 1" },
	{ "temperature_string", ASK("\"temperature\":\"1\""), "temperature",
		"from 0 to 1" },
	{ "top_p", ASK("\"top_p\":1.01"), "top_p", "from 0 to 1" },
	{ "top_k", ASK("\"top_k\":-1"), "top_k", "whole number" },
	{ "stream", ASK("\"stream\":1"), "stream", "a boolean" },
	{ "thread", ASK("\"thread\":{\"type\":\"create\"}"), "thread",
		"send the whole conversation" },
	{ "stop", ASK("\"stop_sequences\":\"x\""), "stop_sequences",
		"an array" },
	{ "stop_item", ASK("\"stop_sequences\":[1]"), "stop_sequences",
		"array of strings" },
	{ "metadata", ASK("\"metadata\":[]"), "metadata", "an object" },
	{ "user_id", ASK("\"metadata\":{\"user_id\":7}"), "metadata.user_id",
		"a string" },
	{ "system", ASK("\"system\":{}"), "system", "a string or an array" },
	{ "system_item",
		ASK("\"system\":[{\"type\":\"text\",\"text\":\"\"},"
		    "\"x\"]"),
		"system[1]", "an object" },
	{ "tools", ASK("\"tools\":{}"), "tools", "an array" },
	{ "tool", ASK("\"tools\":[1]"), "tools[0]", "an object" },
	{ "tool_name", ASK("\"tools\":[{\"name\":\"a\"},{\"name\":\"\"}]"),
		"tools[1].name", "not empty" },
	{ "tool_schema",
		ASK("\"tools\":[{\"name\":\"a\",\"input_schema\":[]}]"),
		"tools[0].input_schema", "an object" },
	{ "tool_choice", ASK("\"tool_choice\":\"auto\""), "tool_choice",
		"an object" },
	{ "tool_choice_type", ASK("\"tool_choice\":{\"type\":\"some\"}"),
		"tool_choice.type", "auto, any, tool or none" },
	{ "tool_choice_name", ASK("\"tool_choice\":{\"type\":\"tool\"}"),
		"tool_choice.name", "name the tool" },
	{ "thinking", ASK("\"thinking\":true"), "thinking", "an object" },
	{ "thinking_type", ASK("\"thinking\":{}"), "thinking.type", "string" },
	{ "thinking_budget",
		ASK("\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":"
		    "\"x\"}"),
		"thinking.budget_tokens", "whole number" },
	{ "effort", ASK("\"output_config\":{\"effort\":3}"),
		"output_config.effort", "a string" },
	{ "format", ASK("\"output_format\":{\"type\":\"json_schema\"}"),
		"output_format.schema", "an object" },
	{ "edits", ASK("\"context_management\":{\"edits\":{}}"),
		"context_management.edits", "an array" },
	{ "message", "{\"max_tokens\":1,\"messages\":[7]}", "messages[0]",
		"an object" },
	{ "role",
		"{\"max_tokens\":1,\"messages\":[{\"role\":\"user\","
		"\"content\":\"a\"},{\"role\":\"tool\",\"content\":\"a\"}]}",
		"messages[1].role", "user, assistant or system" },
	{ "content", USER("7"), "messages[0].content", "a string or an array" },
	{ "content_absent",
		"{\"max_tokens\":1,\"messages\":[{\"role\":\"user\"}]}",
		"messages[0].content", "not nothing" },
	{ "block", USER("[\"a\"]"), "messages[0].content[0]", "an object" },
	{ "block_type", USER("[{\"text\":\"a\"}]"),
		"messages[0].content[0].type", "a string" },
	{ "text", USER("[{\"type\":\"text\",\"text\":null}]"),
		"messages[0].content[0].text", "not null" },
	{ "tool_use_of_the_user",
		USER("[{\"type\":\"text\",\"text\":\"a\"},{\"type\":"
		     "\"tool_use\",\"id\":\"c\",\"name\":\"w\"}]"),
		"messages[0].content[1].type", "must not be tool_use" },
	{ "tool_result_of_the_assistant",
		REPLY("[{\"type\":\"tool_result\",\"tool_use_id\":\"c\"}]"),
		"messages[0].content[0].type", "must not be tool_result" },
	{ "tool_use_id", REPLY("[{\"type\":\"tool_use\",\"name\":\"w\"}]"),
		"messages[0].content[0].id", "not empty" },
	{ "tool_use_input",
		REPLY("[{\"type\":\"tool_use\",\"id\":\"c\",\"name\":\"w\","
		      "\"input\":[1]}]"),
		"messages[0].content[0].input", "an object, not an array" },
	{ "tool_result_id", USER("[{\"type\":\"tool_result\"}]"),
		"messages[0].content[0].tool_use_id", "not empty" },
	{ "tool_result_error",
		USER("[{\"type\":\"tool_result\",\"tool_use_id\":\"c\","
		     "\"is_error\":\"yes\"}]"),
		"messages[0].content[0].is_error", "a boolean" },
	{ "tool_result_text",
		USER("[{\"type\":\"tool_result\",\"tool_use_id\":\"c\","
		     "\"content\":[{\"type\":\"text\",\"text\":\"a\"},"
		     "{\"type\":\"text\"}]}]"),
		"messages[0].content[0].content[1].text", "a string" },
	{ "image_source", USER("[{\"type\":\"image\"}]"),
		"messages[0].content[0].source", "where the image is" },
	{ "row_072_image_garbage",
		USER("[{\"type\":\"image\",\"source\":{\"type\":\"base64\","
		     "\"media_type\":\"image/png\",\"data\":\"!!\"}}]"),
		"messages[0].content[0].source", "is unusable" },
	{ "row_071_image_url",
		USER("[{\"type\":\"image\",\"source\":{\"type\":\"url\","
		     "\"url\":\"data:,x\"}}]"),
		"messages[0].content[0].source", "is unusable" },
	{ "document_source", USER("[{\"type\":\"document\"}]"),
		"messages[0].content[0].source", "where the document is" },
	{ "row_015_not_an_object", "[]", "", "an object, not an array" },
};

static void
test_refusals(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bads); i++) {
		const struct bad *const b = &bads[i];
		struct asked a;

		ask(&a, b->in, LLM_CHAT);
		if (a.rc != GP_E_SCHEMA || strcmp(a.err.param, b->param) != 0 ||
			strstr(a.err.text, b->text) == NULL)
			print_error("case %s: %s [%s]\n", b->name, a.err.text,
				a.err.param);
		assert_int_equal(a.rc, GP_E_SCHEMA);
		assert_string_equal(a.err.param, b->param);
		assert_non_null(strstr(a.err.text, b->text));
		ask_end(&a);
	}
}

/* Which mistake is named does not depend on the order of the keys. */
static void
test_first_mistake(void **state)
{
	static const char *const in[] = {
		"{\"stream\":1,\"max_tokens\":-1," HI "}",
		"{" HI ",\"max_tokens\":-1,\"stream\":1}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(in); i++) {
		struct asked a;

		ask(&a, in[i], LLM_CHAT);
		assert_string_equal(a.err.param, "max_tokens");
		ask_end(&a);
	}
}

static void
test_row_117_count(void **state)
{
	static const struct good counts[] = {
		{ "row_117_no_max_tokens",
			"{\"model\":\"m\",\"tools\":[{\"name\":\"w\"}],"
			"\"messages\":[{\"role\":\"user\",\"content\":\"a\"},"
			"{\"role\":\"system\",\"content\":\"b\"}]}",
			" model=m\nuser 0: text(a)\nsystem 1: text(b)"
			"\ntool name=w" },
	};
	struct asked a;

	(void)state;
	check_good(&counts[0], LLM_COUNT);
	ask(&a, "{\"model\":\"m\"}", LLM_COUNT);
	assert_fails(a.rc, GP_E_SCHEMA, &a.err, "messages is required");
	ask_end(&a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_tools),
		cmocka_unit_test(test_systems),
		cmocka_unit_test(test_blocks),
		cmocka_unit_test(test_results),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_first_mistake),
		cmocka_unit_test(test_row_117_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
