/* SPDX-License-Identifier: MIT */
/* test_profile_zai_thinking.c - how thinking is asked for, by generation. */
#include "tests/unit/zai_util.h"

#define OFF       "\"thinking\":{\"type\":\"disabled\"}"
#define ON        "\"thinking\":{\"type\":\"enabled\"}"
#define KEEP      "\"thinking\":{\"type\":\"enabled\",\"clear_thinking\":false}"
#define CLEAR     "\"thinking\":{\"type\":\"enabled\",\"clear_thinking\":true}"
#define EFFORT(e) "\"reasoning_effort\":\"" e "\""
#define BUDGET(b) "\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":" b "}"
#define CONFIG(e) "\"output_config\":{\"effort\":\"" e "\"}"
#define TOKENS    "\"max_tokens\":100"
#define DFLT      "\"max_tokens\":32768"

static const struct zai_case chat_to_chat[] = {
	{ "absent", OO, "glm-4.6", "", "", "", 0 },
	{ "absent, 5.3", OO, "glm-5.3", "", "", "", 0 },
	{ "T32 off", OO, "glm-4.6", OFF, OFF, "", 0 },
	{ "T25 on", OO, "glm-4.6", ON, ON, "", 0 },
	{ "T27 adaptive", OO, "glm-4.6", "\"thinking\":{\"type\":\"adaptive\"}",
		ON, "", 0 },
	{ "keep", OO, "glm-4.7", KEEP, KEEP, "", 0 },
	{ "clear", OO, "glm-4.7", CLEAR, CLEAR, "", 0 },
	{ "clear without type", OO, "glm-4.7",
		"\"thinking\":{\"clear_thinking\":true}", CLEAR, "", 0 },
	{ "enable_thinking", OO, "glm-4.7", "\"enable_thinking\":false", OFF,
		"", 0 },
	{ "template", OO, "glm-4.7",
		"\"chat_template_kwargs\":{\"enable_thinking\":true,"
		"\"clear_thinking\":false}",
		KEEP, "", 0 },
	{ "template, unknown", OO, "glm-4.7",
		"\"chat_template_kwargs\":{\"x\":1}", "",
		"dropped:chat_template_kwargs", 0 },
	{ "own field wins", OO, "glm-4.7",
		"\"thinking\":{\"type\":\"enabled\"},"
		"\"enable_thinking\":false",
		ON, "", 0 },
	{ "reasoning", OO, "glm-4.6", "\"reasoning\":{\"enabled\":true}", ON,
		"", 0 },
	{ "none", OO, "glm-5.2", EFFORT("none"), OFF, "", 0 },
	{ "minimal", OO, "glm-4.6", EFFORT("minimal"), OFF, "", 0 },
	{ "low, old", OO, "glm-4.6", EFFORT("low"), ON, "", 0 },
	{ "low", OO, "glm-5.2", EFFORT("low"), EFFORT("low") "," ON, "", 0 },
	{ "medium", OO, "glm-5.2", EFFORT("medium"), EFFORT("medium") "," ON,
		"", 0 },
	{ "xhigh", OO, "glm-5.2", EFFORT("xhigh"), EFFORT("xhigh") "," ON, "",
		0 },
	{ "off wins over effort", OO, "glm-5.2", OFF "," EFFORT("high"), OFF,
		"", 0 },
	{ "on wins over none", OO, "glm-5.2", ON "," EFFORT("none"), ON, "",
		0 },
	{ "T26 off, 5.3", OO, "glm-5.3", OFF, EFFORT("low"), "", 0 },
	{ "T26 none, 5.3", OO, "glm-5.3", EFFORT("none"), EFFORT("low"), "",
		0 },
	{ "low, 5.3", OO, "glm-5.3", EFFORT("low"), EFFORT("low") "," ON, "",
		0 },
	{ "medium, 5.3", OO, "glm-5.3", EFFORT("medium"), EFFORT("high") "," ON,
		"", 0 },
	{ "high, 5.3", OO, "glm-5.3", EFFORT("high"), EFFORT("high") "," ON, "",
		0 },
	{ "xhigh, 5.3", OO, "glm-5.3", EFFORT("xhigh"), EFFORT("max") "," ON,
		"", 0 },
	{ "max, 5.3", OO, "glm-5.3-flash", EFFORT("max"), EFFORT("max") "," ON,
		"", 0 },
	{ "cannot think", OO, "glm-4-32b-0414-128k", ON, "", "dropped:thinking",
		0 },
	{ "cannot think, off", OO, "glm-4-32b-0414-128k", OFF, "", "", 0 },
	{ "forced on", OO, "glm-4.6", OFF, ON, "", FORCE_ON },
	{ "forced on, absent", OO, "glm-4.6", "", ON, "", FORCE_ON },
	{ "forced on, none", OO, "glm-5.2", EFFORT("none"), ON, "", FORCE_ON },
	{ "forced off", OO, "glm-5.2", EFFORT("high"), OFF, "", FORCE_OFF },
	{ "forced off, 5.3", OO, "glm-5.3", "", EFFORT("low"), "", FORCE_OFF },
	{ "type", OO, "glm-4.6", "\"thinking\":{\"type\":\"maybe\"}",
		"!thinking.type", "", 0 },
	{ "type is no string", OO, "glm-4.6", "\"thinking\":{\"type\":true}",
		"!thinking.type", "", 0 },
	{ "no object", OO, "glm-4.6", "\"thinking\":\"enabled\"", "!thinking",
		"", 0 },
	{ "clear is no boolean", OO, "glm-4.6",
		"\"thinking\":{\"clear_thinking\":0}",
		"!thinking.clear_thinking", "", 0 },
	{ "budget", OO, "glm-4.6", "\"thinking\":{\"budget_tokens\":-1}",
		"!thinking.budget_tokens", "", 0 },
	{ "enable_thinking is no boolean", OO, "glm-4.6",
		"\"enable_thinking\":1", "!enable_thinking", "", 0 },
	{ "template is no boolean", OO, "glm-4.6",
		"\"chat_template_kwargs\":{\"enable_thinking\":1}",
		"!chat_template_kwargs.enable_thinking", "", 0 },
	{ "null", OO, "glm-4.6", "\"thinking\":null,\"enable_thinking\":null",
		"", "", 0 },
};

static void
test_chat_to_chat(void **state)
{
	(void)state;
	CHECK_CASES(chat_to_chat);
}

static void
test_chat_to_messages(void **state)
{
	static const struct zai_case cases[] = {
		{ "absent", OA, "glm-4.6", "", DFLT, "", 0 },
		{ "off", OA, "glm-4.6", OFF, DFLT "," OFF, "", 0 },
		{ "on", OA, "glm-4.6", ON, DFLT "," BUDGET("16384"), "", 0 },
		{ "clear is of the other endpoint", OA, "glm-4.7", CLEAR,
			DFLT "," BUDGET("16384"), "", 0 },
		{ "budget of the client", OA, "glm-4.6",
			"\"thinking\":{\"type\":\"enabled\","
			"\"budget_tokens\":5000}",
			DFLT "," BUDGET("5000"), "", 0 },
		{ "none", OA, "glm-4.6", EFFORT("none"), DFLT "," OFF, "", 0 },
		{ "minimal", OA, "glm-4.6", EFFORT("minimal"), DFLT "," OFF, "",
			0 },
		{ "low", OA, "glm-4.6", EFFORT("low"),
			DFLT "," BUDGET("2048") "," CONFIG("low"), "", 0 },
		{ "medium", OA, "glm-4.6", EFFORT("medium"),
			DFLT "," BUDGET("8192") "," CONFIG("medium"), "", 0 },
		{ "high", OA, "glm-4.6", EFFORT("high"),
			DFLT "," BUDGET("16384") "," CONFIG("high"), "", 0 },
		{ "xhigh, limited", OA, "glm-4.6", EFFORT("xhigh"),
			DFLT "," BUDGET("32767") "," CONFIG("xhigh"), "", 0 },
		{ "max", OA, "glm-4.6", "\"max_tokens\":100000," EFFORT("max"),
			"\"max_tokens\":100000," BUDGET("65536") "," CONFIG(
				"max"),
			"", 0 },
		{ "max_tokens 1024", OA, "glm-4.6", "\"max_tokens\":1024," ON,
			"\"max_tokens\":1024", "dropped:thinking", 0 },
		{ "max_tokens 1025", OA, "glm-4.6", "\"max_tokens\":1025," ON,
			"\"max_tokens\":1025," BUDGET("1024"), "", 0 },
		{ "off, 5.3", OA, "glm-5.3", OFF, DFLT "," OFF, "", 0 },
		{ "off wins over effort", OA, "glm-4.6", OFF "," EFFORT("high"),
			DFLT "," OFF, "", 0 },
		{ "forced on", OA, "glm-4.6", OFF, DFLT "," BUDGET("16384"), "",
			FORCE_ON },
		{ "forced off", OA, "glm-4.6", EFFORT("high"), DFLT "," OFF, "",
			FORCE_OFF },
		{ "cannot think", OA, "glm-4-32b-0414-128k", EFFORT("high"),
			"\"max_tokens\":16384", "dropped:thinking", 0 },
	};

	(void)state;
	CHECK_CASES(cases);
}

static void
test_messages_to_chat(void **state)
{
	static const struct zai_case cases[] = {
		{ "absent", AO, "glm-4.6", "", TOKENS "," OFF, "", 0 },
		{ "absent, 5.3", AO, "glm-5.3", "", TOKENS, "", 0 },
		{ "off", AO, "glm-4.6", OFF, TOKENS "," OFF, "", 0 },
		{ "T26 off, 5.3", AO, "glm-5.3", OFF, TOKENS "," EFFORT("low"),
			"", 0 },
		{ "on", AO, "glm-4.6", BUDGET("2000"), TOKENS "," ON, "", 0 },
		{ "T51 small budget", AO, "glm-4.6", BUDGET("500"),
			TOKENS "," ON, "clamped:budget_tokens", 0 },
		{ "T27 adaptive", AO, "glm-4.6",
			"\"thinking\":{\"type\":\"adaptive\"}", TOKENS "," ON,
			"", 0 },
		{ "between_tools", AO, "glm-4.6",
			"\"thinking\":{\"type\":\"between_tools\"}",
			TOKENS "," ON, "", 0 },
		{ "effort alone does not ask", AO, "glm-5.2", CONFIG("high"),
			TOKENS "," OFF, "", 0 },
		{ "effort", AO, "glm-5.2",
			"\"thinking\":{\"type\":\"adaptive\"}," CONFIG("xhigh"),
			TOKENS "," EFFORT("xhigh") "," ON, "", 0 },
		{ "effort, 5.3", AO, "glm-5.3",
			"\"thinking\":{\"type\":\"adaptive\"}," CONFIG("xhigh"),
			TOKENS "," EFFORT("max") "," ON, "", 0 },
		{ "effort, old", AO, "glm-4.6",
			"\"thinking\":{\"type\":\"adaptive\"}," CONFIG("high"),
			TOKENS "," ON, "", 0 },
		{ "T28 keep", AO, "glm-4.7",
			BUDGET("2000") ",\"context_management\":{\"edits\":[{"
				       "\"type\":\"clear_thinking_20251015\","
				       "\"keep\":\"all\"}]}",
			TOKENS "," KEEP, "", 0 },
	};

	(void)state;
	CHECK_CASES(cases);
}

/* Between two ends of the dialect the bytes are copied. */
static void
test_messages_to_messages(void **state)
{
#define ASK(max)                                                               \
	"{\"model\":\"glm-5.3\",\"max_tokens\":" max "," HI_PLAIN "," OFF "}"
	static const struct zai_case cases[] = {
		{ "copied", AA, "glm-5.3", ASK("100"), ASK("100"), "",
			FORCE_ON },
		{ "21 clamped", AA, "glm-5.3", ASK("500000"), ASK("131072"),
			"clamped:max_tokens", 0 },
		{ "5.1 zero passes", AA, "glm-5.3", ASK("0"), ASK("0"), "", 0 },
	};

	(void)state;
	CHECK_CASES(cases);
}

/* --- earlier thinking ----------------------------------------------------- */

#define O_THOUGHT                                                              \
	"{\"model\":\"m\",\"messages\":["                                      \
	"{\"role\":\"user\",\"content\":\"a\"},"                               \
	"{\"role\":\"assistant\",\"content\":\"b\",\"reasoning_content\":"     \
	"\"t\","                                                               \
	"\"tool_calls\":[{\"id\":\"c\",\"type\":\"function\",\"function\":"    \
	"{\"name\":\"f\",\"arguments\":\"{}\"}}]},"                            \
	"{\"role\":\"tool\",\"tool_call_id\":\"c\",\"content\":\"d\"}]"
#define O_CUT                                                                  \
	"{\"role\":\"user\",\"content\":\"a\"},"                               \
	"{\"role\":\"assistant\",\"content\":\"b\","                           \
	"\"tool_calls\":[{\"id\":\"c\",\"type\":\"function\",\"function\":"    \
	"{\"name\":\"f\",\"arguments\":\"{}\"}}]},"                            \
	"{\"role\":\"tool\",\"tool_call_id\":\"c\",\"content\":\"d\"}]"
#define O_KEPT                                                                 \
	"{\"role\":\"user\",\"content\":\"a\"},"                               \
	"{\"role\":\"assistant\",\"content\":\"b\",\"reasoning_content\":"     \
	"\"t\","                                                               \
	"\"tool_calls\":[{\"id\":\"c\",\"type\":\"function\",\"function\":"    \
	"{\"name\":\"f\",\"arguments\":\"{}\"}}]},"                            \
	"{\"role\":\"tool\",\"tool_call_id\":\"c\",\"content\":\"d\"}]"
#define A_THOUGHT(max, thinking)                                               \
	"{\"model\":\"m\",\"max_tokens\":" max ",\"messages\":["               \
	"{\"role\":\"user\",\"content\":\"a\"},"                               \
	"{\"role\":\"assistant\",\"content\":["                                \
	"{\"type\":\"thinking\",\"thinking\":\"t\",\"signature\":\"s\"},"      \
	"{\"type\":\"text\",\"text\":\"b\"},"                                  \
	"{\"type\":\"tool_use\",\"id\":\"c\",\"name\":\"f\",\"input\":{}}]},"  \
	"{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\","           \
	"\"tool_use_id\":\"c\",\"content\":\"d\"}]}]," thinking "}"
#define CHAT(model) "{\"model\":\"" model "\",\"messages\":["

static void
test_replay(void **state)
{
	static const struct zai_case cases[] = {
		{ "T24 OO", OO, "glm-4.6", O_THOUGHT "}",
			CHAT("glm-4.6") O_KEPT "}", "", 0 },
		{ "T28 OO on", OO, "glm-4.7", O_THOUGHT "," ON "}",
			CHAT("glm-4.7") O_KEPT "," KEEP "}", "", 0 },
		{ "T28 OO, client clears", OO, "glm-4.7",
			O_THOUGHT "," CLEAR "}",
			CHAT("glm-4.7") O_KEPT "," CLEAR "}", "", 0 },
		{ "T28 below 4.7", OO, "glm-4.6", O_THOUGHT "," ON "}",
			CHAT("glm-4.6") O_KEPT "," ON "}", "", 0 },
		{ "no replay", OO, "glm-4.7", O_THOUGHT "," ON "}",
			CHAT("glm-4.7") O_CUT "," ON "}", "", NO_REPLAY },
		{ "T24 AO", AO, "glm-4.7", A_THOUGHT("100", BUDGET("2000")),
			CHAT("glm-4.7") O_KEPT "," TOKENS "," KEEP "}", "", 0 },
		{ "AO, no replay", AO, "glm-4.7",
			A_THOUGHT("100", BUDGET("2000")),
			CHAT("glm-4.7") O_CUT "," TOKENS "," ON "}", "",
			NO_REPLAY },
	};

	(void)state;
	CHECK_CASES(cases);
}

/* --- what the answer goes by ---------------------------------------------- */

static void
test_asked(void **state)
{
	static const struct {
		struct zai_case c;
		enum llm_think_mode mode;
	} rows[] = {
		{ { "AO absent", AO, "glm-4.6", "", "", "", 0 },
			LLM_THINK_OFF },
		{ { "AO on", AO, "glm-4.6", BUDGET("2000"), "", "", 0 },
			LLM_THINK_ON },
		{ { "AO forced on", AO, "glm-4.6", "", "", "", FORCE_ON },
			LLM_THINK_UNSET },
		{ { "AO on, forced on", AO, "glm-4.6", BUDGET("2000"), "", "",
			  FORCE_ON },
			LLM_THINK_ON },
		{ { "AO on, forced off", AO, "glm-4.6", BUDGET("2000"), "", "",
			  FORCE_OFF },
			LLM_THINK_OFF },
		{ { "AO absent, 5.3", AO, "glm-5.3", "", "", "", 0 },
			LLM_THINK_OFF },
		{ { "OO absent", OO, "glm-4.6", "", "", "", 0 },
			LLM_THINK_UNSET },
		{ { "OO effort", OO, "glm-4.6", EFFORT("low"), "", "", 0 },
			LLM_THINK_ON },
		{ { "OO forced on", OO, "glm-4.6", "", "", "", FORCE_ON },
			LLM_THINK_ON },
		{ { "OA effort", OA, "glm-4.6", EFFORT("low"), "", "", 0 },
			LLM_THINK_ON },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct zai_run z;

		zai_run_init(&z);
		assert_ok(run_case(&z, &rows[i].c), &z.err);
		if (z.req.think.mode != rows[i].mode)
			fail_msg("%s: %d", rows[i].c.name,
				(int)z.req.think.mode);
		zai_run_fini(&z);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_chat_to_chat),
		cmocka_unit_test(test_chat_to_messages),
		cmocka_unit_test(test_messages_to_chat),
		cmocka_unit_test(test_messages_to_messages),
		cmocka_unit_test(test_replay),
		cmocka_unit_test(test_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
