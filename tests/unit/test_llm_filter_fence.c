/* SPDX-License-Identifier: MIT */
/* test_llm_filter_fence.c - one code fence comes off, wherever it is cut. */
#include "shared/translate/llm_filter.h"

#include <stdio.h>

#include "tests/lib/cut.h"
#include "tests/lib/ev.h"
#include "tests/lib/t.h"

struct want {
	const char *line; /* of the whole answer, as ev.h writes it */
	bool is_stripped;
};

/* A delta ends between escapes, never inside of one. */
static bool
ends_inside_escape(struct span s)
{
	size_t n = 0;

	while (n < s.n && s.p[s.n - 1 - n] == '\\')
		n++;
	return n % 2 == 1;
}

static void
feed_pieces(void *ctx, const struct span *pieces, size_t n)
{
	const struct want *const want = ctx;
	struct arena a;
	struct notices notices;
	struct ev_log log;
	struct llm_sink *f;
	struct gp_error err;

	for (size_t i = 0; i < n; i++)
		if (ends_inside_escape(pieces[i]))
			return;
	arena_init(&a);
	notices_init(&notices, &a);
	f = llm_filter_fence(&a, &notices, ev_log_init(&log));
	assert_ok(ev_feed(f, SPAN("start|text"), &err), &err);
	for (size_t i = 0; i < n; i++)
		if (pieces[i].n > 0)
			assert_ok(ev_delta(f, LLM_TEXT, pieces[i], &err), &err);
	assert_ok(ev_feed(f, SPAN("close|stop end"), &err), &err);
	assert_spans_eq(buf_span(&log.out), span_cstr(want->line));
	assert_int_equal(notices.total, want->is_stripped ? 1 : 0);
	ev_log_fini(&log);
	arena_fini(&a);
}

static void
test_row_068_fence(void **state)
{
	static const struct {
		const char *text, *left;
		bool is_stripped;
	} cases[] = {
		{ "```json\\n{\\\"a\\\":1}\\n```", "{\\\"a\\\":1}", true },
		{ "```\\n{}\\n```", "{}", true },
		{ "\\n ```JSON\\n{}\\n```\\n\\n", "{}", true },
		{ "```json\\n{}```", "{}", true },
		{ "```json\\n[1,\\n2]", "[1,\\n2]", true },
		{ "```json\\n\\\"```\\\"\\n```", "\\\"```\\\"", true },
		{ "{\\\"a\\\":\\\"```\\\"}", "{\\\"a\\\":\\\"```\\\"}", false },
		{ "Here: ```json\\n{}\\n```", "Here: ```json\\n{}\\n```",
			false },
		{ "```json {}", "```json {}", false },
		{ "``", "``", false },
		{ "```", "```", false },
		{ "```json\\n{\\\"long\\\":\\\"abcdefghijklmnopqrstuvwxyz"
		  "0123456789\\u00e6\xc3\xa6\\\"}\\n```",
			"{\\\"long\\\":\\\"abcdefghijklmnopqrstuvwxyz"
			"0123456789\\u00e6\xc3\xa6\\\"}",
			true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char line[256];
		struct want want = { line, cases[i].is_stripped };

		(void)snprintf(line, sizeof(line),
			"start|text|d %s|close|stop end", cases[i].left);
		cut_every(span_cstr(cases[i].text), feed_pieces, &want);
	}
}

static void
test_only_text(void **state)
{
	struct arena a;
	struct notices notices;
	struct ev_log log;
	struct llm_sink *f;
	struct gp_error err;

	(void)state;
	arena_init(&a);
	notices_init(&notices, &a);
	f = llm_filter_fence(&a, &notices, ev_log_init(&log));
	assert_ok(ev_feed(f,
			  SPAN("start|think|d ```json\\n|close|tool 1 w|"
			       "d ```\\n|close|stop tool"),
			  &err),
		&err);
	assert_spans_eq(buf_span(&log.out),
		SPAN("start|think|d ```json\\n|close|tool 1 w|"
		     "d ```\\n|close|stop tool"));
	ev_log_fini(&log);
	arena_fini(&a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_row_068_fence),
		cmocka_unit_test(test_only_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
