/* SPDX-License-Identifier: MIT */
/* test_ring.c - the queue between two processes: order, ends, nonsense. */
#include "shared/sys/ring.h"

#include <stdlib.h>

#include "tests/lib/t.h"

#define MARK 8u

static char text[2 * RING_ENTRY_MAX];

static struct ring *
new_ring(void)
{
	struct ring *const r = aligned_alloc(4096, sizeof(*r));

	assert_non_null(r);
	memset(r, 0, offsetof(struct ring, bytes));
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (char)(i * 7 + i / 251);
	return r;
}

/* The next entry is the first n bytes of the text. */
static void
check_next(struct ring_reader *k, size_t n)
{
	char *const room = malloc(RING_ENTRY_MAX);
	struct span entry;

	assert_non_null(room);
	assert_true(ring_next(k, room, &entry));
	assert_spans_eq(entry, span_of(text, n));
	free(room);
}

static void
check_end(struct ring_reader *k)
{
	char room[RING_ENTRY_MAX];
	struct span entry;

	assert_false(ring_next(k, room, &entry));
	ring_end(k);
	assert_int_equal(k->nspoilt, 0);
}

static void
test_every_length(void **state)
{
	struct ring *const r = new_ring();
	struct ring_reader k;

	(void)state;
	assert_true(ring_is_empty(r));
	for (size_t n = 0; n <= RING_ENTRY_MAX + 9; n++) {
		assert_int_equal(ring_put(r, span_of(text, n)),
			n <= RING_ENTRY_MAX ? RING_PUT : RING_CUT);
		assert_false(ring_is_empty(r));
		ring_begin(&k, r);
		check_next(&k, MIN(n, RING_ENTRY_MAX));
		check_end(&k);
		assert_true(ring_is_empty(r));
		assert_int_equal(ring_waiting(r), 0);
	}
	assert_int_equal(atomic_load(&r->gets), atomic_load(&r->puts));
	free(r);
}

/* While it is empty it begins at its first byte. */
static void
test_touches_little(void **state)
{
	struct ring *const r = new_ring();
	struct ring_reader k;

	(void)state;
	memset(r->bytes, 'x', RING_BYTES);
	for (size_t i = 0; i < 3 * RING_BYTES / 100; i++) {
		assert_int_equal(ring_put(r, span_of(text, 100)), RING_PUT);
		ring_begin(&k, r);
		check_next(&k, 100);
		check_end(&k);
	}
	for (size_t i = 112; i < RING_BYTES; i++)
		assert_int_equal(r->bytes[i], 'x');
	free(r);
}

/* Never empty, round and round, with entries that end everywhere. */
static void
test_wraps(void **state)
{
	struct ring *const r = new_ring();
	struct ring_reader k;
	size_t next = 0;

	(void)state;
	assert_int_equal(ring_put(r, span_of(text, 0)), RING_PUT);
	for (size_t i = 1; i < 20000; i++) {
		const size_t n = i * 31 % 2000;

		assert_int_equal(ring_put(r, span_of(text, n)), RING_PUT);
		ring_begin(&k, r);
		check_next(&k, next);
		ring_end(&k);
		assert_int_equal(k.nspoilt, 0);
		next = n;
	}
	assert_true(atomic_load(&r->head) > 4 * (uint64_t)RING_BYTES);
	ring_begin(&k, r);
	check_next(&k, next);
	check_end(&k);
	free(r);
}

static size_t
fill(struct ring *r, size_t n)
{
	size_t count = 0;

	while (ring_put(r, span_of(text, n)) == RING_PUT)
		count++;
	return count;
}

static void
test_full(void **state)
{
	struct ring *const r = new_ring();
	struct ring_reader k;
	size_t count;

	(void)state;
	count = fill(r, 1000);
	assert_int_equal(count, RING_BYTES / (MARK + 1000));
	assert_int_equal(ring_put(r, span_of(text, 1000)), RING_FULL);
	assert_true(ring_waiting(r) <= RING_BYTES);
	assert_int_equal(atomic_load(&r->puts), count);
	/* What is read, but not given back, is not the writer's. */
	ring_begin(&k, r);
	check_next(&k, 1000);
	assert_int_equal(ring_put(r, span_of(text, 1000)), RING_FULL);
	ring_end(&k);
	/* The end is too short for one: it goes in front. */
	assert_int_equal(ring_put(r, span_of(text, 900)), RING_PUT);
	for (size_t i = 1; i < count; i++)
		check_next(&k, 1000);
	check_end(&k);
	ring_begin(&k, r);
	check_next(&k, 900);
	check_end(&k);
	assert_int_equal(fill(r, 1000), count);
	/* Entries without bytes fill it up to the last one. */
	ring_begin(&k, r);
	for (size_t i = 0; i < count; i++)
		check_next(&k, 1000);
	check_end(&k);
	assert_int_equal(fill(r, 0), RING_BYTES / MARK);
	assert_int_equal(ring_waiting(r), RING_BYTES);
	free(r);
}

/* --- nonsense ------------------------------------------------------------- */

/* Reads what there is: at most as many entries as fit, all of them inside of
 * the room; then the ring works again. */
static void
check_survives(struct ring *r)
{
	char *const room = malloc(RING_ENTRY_MAX);
	struct ring_reader k;
	struct span entry;
	size_t n = 0;

	assert_non_null(room);
	ring_begin(&k, r);
	while (ring_next(&k, room, &entry)) {
		assert_true(entry.n <= RING_ENTRY_MAX);
		assert_true(++n <= RING_BYTES / MARK);
	}
	ring_end(&k);
	ring_resume(r);
	assert_int_equal(ring_put(r, span_of(text, 77)), RING_PUT);
	ring_begin(&k, r);
	check_next(&k, 77);
	check_end(&k);
	free(room);
}

static void
test_hostile_positions(void **state)
{
	static const uint64_t words[] = { 0, 1, 7, 8, 9, 4096, RING_BYTES - 8,
		RING_BYTES - 1, RING_BYTES, RING_BYTES + 8, UINT32_MAX,
		UINT64_MAX - 7, UINT64_MAX, UINT64_C(1) << 63 };
	struct ring *const r = new_ring();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		for (size_t k = 0; k < ARRAY_LEN(words); k++) {
			for (size_t b = 0; b < ARRAY_LEN(words); b++) {
				atomic_store(&r->tail, words[i]);
				atomic_store(&r->head, words[k]);
				atomic_store(&r->base, words[b]);
				(void)ring_put(r, span_of(text, 10));
				check_survives(r);
			}
		}
	}
	free(r);
}

/* Each of the eight bytes of a mark, changed in every bit. */
static void
test_hostile_marks(void **state)
{
	struct ring *const r = new_ring();
	struct ring_reader k;
	char room[RING_ENTRY_MAX];
	struct span entry;

	(void)state;
	for (size_t bit = 0; bit < 8 * MARK; bit++) {
		ring_resume(r);
		for (size_t i = 0; i < 3; i++)
			assert_int_equal(
				ring_put(r, span_of(text, 100)), RING_PUT);
		r->bytes[112 + bit / 8] ^= (char)(1 << bit % 8);
		ring_begin(&k, r);
		check_next(&k, 100);
		assert_false(ring_next(&k, room, &entry));
		ring_end(&k);
		/* The two that were not read are known to be lost. */
		assert_int_equal(k.nspoilt, 2);
		assert_int_equal(atomic_load(&r->gets), atomic_load(&r->puts));
		check_survives(r);
	}
	free(r);
}

/* A mark that is right in itself, but leads out of what there is. */
static void
test_hostile_lengths(void **state)
{
	static const uint32_t sizes[] = { 101, 4096, 4097, RING_BYTES,
		UINT32_MAX, UINT32_MAX - 1, UINT32_MAX - 7 };
	struct ring *const r = new_ring();
	struct ring_reader k;
	char room[RING_ENTRY_MAX];
	struct span entry;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		const uint64_t at = atomic_load(&r->head);
		const uint32_t check = (uint32_t)(at >> 3) * 2654435761u ^
			sizes[i] ^ 0x676c6d70u;

		assert_int_equal(ring_put(r, span_of(text, 96)), RING_PUT);
		memcpy(r->bytes, &sizes[i], 4);
		memcpy(r->bytes + 4, &check, 4);
		ring_begin(&k, r);
		assert_false(ring_next(&k, room, &entry));
		ring_end(&k);
		assert_int_equal(k.nspoilt, 1);
		check_survives(r);
	}
	free(r);
}

/* What its writer did not finish is not there, wherever it died. */
static void
test_half_written(void **state)
{
	struct ring *const r = new_ring();
	struct ring_reader k;

	(void)state;
	for (size_t cut = 0; cut <= MARK + 100; cut++) {
		static char before[MARK + 100];
		const uint64_t head = atomic_load(&r->head);

		memcpy(before, r->bytes, sizeof(before));
		assert_int_equal(ring_put(r, span_of(text, 100)), RING_PUT);
		atomic_store(&r->head, head);
		atomic_store(&r->puts, atomic_load(&r->puts) - 1);
		memcpy(r->bytes + cut, before + cut, sizeof(before) - cut);
		ring_begin(&k, r);
		check_end(&k);
		ring_resume(r);
		assert_int_equal(ring_put(r, span_of(text, cut)), RING_PUT);
		ring_begin(&k, r);
		check_next(&k, cut);
		check_end(&k);
	}
	free(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_length),
		cmocka_unit_test(test_touches_little),
		cmocka_unit_test(test_wraps),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_hostile_positions),
		cmocka_unit_test(test_hostile_marks),
		cmocka_unit_test(test_hostile_lengths),
		cmocka_unit_test(test_half_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
