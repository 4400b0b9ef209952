/* SPDX-License-Identifier: MIT */
/* test_buf.c - the growable buffer and its maximum. */
#include "tests/lib/t.h"

#include <stdlib.h>

static void
test_writes(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 1000);
	assert_buf_eq(&b, "");
	assert_non_null(buf_span(&b).p);
	assert_null(b.data);
	buf_put(&b, SPAN("ab"));
	buf_putc(&b, '\0');
	buf_puts(&b, "cd");
	buf_put(&b, SPAN_EMPTY);
	buf_put_u64(&b, 0);
	buf_put_u64(&b, UINT64_MAX);
	buf_printf(&b, "-%d-%s", -7, "x");
	assert_buf_eq(&b, "ab\0cd018446744073709551615--7-x");
	assert_ok(buf_check(&b, NULL), NULL);
	buf_fini(&b);
}

static void
test_long_printf(void **state)
{
	char *const text = t_repeat("0123456789", 100);
	struct buf b;

	(void)state;
	for (size_t max = 990; max <= 1010; max++) {
		buf_init(&b, max);
		buf_printf(&b, "<%s>", text);
		if (max < 1002) {
			assert_true(b.bad);
			assert_int_equal(buf_len(&b), 0);
		} else {
			assert_int_equal(buf_len(&b), 1002);
			assert_int_equal(b.data[0], '<');
			assert_int_equal(b.data[1001], '>');
		}
		buf_fini(&b);
	}
	free(text);
}

static void
test_maximum_is_sticky(void **state)
{
	struct gp_error err = { 0 };
	struct buf b;

	(void)state;
	buf_init(&b, 4);
	buf_puts(&b, "1234");
	assert_ok(buf_check(&b, &err), &err);
	buf_putc(&b, '5');
	assert_buf_eq(&b, "1234");
	assert_fails(buf_check(&b, &err), GP_E_LIMIT, &err, "4 bytes");
	/* Room again, but something is missing for good. */
	buf_consume(&b, 4);
	buf_putc(&b, '6');
	assert_buf_eq(&b, "");
	assert_null(buf_reserve(&b, 1));
	assert_int_equal(buf_check(&b, NULL), GP_E_LIMIT);
	buf_reset(&b, SIZE_MAX);
	buf_puts(&b, "7");
	assert_buf_eq(&b, "7");
	assert_ok(buf_check(&b, &err), &err);
	buf_fini(&b);
}

static void
test_maximum_counts_readable_bytes(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 8);
	buf_puts(&b, "12345678");
	for (int i = 0; i < 1000; i++) {
		buf_consume(&b, 1);
		buf_putc(&b, (char)('a' + i % 26));
		assert_true(b.cap <= 16);
	}
	assert_buf_eq(&b, "efghijkl");
	buf_putc(&b, 'x');
	assert_true(b.bad);
	buf_fini(&b);
}

static void
test_huge_sizes(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 100);
	buf_putc(&b, 'x');
	assert_null(buf_reserve(&b, SIZE_MAX));
	assert_true(b.bad);
	buf_fini(&b);

	buf_init(&b, SIZE_MAX);
	buf_putc(&b, 'x');
	assert_dies(!buf_reserve(&b, SIZE_MAX - 1));
	buf_fini(&b);
}

static void
test_reserve(void **state)
{
	struct buf b;
	char *p;

	(void)state;
	buf_init(&b, 10000);
	buf_puts(&b, "ab");
	p = buf_reserve(&b, 5000);
	assert_non_null(p);
	memset(p, 'x', 5000);
	assert_buf_eq(&b, "ab");
	buf_commit(&b, 3);
	assert_buf_eq(&b, "abxxx");
	assert_dies(buf_commit(&b, b.cap));
	buf_fini(&b);

	buf_init(&b, 0);
	assert_non_null(buf_reserve(&b, 0));
	assert_null(buf_reserve(&b, 1));
	buf_fini(&b);
}

static void
test_consume_and_truncate(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 100);
	buf_puts(&b, "abcdef");
	buf_consume(&b, 2);
	assert_buf_eq(&b, "cdef");
	buf_truncate(&b, 9);
	assert_buf_eq(&b, "cdef");
	buf_truncate(&b, 3);
	assert_buf_eq(&b, "cde");
	assert_dies(buf_consume(&b, 4));
	buf_consume(&b, 3);
	assert_buf_eq(&b, "");
	assert_int_equal(b.head, 0);
	buf_fini(&b);
}

/* Content against a plain model, with many sizes of writes and reads. */
static void
test_against_model(void **state)
{
	const size_t total = 200000, max_held = 3000;

	size_t written = 0, read = 0;
	uint32_t seed = 1;
	struct buf b;

	(void)state;
	buf_init(&b, max_held);
	while (read < total) {
		const size_t held = buf_len(&b);
		size_t n;

		seed = seed * 1664525 + 1013904223;
		n = (seed >> 16) % 700;
		if ((seed & 0x100) != 0 && held + n <= max_held) {
			char *const p = buf_reserve(&b, n);

			assert_non_null(p);
			for (size_t i = 0; i < n; i++)
				p[i] = (char)(written++ % 251);
			buf_commit(&b, n);
		} else {
			n = MIN(n, held);
			for (size_t i = 0; i < n; i++)
				assert_int_equal((uint8_t)buf_span(&b).p[i],
					read++ % 251);
			buf_consume(&b, n);
		}
		assert_true(b.cap <= 2 * max_held);
		assert_int_equal(buf_len(&b), written - read);
	}
	assert_false(b.bad);
	buf_fini(&b);
}

static void
test_growth_is_geometric(void **state)
{
	unsigned moves = 0;
	struct buf b;

	(void)state;
	buf_init(&b, 1 << 20);
	for (int i = 0; i < 1 << 20; i++) {
		const size_t cap = b.cap;

		buf_putc(&b, 'x');
		moves += b.cap != cap;
	}
	assert_true(moves <= 14);
	assert_int_equal(b.cap, 1 << 20);
	buf_fini(&b);
}

static void
test_reset_keeps_little(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 100000);
	assert_non_null(buf_reserve(&b, 50000));
	buf_commit(&b, 50000);
	buf_reset(&b, 60000);
	assert_int_equal(buf_len(&b), 0);
	assert_true(b.cap >= 50000);
	buf_reset(&b, 4096);
	assert_int_equal(b.cap, 0);
	assert_null(b.data);
	buf_puts(&b, "x");
	assert_buf_eq(&b, "x");
	buf_fini(&b);
}

static void
test_room_is_only_a_hint(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 100);
	buf_room(&b, 101);
	assert_false(b.bad);
	assert_int_equal(b.cap, 0);
	buf_room(&b, 60);
	assert_true(b.cap >= 60);
	assert_int_equal(buf_len(&b), 0);
	buf_puts(&b, "x");
	assert_int_equal(buf_len(&b), 1);
	buf_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_writes),
		cmocka_unit_test(test_long_printf),
		cmocka_unit_test(test_maximum_is_sticky),
		cmocka_unit_test(test_maximum_counts_readable_bytes),
		cmocka_unit_test(test_huge_sizes),
		cmocka_unit_test(test_reserve),
		cmocka_unit_test(test_consume_and_truncate),
		cmocka_unit_test(test_against_model),
		cmocka_unit_test(test_growth_is_geometric),
		cmocka_unit_test(test_reset_keeps_little),
		cmocka_unit_test(test_room_is_only_a_hint),
	};

	return cmocka_run_group_tests_name("buf", tests, NULL, NULL);
}
