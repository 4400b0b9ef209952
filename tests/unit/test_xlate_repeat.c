/* SPDX-License-Identifier: MIT */
/*
 * test_xlate_repeat.c - the same bytes in, the same bytes out.
 *
 * Upstreams cache prompts by identical prefixes: a request must be translated
 * the same way each time, and one that a turn was added to must begin as it
 * did before.
 */
#include <stdio.h>
#include <stdlib.h>

#include "tests/lib/golden.h"
#include "tests/lib/t.h"

/* --- the same request twice ----------------------------------------------- */

static void
compare_twice(struct golden *g)
{
	const struct span in = g->files[GOLDEN_IN];
	struct golden_way a, b;
	struct gp_error err;
	const enum gp_code rc = golden_ask(&a, g, in, &err);
	/* From another place in memory. */
	char *const copy = t_exact(in);

	assert_int_equal(golden_ask(&b, g, span_of(copy, in.n), &err), rc);
	assert_spans_eq(buf_span(&b.up), buf_span(&a.up));
	free(copy);
	golden_way_fini(&a);
	golden_way_fini(&b);
}

static void
test_row_125_twice(void **state)
{
	static char names[GOLDEN_CASES_MAX][GOLDEN_NAME_MAX];
	const size_t n = golden_list(names, GOLDEN_CASES_MAX);

	(void)state;
	for (size_t i = 0; i < n; i++) {
		struct golden g;

		golden_load(&g, names[i]);
		compare_twice(&g);
		golden_fini(&g);
	}
}

/* --- conversations that grow ---------------------------------------------- */

#define MESSAGES_MAX 24

struct talk {
	const char *name, *client;
	const char *model; /* wire name */
	const char *fields;
	const char *messages[MESSAGES_MAX];
};

#define U(text) "{\"role\":\"user\",\"content\":" text "}"
#define S(text) "{\"role\":\"system\",\"content\":" text "}"
#define A(text) "{\"role\":\"assistant\",\"content\":" text "}"

#define CALL(id, name, args)                                                   \
	"{\"id\":\"" id                                                        \
	"\",\"type\":\"function\",\"function\":{\"name\":\"" name              \
	"\",\"arguments\":\"" args "\"}}"
#define CALLS(text, calls)                                                     \
	"{\"role\":\"assistant\",\"content\":" text ",\"tool_calls\":[" calls  \
	"]}"
#define TOOL(id, text)                                                         \
	"{\"role\":\"tool\",\"tool_call_id\":\"" id "\",\"content\":" text "}"
#define FUNCTIONS                                                              \
	"\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"w\","      \
	"\"parameters\":{\"type\":\"object\"}}}],"

#define T(text) "{\"type\":\"text\",\"text\":\"" text "\"}"
#define USE(id, input)                                                         \
	"{\"type\":\"tool_use\",\"id\":\"" id                                  \
	"\",\"name\":\"w\",\"input\":" input "}"
#define RESULT(id, content)                                                    \
	"{\"type\":\"tool_result\",\"tool_use_id\":\"" id                      \
	"\",\"content\":" content "}"
#define TOOLS                                                                  \
	"\"tools\":[{\"name\":\"w\",\"input_schema\":{\"type\":\"object\"}}],"
#define IMAGE                                                                  \
	"{\"type\":\"image\",\"source\":{\"type\":\"base64\",\"media_type\":"  \
	"\"image/png\",\"data\":\"iVBORw0KGgo=\"}}"

/* Messages of the client's, in order. A request ends in front of each message
 * of the assistant, and at the end. */
static const struct talk talks[] = {
	{ "plain", "openai", "glm-4.6", "",
		{ S("\"be\""), U("\"a\""), A("\"b\""), U("\"c\""), A("\"d\""),
			U("[" T("e") "," T("") "," T("f") "]"), A("\"g\""),
			U("\"h\"") } },
	{ "system_turns", "openai", "glm-4.6", "",
		{ "{\"role\":\"developer\",\"content\":\"be\"}", U("\"a\""),
			S("\"s1\""), A("\"b\""), S("\"s2\""), U("\"c\""),
			A("\"d\""), U("\"e\""), S("\"s3\""), A("\"f\""),
			U("\"g\"") } },
	{ "tools", "openai", "glm-4.6", FUNCTIONS,
		{ U("\"a\""), CALLS("null", CALL("c1", "w", "{}")),
			TOOL("c1", "\"1\""),
			CALLS("\"b\"",
				CALL("c2", "w", "{\\\"x\\\":1e400}") "," CALL(
					"c3", "w", "[1]")),
			TOOL("c3", "\"3\""), TOOL("c2", "null"), A("\"d\""),
			U("\"e\""), CALLS("\"\"", CALL("c4", "w", "")),
			TOOL("c4", "[" T("4") "]"), U("\"and\""), A("\"f\""),
			U("\"g\"") } },
	{ "same_ids", "openai", "glm-4.6", FUNCTIONS,
		{ U("\"a\""), CALLS("null", CALL("f:0", "w", "{}")),
			TOOL("f:0", "\"1\""),
			CALLS("null", CALL("f:0", "w", "{}")),
			TOOL("f:0", "\"2\""),
			CALLS("null",
				CALL("f_0", "w", "{}") "," CALL(
					"f:0", "w", "{}")),
			TOOL("f_0", "\"3\""), TOOL("f:0", "\"4\""), A("\"b\""),
			U("\"c\"") } },
	{ "broken_results", "openai", "glm-4.6", FUNCTIONS,
		{ U("\"a\""), CALLS("null", CALL("c1", "w", "{}")),
			U("\"never mind\""), A("\"b\""), TOOL("c9", "\"9\""),
			U("\"c\""),
			CALLS("null",
				CALL("c2", "w", "{}") "," CALL(
					"c3", "w", "{}")),
			TOOL("c3", "\"3\""), TOOL("c3", "\"3b\""), A("\"d\""),
			U("\"e\"") } },
	{ "reasoning", "openai", "glm-4.7", FUNCTIONS,
		{ U("\"a\""),
			"{\"role\":\"assistant\",\"content\":null,"
			"\"reasoning_content\":\"h1\",\"tool_calls\":[" CALL(
				"c1", "w", "{}") "]}",
			TOOL("c1", "\"1\""),
			"{\"role\":\"assistant\",\"content\":\"b\","
			"\"reasoning_content\":\"h2\"}",
			U("\"c\""), A("\"d\""), U("\"e\"") } },
	{ "empty_messages", "openai", "glm-4.6", "",
		{ A("\"first\""), U("\"\""), A("\"b\""), U("\" \""), A("\"c\""),
			U("[]"), A("\"d\""), U("\"e\"") } },
	{ "functions", "openai", "glm-4.6", "\"functions\":[{\"name\":\"f\"}],",
		{ U("\"a\""),
			"{\"role\":\"assistant\",\"content\":null,"
			"\"function_call\":{\"name\":\"f\",\"arguments\":"
			"\"{}\"}}",
			"{\"role\":\"function\",\"name\":\"f\",\"content\":"
			"\"1\"}",
			A("\"b\""), U("\"c\"") } },
	{ "format", "openai", "glm-4.6",
		"\"response_format\":{\"type\":\"json_object\"},",
		{ U("\"a\""), A("\"{}\""), U("\"b\""), A("\"{}\""),
			U("\"c\"") } },
	{ "plain", "anthropic", "glm-4.6", "\"system\":\"be\",",
		{ U("\"a\""), A("\"b\""), U("[" T("c") "]"),
			A("[" T("d") "," T("") "]"), U("\"e\"") } },
	{ "system_turns", "anthropic", "glm-4.6", "\"system\":[" T("be") "],",
		{ U("\"a\""), S("\"s1\""), A("\"b\""), U("\"c\""), S("\"s2\""),
			A("\"d\""), S("[" T("s3") "]"), A("\"e\""), U("\"f\""),
			S("\"s4\"") } },
	{ "tools", "anthropic", "glm-4.6", TOOLS,
		{ U("\"a\""), A("[" T("b") "," USE("t1", "{\"x\": 1e400}") "]"),
			U("[" RESULT("t1", "\"1\"") "]"),
			A("[" USE("t2", "{}") "," USE("t3", "{}") "]"),
			U("[" RESULT("t3", "[" T("3") "]") "," RESULT(
				"t2", "\"\"") "," T("and") "]"),
			A("[" T("c") "]"), U("\"d\""),
			A("[" USE("t2", "{}") "]"),
			U("[" RESULT("t2", "\"4\"") "]"), A("\"e\""),
			U("\"f\"") } },
	{ "missing_results", "anthropic", "glm-4.6", TOOLS,
		{ U("\"a\""), A("[" USE("t1", "{}") "]"), U("\"no\""),
			A("\"b\""), U("[" RESULT("t9", "\"9\"") "]"),
			A("\"c\""), U("\"d\"") } },
	{ "images", "anthropic", "glm-4.6v", TOOLS,
		{ U("[" T("look") "," IMAGE "]"), A("[" USE("t1", "{}") "]"),
			U("[" RESULT("t1", "[" T("shot") "," IMAGE "]") "," T(
				"so?") "]"),
			A("[" USE("t2", "{}") "," USE("t3", "{}") "]"),
			U("[" RESULT("t2", "[" IMAGE "]") "," RESULT(
				"t3", "[" IMAGE "," IMAGE "]") "]"),
			A("\"b\""), U("\"c\"") } },
	{ "thinking", "anthropic", "glm-4.7",
		TOOLS "\"thinking\":{\"type\":\"adaptive\"},",
		{ U("\"a\""),
			A("[{\"type\":\"thinking\",\"thinking\":\"h1\","
			  "\"signature\":\"s\"}," T("b") "," USE(
				  "t1", "{}") "]"),
			U("[" RESULT("t1", "\"1\"") "]"),
			A("[{\"type\":\"redacted_thinking\",\"data\":\"x\"}," T(
				"c") "]"),
			U("\"d\"") } },
};

static bool
is_assistant(const char *message)
{
	return strstr(message, "\"role\":\"assistant\"") != NULL;
}

/* The request of the first n messages. */
static void
put_request(const struct talk *t, size_t n, struct buf *out)
{
	buf_printf(out,
		"{\"model\":\"glm-4.6\",\"max_tokens\":4096,%s\"messages\":[",
		t->fields);
	for (size_t i = 0; i < n; i++)
		buf_printf(out, "%s%s", i > 0 ? "," : "", t->messages[i]);
	buf_puts(out, "]}");
}

/* The body for upstream; its messages, without the bracket at the end, and what
 * stands before them in the prompt. */
struct asked {
	struct golden_way way;
	struct jdoc doc;
	struct span messages, system, tools;
};

static struct span
field(const struct jdoc *d, struct span key)
{
	return jdoc_raw(d, jdoc_get(d, jdoc_root(d), key)).s;
}

static void
ask_first(const struct talk *t, const struct golden *g, size_t n,
	struct asked *out)
{
	struct gp_error err;
	struct buf in;

	buf_init(&in, GOLDEN_BYTES_MAX);
	put_request(t, n, &in);
	assert_ok(golden_ask(&out->way, g, buf_span(&in), &err), &err);
	buf_fini(&in);
	jdoc_init(&out->doc);
	assert_ok(jdoc_parse(&out->doc, buf_span(&out->way.up), &err), &err);
	out->messages = field(&out->doc, SPAN("messages"));
	assert_true(out->messages.n > 2);
	out->messages.n--;
	out->system = field(&out->doc, SPAN("system"));
	out->tools = field(&out->doc, SPAN("tools"));
}

static void
asked_fini(struct asked *a)
{
	jdoc_fini(&a->doc);
	golden_way_fini(&a->way);
}

static void
grow(const struct talk *t, const struct golden *g)
{
	struct asked before, now;
	size_t ntimes = 0, total = 0;

	while (total < MESSAGES_MAX && t->messages[total] != NULL)
		total++;
	for (size_t n = 1; n <= total; n++) {
		if (n < total && !is_assistant(t->messages[n]))
			continue;
		ask_first(t, g, n, &now);
		if (ntimes++ > 0) {
			assert_true(now.messages.n > before.messages.n);
			assert_spans_eq(
				span_head(now.messages, before.messages.n),
				before.messages);
			/* Between messages, not inside of one. */
			assert_int_equal(
				now.messages.p[before.messages.n], ',');
			assert_spans_eq(now.system, before.system);
			assert_spans_eq(now.tools, before.tools);
			asked_fini(&before);
		}
		before = now;
	}
	assert_true(ntimes >= 2);
	asked_fini(&before);
}

static void
test_row_125_growing(void **state)
{
	const struct talk *const t = *state;

	for (size_t i = 0; i < ndialects; i++) {
		struct golden g = { .upstream = dialects[i],
			.replays_reasoning = true,
			.model = profile_model(
				&profile_zai, span_cstr(t->model)) };

		for (size_t k = 0; k < ndialects; k++) {
			if (strcmp(dialects[k]->name, t->client) == 0)
				g.client = dialects[k];
		}
		grow(t, &g);
	}
}

int
main(void)
{
	struct CMUnitTest tests[ARRAY_LEN(talks) + 1] = {
		cmocka_unit_test(test_row_125_twice),
	};
	char names[ARRAY_LEN(talks)][64];

	for (size_t i = 0; i < ARRAY_LEN(talks); i++) {
		(void)snprintf(names[i], sizeof(names[i]),
			"test_row_125_growing %s %s", talks[i].client,
			talks[i].name);
		tests[i + 1] = (struct CMUnitTest){
			.name = names[i],
			.test_func = test_row_125_growing,
			.initial_state = (void *)(uintptr_t)&talks[i],
		};
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
