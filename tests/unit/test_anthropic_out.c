/* SPDX-License-Identifier: MIT */
/* test_anthropic_out.c - the neutral tree becomes a Messages request. */
#include "tests/unit/anthropic_util.h"

#define USER_HI                                                                \
	"\"messages\":[{\"role\":\"user\",\"content\":["                       \
	"{\"type\":\"text\",\"text\":\"hi\"}]}]"

/* Encode a->r, compare, and compare the notices. */
static void
check_out(const char *name, struct llm_req *r, const char *want,
	const char *notices)
{
	const struct llm_wire wire = { .stops = LLM_STOPS_ALL };
	struct jout j;
	struct buf b;

	buf_init(&b, OUT_MAX);
	jout_init(&j, &b);
	dialect_anthropic.req_encode(r, SPAN("glm"), &wire, &j);
	if (!span_eq(buf_span(&b), span_cstr(want)))
		print_error("case %s\n", name);
	assert_spans_eq(buf_span(&b), span_cstr(want));
	buf_reset(&b, 0);
	notices_print(&r->notices, &b);
	if (!span_eq(buf_span(&b), span_cstr(notices)))
		print_error("notices of case %s\n", name);
	assert_spans_eq(buf_span(&b), span_cstr(notices));
	buf_fini(&b);
}

/* --- requests read and written again -------------------------------------- */

#define ASK(x) "{\"model\":\"m\",\"max_tokens\":4096," x "}"
#define ASK_HI(x)                                                              \
	ASK(x ",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]")
#define OUT(before, after)                                                     \
	"{\"model\":\"glm\",\"max_tokens\":4096," before USER_HI after "}"

static const struct {
	const char *name, *in, *want, *notices;
} rewrites[] = {
	{ "knobs",
		ASK_HI("\"stream\":true,\"temperature\":0.50,\"top_p\":1e0,"
		       "\"top_k\":4,\"stop_sequences\":[\"a\\n\",\"b\"],"
		       "\"metadata\":{\"user_id\":\"u\"},"
		       "\"output_config\":{\"effort\":\"xhigh\",\"format\":{"
		       "\"type\":\"json_schema\",\"schema\":{\"a\":1.0}}}"),
		OUT("\"stream\":true,\"temperature\":0.50,\"top_p\":1e0,"
		    "\"top_k\":4,\"stop_sequences\":[\"a\\n\",\"b\"],",
			",\"metadata\":{\"user_id\":\"u\"},\"output_config\":{"
			"\"effort\":\"xhigh\",\"format\":{\"type\":"
			"\"json_schema\",\"schema\":{\"a\":1.0}}}"),
		"" },
	{ "thinking",
		ASK_HI("\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":"
		       "2000}"),
		OUT("",
			",\"thinking\":{\"type\":\"enabled\","
			"\"budget_tokens\":2000}"),
		"" },
	{ "thinking_within_max_tokens",
		ASK_HI("\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":"
		       "9000}"),
		OUT("",
			",\"thinking\":{\"type\":\"enabled\","
			"\"budget_tokens\":4095}"),
		"" },
	{ "thinking_off", ASK_HI("\"thinking\":{\"type\":\"disabled\"}"),
		OUT("", ",\"thinking\":{\"type\":\"disabled\"}"), "" },
	{ "row_082_extras", ASK_HI("\"service_tier\":\"auto\",\"foo\":[1e400]"),
		OUT("", ",\"service_tier\":\"auto\",\"foo\":[1e400]"), "" },
	{ "system",
		ASK("\"system\":[{\"type\":\"text\",\"text\":\"a\","
		    "\"cache_control\":{\"type\":\"ephemeral\"}}],\"messages\":"
		    "["
		    "{\"role\":\"system\",\"content\":\"b\"},"
		    "{\"role\":\"user\",\"content\":\"hi\"}]"),
		OUT("\"system\":[{\"type\":\"text\",\"text\":\"a\","
		    "\"cache_control\":{\"type\":\"ephemeral\"}},"
		    "{\"type\":\"text\",\"text\":\"b\"}],",
			""),
		"" },
	{ "row_033_system_later",
		ASK("\"messages\":[{\"role\":\"user\",\"content\":\"a\"},"
		    "{\"role\":\"system\",\"content\":[{\"type\":\"text\","
		    "\"text\":\"b\",\"cache_control\":{}}]},"
		    "{\"role\":\"user\",\"content\":\"c\"},"
		    "{\"role\":\"assistant\",\"content\":\"d\"},"
		    "{\"role\":\"system\",\"content\":\"e\"}]"),
		"{\"model\":\"glm\",\"max_tokens\":4096,\"messages\":["
		"{\"role\":\"user\",\"content\":["
		"{\"type\":\"text\",\"text\":\"a\"},{\"type\":\"text\","
		"\"text\":\"<system-reminder>\\nb\\n</system-reminder>\","
		"\"cache_control\":{}},{\"type\":\"text\",\"text\":\"c\"}]},"
		"{\"role\":\"assistant\",\"content\":[{\"type\":\"text\","
		"\"text\":\"d\"}]},{\"role\":\"user\",\"content\":["
		"{\"type\":\"text\",\"text\":"
		"\"<system-reminder>\\ne\\n</system-reminder>\"}]}]}",
		"" },
	{ "row_043_results_first",
		ASK("\"messages\":[{\"role\":\"assistant\",\"content\":["
		    "{\"type\":\"thinking\",\"thinking\":\"t\"},"
		    "{\"type\":\"thinking\",\"thinking\":\"u\",\"signature\":"
		    "\"s\"},{\"type\":\"tool_use\",\"id\":\"c\",\"name\":\"w\","
		    "\"input\":{\"n\":1e400},\"cache_control\":{}}]},"
		    "{\"role\":\"system\",\"content\":\"x\"},"
		    "{\"role\":\"user\",\"content\":[{\"type\":\"text\","
		    "\"text\":\"y\"},{\"type\":\"tool_result\","
		    "\"tool_use_id\":\"c\",\"content\":\"3C\"},"
		    "{\"type\":\"tool_result\",\"tool_use_id\":\"d\","
		    "\"is_error\":true},{\"type\":\"tool_result\","
		    "\"tool_use_id\":\"e\",\"content\":[{\"type\":\"text\","
		    "\"text\":\"z\"},{\"type\":\"image\",\"source\":{\"type\":"
		    "\"url\",\"url\":\"http://a/b\"}}]}]}]"),
		"{\"model\":\"glm\",\"max_tokens\":4096,\"messages\":["
		"{\"role\":\"assistant\",\"content\":[{\"type\":\"thinking\","
		"\"thinking\":\"t\",\"signature\":\"Z2xtcHJveHk=\"},"
		"{\"type\":\"thinking\",\"thinking\":\"u\",\"signature\":"
		"\"s\"},{\"type\":\"tool_use\",\"id\":\"c\",\"name\":\"w\","
		"\"input\":{\"n\":1e400},\"cache_control\":{}}]},"
		"{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\","
		"\"tool_use_id\":\"c\",\"content\":\"3C\"},{\"type\":"
		"\"tool_result\",\"tool_use_id\":\"d\",\"content\":\"\","
		"\"is_error\":true},{\"type\":\"tool_result\",\"tool_use_id\":"
		"\"e\",\"content\":[{\"type\":\"text\",\"text\":\"z\"},"
		"{\"type\":\"image\",\"source\":{\"type\":\"url\",\"url\":"
		"\"http://a/b\"}}]},{\"type\":\"text\",\"text\":"
		"\"<system-reminder>\\nx\\n</system-reminder>\"},"
		"{\"type\":\"text\",\"text\":\"y\"}]}]}",
		"" },
	{ "image",
		ASK("\"messages\":[{\"role\":\"user\",\"content\":["
		    "{\"type\":\"image\",\"source\":{\"type\":\"base64\","
		    "\"media_type\":\"image/png\",\"data\":\"iVBORw0KGgo=\"}}"
		    "]}]"),
		"{\"model\":\"glm\",\"max_tokens\":4096,\"messages\":["
		"{\"role\":\"user\",\"content\":[{\"type\":\"image\","
		"\"source\":{\"type\":\"base64\",\"media_type\":\"image/png\","
		"\"data\":\"iVBORw0KGgo=\"}}]}]}",
		"" },
	{ "row_058_schemas",
		ASK_HI("\"tools\":[{\"name\":\"a\"},{\"name\":\"b\","
		       "\"input_schema\":{}},{\"name\":\"c\",\"description\":"
		       "\"d\",\"input_schema\":{ \"$schema\":\"s\","
		       "\"properties\":{\"type\":{\"type\":\"string\"}},"
		       "\"x\":[{\"type\":1}]},\"cache_control\":{\"t\":1}},"
		       "{\"name\":\"e\",\"input_schema\":{\"x\":\"}\\\"\","
		       "\"t\\u0079pe\":\"object\"}},{\"name\":\"f\","
		       "\"input_schema\":{\"x\":\"type\"}}]"),
		OUT("",
			",\"tools\":[{\"name\":\"a\",\"input_schema\":{"
			"\"type\":\"object\",\"properties\":{}}},"
			"{\"name\":\"b\",\"input_schema\":{\"type\":"
			"\"object\"}},{\"name\":\"c\",\"description\":\"d\","
			"\"input_schema\":{\"type\":\"object\",\"$schema\":"
			"\"s\",\"properties\":{\"type\":{\"type\":"
			"\"string\"}},\"x\":[{\"type\":1}]},\"cache_control\":"
			"{\"t\":1}},{\"name\":\"e\",\"input_schema\":{\"x\":"
			"\"}\\\"\",\"t\\u0079pe\":\"object\"}},{\"name\":"
			"\"f\",\"input_schema\":{\"type\":\"object\",\"x\":"
			"\"type\"}}]"),
		"" },
	{ "row_061_choice_none_keeps_tools",
		ASK_HI("\"tools\":[{\"name\":\"a\",\"input_schema\":{\"type\":"
		       "\"object\"}}],\"tool_choice\":{\"type\":\"none\"}"),
		OUT("",
			",\"tools\":[{\"name\":\"a\",\"input_schema\":{"
			"\"type\":\"object\"}}],\"tool_choice\":{\"type\":"
			"\"none\"}"),
		"" },
	{ "choice_named_single",
		ASK_HI("\"tools\":[{\"name\":\"a\",\"input_schema\":{\"type\":"
		       "\"object\"}}],\"tool_choice\":{\"type\":\"tool\","
		       "\"name\":\"a\",\"disable_parallel_tool_use\":true}"),
		OUT("",
			",\"tools\":[{\"name\":\"a\",\"input_schema\":{"
			"\"type\":\"object\"}}],\"tool_choice\":{\"type\":"
			"\"tool\",\"name\":\"a\","
			"\"disable_parallel_tool_use\":true}"),
		"" },
	{ "row_064_choice_without_tools",
		ASK_HI("\"tool_choice\":{\"type\":\"any\"}"), OUT("", ""),
		"dropped:tool_choice" },
};

static void
test_rewrites(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rewrites); i++) {
		struct asked a;

		ask(&a, rewrites[i].in, LLM_CHAT);
		assert_ok(a.rc, &a.err);
		check_out(rewrites[i].name, &a.r, rewrites[i].want,
			rewrites[i].notices);
		ask_end(&a);
	}
}

static void
test_count(void **state)
{
	struct asked a;

	(void)state;
	ask(&a,
		ASK_HI("\"stream\":true,\"temperature\":1,\"system\":\"s\","
		       "\"metadata\":{\"user_id\":\"u\"},\"foo\":1,"
		       "\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":"
		       "2000}"),
		LLM_COUNT);
	assert_ok(a.rc, &a.err);
	check_out("count", &a.r,
		"{\"model\":\"glm\",\"system\":[{\"type\":\"text\",\"text\":"
		"\"s\"}]," USER_HI ",\"thinking\":{\"type\":\"enabled\","
		"\"budget_tokens\":2000}}",
		"");
	ask_end(&a);
}

/* --- trees that another dialect made -------------------------------------- */

struct made {
	struct arena arena;
	struct llm_req r;
};

static void
make(struct made *m)
{
	arena_init(&m->arena);
	llm_req_init(&m->r, &m->arena, LLM_CHAT);
	m->r.max_tokens = 32768;
}

static void
add(struct made *m, enum llm_role role, const char *text)
{
	struct llm_turn *const t = llm_add_turn(&m->r, role, 0);

	llm_add_text(&m->r, &t->parts, (struct jesc){ span_cstr(text) });
}

static void
add_call(struct made *m, struct llm_turn *t, const char *id, const char *args)
{
	struct llm_part *const p =
		llm_add_part(&m->r, &t->parts, LLM_PART_CALL);

	p->id.s = span_cstr(id);
	p->name = JESC("w");
	p->args.text.s = span_cstr(args);
	p->args.has_text = true;
}

static void
add_result(struct made *m, struct llm_turn *t, const char *id, const char *text)
{
	struct llm_part *const p =
		llm_add_part(&m->r, &t->parts, LLM_PART_RESULT);

	p->id.s = span_cstr(id);
	p->is_flat = true;
	llm_add_text(&m->r, &p->parts, (struct jesc){ span_cstr(text) });
}

/* worked example 14.1, the tree of its client's body. */
static void
test_worked_example(void **state)
{
	struct made m;
	struct llm_turn *t;
	struct llm_tool *tool;

	(void)state;
	make(&m);
	m.r.stream = true;
	m.r.temperature.raw = JRAW("1");
	add(&m, LLM_SYSTEM, "Be brief.");
	add(&m, LLM_USER, "weather in Oslo and Rome?");
	t = llm_add_turn(&m.r, LLM_ASSISTANT, 2);
	add_call(&m, t, "c1", "{\\\"q\\\":\\\"Oslo\\\",\\\"n\\\":1e400}");
	add_call(&m, t, "c2", "");
	t = llm_add_turn(&m.r, LLM_USER, 3);
	add_result(&m, t, "c1", "3C");
	add_result(&m, t, "c2", "18C");
	llm_add_text(&m.r, &t->parts, JESC("go on"));
	tool = VEC_PUSH(&m.arena, &m.r.tools);
	*tool = (struct llm_tool){ .name = JESC("w"),
		.description = JESC_EMPTY,
		.schema = JRAW_NONE,
		.cache_control = JRAW_NONE };
	m.r.choice = LLM_CHOICE_AUTO;
	llm_add_extra(&m.r, NULL, JESC("seed"), JRAW("7"), false);
	check_out("14.1", &m.r,
		"{\"model\":\"glm\",\"max_tokens\":32768,\"stream\":true,"
		"\"temperature\":1,\"system\":[{\"type\":\"text\",\"text\":"
		"\"Be brief.\"}],\"messages\":["
		"{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":"
		"\"weather in Oslo and Rome?\"}]},"
		"{\"role\":\"assistant\",\"content\":[{\"type\":\"tool_use\","
		"\"id\":\"c1\",\"name\":\"w\",\"input\":{\"q\":\"Oslo\","
		"\"n\":1e400}},{\"type\":\"tool_use\",\"id\":\"c2\",\"name\":"
		"\"w\",\"input\":{}}]},"
		"{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\","
		"\"tool_use_id\":\"c1\",\"content\":\"3C\"},{\"type\":"
		"\"tool_result\",\"tool_use_id\":\"c2\",\"content\":\"18C\"},"
		"{\"type\":\"text\",\"text\":\"go on\"}]}],"
		"\"tools\":[{\"name\":\"w\",\"input_schema\":{\"type\":"
		"\"object\",\"properties\":{}}}],\"tool_choice\":{\"type\":"
		"\"auto\"}}",
		"dropped:seed");
	arena_fini(&m.arena);
}

#define MADE(before, after)                                                    \
	"{\"model\":\"glm\",\"max_tokens\":32768," before USER_HI after "}"

static void
set_greedy(struct made *m)
{
	m->r.temperature.raw = JRAW("0.7");
	m->r.is_greedy = true;
}

static void
set_single(struct made *m)
{
	struct llm_tool *const t = VEC_PUSH(&m->arena, &m->r.tools);

	*t = (struct llm_tool){ .name = JESC("w"),
		.description = JESC_EMPTY,
		.schema = JRAW("{\"type\":\"object\"}"),
		.cache_control = JRAW_NONE };
	m->r.single_call = true;
}

static void
set_effort(struct made *m)
{
	m->r.think.mode = LLM_THINK_ON;
	m->r.think.effort = LLM_EFFORT_MEDIUM;
}

static void
set_thinking(struct made *m)
{
	m->r.think.mode = LLM_THINK_ON;
}

static void
set_small_thinking(struct made *m)
{
	m->r.think.mode = LLM_THINK_ON;
	m->r.max_tokens = 1024;
}

static void
set_no_effort(struct made *m)
{
	m->r.think.mode = LLM_THINK_OFF;
	m->r.think.effort = LLM_EFFORT_NONE;
}

static void
set_json(struct made *m)
{
	m->r.format = LLM_FORMAT_JSON;
}

static void
set_extras(struct made *m)
{
	llm_add_extra(&m->r, NULL, JESC("minor"), JRAW("1"), true);
	llm_add_extra(&m->r, NULL, JESC("used"), JRAW("1"), false);
	m->r.extra.v[1].is_used = true;
	llm_add_extra(&m->r, NULL, JESC("logprobs"), JRAW("1"), false);
	llm_add_extra(
		&m->r, &dialect_anthropic, JESC("o\\nwn"), JRAW("2"), false);
}

static const struct {
	const char *name;
	void (*set)(struct made *m);
	const char *want, *notices;
} mades[] = {
	{ "greedy", set_greedy, MADE("\"temperature\":0,", ""), "" },
	{ "row_065_single_without_choice", set_single,
		MADE("",
			",\"tools\":[{\"name\":\"w\",\"input_schema\":{"
			"\"type\":\"object\"}}],\"tool_choice\":{\"type\":"
			"\"auto\",\"disable_parallel_tool_use\":true}"),
		"" },
	{ "effort_medium", set_effort,
		MADE("",
			",\"thinking\":{\"type\":\"enabled\","
			"\"budget_tokens\":8192},\"output_config\":{"
			"\"effort\":\"medium\"}"),
		"" },
	{ "thinking_without_budget", set_thinking,
		MADE("",
			",\"thinking\":{\"type\":\"enabled\","
			"\"budget_tokens\":16384}"),
		"" },
	{ "thinking_without_room", set_small_thinking,
		"{\"model\":\"glm\",\"max_tokens\":1024," USER_HI "}",
		"dropped:thinking" },
	{ "effort_none", set_no_effort,
		MADE("", ",\"thinking\":{\"type\":\"disabled\"}"), "" },
	{ "json_object", set_json, MADE("", ""), "dropped:response_format" },
	{ "extras_of_others", set_extras, MADE("", ",\"o\\nwn\":2"),
		"dropped:logprobs" },
};

static void
test_made(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(mades); i++) {
		struct made m;

		make(&m);
		add(&m, LLM_USER, "hi");
		mades[i].set(&m);
		check_out(mades[i].name, &m.r, mades[i].want, mades[i].notices);
		arena_fini(&m.arena);
	}
}

/* Rows 32, 52 and those that flat results joined from several. */
static void
test_odd_parts(void **state)
{
	struct made m;
	struct llm_turn *t;

	(void)state;
	make(&m);
	add(&m, LLM_SYSTEM, "a");
	add(&m, LLM_SYSTEM, "b");
	t = llm_add_turn(&m.r, LLM_ASSISTANT, 2);
	add_call(&m, t, "c1", "{\\\"a\\\":");
	add_call(&m, t, "c2", "[1]");
	t = llm_add_turn(&m.r, LLM_USER, 3);
	add_result(&m, t, "c1", "x");
	llm_add_text(&m.r, &t->parts.v[0].parts, JESC("y"));
	check_out("odd", &m.r,
		"{\"model\":\"glm\",\"max_tokens\":32768,\"system\":["
		"{\"type\":\"text\",\"text\":\"a\"},{\"type\":\"text\","
		"\"text\":\"b\"}],\"messages\":[{\"role\":\"assistant\","
		"\"content\":[{\"type\":\"tool_use\",\"id\":\"c1\",\"name\":"
		"\"w\",\"input\":{\"__raw_arguments\":\"{\\\"a\\\":\"}},"
		"{\"type\":\"tool_use\",\"id\":\"c2\",\"name\":\"w\","
		"\"input\":{\"__raw_arguments\":\"[1]\"}}]},"
		"{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\","
		"\"tool_use_id\":\"c1\",\"content\":\"x\\ny\"}]}]}",
		"");
	arena_fini(&m.arena);
}

static void
test_limits_of_the_wire(void **state)
{
	static const struct {
		struct llm_wire wire;
		const char *want;
	} wires[] = {
		{ { .stops = LLM_STOPS_FIRST }, "\"stop_sequences\":[\"a\"]," },
		{ { .stops = LLM_STOPS_NONE }, "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wires); i++) {
		struct buf got, want;
		struct asked a;
		struct jout j;

		ask(&a, ASK_HI("\"stop_sequences\":[\"a\",\"b\"]"), LLM_CHAT);
		assert_ok(a.rc, &a.err);
		buf_init(&got, OUT_MAX);
		buf_init(&want, OUT_MAX);
		jout_init(&j, &got);
		dialect_anthropic.req_encode(
			&a.r, SPAN("glm"), &wires[i].wire, &j);
		buf_printf(&want, OUT("%s", ""), wires[i].want);
		assert_spans_eq(buf_span(&got), buf_span(&want));
		buf_fini(&got);
		buf_fini(&want);
		ask_end(&a);
	}
}

static void
test_request_head(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, OUT_MAX);
	dialect_anthropic.req_head(&b);
	assert_buf_eq(&b, "anthropic-version: 2023-06-01\r\n");
	buf_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rewrites),
		cmocka_unit_test(test_count),
		cmocka_unit_test(test_worked_example),
		cmocka_unit_test(test_made),
		cmocka_unit_test(test_odd_parts),
		cmocka_unit_test(test_limits_of_the_wire),
		cmocka_unit_test(test_request_head),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
