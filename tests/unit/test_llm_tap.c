/* SPDX-License-Identifier: MIT */
/* test_llm_tap.c - counting what passes. */
#include "shared/translate/llm_tap.h"

#include "tests/lib/ev.h"
#include "tests/lib/t.h"

static void
test_counts(void **state)
{
	const struct span line = SPAN(
		"start a m|usage 10 0|think|d abc|close|text|d \\u0041|d b|"
		"close|tool 1 f|d {}|close|tool 2 f|close|usage 10 7|"
		"stop tool");
	struct ev_log log;
	struct llm_tap tap;
	struct gp_error err;
	const struct llm_tally *const t = &tap.tally;

	(void)state;
	assert_ok(ev_feed(llm_tap_init(&tap, ev_log_init(&log)), line, &err),
		&err);
	assert_int_equal(t->blocks[LLM_TEXT], 1);
	assert_int_equal(t->blocks[LLM_THINK], 1);
	assert_int_equal(t->blocks[LLM_TOOL], 2);
	assert_int_equal(t->text_bytes, 12);
	assert_int_equal(t->usage.input, 10);
	assert_int_equal(t->usage.output, 7);
	assert_int_equal(t->usage.cache_read, -1);
	assert_true(t->has_stop);
	assert_int_equal(t->stop, LLM_STOP_TOOL);
	assert_false(t->has_error);
	/* And forwards: the log joins what was cut. */
	assert_buf_eq(&log.out,
		"start a m|usage 10 0|think|d abc|close|text|d \\u0041b|"
		"close|tool 1 f|d {}|close|tool 2 f|close|usage 10 7|"
		"stop tool");
	ev_log_fini(&log);
}

static void
test_alone(void **state)
{
	struct llm_tap tap;
	struct gp_error err;

	(void)state;
	assert_ok(ev_feed(llm_tap_init(&tap, NULL), SPAN("start|text|error"),
			  &err),
		&err);
	assert_true(tap.tally.has_error);
	assert_false(tap.tally.has_stop);
	assert_int_equal(tap.tally.usage.input, -1);
}

static void
test_failure_comes_back(void **state)
{
	struct ev_log log;
	struct llm_tap tap;
	struct gp_error err;

	(void)state;
	assert_fails(ev_feed(llm_tap_init(&tap, ev_log_init(&log)),
			     SPAN("start|close"), &err),
		GP_E_STATE, &err, "");
	ev_log_fini(&log);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_counts),
		cmocka_unit_test(test_alone),
		cmocka_unit_test(test_failure_comes_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
