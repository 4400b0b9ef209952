/* SPDX-License-Identifier: MIT */
/* test_llm_filter.c - the sinks that change an answer on its way. */
#include "shared/translate/llm_filter.h"

#include <stdlib.h>

#include "tests/lib/cut.h"
#include "tests/lib/ev.h"
#include "tests/lib/t.h"

static struct arena arena;
static struct llm_req req;
static struct ev_log logged;

static int
setup(void **state)
{
	(void)state;
	arena_init(&arena);
	llm_req_init(&req, &arena, LLM_CHAT);
	(void)ev_log_init(&logged);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	ev_log_fini(&logged);
	arena_fini(&arena);
	return 0;
}

/* Start again with an empty log and no notices. */
static void
again(void)
{
	(void)teardown(NULL);
	(void)setup(NULL);
}

static void
check_notices(const char *want)
{
	struct buf out;

	buf_init(&out, 4096);
	notices_print(&req.notices, &out);
	assert_spans_eq(buf_span(&out), span_cstr(want));
	buf_fini(&out);
}

/* --- reasoning ---------------------------------------------------------- */

static void
test_reason(void **state)
{
	static const struct {
		bool hide, rescue;
		const char *in, *want, *notices;
	} cases[] = {
		/* Both off. */
		{ false, false, "start|think|d a|close s|stop end",
			"start|think|d a|close s|stop end", "" },
		/* Hidden. */
		{ true, false,
			"start|think|d a|ping|close s|text|d b|close|think|d c|"
			"close|usage 1 1|stop end",
			"start|ping|text|d b|close|usage 1 1|stop end", "" },
		{ true, false, "start|think|d a|close s|stop end",
			"start|stop end", "" },
		/* Hidden, but there is nothing else. */
		{ true, true,
			"start|think|d a\\n|d b|close s|usage 1 1|think|d c|"
			"close|stop length",
			"start|usage 1 1|text|d a\\nb\\nc|close|stop length",
			"reasoning_as_text" },
		{ true, true, "start|think|d a|close|text|close|stop end",
			"start|text|close|text|d a|close|stop end",
			"reasoning_as_text" },
		/* Not needed. */
		{ true, true, "start|think|d a|close|text|d b|close|stop end",
			"start|text|d b|close|stop end", "" },
		{ true, true,
			"start|text|d b|close|think|d a|close|text|d c|close|"
			"stop end",
			"start|text|d b|close|text|d c|close|stop end", "" },
		{ true, true, "start|think|d a|close|tool 1 f|close|stop tool",
			"start|tool 1 f|close|stop tool", "" },
		{ true, true, "start|think|close|stop end", "start|stop end",
			"" },
		{ true, true, "start|think|d a|close|error", "start|error",
			"" },
		/* Shown as well. */
		{ false, true, "start|think|d a|close|stop end",
			"start|think|d a|close|text|d a|close|stop end",
			"reasoning_as_text" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct llm_sink *const f =
			llm_filter_reason(&arena, &req.notices, cases[i].hide,
				cases[i].rescue, &logged.sink);
		struct gp_error err;

		assert_ok(ev_feed(f, span_cstr(cases[i].in), &err), &err);
		assert_spans_eq(
			buf_span(&logged.out), span_cstr(cases[i].want));
		check_notices(cases[i].notices);
		again();
	}
}

static void
test_reason_limit(void **state)
{
	const size_t n = 1u << 20;
	char *const text = t_repeat("x", n);
	struct llm_sink *const f = llm_filter_reason(
		&arena, &req.notices, true, true, &logged.sink);
	struct gp_error err;

	(void)state;
	assert_ok(ev_feed(f, SPAN("start|think"), &err), &err);
	for (size_t held = 0; held < LLM_HOLD_MAX; held += n)
		assert_ok(ev_delta(f, LLM_THINK, span_of(text, n), &err), &err);
	assert_fails(ev_delta(f, LLM_THINK, SPAN("x"), &err), GP_E_LIMIT, &err,
		"held back");
	free(text);
}

/* --- calls -------------------------------------------------------------- */

static void
test_calls(void **state)
{
	static const struct {
		unsigned max;
		const char *in, *want, *notices;
	} cases[] = {
		{ 1, "start|tool 1 f|d {}|close|stop tool",
			"start|tool 1 f|d {}|close|stop tool", "" },
		{ 1,
			"start|text|d a|close|tool 1 f|d {}|close|tool 2 g|"
			"d {|ping|d }|close|text|d b|close|tool 3 h|close|"
			"usage 1 1|stop tool",
			"start|text|d a|close|tool 1 f|d {}|close|ping|"
			"text|d b|close|usage 1 1|stop tool",
			"dropped:parallel_tool_call" },
		{ 0, "start|text|d a|close|tool 1 f|d {}|close|stop tool",
			"start|text|d a|close|stop end", "dropped:tool_call" },
		{ 0, "start|tool 1 f|close|stop length", "start|stop length",
			"dropped:tool_call" },
		{ 2, "start|tool 1 f|close|tool 2 g|close|tool 3 h|close",
			"start|tool 1 f|close|tool 2 g|close",
			"dropped:parallel_tool_call" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct llm_sink *const f = llm_filter_calls(
			&arena, &req.notices, cases[i].max, &logged.sink);
		struct gp_error err;

		assert_ok(ev_feed(f, span_cstr(cases[i].in), &err), &err);
		assert_spans_eq(
			buf_span(&logged.out), span_cstr(cases[i].want));
		check_notices(cases[i].notices);
		again();
	}
}

/* --- names -------------------------------------------------------------- */

static void
test_names(void **state)
{
	static const struct llm_rename renames[] = {
		{ { SPAN_INIT("mcp__long.name") }, { SPAN_INIT("mcp__1") } },
		{ { SPAN_INIT("two words") }, { SPAN_INIT("two_2") } },
	};
	struct llm_sink *f;
	struct gp_error err;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(renames); i++)
		*VEC_PUSH(&arena, &req.renames) = renames[i];
	f = llm_filter_names(&arena, &req, &logged.sink);
	assert_ok(ev_feed(f,
			  SPAN("start mcp__1 mcp__1|text|d mcp__1|close|"
			       "tool mcp__1 mcp__1|d mcp__1|close|"
			       "tool 2 two\\u005f2|close|tool 3 other|close|"
			       "stop tool"),
			  &err),
		&err);
	assert_buf_eq(&logged.out,
		"start mcp__1 mcp__1|text|d mcp__1|close|"
		"tool mcp__1 mcp__long.name|d mcp__1|close|"
		"tool 2 two words|close|tool 3 other|close|stop tool");
}

/* --- surrogate pairs ---------------------------------------------------- */

#define GRIN   "\\ud83d\\ude00"
#define BROKEN "\xef\xbf\xbd"

struct join_case {
	struct span text;
	const char *want;
};

static void
join_pieces(void *ctx, const struct span *pieces, size_t n)
{
	const struct join_case *const c = ctx;
	struct llm_sink *f;
	struct gp_error err;
	struct buf want;

	/* Only between units may be cut; here: letters and whole escapes. */
	for (size_t i = 0; i + 1 < n; i++) {
		const struct span p = pieces[i];
		const size_t at = span_find_char(
			span_from(p, p.n > 5 ? p.n - 5 : 0), '\\');

		if (at < MIN(p.n, 5))
			return;
	}
	again();
	buf_init(&want, 4096);
	f = llm_filter_join(&arena, &logged.sink);
	assert_ok(ev_feed(f, SPAN("start|text"), &err), &err);
	for (size_t i = 0; i < n; i++) {
		if (pieces[i].n > 0)
			assert_ok(ev_delta(f, LLM_TEXT, pieces[i], &err), &err);
	}
	assert_ok(ev_feed(f, SPAN("close|stop end"), &err), &err);
	buf_printf(&want, "start|text|d %s|close|stop end", c->want);
	assert_spans_eq(buf_span(&logged.out), buf_span(&want));
	buf_fini(&want);
}

static void
test_join(void **state)
{
	static const struct join_case cases[] = {
		{ SPAN_INIT("plain"), "plain" },
		{ SPAN_INIT("a" GRIN "b"), "a" GRIN "b" },
		{ SPAN_INIT(GRIN GRIN), GRIN GRIN },
		{ SPAN_INIT("\\uD83D\\uDE00"), "\\uD83D\\uDE00" },
		{ SPAN_INIT("a\\ud83d"), "a" BROKEN },
		{ SPAN_INIT("\\ud83dx\\ude00"), BROKEN "x" BROKEN },
		{ SPAN_INIT("\\ud83d\\ud83d\\ude00\\ude00"),
			BROKEN GRIN BROKEN },
		{ SPAN_INIT("\\ud83d\\u0041"), BROKEN "\\u0041" },
		{ SPAN_INIT("\\ud7ff\\ue000"), "\\ud7ff\\ue000" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct join_case c = cases[i];

		cut_every(c.text, join_pieces, &c);
		cut_pairs(c.text, join_pieces, &c);
	}
}

static void
test_join_details(void **state)
{
	struct llm_sink *f = llm_filter_join(&arena, &logged.sink);
	struct gp_error err;

	(void)state;
	/* A ping in between, an escaped backslash, and blocks apart. */
	assert_ok(ev_feed(f,
			  SPAN("start|think|d a\\ud83d|ping|d \\ude00b|close|"
			       "text|d \\\\ud83d|d x\\ud83d|close|tool 1 f|"
			       "d \\ude00|d \\\"\\ud83d|d \\ude00|close|"
			       "stop end"),
			  &err),
		&err);
	assert_buf_eq(&logged.out,
		"start|think|d a|ping|d " GRIN "b|close|"
		"text|d \\\\ud83dx" BROKEN "|close|tool 1 f|"
		"d " BROKEN "\\\"" GRIN "|close|stop end");
}

static void
test_join_passes_on(void **state)
{
	struct llm_sink *f = llm_filter_join(&arena, &logged.sink);
	struct gp_error err;

	(void)state;
	assert_ok(ev_feed(f, SPAN("start|text"), &err), &err);
	assert_ok(
		ev_delta(f, LLM_TEXT, SPAN("a\\n" GRIN "\\u00e9"), &err), &err);
	assert_int_equal(logged.deltas, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_reason, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_reason_limit, setup, teardown),
		cmocka_unit_test_setup_teardown(test_calls, setup, teardown),
		cmocka_unit_test_setup_teardown(test_names, setup, teardown),
		cmocka_unit_test_setup_teardown(test_join, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_join_details, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_join_passes_on, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
