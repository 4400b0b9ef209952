/* SPDX-License-Identifier: MIT */
/* test_attempts.c - waiting after wrong tokens. */
#include "admin/attempts.h"

#include <stdio.h>

#include "tests/lib/t.h"

#define S ((int64_t)1000)

static struct attempts a;

static int
setup(void **state)
{
	(void)state;
	memset(&a, 0, sizeof(a));
	return 0;
}

static struct attempts_source
from(const char *address)
{
	struct sock_addr addr;

	assert_true(sock_addr_parse(&addr, span_cstr(address), 4711));
	return attempts_source(&addr);
}

static bool
are_same(const char *one, const char *other)
{
	const struct attempts_source x = from(one);
	const struct attempts_source y = from(other);

	return memcmp(&x, &y, sizeof(x)) == 0;
}

static void
test_sources(void **state)
{
	struct sock_addr path;
	struct sock_addr other;

	(void)state;
	assert_true(are_same("192.0.2.1", "192.0.2.1"));
	assert_false(are_same("192.0.2.1", "192.0.2.2"));
	assert_true(are_same("192.0.2.1", "::ffff:192.0.2.1"));
	/* One client may have the whole of a network. */
	assert_true(are_same("2001:db8:0:1::1", "2001:db8:0:1:ff::2"));
	assert_false(are_same("2001:db8:0:1::1", "2001:db8:0:2::1"));
	assert_false(are_same("::1", "0.0.0.1"));
	assert_true(sock_addr_unix(&path, SPAN("/a")));
	assert_true(sock_addr_unix(&other, SPAN("/b")));
	assert_memory_equal(&attempts_source(&path).bytes[0],
		&attempts_source(&other).bytes[0], 9);
}

static void
test_waits_grow_and_end(void **state)
{
	static const int64_t waits_s[] = { 0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 60,
		60, 60 };
	const struct attempts_source s = from("192.0.2.1");
	int64_t now_ms = 5000;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(waits_s); i++) {
		const int64_t wait_ms = waits_s[i] * S;

		assert_int_equal(attempts_wait_ms(&a, &s, now_ms), 0);
		assert_int_equal(attempts_wrong(&a, &s, now_ms), wait_ms);
		assert_int_equal(attempts_wait_ms(&a, &s, now_ms), wait_ms);
		if (wait_ms > 0)
			assert_int_equal(
				attempts_wait_ms(&a, &s, now_ms + wait_ms - 1),
				1);
		now_ms += wait_ms;
	}
	attempts_right(&a, &s, now_ms);
	assert_int_equal(attempts_wrong(&a, &s, now_ms), 0);
}

static void
test_wrong_ones_are_forgotten(void **state)
{
	const struct attempts_source s = from("192.0.2.1");

	(void)state;
	for (int i = 0; i < 5; i++)
		(void)attempts_wrong(&a, &s, 1000 * S);
	assert_int_equal(attempts_wrong(&a, &s, 1001 * S), 2 * S);
	assert_int_equal(
		attempts_wrong(&a, &s, 1001 * S + ATTEMPTS_FORGET_MS), 4 * S);
	assert_int_equal(
		attempts_wrong(&a, &s, 1002 * S + 2 * ATTEMPTS_FORGET_MS), 0);
}

static void
test_others_do_not_wait(void **state)
{
	const struct attempts_source bad = from("192.0.2.1");
	const struct attempts_source good = from("192.0.2.2");

	(void)state;
	for (int i = 0; i < 20; i++)
		(void)attempts_wrong(&a, &bad, 5 * S);
	assert_true(attempts_wait_ms(&a, &bad, 5 * S) > 0);
	assert_int_equal(attempts_wait_ms(&a, &good, 5 * S), 0);
}

/* Number i of many addresses. */
static struct attempts_source
many(unsigned i)
{
	char text[64];

	(void)snprintf(text, sizeof(text), "10.%u.%u.%u", i >> 16 & 255,
		i >> 8 & 255, i & 255);
	return from(text);
}

static void
test_all_together_are_limited(void **state)
{
	const struct attempts_source friend = from("192.0.2.2");
	unsigned looked_at = 0;

	(void)state;
	attempts_right(&a, &friend, 1000 * S);
	/* Many addresses, a hundred attempts a second, for ten seconds. */
	for (unsigned i = 0; i < 1000; i++) {
		const struct attempts_source s = many(i);
		const int64_t now_ms = 1000 * S + 10 * (int64_t)i;

		if (attempts_wait_ms(&a, &s, now_ms) > 0)
			continue;
		looked_at++;
		(void)attempts_wrong(&a, &s, now_ms);
	}
	assert_in_range(looked_at, ATTEMPTS_ALL, ATTEMPTS_ALL + 10);
	/* Who has been right is not held to it, and has not been forgotten. */
	assert_int_equal(attempts_wait_ms(&a, &friend, 1010 * S), 0);
	/* It ends by itself. */
	assert_int_equal(attempts_wait_ms(&a,
				 &(struct attempts_source){ { 9 } }, 1072 * S),
		0);
}

static void
test_many_addresses_do_not_push_out_the_right_ones(void **state)
{
	const struct attempts_source friend = from("192.0.2.2");
	size_t rows = 0;

	(void)state;
	attempts_right(&a, &friend, 1 * S);
	for (unsigned i = 0; i < 4 * ATTEMPTS_ROWS; i++) {
		const struct attempts_source s = many(i);

		(void)attempts_wrong(&a, &s, 2 * S + i);
	}
	for (size_t i = 0; i < ATTEMPTS_ROWS; i++)
		rows += a.rows[i].was_right;
	assert_int_equal(rows, 1);
}

#define CASE(f) cmocka_unit_test_setup(f, setup)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_sources),
		CASE(test_waits_grow_and_end),
		CASE(test_wrong_ones_are_forgotten),
		CASE(test_others_do_not_wait),
		CASE(test_all_together_are_limited),
		CASE(test_many_addresses_do_not_push_out_the_right_ones),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
