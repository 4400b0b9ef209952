/* SPDX-License-Identifier: MIT */
/* test_llm_guard.c - the grammar of answers, and adding up usage. */
#include "tests/lib/ev.h"
#include "tests/lib/t.h"

static enum gp_code
run(const char *line, struct ev_log *log, struct gp_error *err)
{
	struct llm_guard g;

	return ev_feed(
		llm_guard_init(&g, ev_log_init(log)), span_cstr(line), err);
}

static void
test_passes(void **state)
{
	static const struct {
		const char *in, *want;
	} cases[] = {
		{ "start a m|stop end", NULL },
		{ "start|text|close|stop end", NULL },
		{ "start|usage 1 0|think|d a|ping|close sig|text|d b|close|"
		  "tool 1 f|d {}|close|ping|usage 1 2|stop tool",
			NULL },
		{ "start|tool 1 f|close|tool 2 f|close|stop tool", NULL },
		{ "start|text|d a|close|stop sequence X", NULL },
		{ "start|stop length", NULL },
		/* An end by failure, wherever. */
		{ "error", NULL },
		{ "start|error", NULL },
		{ "start|text|d a|error", NULL },
		/* STOP and what was sent. */
		{ "start|tool 1 f|close|stop end",
			"start|tool 1 f|close|stop tool" },
		{ "start|text|close|stop tool", "start|text|close|stop end" },
		{ "start|tool 1 f|close|stop length", NULL },
		/* What means nothing. */
		{ "start|text|d |d a|d |close|stop end",
			"start|text|d a|close|stop end" },
		{ "ping|start|stop end|ping", "start|stop end" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *const want =
			cases[i].want == NULL ? cases[i].in : cases[i].want;
		struct ev_log log;
		struct gp_error err;

		assert_ok(run(cases[i].in, &log, &err), &err);
		assert_spans_eq(buf_span(&log.out), span_cstr(want));
		ev_log_fini(&log);
	}
}

static void
test_refuses(void **state)
{
	static const struct {
		const char *passes, *then; /* the violation */
	} cases[] = {
		{ "", "text" },
		{ "", "d a" },
		{ "", "d " },
		{ "", "close" },
		{ "", "usage 1 1" },
		{ "", "stop end" },
		{ "start", "start" },
		{ "start", "d a" },
		{ "start", "close" },
		{ "start|text", "text" },
		{ "start|text", "tool 1 f" },
		{ "start|text", "start" },
		{ "start|text", "usage 1 1" },
		{ "start|text", "stop end" },
		{ "start|text|close", "d a" },
		{ "start|text|close", "close" },
		{ "start|stop end", "start" },
		{ "start|stop end", "text" },
		{ "start|stop end", "usage 1 1" },
		{ "start|stop end", "stop end" },
		{ "start|stop end", "error" },
		{ "start|error", "stop end" },
		{ "start|error", "error" },
		{ "error", "start" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct llm_guard g;
		struct ev_log log;
		struct llm_sink *const sink =
			llm_guard_init(&g, ev_log_init(&log));
		struct gp_error err;

		assert_ok(
			ev_feed(sink, span_cstr(cases[i].passes), &err), &err);
		assert_fails(ev_feed(sink, span_cstr(cases[i].then), &err),
			GP_E_STATE, &err, "out of order");
		assert_spans_eq(buf_span(&log.out), span_cstr(cases[i].passes));
		ev_log_fini(&log);
	}
}

static void
test_kind_of_block(void **state)
{
	struct llm_guard g;
	struct ev_log log;
	struct llm_sink *const sink = llm_guard_init(&g, ev_log_init(&log));
	struct llm_event e = llm_event_of(LLM_CLOSE, LLM_THINK);
	struct gp_error err;

	(void)state;
	assert_ok(ev_feed(sink, SPAN("start|text"), &err), &err);
	assert_fails(ev_delta(sink, LLM_THINK, SPAN("a"), &err), GP_E_STATE,
		&err, "another kind");
	assert_fails(llm_put(sink, &e, &err), GP_E_STATE, &err, "another kind");
	ev_log_fini(&log);
}

static struct llm_usage
usage(int64_t input, int64_t cache_read, int64_t cache_write, int64_t output,
	int64_t reasoning)
{
	return (struct llm_usage){ input, cache_read, cache_write, output,
		reasoning, false };
}

static void
test_usage(void **state)
{
	struct llm_usage u = LLM_USAGE_NONE, more = LLM_USAGE_NONE;

	(void)state;
	assert_false(llm_usage_is_said(&u));
	llm_usage_merge(&u, &more);
	assert_false(llm_usage_is_said(&u));

	more = usage(7, -1, -1, 0, -1);
	more.is_estimate = true;
	llm_usage_merge(&u, &more);
	assert_true(llm_usage_is_said(&u));
	assert_int_equal(u.input, 7);
	assert_int_equal(u.cache_read, -1);
	assert_int_equal(u.output, 0);
	assert_true(u.is_estimate);

	/* The made-up input is still there. */
	more = usage(-1, 3, 2, 5, -1);
	llm_usage_merge(&u, &more);
	assert_int_equal(u.input, 7);
	assert_int_equal(u.cache_read, 3);
	assert_int_equal(u.cache_write, 2);
	assert_int_equal(u.output, 5);
	assert_true(u.is_estimate);

	more = usage(9, 0, 2, 6, 1);
	llm_usage_merge(&u, &more);
	assert_int_equal(u.input, 9);
	assert_int_equal(u.cache_read, 0);
	assert_int_equal(u.reasoning, 1);
	assert_false(u.is_estimate);

	/* Nothing said, nothing changed. */
	more = LLM_USAGE_NONE;
	more.is_estimate = true;
	llm_usage_merge(&u, &more);
	assert_int_equal(u.input, 9);
	assert_false(u.is_estimate);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_passes),
		cmocka_unit_test(test_refuses),
		cmocka_unit_test(test_kind_of_block),
		cmocka_unit_test(test_usage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
