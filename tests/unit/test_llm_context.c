/* SPDX-License-Identifier: MIT */
/* test_llm_context.c - scaled counts and what is told of the window. */
#include "shared/translate/llm_context.h"

#include "tests/lib/t.h"

/* --- scaling -------------------------------------------------------------- */

/* The factors that come of the defaults and of the model table. */
static const struct llm_scale factors[] = {
	{ 128000, 200000 }, /* 0.64 */
	{ 131072, 200000 },
	{ 200000, 128000 }, /* 1.5625 */
	{ 128000, 65536 },  /* 1.953 */
	{ 200000, 65536 },  /* 3.05 */
	{ 128000, 1000000 },
	{ 1024, 100000000 },
	{ 100000000, 1024 },
	{ 1, 1 },
};

static void
test_scale_examples(void **state)
{
	static const struct {
		int64_t n;
		struct llm_scale f;
		int64_t want;
	} rows[] = {
		{ 1000, { 128000, 200000 }, 640 },
		{ 1, { 128000, 200000 }, 1 },
		{ 2, { 128000, 200000 }, 2 },
		{ 3, { 128000, 200000 }, 2 },
		{ 1000, { 200000, 128000 }, 1563 },
		{ 40195, { 128000, 65536 }, 78506 },
		{ 40195, { 200000, 65536 }, 122666 },
		{ 65536, { 128000, 65536 }, 128000 },
		{ 0, { 128000, 200000 }, 0 },
		{ -1, { 128000, 200000 }, -1 },
		{ 12345, { 1, 1 }, 12345 },
		{ 12345, { 0, 0 }, 12345 },
		{ INT64_MAX, { 100000000, 1024 }, LLM_TOKENS_MAX },
		{ INT64_MAX, { 128000, 200000 },
			LLM_TOKENS_MAX / 200000 * 128000 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(
			llm_scale_tokens(rows[i].n, rows[i].f), rows[i].want);
}

static void
test_scale_is_monotone_and_never_lost(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(factors); i++) {
		int64_t last = 0;

		for (int64_t n = 1; n < 5000000; n += 1 + n / 50) {
			const int64_t got = llm_scale_tokens(n, factors[i]);

			assert_true(got >= 1 && got >= last);
			last = got;
		}
	}
}

static int64_t
prompt_of(const struct llm_usage *u)
{
	return u->input + u->cache_read + u->cache_write;
}

static void
test_sums_hold(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(factors); i++) {
		for (int64_t n = 0; n < 4000; n++) {
			const struct llm_usage real = {
				.input = n * 7 % 911,
				.cache_read = n * 13 % 1777,
				.cache_write = n % 3 == 0 ? 0 : n % 97,
				.output = n % 311,
				.reasoning = n % 311 / 2,
			};
			const struct llm_usage u =
				llm_scale_usage(&real, factors[i]);
			const int64_t whole =
				llm_scale_tokens(prompt_of(&real), factors[i]);

			assert_true(u.input >= 0);
			assert_true(u.cache_read >= 0 &&
				u.cache_read <= prompt_of(&u));
			assert_true(u.reasoning <= u.output);
			/* Rounding up two parts may make one more of them. */
			assert_true(prompt_of(&u) == whole ||
				(u.input == 0 && prompt_of(&u) == whole + 1));
		}
	}
}

static void
test_what_is_not_said_stays_so(void **state)
{
	const struct llm_usage u = llm_scale_usage(
		&LLM_USAGE_NONE, (struct llm_scale){ 200000, 65536 });
	const struct llm_fill fill = llm_fill_of(&u);

	(void)state;
	assert_false(llm_usage_is_said(&u));
	assert_int_equal(fill.input, -1);
	assert_int_equal(fill.output, -1);
}

/* --- the window ----------------------------------------------------------- */

static void
assert_told(const struct llm_context *c, const struct llm_fill *fill,
	const char *want)
{
	struct jout j;
	struct buf b;

	buf_init(&b, 4096);
	jout_init(&j, &b);
	jout_obj(&j);
	llm_context_put_usage(&j, c, fill);
	llm_context_put_info(&j, c, fill, false);
	jout_obj_end(&j);
	assert_spans_eq(buf_span(&b), span_cstr(want));
	buf_fini(&b);
}

/* The example that the first program's release notes give. */
static void
test_told_example(void **state)
{
	const struct llm_context c = { LLM_SCALE_NONE, true, true, 65536,
		{ 0 } };
	const struct llm_fill fill = { 40195, 17, false };

	(void)state;
	assert_told(&c, &fill,
		"{\"real_input_tokens\":40195,\"real_output_tokens\":17,"
		"\"context_limit\":65536,\"context_utilization\":\"61.3%\","
		"\"endpoint_type\":\"vision\","
		"\"context_info\":{\"real_input_tokens\":40195,"
		"\"context_hard_limit\":65536,\"endpoint_type\":\"vision\","
		"\"utilization_percent\":61.3,\"available_tokens\":25341,"
		"\"truncated\":false,\"note\":\"warning: over 60 % of the "
		"context is used; use these values to manage context and avoid "
		"truncation\"}}");
}

static void
test_told_of_removal(void **state)
{
	const struct llm_context c = { LLM_SCALE_NONE, true, false, 128000,
		{ 232576, 41, "context_overflow" } };
	const struct llm_fill fill = { 90000, -1, true };

	(void)state;
	assert_told(&c, &fill,
		"{\"real_input_tokens\":90000,\"context_limit\":128000,"
		"\"context_utilization\":\"70.3%\",\"endpoint_type\":\"text\","
		"\"context_info\":{\"real_input_tokens\":90000,"
		"\"context_hard_limit\":128000,\"endpoint_type\":\"text\","
		"\"utilization_percent\":70.3,\"available_tokens\":38000,"
		"\"estimated\":true,\"truncated\":true,"
		"\"original_tokens\":232576,\"messages_removed\":41,"
		"\"truncation_reason\":\"context_overflow\","
		"\"client_note\":\"the oldest messages were left out of this "
		"request; compact the conversation so that nothing is lost\","
		"\"note\":\"warning: over 60 % of the context is used; use "
		"these values to manage context and avoid truncation\"}}");
}

static void
test_told_nothing(void **state)
{
	const struct llm_context hidden = { .limit = 1000 };
	const struct llm_context unlimited = { .is_shown = true };
	const struct llm_context shown = { .is_shown = true, .limit = 1000 };
	const struct llm_fill fill = { 10, 1, false };
	const struct llm_fill none = { -1, -1, false };

	(void)state;
	assert_told(&hidden, &fill, "{}");
	assert_told(&unlimited, &fill, "{}");
	assert_told(&shown, &none, "{}");
}

static void
test_field(void **state)
{
	static const struct {
		int64_t used, limit;
		bool is_estimate;
		const char *want;
	} rows[] = {
		{ 40195, 65536, false,
			"used=40195; limit=65536; pct=61.3; level=warning; "
			"estimated=0" },
		{ 0, 1000, true,
			"used=0; limit=1000; pct=0.0; level=ok; estimated=1" },
		{ 600, 1000, false,
			"used=600; limit=1000; pct=60.0; level=ok; "
			"estimated=0" },
		{ 601, 1000, false,
			"used=601; limit=1000; pct=60.1; level=warning; "
			"estimated=0" },
		{ 800, 1000, false,
			"used=800; limit=1000; pct=80.0; level=warning; "
			"estimated=0" },
		{ 801, 1000, false,
			"used=801; limit=1000; pct=80.1; level=critical; "
			"estimated=0" },
		{ 232576, 128000, false,
			"used=232576; limit=128000; pct=181.7; level=critical; "
			"estimated=0" },
		{ 10, 0, false, "" },
		{ -1, 10, false, "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct llm_context c = { .limit = rows[i].limit };
		const struct llm_fill fill = { rows[i].used, -1,
			rows[i].is_estimate };
		struct buf b;

		buf_init(&b, 256);
		llm_context_put_field(&b, &c, &fill);
		assert_spans_eq(buf_span(&b), span_cstr(rows[i].want));
		buf_fini(&b);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scale_examples),
		cmocka_unit_test(test_scale_is_monotone_and_never_lost),
		cmocka_unit_test(test_sums_hold),
		cmocka_unit_test(test_what_is_not_said_stays_so),
		cmocka_unit_test(test_told_example),
		cmocka_unit_test(test_told_of_removal),
		cmocka_unit_test(test_told_nothing),
		cmocka_unit_test(test_field),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
