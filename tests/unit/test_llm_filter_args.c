/* SPDX-License-Identifier: MIT */
/* test_llm_filter_args.c - arguments of tool calls that are no JSON object. */
#include <stdio.h>
#include <stdlib.h>

#include "shared/json/jscan.h"
#include "shared/translate/llm_filter.h"
#include "tests/lib/cut.h"
#include "tests/lib/ev.h"
#include "tests/lib/t.h"

struct want {
	bool holds;
	const char *line;
	bool is_good;
};

/* One filter with what it needs. */
struct bench {
	struct arena a;
	struct notices notices;
	struct ev_log log;
	struct llm_sink *f;
};

static void
bench_init(struct bench *b, bool holds)
{
	arena_init(&b->a);
	notices_init(&b->notices, &b->a);
	b->f = llm_filter_args(&b->a, &b->notices, holds, ev_log_init(&b->log));
}

static void
bench_fini(struct bench *b)
{
	ev_log_fini(&b->log);
	arena_fini(&b->a);
}

static void
check(const struct bench *b, const char *line, unsigned notices)
{
	assert_spans_eq(buf_span(&b->log.out), span_cstr(line));
	assert_int_equal(b->notices.total, notices);
	if (notices > 0)
		assert_spans_eq(
			b->notices.items[0], SPAN("invalid:tool_arguments"));
}

static void
put_end(const struct bench *b)
{
	struct llm_event e = llm_event_of(LLM_CLOSE, LLM_TOOL);
	struct gp_error err;

	assert_ok(llm_put(b->f, &e, &err), &err);
	e = llm_event_of(LLM_STOP, LLM_TEXT);
	e.stop = LLM_STOP_TOOL;
	assert_ok(llm_put(b->f, &e, &err), &err);
}

static void
feed_pieces(void *ctx, const struct span *pieces, size_t n)
{
	const struct want *const want = ctx;
	struct bench b;
	struct gp_error err;

	bench_init(&b, want->holds);
	assert_ok(ev_feed(b.f, SPAN("start|tool 1 f"), &err), &err);
	if (ev_deltas(b.f, LLM_TOOL, pieces, n)) {
		put_end(&b);
		check(&b, want->line, want->is_good ? 0 : 1);
	}
	bench_fini(&b);
}

/* What stands between the quotes upstream; `held` is what becomes of it where
 * it is held, NULL if it stays. */
static const struct {
	const char *text, *held;
	bool is_good;
} cases[] = {
	{ "{}", NULL, true },
	{ "", NULL, true },
	{ " \\n", NULL, true },
	{ " {\\\"a\\\":1e400,\\\"a\\\":[1,2]}\\n", NULL, true },
	{ "{\\u0022a\\u0022:\\\"\\\\\\\"\\\\\\\\\\\\ud83d\\\"}", NULL, true },
	{ "{\\\"a\\\":\\\"\xc3\xa6\xf0\x9f\x98\x80\\ud83d\\ude00\\\"}", NULL,
		true },
	{ "{\\\"a\\\":",
		"{\\\"__raw_arguments\\\":\\\"{\\\\\\\"a\\\\\\\":\\\"}",
		false },
	{ "{\\\"a\\\":1}}",
		"{\\\"__raw_arguments\\\":\\\"{\\\\\\\"a\\\\\\\":1}}\\\"}",
		false },
	{ "{\\u0022a\\u0022",
		"{\\\"__raw_arguments\\\":\\\"{\\\\u0022a\\\\u0022\\\"}",
		false },
	{ "{a:1}", "{\\\"__raw_arguments\\\":\\\"{a:1}\\\"}", false },
	{ "[1]", "{\\\"__raw_arguments\\\":\\\"[1]\\\"}", false },
	{ "x", "{\\\"__raw_arguments\\\":\\\"x\\\"}", false },
	/* An object can be made of it. */
	{ " null", "{}", false },
};

static void
test_every_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2 * ARRAY_LEN(cases); i++) {
		const char *const text = cases[i / 2].text;
		struct want want = { i % 2 == 1, NULL, cases[i / 2].is_good };
		const char *out = text;
		char line[256];

		if (want.holds && cases[i / 2].held != NULL)
			out = cases[i / 2].held;
		(void)snprintf(line, sizeof(line),
			"start|tool 1 f%s%s|close|stop tool",
			*out == '\0' ? "" : "|d ", out);
		want.line = line;
		cut_every(span_cstr(text), feed_pieces, &want);
		cut_pairs(span_cstr(text), feed_pieces, &want);
	}
}

/* Each call by itself, and nothing but calls. */
static void
test_calls(void **state)
{
	const char *const line = "start|think|d {|close|text|d {|close|"
				 "tool 1 f|d {\\\"a\\\"|ping|d :1}|close|"
				 "tool 2 g|d {|close|tool 3 h|d {}|close|"
				 "usage 1 1|stop length";
	struct bench b;
	struct gp_error err;

	(void)state;
	bench_init(&b, false);
	assert_ok(ev_feed(b.f, span_cstr(line), &err), &err);
	check(&b, line, 1);
	bench_fini(&b);
	bench_init(&b, true);
	assert_ok(ev_feed(b.f, span_cstr(line), &err), &err);
	check(&b,
		"start|think|d {|close|text|d {|close|"
		"tool 1 f|ping|d {\\\"a\\\":1}|close|"
		"tool 2 g|d {\\\"__raw_arguments\\\":\\\"{\\\"}|close|"
		"tool 3 h|d {}|close|usage 1 1|stop length",
		1);
	bench_fini(&b);
}

static const struct {
	const char *begin, *unit, *end;
} longs[] = {
	{ "{\\\"a\\\":\\\"", "a", "\\\"}" },
	{ "{\\\"a\\\":\\\"", "\\u00e6", "\\\"}" },
	{ "{\\\"a\\\":\\\"", "\xc3\xa6", "\\\"}" },
	{ "{\\\"a\\\":\\\"", "\\ud83d\\ude00", "\\\"}" },
	{ "{\\\"a\\\":\\\"", "\\ud83d", "\\\"}" },
	{ "{\\\"a\\\":\\\"", "\\\\\\\"", "\\\"}" },
	{ "{\\\"a\\\":[0", ",\\n0", "]}" },
};

/* One piece that is decoded in several steps, with an escape at every place
 * where a step may end. */
static void
test_long_pieces(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2 * 16 * ARRAY_LEN(longs); i++) {
		const bool is_good = i % 2 == 0;
		const size_t shift = i / 2 % 16, row = i / 32;
		char *const many = t_repeat(longs[row].unit, 700);
		char *const text = malloc(strlen(many) + 64);
		char *const line = malloc(strlen(many) + 128);
		struct bench b;
		struct gp_error err;

		assert_non_null(text);
		assert_non_null(line);
		(void)sprintf(text, "%*s%s%s%s%s", (int)shift, "",
			longs[row].begin, many, longs[row].end,
			is_good ? "" : "}");
		(void)sprintf(
			line, "start|tool 1 f|d %s|close|stop tool", text);
		bench_init(&b, false);
		assert_ok(ev_feed(b.f, SPAN("start|tool 1 f"), &err), &err);
		assert_ok(ev_delta(b.f, LLM_TOOL, span_cstr(text), &err), &err);
		put_end(&b);
		check(&b, line, is_good ? 0 : 1);
		bench_fini(&b);
		free(many);
		free(text);
		free(line);
	}
}

/* As strict as what reads the arguments later: not too deep. */
static void
test_depth(void **state)
{
	char *const deep = t_repeat("[", JSCAN_DEPTH_MAX);
	char *const end = t_repeat("]", JSCAN_DEPTH_MAX);

	(void)state;
	for (size_t n = JSCAN_DEPTH_MAX - 1; n <= JSCAN_DEPTH_MAX; n++) {
		struct bench b;
		struct gp_error err;

		bench_init(&b, true);
		assert_ok(ev_feed(b.f, SPAN("start|tool 1 f|d {\\\"a\\\":"),
				  &err),
			&err);
		assert_ok(
			ev_delta(b.f, LLM_TOOL, span_of(deep, n), &err), &err);
		assert_ok(ev_delta(b.f, LLM_TOOL, span_of(end, n), &err), &err);
		assert_ok(ev_delta(b.f, LLM_TOOL, SPAN("}"), &err), &err);
		put_end(&b);
		assert_int_equal(b.notices.total, n == JSCAN_DEPTH_MAX ? 1 : 0);
		bench_fini(&b);
	}
	free(deep);
	free(end);
}

static void
test_limit(void **state)
{
	const size_t n = 1u << 20;
	char *const text = t_repeat("x", n);

	(void)state;
	for (unsigned holds = 0; holds < 2; holds++) {
		struct bench b;
		struct gp_error err;

		bench_init(&b, holds == 1);
		assert_ok(ev_feed(b.f, SPAN("start|tool 1 f"), &err), &err);
		for (size_t held = 0; held < LLM_HOLD_MAX; held += n)
			assert_ok(
				ev_delta(b.f, LLM_TOOL, span_of(text, n), &err),
				&err);
		if (holds == 1)
			assert_fails(ev_delta(b.f, LLM_TOOL, SPAN("x"), &err),
				GP_E_LIMIT, &err, "held back");
		else
			assert_ok(
				ev_delta(b.f, LLM_TOOL, SPAN("x"), &err), &err);
		bench_fini(&b);
	}
	free(text);
}

/* Bad calls without end need no more memory than one. */
static void
test_memory(void **state)
{
	const char *const call = "tool 1 f|d {\\\"a\\\":\\\"xxxxxxxxxxxx|close";
	struct bench b;
	struct gp_error err;

	(void)state;
	bench_init(&b, true);
	assert_ok(ev_feed(b.f, SPAN("start"), &err), &err);
	for (size_t i = 0; i < 10000; i++)
		assert_ok(ev_feed(b.f, span_cstr(call), &err), &err);
	assert_int_equal(b.notices.total, 10000);
	assert_true(b.a.used_bytes < 4096);
	bench_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_cut),
		cmocka_unit_test(test_calls),
		cmocka_unit_test(test_long_pieces),
		cmocka_unit_test(test_depth),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
