/* SPDX-License-Identifier: MIT */
/* test_sessions.c - sessions begin, last and end. */
#include "admin/sessions.h"

#include "tests/lib/t.h"

#define S ((int64_t)1000)

struct hash {
	unsigned char bytes[32];
};

static struct hash
hash_no(unsigned i)
{
	struct hash h = { { 0 } };

	h.bytes[0] = (unsigned char)i;
	h.bytes[31] = (unsigned char)(i >> 8);
	return h;
}

static bool
is_there(struct sessions *s, unsigned i, int64_t now_ms)
{
	return sessions_see(s, hash_no(i).bytes, now_ms);
}

static void
test_begin_see_end(void **state)
{
	struct sessions s = { 0 };

	(void)state;
	/* Also the hash that empty places have. */
	assert_false(is_there(&s, 0, 5));
	sessions_begin(&s, hash_no(7).bytes, 5);
	assert_true(is_there(&s, 7, 6));
	assert_false(is_there(&s, 8, 6));
	assert_false(is_there(&s, 7 + 256, 6));
	assert_false(is_there(&s, 0, 6));
	sessions_end(&s, hash_no(8).bytes);
	assert_true(is_there(&s, 7, 6));
	sessions_end(&s, hash_no(7).bytes);
	assert_false(is_there(&s, 7, 6));
}

static void
test_ends_are_counted(void **state)
{
	struct sessions s = { 0 };

	(void)state;
	for (unsigned i = 0; i < SESSIONS_MAX; i++)
		sessions_begin(&s, hash_no(i + 1).bytes, 0);
	assert_int_equal(s.ended, 0);
	sessions_begin(&s, hash_no(99).bytes, 1);
	assert_int_equal(s.ended, 1);
	sessions_end(&s, hash_no(99).bytes);
	sessions_end(&s, hash_no(99).bytes);
	assert_int_equal(s.ended, 2);
	sessions_sweep(&s, SESSIONS_IDLE_MS);
	assert_int_equal(s.ended, 2);
	assert_false(is_there(&s, 5, SESSIONS_IDLE_MS + 1));
	assert_int_equal(s.ended, 3);
	sessions_sweep(&s, SESSIONS_IDLE_MS + 1);
	assert_int_equal(s.ended, 1 + SESSIONS_MAX);
}

static void
test_idle_ones_end(void **state)
{
	struct sessions s = { 0 };

	(void)state;
	sessions_begin(&s, hash_no(1).bytes, 5);
	assert_true(is_there(&s, 1, 5 + SESSIONS_IDLE_MS));
	assert_true(is_there(&s, 1, 5 + 2 * SESSIONS_IDLE_MS));
	assert_false(is_there(&s, 1, 6 + 3 * SESSIONS_IDLE_MS));
	/* Once over, it does not come back. */
	assert_false(is_there(&s, 1, 5));
}

static void
test_old_ones_end_though_they_are_used(void **state)
{
	struct sessions s = { 0 };
	int64_t now_ms;

	(void)state;
	sessions_begin(&s, hash_no(1).bytes, 0);
	for (now_ms = 0; now_ms <= SESSIONS_TOTAL_MS; now_ms += 60 * S)
		assert_true(is_there(&s, 1, now_ms));
	assert_false(is_there(&s, 1, now_ms));
}

static void
test_the_longest_unseen_goes(void **state)
{
	struct sessions s = { 0 };

	(void)state;
	for (unsigned i = 0; i < SESSIONS_MAX; i++)
		sessions_begin(&s, hash_no(i + 1).bytes, i);
	assert_true(is_there(&s, 1, 100));
	sessions_begin(&s, hash_no(999).bytes, 101);
	assert_false(is_there(&s, 2, 101));
	assert_true(is_there(&s, 1, 101));
	for (unsigned i = 3; i <= SESSIONS_MAX; i++)
		assert_true(is_there(&s, i, 101));
	assert_true(is_there(&s, 999, 101));
	/* A free place is taken first. */
	sessions_end(&s, hash_no(20).bytes);
	sessions_begin(&s, hash_no(1000).bytes, 102);
	for (unsigned i = 3; i <= SESSIONS_MAX; i++)
		assert_int_equal(is_there(&s, i, 102), i != 20);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_begin_see_end),
		cmocka_unit_test(test_ends_are_counted),
		cmocka_unit_test(test_idle_ones_end),
		cmocka_unit_test(test_old_ones_end_though_they_are_used),
		cmocka_unit_test(test_the_longest_unseen_goes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
