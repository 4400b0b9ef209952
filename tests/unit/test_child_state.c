/* SPDX-License-Identifier: MIT */
/* test_child_state.c - the life of one place, with a clock of its own. */
#include "master/child_state.h"
#include "tests/lib/t.h"

static const struct child_limits L = {
	.ready_ms = 30000,
	.stuck_ms = 30000,
	.abort_ms = 2000,
	.young_ms = 10000,
	.backoff_min_ms = 250,
	.backoff_max_ms = 30000,
};

/* A beat that is never old. */
#define FRESH INT64_MAX

static struct child_state
started(int64_t now_ms)
{
	struct child_state s;

	child_state_init(&s, now_ms);
	assert_int_equal(child_state_due(&s, &L, 0, now_ms), CHILD_START);
	child_state_started(&s, now_ms);
	return s;
}

static struct child_state
ready(int64_t now_ms)
{
	struct child_state s = started(now_ms);

	child_state_ready(&s, now_ms);
	assert_int_equal(s.phase, CHILD_READY);
	return s;
}

static void
test_default_limits(void **state)
{
	(void)state;
	assert_memory_equal(&child_limits_default, &L, sizeof(L));
}

static void
test_death_before_ready_doubles(void **state)
{
	static const int64_t waits[] = { 250, 500, 1000, 2000, 4000, 8000,
		16000, 30000, 30000 };
	struct child_state s;
	int64_t now = 1000;

	(void)state;
	child_state_init(&s, now);
	for (size_t i = 0; i < ARRAY_LEN(waits); i++) {
		child_state_started(&s, now);
		assert_false(child_state_has_failed(&s));
		now += 10;
		child_state_died(&s, &L, false, now);
		assert_true(child_state_has_failed(&s));
		assert_int_equal(s.phase, CHILD_BACKOFF);
		assert_int_equal(child_state_next_ms(&s, &L), now + waits[i]);
		assert_int_equal(child_state_due(&s, &L, 0, now + waits[i] - 1),
			CHILD_NOTHING);
		now += waits[i];
		assert_int_equal(child_state_due(&s, &L, 0, now), CHILD_START);
	}
}

static void
test_young_death_waits_old_one_does_not(void **state)
{
	struct child_state s = ready(1000);

	(void)state;
	child_state_died(&s, &L, false, 1000 + 9999);
	assert_int_equal(s.due_ms, 1000 + 9999 + 250);
	/* The same place lives long: no wait, and the doubling starts anew. */
	child_state_started(&s, 20000);
	child_state_ready(&s, 20100);
	child_state_died(&s, &L, false, 30000);
	assert_int_equal(child_state_due(&s, &L, 0, 30000), CHILD_START);
	assert_false(child_state_has_failed(&s));
	child_state_started(&s, 30000);
	child_state_died(&s, &L, false, 30001);
	assert_int_equal(s.backoff_ms, 250);
}

static void
test_barred_is_for_ever(void **state)
{
	struct child_state s = started(1000);

	(void)state;
	child_state_died(&s, &L, true, 1100);
	assert_int_equal(s.phase, CHILD_BARRED);
	assert_true(child_state_has_failed(&s));
	assert_int_equal(
		child_state_due(&s, &L, 0, INT64_MAX - 1), CHILD_NOTHING);
	assert_int_equal(child_state_next_ms(&s, &L), -1);
}

static void
test_late_ready_is_aborted_then_killed_once(void **state)
{
	struct child_state s = started(1000);

	(void)state;
	assert_int_equal(child_state_next_ms(&s, &L), 31000);
	assert_int_equal(child_state_due(&s, &L, 0, 30999), CHILD_NOTHING);
	assert_int_equal(child_state_due(&s, &L, 0, 31000), CHILD_ABORT);
	assert_int_equal(child_state_next_ms(&s, &L), 33000);
	assert_int_equal(child_state_due(&s, &L, 0, 32999), CHILD_NOTHING);
	assert_int_equal(child_state_due(&s, &L, 0, 33000), CHILD_KILL);
	assert_int_equal(child_state_due(&s, &L, 0, 99000), CHILD_NOTHING);
	child_state_died(&s, &L, false, 33001);
	assert_int_equal(s.backoff_ms, 250);
}

static void
test_silence_is_aborted_then_killed(void **state)
{
	struct child_state s = ready(1000);

	(void)state;
	assert_int_equal(child_state_due(&s, &L, 50000, 79999), CHILD_NOTHING);
	assert_int_equal(child_state_due(&s, &L, 50000, 80000), CHILD_ABORT);
	/* A beat that comes after all does not save it. */
	assert_int_equal(child_state_due(&s, &L, 80001, 81000), CHILD_NOTHING);
	assert_int_equal(child_state_due(&s, &L, 81000, 82000), CHILD_KILL);
	assert_int_equal(child_state_due(&s, &L, 81000, 90000), CHILD_NOTHING);
}

static void
test_ready_without_a_beat_has_time(void **state)
{
	struct child_state s = started(1000);

	(void)state;
	child_state_ready(&s, 30000);
	assert_int_equal(child_state_due(&s, &L, 0, 59999), CHILD_NOTHING);
	assert_int_equal(child_state_due(&s, &L, 0, 60000), CHILD_ABORT);
	s = ready(1000);
	assert_int_equal(child_state_due(&s, &L, FRESH, 900000), CHILD_NOTHING);
}

static void
test_leaving_is_killed_at_its_time(void **state)
{
	struct child_state s = ready(1000);

	(void)state;
	child_state_leave(&s, 5000);
	assert_true(child_state_is_alive(&s));
	assert_int_equal(child_state_next_ms(&s, &L), 5000);
	/* Told again, sooner. */
	child_state_leave(&s, 4000);
	assert_int_equal(child_state_due(&s, &L, 0, 3999), CHILD_NOTHING);
	assert_int_equal(child_state_due(&s, &L, 0, 4000), CHILD_KILL);
	assert_int_equal(child_state_due(&s, &L, 0, 4001), CHILD_NOTHING);
	child_state_died(&s, &L, false, 4002);
	assert_int_equal(s.phase, CHILD_FREE);
	assert_int_equal(child_state_due(&s, &L, 0, 9999), CHILD_NOTHING);
}

static void
test_leaving_without_a_process_is_free(void **state)
{
	struct child_state s;

	(void)state;
	child_state_init(&s, 1000);
	child_state_leave(&s, 5000);
	assert_int_equal(s.phase, CHILD_FREE);
	s = started(1000);
	child_state_died(&s, &L, true, 1001);
	child_state_leave(&s, 5000);
	assert_int_equal(s.phase, CHILD_FREE);
	/* Also one that leaves with "never again" is simply gone. */
	s = ready(1000);
	child_state_leave(&s, 5000);
	child_state_died(&s, &L, true, 2000);
	assert_int_equal(s.phase, CHILD_FREE);
}

static void
test_ready_byte_counts_only_while_starting(void **state)
{
	struct child_state s = started(1000);

	(void)state;
	child_state_leave(&s, 5000);
	child_state_ready(&s, 1001);
	assert_int_equal(s.phase, CHILD_LEAVING);
}

static void
test_health_needs_age(void **state)
{
	struct child_state s = ready(1000);

	(void)state;
	assert_false(child_state_is_healthy(&s, &L, 10999));
	assert_true(child_state_is_healthy(&s, &L, 11000));
	s = started(1000);
	assert_false(child_state_is_healthy(&s, &L, 11000));
}

static void
test_relief_when_all_wait(void **state)
{
	struct child_state a = started(1000);
	struct child_state b = started(1000);
	struct child_state *both[] = { &a, &b };

	(void)state;
	a.backoff_ms = 8000;
	b.backoff_ms = 4000;
	child_state_died(&a, &L, false, 2000); /* due at 18000 */
	/* The other one still runs: nothing is hurried. */
	child_state_relieve(both, 2, &L, 2000);
	assert_int_equal(a.due_ms, 18000);
	child_state_died(&b, &L, false, 2000); /* due at 10000 */
	child_state_relieve(both, 2, &L, 2000);
	assert_int_equal(a.due_ms, 18000);
	assert_int_equal(b.due_ms, 2250);
	/* Asked again and again, the time still comes. */
	child_state_relieve(both, 2, &L, 2200);
	assert_int_equal(b.due_ms, 2250);
	child_state_relieve(both, 0, &L, 2200);
}

static void
test_relief_skips_the_barred(void **state)
{
	struct child_state a = started(1000);
	struct child_state b = started(1000);
	struct child_state *both[] = { &a, &b };

	(void)state;
	child_state_died(&a, &L, true, 2000);
	b.backoff_ms = 8000;
	child_state_died(&b, &L, false, 2000);
	child_state_relieve(both, 2, &L, 2000);
	assert_int_equal(a.phase, CHILD_BARRED);
	assert_int_equal(b.due_ms, 2250);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_default_limits),
		cmocka_unit_test(test_death_before_ready_doubles),
		cmocka_unit_test(test_young_death_waits_old_one_does_not),
		cmocka_unit_test(test_barred_is_for_ever),
		cmocka_unit_test(test_late_ready_is_aborted_then_killed_once),
		cmocka_unit_test(test_silence_is_aborted_then_killed),
		cmocka_unit_test(test_ready_without_a_beat_has_time),
		cmocka_unit_test(test_leaving_is_killed_at_its_time),
		cmocka_unit_test(test_leaving_without_a_process_is_free),
		cmocka_unit_test(test_ready_byte_counts_only_while_starting),
		cmocka_unit_test(test_health_needs_age),
		cmocka_unit_test(test_relief_when_all_wait),
		cmocka_unit_test(test_relief_skips_the_barred),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
