/* SPDX-License-Identifier: MIT */
/* test_permits.c - requests in flight and waiting, by key and worker. */
#include "shared/sys/permits.h"

#include <stdlib.h>

#include "tests/lib/t.h"

static struct permits *
new_table(void)
{
	struct permits *const t = calloc(1, sizeof(*t));

	assert_non_null(t);
	return t;
}

static size_t
rows_used(const struct permits *t)
{
	struct permits_seen seen;
	uint64_t key;
	size_t n = 0;

	for (size_t i = 0; i < PERMITS_ROWS; i++)
		n += permits_at(t, i, &key, &seen);
	return n;
}

static void
test_rows_come_and_go(void **state)
{
	struct permits *const t = new_table();
	struct permits_row *a, *b;

	(void)state;
	a = permits_row(t, 5);
	assert_ptr_equal(permits_row(t, 5), a);
	/* The same place by its hash. */
	b = permits_row(t, 5 + PERMITS_PLACES);
	assert_ptr_not_equal(a, b);
	atomic_store(&a->held, 2);
	atomic_store(&b->waiting, 3);
	atomic_store(&b->first, 77);
	permits_leave(a);
	permits_leave(b);
	assert_int_equal(rows_used(t), 2);
	assert_int_equal(permits_look(t, 5).held, 2);
	assert_int_equal(permits_look(t, 5 + PERMITS_PLACES).waiting, 3);
	assert_int_equal(permits_look(t, 5 + PERMITS_PLACES).first, 77);
	assert_int_equal(permits_look(t, 6).held, 0);
	/* The other is found where it is, also when there is room before it. */
	atomic_store(&a->held, 0);
	permits_leave(a);
	assert_ptr_equal(permits_row(t, 5 + PERMITS_PLACES), b);
	assert_int_equal(rows_used(t), 1);
	free(t);
}

static void
test_places_run_out(void **state)
{
	struct permits *const t = new_table();

	(void)state;
	for (uint64_t i = 1; i <= PERMITS_PROBES; i++) {
		struct permits_row *const row =
			permits_row(t, i * PERMITS_PLACES - 1);

		assert_non_null(row);
		atomic_store(&row->held, 1);
	}
	assert_null(permits_row(t, 99 * PERMITS_PLACES - 1));
	assert_non_null(permits_row(t, 99 * PERMITS_PLACES - 2 - 16));
	permits_clear(t);
	assert_int_equal(rows_used(t), 0);
	assert_non_null(permits_row(t, 99 * PERMITS_PLACES - 1));
	free(t);
}

static void
test_nonsense_in_memory(void **state)
{
	struct permits *const t = new_table();
	struct permits_seen seen;
	uint64_t key;

	(void)state;
	memset(t, 0xff, sizeof(*t));
	assert_int_equal(rows_used(t), PERMITS_ROWS);
	assert_true(permits_at(t, 0, &key, &seen));
	assert_int_equal(seen.held, PERMITS_MAX);
	assert_int_equal(seen.waiting, PERMITS_MAX);
	assert_int_equal(permits_look(t, UINT64_MAX).held, PERMITS_MAX);
	permits_clear(t);
	assert_int_equal(rows_used(t), 0);
	assert_int_equal(permits_look(t, UINT64_MAX).held, 0);
	free(t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows_come_and_go),
		cmocka_unit_test(test_places_run_out),
		cmocka_unit_test(test_nonsense_in_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
