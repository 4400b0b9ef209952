/* SPDX-License-Identifier: MIT */
/* test_calib.c - learned ratios of token counts. */
#include "shared/sys/calib.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/lib/t.h"

static struct calib *
new_table(void)
{
	struct calib *const c = calloc(1, sizeof(*c));

	assert_non_null(c);
	return c;
}

static void
test_rows_are_found_again(void **state)
{
	struct calib *const c = new_table();
	struct calib_row *const a = calib_row(c, SPAN("upstream/glm-4.6"));
	struct calib_row *const b = calib_row(c, SPAN("other/glm-4.6"));

	(void)state;
	assert_non_null(a);
	assert_true(a != b);
	assert_ptr_equal(calib_row(c, SPAN("upstream/glm-4.6")), a);
	assert_string_equal(a->name, "upstream/glm-4.6");
	assert_int_equal(a->is_named, 1);
	assert_ptr_equal(calib_find(c, SPAN("upstream/glm-4.6")), a);
	assert_null(calib_find(c, SPAN("upstream/glm-4.7")));
	assert_null(calib_find(c, SPAN_EMPTY));
	free(c);
}

/* Names are the peers' to choose. */
static void
test_rows_run_out(void **state)
{
	struct calib *const c = new_table();
	char long_name[CALIB_NAME_MAX];
	char name[16];

	(void)state;
	for (int i = 0; i < CALIB_ROWS; i++) {
		(void)snprintf(name, sizeof(name), "m%d", i);
		assert_non_null(calib_row(c, span_cstr(name)));
	}
	assert_null(calib_row(c, SPAN("one too many")));
	assert_non_null(calib_row(c, SPAN("m0")));
	assert_non_null(calib_find(c, SPAN("m0")));
	assert_null(calib_find(c, SPAN("one too many")));
	memset(long_name, 'x', sizeof(long_name));
	assert_null(calib_row(c, span_of(long_name, sizeof(long_name))));
	assert_null(calib_row(c, SPAN_EMPTY));
	calib_learn(NULL, CALIB_QUICK, 1000, 500);
	assert_int_equal(calib_get(NULL, CALIB_QUICK).ratio, CALIB_ONE);
	free(c);
}

static void
test_learns(void **state)
{
	static const double factors[] = { 0.3, 0.7, 1.0, 1.4, 3.9 };
	struct calib *const c = new_table();

	(void)state;
	for (size_t f = 0; f < ARRAY_LEN(factors); f++) {
		char name[8] = { (char)('a' + f), '\0' };
		struct calib_row *const row = calib_row(c, span_cstr(name));
		struct calib_ratio r;

		for (int i = 0; i < 20; i++) {
			const int64_t ours = 2000 + 4900 * i;

			calib_learn(row, CALIB_EXACT, ours,
				(int64_t)((double)ours * factors[f]));
		}
		r = calib_get(row, CALIB_EXACT);
		assert_int_equal(r.samples, 20);
		assert_true(labs(calib_apply(r, 100000) -
				    (int64_t)(100000 * factors[f])) < 100);
		assert_int_equal(calib_get(row, CALIB_QUICK).samples, 0);
	}
	free(c);
}

static void
test_follows_a_change(void **state)
{
	struct calib *const c = new_table();
	struct calib_row *const row = calib_row(c, SPAN("m"));

	(void)state;
	for (int i = 0; i < 100; i++)
		calib_learn(row, CALIB_QUICK, 10000, 10000);
	for (int i = 0; i < 100; i++)
		calib_learn(row, CALIB_QUICK, 10000, 14000);
	assert_true(labs(calib_apply(calib_get(row, CALIB_QUICK), 10000) -
			    14000) < 100);
	free(c);
}

static void
test_is_not_moved_by_one(void **state)
{
	struct calib *const c = new_table();
	struct calib_row *const row = calib_row(c, SPAN("m"));

	(void)state;
	for (int i = 0; i < 20; i++)
		calib_learn(row, CALIB_QUICK, 10000, 10000);
	calib_learn(row, CALIB_QUICK, 10000, 100000000);
	assert_true(calib_apply(calib_get(row, CALIB_QUICK), 10000) <= 10160);
	calib_learn(row, CALIB_QUICK, 10000, 1);
	assert_true(calib_apply(calib_get(row, CALIB_QUICK), 10000) >= 9990);
	free(c);
}

static void
test_leaves_out_what_says_nothing(void **state)
{
	struct calib *const c = new_table();
	struct calib_row *const row = calib_row(c, SPAN("m"));

	(void)state;
	calib_learn(row, CALIB_QUICK, CALIB_TOKENS_MIN - 1, 1000);
	calib_learn(row, CALIB_QUICK, 1000, 0);
	calib_learn(row, CALIB_QUICK, 1000, -1);
	calib_learn(row, CALIB_QUICK, 1000, INT64_MAX);
	calib_learn(row, CALIB_QUICK, -5, 10);
	assert_int_equal(calib_get(row, CALIB_QUICK).samples, 0);
	calib_learn(row, CALIB_QUICK, CALIB_TOKENS_MIN, 1000000000);
	assert_int_equal(calib_get(row, CALIB_QUICK).ratio, CALIB_MAX);
	free(c);
}

/* The memory is shared: what stands there may be anything. */
static void
test_nonsense_in_memory(void **state)
{
	struct calib *const c = new_table();
	struct calib_row *const row = calib_row(c, SPAN("m"));

	(void)state;
	atomic_store(&row->ratio[CALIB_QUICK], UINT64_MAX);
	assert_int_equal(calib_get(row, CALIB_QUICK).ratio, CALIB_ONE);
	calib_learn(row, CALIB_QUICK, 1000, 700);
	assert_int_equal(calib_apply(calib_get(row, CALIB_QUICK), 1000), 700);
	assert_int_equal(calib_apply((struct calib_ratio){ CALIB_MAX, 1 },
				 INT64_MAX) > 0,
		1);
	free(c);
}

static void
test_restore(void **state)
{
	struct calib *const c = new_table();
	struct calib_row *const row = calib_row(c, SPAN("m"));

	(void)state;
	calib_restore(row, CALIB_EXACT, (struct calib_ratio){ 1, 3 });
	calib_restore(
		row, CALIB_EXACT, (struct calib_ratio){ CALIB_MAX + 1, 3 });
	calib_restore(row, CALIB_EXACT, (struct calib_ratio){ CALIB_ONE, 0 });
	assert_int_equal(calib_get(row, CALIB_EXACT).samples, 0);
	calib_restore(row, CALIB_EXACT, (struct calib_ratio){ 45875, 20 });
	assert_int_equal(calib_get(row, CALIB_EXACT).samples, 20);
	assert_int_equal(calib_apply(calib_get(row, CALIB_EXACT), 1000), 700);
	calib_restore(row, CALIB_EXACT, (struct calib_ratio){ CALIB_ONE, 99 });
	assert_int_equal(calib_get(row, CALIB_EXACT).samples, 20);
	free(c);
}

static void
test_steady(void **state)
{
	struct calib *const c = new_table();
	struct calib_row *const row = calib_row(c, SPAN("m"));
	const uint32_t first = calib_steady(row, 50000);

	(void)state;
	assert_true(first >= 50000 && first <= 50000 + 50000 / 8);
	/* It moves a little: the same. */
	for (uint32_t r = 48000; r <= 56000; r += 100)
		assert_int_equal(calib_steady(row, r), first);
	/* Of other texts: its own, and the row's stays. */
	assert_true(calib_steady(row, 90000) >= 90000);
	assert_true(calib_steady(row, 90000) <= 90000 + 90000 / 8);
	assert_int_equal(calib_steady(row, 50000), first);
	assert_int_equal(calib_steady(NULL, 90000), calib_steady(row, 90000));
	/* Nonsense in, or in the memory. */
	assert_true(calib_steady(NULL, 0) >= CALIB_MIN);
	assert_true(calib_steady(NULL, UINT32_MAX) <= CALIB_MAX * 9u / 8);
	atomic_store(&row->steady, UINT32_MAX);
	assert_true(calib_steady(row, 50000) <= 50000 + 50000 / 8);
	free(c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows_are_found_again),
		cmocka_unit_test(test_rows_run_out),
		cmocka_unit_test(test_learns),
		cmocka_unit_test(test_follows_a_change),
		cmocka_unit_test(test_is_not_moved_by_one),
		cmocka_unit_test(test_leaves_out_what_says_nothing),
		cmocka_unit_test(test_nonsense_in_memory),
		cmocka_unit_test(test_restore),
		cmocka_unit_test(test_steady),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
