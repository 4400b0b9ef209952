/* SPDX-License-Identifier: MIT */
/* test_arena.c - memory of one request, and the arrays in it. */
#include "tests/lib/t.h"

#include <stdlib.h>

#include "shared/base/arena.h"
#include "shared/base/vec.h"

static void
test_sizes_and_alignment(void **state)
{
	struct arena a;
	size_t sum = 0;

	(void)state;
	arena_init(&a);
	for (size_t n = 0; n < 3000; n += 7) {
		char *const p = arena_alloc(&a, n);

		assert_int_equal((uintptr_t)p % _Alignof(max_align_t), 0);
		for (size_t i = 0; i < n; i++) {
			assert_int_equal(p[i], 0);
			p[i] = (char)0xaa;
		}
		sum += n;
		/* Unaligned pieces in between. */
		assert_span_eq(arena_dup(&a, SPAN("x")), "x");
	}
	assert_true(a.used_bytes >= sum);
	arena_fini(&a);
	assert_int_equal(a.used_bytes, 0);
	assert_non_null(arena_alloc(&a, 1));
	arena_fini(&a);
	arena_fini(&a);
}

/* Pieces must not overlap, whatever their sizes. */
static void
test_pieces_are_apart(void **state)
{
	enum {
		N = 2000
	};

	static char *pieces[N];
	static size_t sizes[N];
	struct arena a;
	uint32_t seed = 7;

	(void)state;
	arena_init(&a);
	for (size_t i = 0; i < N; i++) {
		seed = seed * 1664525 + 1013904223;
		sizes[i] = (seed >> 16) % ((seed & 15) == 0 ? 40000 : 200);
		pieces[i] = arena_alloc(&a, sizes[i]);
		memset(pieces[i], (int)(i % 256), sizes[i]);
	}
	for (size_t i = 0; i < N; i++) {
		for (size_t k = 0; k < sizes[i]; k++)
			assert_int_equal((uint8_t)pieces[i][k], i % 256);
	}
	arena_fini(&a);
}

static void
test_reset_keeps_one_chunk(void **state)
{
	struct arena a;
	const char *first;

	(void)state;
	arena_init(&a);
	arena_reset(&a);
	first = arena_alloc(&a, 100);
	for (int i = 0; i < 1000; i++)
		(void)arena_alloc(&a, 500);
	(void)arena_alloc(&a, 1 << 20);
	arena_reset(&a);
	assert_int_equal(a.used_bytes, 0);
	/* The same place again, and zeroed again. */
	memset(arena_alloc(&a, 100), 'x', 100);
	arena_reset(&a);
	assert_ptr_equal(arena_alloc(&a, 100), first);
	for (int i = 0; i < 100; i++)
		assert_int_equal(first[i], 0);
	arena_fini(&a);
}

/* A large first request must not become what reset keeps. */
static void
test_large_first_piece(void **state)
{
	struct arena a;

	(void)state;
	arena_init(&a);
	memset(arena_alloc(&a, 10 << 20), 'x', 10 << 20);
	arena_reset(&a);
	assert_true(a.end - a.next < 100000);
	arena_fini(&a);
}

/* A piece that fits into what is left, but not behind its padding. */
static void
test_padding_at_the_end(void **state)
{
	enum {
		STEP = 1000,
		LARGE = 3000
	};

	char *const text = t_repeat("x", STEP);
	struct arena a;

	(void)state;
	arena_init(&a);
	for (size_t used = 0; used < 10000; used++) {
		for (size_t n = used; n > 0; n -= MIN(n, STEP))
			(void)arena_dup(&a, span_of(text, MIN(n, STEP)));
		memset(arena_alloc(&a, LARGE), 'y', LARGE);
		assert_true(a.next <= a.end);
		arena_reset(&a);
	}
	arena_fini(&a);
	free(text);
}

static void
test_text(void **state)
{
	char *const text = t_repeat("0123456789", 5000);
	struct arena a;
	struct span s;

	(void)state;
	arena_init(&a);
	s = arena_dup(&a, SPAN("a\0b"));
	assert_span_eq(s, "a\0b");
	assert_int_equal(s.p[3], '\0');
	s = arena_dup(&a, SPAN_EMPTY);
	assert_span_eq(s, "");
	assert_int_equal(s.p[0], '\0');
	s = arena_printf(&a, "%s[%d].%s", "messages", 3, "role");
	assert_span_eq(s, "messages[3].role");
	assert_int_equal(strlen(s.p), s.n);
	s = arena_printf(&a, "%s", text);
	assert_int_equal(s.n, 50000);
	assert_string_equal(s.p, text);
	arena_fini(&a);
	free(text);
}

static void
test_overflow_ends_the_process(void **state)
{
	/* The compiler must not see that these are too large. */
	volatile size_t huge = SIZE_MAX;
	struct arena a;

	(void)state;
	arena_init(&a);
	assert_dies(arena_array(&a, huge / 2, 3));
	assert_dies(arena_alloc(&a, huge));
	assert_dies(arena_alloc(&a, huge - 8));
	arena_fini(&a);
}

static void
test_vec(void **state)
{
	struct {
		uint32_t *v;
		size_t n, cap;
	} vec = { 0 };
	struct arena a;

	(void)state;
	arena_init(&a);
	for (uint32_t i = 0; i < 10000; i++) {
		uint32_t *const p = VEC_PUSH(&a, &vec);

		assert_int_equal(*p, 0);
		*p = i;
	}
	assert_int_equal(vec.n, 10000);
	for (uint32_t i = 0; i < 10000; i++)
		assert_int_equal(vec.v[i], i);
	/* Twice the array at most, and once more in old storage. */
	assert_true(a.used_bytes <= vec.n * 4 * sizeof(uint32_t));
	arena_fini(&a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes_and_alignment),
		cmocka_unit_test(test_pieces_are_apart),
		cmocka_unit_test(test_reset_keeps_one_chunk),
		cmocka_unit_test(test_large_first_piece),
		cmocka_unit_test(test_padding_at_the_end),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_overflow_ends_the_process),
		cmocka_unit_test(test_vec),
	};

	return cmocka_run_group_tests_name("arena", tests, NULL, NULL);
}
