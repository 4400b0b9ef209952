/* SPDX-License-Identifier: MIT */
/* test_llm_filter_markup.c - tool calls that are written as text. */
#include <stdio.h>
#include <stdlib.h>

#include "shared/translate/llm_filter.h"
#include "tests/lib/cut.h"
#include "tests/lib/ev.h"
#include "tests/lib/t.h"

/* A filter for a request with the tools look and find. */
struct bench {
	struct arena a;
	struct llm_req req;
	struct ev_log log;
	struct llm_sink *f;
};

static void
bench_init(struct bench *b, bool recovers)
{
	arena_init(&b->a);
	llm_req_init(&b->req, &b->a, LLM_CHAT);
	VEC_PUSH(&b->a, &b->req.tools)->name = JESC("look");
	VEC_PUSH(&b->a, &b->req.tools)->name = JESC("find");
	b->f = llm_filter_markup(&b->a, &b->req, &b->req.notices, recovers,
		ev_log_init(&b->log));
}

static void
bench_fini(struct bench *b)
{
	ev_log_fini(&b->log);
	arena_fini(&b->a);
}

struct want {
	bool recovers;
	const char *line;
	unsigned calls;
};

static void
check(const struct bench *b, const struct want *want)
{
	assert_spans_eq(buf_span(&b->log.out), span_cstr(want->line));
	assert_int_equal(b->req.notices.total, want->calls);
	if (want->calls > 0)
		assert_spans_eq(b->req.notices.items[0],
			want->recovers ? SPAN("recovered:tool_markup") :
					 SPAN("stripped:tool_markup"));
}

static void
feed_pieces(void *ctx, const struct span *pieces, size_t n)
{
	const struct want *const want = ctx;
	const struct llm_event close = llm_event_of(LLM_CLOSE, LLM_TEXT);
	struct bench b;
	struct gp_error err;

	bench_init(&b, want->recovers);
	assert_ok(ev_feed(b.f, SPAN("start|text"), &err), &err);
	if (ev_deltas(b.f, LLM_TEXT, pieces, n)) {
		assert_ok(llm_put(b.f, &close, &err), &err);
		assert_ok(ev_feed(b.f, SPAN("stop end"), &err), &err);
		check(&b, want);
	}
	bench_fini(&b);
}

#define ARG(key, value)                                                        \
	"<arg_key>" key "</arg_key>\\n<arg_value>" value "</arg_value>\\n"
#define CALL(name, args) "<tool_call>" name "\\n" args "</tool_call>"
#define TEXT(text)       "text|d " text "|close|"
/* In the log a call has no id, and its name is the first word. */
#define TOOL(name, args) "tool " name "|d " args "|close|"

/* `recovered` and `stripped` are what stands between START and STOP; NULL: the
 * text as it is. */
static const struct sample {
	const char *text, *recovered, *stripped;
	unsigned calls;
} samples[] = {
	{ CALL("look", ARG("path", "a.txt")),
		TOOL("look", "{\\\"path\\\":\\\"a.txt\\\"}"), "text|close|",
		1 },
	/* Without line ends, and with more blanks. */
	{ "<tool_call>look<arg_key>a</arg_key><arg_value>1e400</arg_value>"
	  "</tool_call>",
		TOOL("look", "{\\\"a\\\":1e400}"), "text|close|", 1 },
	{ "<tool_call>\\n look \\r\\n\\t</tool_call>", TOOL("look", "{}"),
		"text|close|", 1 },
	{ "Let me see.\\n" CALL("look", "") "\\n\\n" CALL(
		  "find", ARG("a", "1") ARG("a", " {\\\"b\\\": [ ] }")) " \\n",
		TEXT("Let me see.\\n") TOOL("look", "{}") TOOL(
			"find", "{\\\"a\\\":1,\\\"a\\\":{\\\"b\\\": [ ] }}"),
		TEXT("Let me see.\\n\\n\\n \\n"), 2 },
	{ CALL("look", "") "\\n And so on.",
		TOOL("look", "{}") TEXT("And so on."), TEXT("\\n And so on."),
		1 },
	/* Escapes anywhere. */
	{ "\\u003ctool_call>l\\u006fok\\n<arg\\u005Fkey>q\\\"\\n<\\/arg_key>"
	  "<arg_value>\\ud83d\\ude00 \\\\ <b>\\u00e6</arg_value></tool_call>",
		TOOL("look",
			"{\\\"q\\\\\\\"\\\\n\\\":"
			"\\\"\\\\ud83d\\\\ude00 \\\\\\\\ <b>\\\\u00e6\\\"}"),
		"text|close|", 1 },
	/* Values: JSON, or else text as it is. */
	{ CALL("look",
		  ARG("a", "true") ARG("b", "tru") ARG("c", "")
			  ARG("d", "\\\"x\\\"") ARG("e", " x ")),
		TOOL("look",
			"{\\\"a\\\":true,\\\"b\\\":\\\"tru\\\",\\\"c\\\":"
			"\\\"\\\",\\\"d\\\":\\\"x\\\",\\\"e\\\":\\\" x \\\"}"),
		"text|close|", 1 },
	/* Marks inside of a value are the value's. */
	{ CALL("look", ARG("t", "</tool_call><arg_key><tool_call>find")),
		TOOL("look",
			"{\\\"t\\\":\\\"</tool_call><arg_key><tool_call>find"
			"\\\"}"),
		"text|close|", 1 },
	/* No tool of the request, or no call. */
	{ CALL("open", ARG("a", "1")), NULL, NULL, 0 },
	{ CALL("", ""), NULL, NULL, 0 },
	{ CALL("lookup", ""), NULL, NULL, 0 },
	{ CALL("loo", ""), NULL, NULL, 0 },
	{ CALL("look", "{\\\"a\\\":1}"), NULL, NULL, 0 },
	{ CALL("look", "<arg_key>a</arg_key></tool_call>"), NULL, NULL, 0 },
	{ CALL("look", "<arg_value>a</arg_value>"), NULL, NULL, 0 },
	{ "The mark <tool_call> begins", NULL, NULL, 0 },
	{ "<tool_call>look", NULL, NULL, 0 },
	{ "<tool_call>look\\n<arg_key>a</arg_key>\\n<arg_value>b</arg_val",
		NULL, NULL, 0 },
	{ "<tool_cal", NULL, NULL, 0 },
	{ "a < b <t> </tool_call> \\\\u003ctool_call>look</tool_call>", NULL,
		NULL, 0 },
	{ "", "text|close|", "text|close|", 0 },
	/* A call behind what was none. */
	{ "<tool_call>open <tool_call>look</tool_call>",
		TEXT("<tool_call>open ") TOOL("look", "{}"),
		TEXT("<tool_call>open "), 1 },
	{ "<tool_call><tool_call>look<<tool_call>find</tool_call>",
		TEXT("<tool_call><tool_call>look<") TOOL("find", "{}"),
		TEXT("<tool_call><tool_call>look<"), 1 },
};

static void
test_every_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2 * ARRAY_LEN(samples); i++) {
		const struct sample *const s = &samples[i / 2];
		const bool recovers = i % 2 == 0;
		const char *const body = recovers ? s->recovered : s->stripped;
		struct want want = { recovers, NULL, s->calls };
		char line[1024];

		if (body != NULL)
			(void)snprintf(line, sizeof(line), "start|%sstop %s",
				body,
				recovers && s->calls > 0 ? "tool" : "end");
		else
			(void)snprintf(line, sizeof(line),
				"start|text|d %s|close|stop end", s->text);
		want.line = line;
		cut_every(span_cstr(s->text), feed_pieces, &want);
		if (strlen(s->text) < 120)
			cut_pairs(span_cstr(s->text), feed_pieces, &want);
	}
}

#define LOOK "<tool_call>look</tool_call>"

static void
test_answers(void **state)
{
	static const struct {
		const char *in;
		struct want want;
	} cases[] = {
		/* Only text is looked at. */
		{ "start|think|d " LOOK "|close|tool 1 f|d " LOOK "|close|"
		  "stop tool",
			{ true,
				"start|think|d " LOOK "|close|tool 1 f|d " LOOK
				"|close|stop tool",
				0 } },
		/* Marks do not reach from one block into the next. */
		{ "start|text|d <tool_call>|close|text|d look</tool_call>|"
		  "close|stop end",
			{ true,
				"start|text|d <tool_call>|close|"
				"text|d look</tool_call>|close|stop end",
				0 } },
		/* Other ends stay. */
		{ "start|text|d " LOOK "|close|stop length",
			{ true, "start|tool look|d {}|close|stop length", 1 } },
		{ "start|text|d " LOOK "|close|usage 1 1|tool 1 find|close|"
		  "stop tool",
			{ true,
				"start|tool look|d {}|close|usage 1 1|"
				"tool 1 find|close|stop tool",
				1 } },
		{ "start|text|d a|ping|d <tool_call>|ping|d look</tool_call>|"
		  "ping|close|text|d b|close|stop end",
			{ true,
				"start|text|d a|ping|ping|close|"
				"tool look|d {}|close|ping|text|d b|close|"
				"stop tool",
				1 } },
		{ "start|text|d a" LOOK "|error",
			{ false, "start|text|d a|error", 1 } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct bench b;
		struct gp_error err;

		bench_init(&b, cases[i].want.recovers);
		assert_ok(ev_feed(b.f, span_cstr(cases[i].in), &err), &err);
		check(&b, &cases[i].want);
		bench_fini(&b);
	}
}

/* A call that is too long to be held is passed on as text, however it comes. */
static void
test_limit(void **state)
{
	const size_t n = 1u << 20;
	char *const text = t_repeat("x", LLM_HOLD_MAX + 2);
	const struct span begin =
		SPAN("<tool_call>look<arg_key>a</arg_key><arg_value>");
	struct bench b;
	struct gp_error err;

	(void)state;
	bench_init(&b, true);
	assert_ok(ev_feed(b.f, SPAN("start|text"), &err), &err);
	assert_ok(ev_delta(b.f, LLM_TEXT, begin, &err), &err);
	for (size_t held = n; held < LLM_HOLD_MAX; held += n)
		assert_ok(
			ev_delta(b.f, LLM_TEXT, span_of(text, n), &err), &err);
	assert_int_equal(b.log.deltas, 0);
	assert_ok(ev_delta(b.f, LLM_TEXT, span_of(text, n), &err), &err);
	assert_int_equal(b.log.deltas, 2);
	assert_int_equal(buf_len(&b.log.out),
		strlen("start|text|d ") + begin.n + LLM_HOLD_MAX);
	/* What comes then is looked at again. */
	assert_ok(ev_delta(b.f, LLM_TEXT, SPAN(LOOK), &err), &err);
	assert_true(span_ends(
		buf_span(&b.log.out), SPAN("|close|tool look|d {}|close")));
	/* In one piece. */
	memcpy(text, begin.p, begin.n);
	assert_ok(
		ev_delta(b.f, LLM_TEXT, span_of(text, LLM_HOLD_MAX + 1), &err),
		&err);
	assert_int_equal(b.req.notices.total, 1);
	bench_fini(&b);
	free(text);
}

/* A name without end does not wait for it. */
static void
test_long_name(void **state)
{
	struct bench b;
	struct gp_error err;

	(void)state;
	bench_init(&b, true);
	assert_ok(ev_feed(b.f, SPAN("start|text|d <tool_call>"), &err), &err);
	for (size_t i = 0; i < 1000; i++)
		assert_ok(ev_delta(b.f, LLM_TEXT, SPAN("x"), &err), &err);
	assert_true(b.log.deltas > 400);
	bench_fini(&b);
}

/* Calls without end need no more memory than one. */
static void
test_memory(void **state)
{
	struct bench b;
	struct gp_error err;

	(void)state;
	bench_init(&b, true);
	assert_ok(ev_feed(b.f, SPAN("start|text"), &err), &err);
	for (size_t i = 0; i < 10000; i++)
		assert_ok(ev_delta(b.f, LLM_TEXT,
				  SPAN(CALL("look", ARG("a", "\\\"x\\\"")) "b"),
				  &err),
			&err);
	assert_int_equal(b.req.notices.total, 10000);
	assert_true(b.a.used_bytes < 8192);
	bench_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_cut),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_long_name),
		cmocka_unit_test(test_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
