/* SPDX-License-Identifier: MIT */
/* test_quota.c - what upstreams have said about the limits of keys. */
#include "shared/sys/quota.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/lib/t.h"

#define NOW INT64_C(1790000000)

static struct quota *
new_table(void)
{
	struct quota *const q = calloc(1, sizeof(*q));

	assert_non_null(q);
	return q;
}

static const struct quota_said nothing;

static size_t
rows_used(const struct quota *q)
{
	struct quota_row row;
	size_t n = 0;

	for (size_t i = 0; i <= QUOTA_KEYS; i++)
		n += quota_get(q, i, &row);
	return n;
}

static void
test_counts_by_key_and_class(void **state)
{
	const struct quota_said five = { 1308, QUOTA_HOURS, 5, NOW + 3600 };
	const struct quota_said week = { 1310, QUOTA_WEEKS, 1, NOW + 86400 };
	struct quota *const q = new_table();
	struct quota_row row;

	(void)state;
	assert_int_equal(rows_used(q), 0);
	quota_note(q, "0123abcd", QUOTA_QUOTA, &five, NOW);
	quota_note(q, "0123abcd", QUOTA_QUOTA, &week, NOW + 10);
	quota_note(q, "0123abcd", QUOTA_RATE, &nothing, NOW + 20);
	quota_note(q, "ffffffff", QUOTA_BILLING, &nothing, NOW);
	assert_int_equal(rows_used(q), 2);
	assert_true(quota_get(q, 0, &row));
	assert_string_equal(row.tag, "0123abcd");
	assert_int_equal(row.seen[QUOTA_QUOTA].count, 2);
	assert_int_equal(row.seen[QUOTA_QUOTA].first_wall_s, NOW);
	assert_int_equal(row.seen[QUOTA_QUOTA].last_wall_s, NOW + 10);
	assert_int_equal(row.seen[QUOTA_QUOTA].said.code, 1310);
	assert_int_equal(row.seen[QUOTA_QUOTA].said.unit, QUOTA_WEEKS);
	assert_int_equal(row.seen[QUOTA_QUOTA].said.units, 1);
	assert_int_equal(row.seen[QUOTA_QUOTA].said.reset_wall_s, NOW + 86400);
	assert_int_equal(row.seen[QUOTA_RATE].count, 1);
	assert_int_equal(row.seen[QUOTA_RATE].said.code, 0);
	assert_int_equal(row.seen[QUOTA_OVERLOADED].count, 0);
	assert_true(quota_get(q, 1, &row));
	assert_string_equal(row.tag, "ffffffff");
	assert_int_equal(row.seen[QUOTA_BILLING].count, 1);
	free(q);
}

/* A slow writer does not turn the clock back. */
static void
test_last_is_the_latest(void **state)
{
	struct quota *const q = new_table();
	struct quota_row row;

	(void)state;
	quota_note(q, "0123abcd", QUOTA_RATE, &nothing, NOW);
	quota_note(q, "0123abcd", QUOTA_RATE, &nothing, NOW - 5);
	assert_true(quota_get(q, 0, &row));
	assert_int_equal(row.seen[QUOTA_RATE].last_wall_s, NOW);
	assert_int_equal(row.seen[QUOTA_RATE].count, 2);
	free(q);
}

static void
test_out_of_range_is_left_out(void **state)
{
	static const struct {
		struct quota_said said, kept;
	} rows[] = {
		{ { 65535, QUOTA_MONTHS, 255, NOW + QUOTA_RESET_MAX_S },
			{ 65535, QUOTA_MONTHS, 255, NOW + QUOTA_RESET_MAX_S } },
		{ { 65536, QUOTA_HOURS, 256, NOW + QUOTA_RESET_MAX_S + 1 },
			{ 0, QUOTA_NO_WINDOW, 0, 0 } },
		{ { 4000000000u, QUOTA_UNITS, 1, INT64_MAX },
			{ 0, QUOTA_NO_WINDOW, 0, 0 } },
		{ { 1, QUOTA_HOURS, 0, -1 }, { 1, QUOTA_NO_WINDOW, 0, 0 } },
		{ { 1, QUOTA_NO_WINDOW, 7, INT64_MIN },
			{ 1, QUOTA_NO_WINDOW, 0, 0 } },
		{ { 1, QUOTA_DAYS, 1, NOW - 86400 },
			{ 1, QUOTA_DAYS, 1, NOW - 86400 } },
		{ { 1, QUOTA_DAYS, 1, NOW - 86401 }, { 1, QUOTA_DAYS, 1, 0 } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct quota *const q = new_table();
		struct quota_row row;

		quota_note(q, "0123abcd", QUOTA_QUOTA, &rows[i].said, NOW);
		assert_true(quota_get(q, 0, &row));
		assert_int_equal(
			row.seen[QUOTA_QUOTA].said.code, rows[i].kept.code);
		assert_int_equal(
			row.seen[QUOTA_QUOTA].said.unit, rows[i].kept.unit);
		assert_int_equal(
			row.seen[QUOTA_QUOTA].said.units, rows[i].kept.units);
		assert_int_equal(row.seen[QUOTA_QUOTA].said.reset_wall_s,
			rows[i].kept.reset_wall_s);
		free(q);
	}
}

static void
test_rows_run_out(void **state)
{
	struct quota *const q = new_table();
	struct quota_row row;
	char tag[SECRET_TAG_LEN + 1];

	(void)state;
	for (unsigned i = 0; i < QUOTA_KEYS + 30; i++) {
		(void)snprintf(tag, sizeof(tag), "%08x", i);
		quota_note(q, tag, QUOTA_RATE, &nothing, NOW);
	}
	assert_int_equal(rows_used(q), QUOTA_KEYS + 1);
	assert_true(quota_get(q, QUOTA_KEYS, &row));
	assert_string_equal(row.tag, QUOTA_OTHER);
	assert_int_equal(row.seen[QUOTA_RATE].count, 30);
	/* Whoever has a row keeps it. */
	quota_note(q, "00000000", QUOTA_RATE, &nothing, NOW);
	assert_true(quota_get(q, 0, &row));
	assert_string_equal(row.tag, "00000000");
	assert_int_equal(row.seen[QUOTA_RATE].count, 2);
	free(q);
}

/* Whatever stands in the memory, what is read is in its range. */
static void
test_nonsense_in_memory(void **state)
{
	struct quota *const q = new_table();
	char text[QUOTA_WINDOW_TEXT_MAX];

	(void)state;
	for (int fill = 1; fill < 256; fill++) {
		memset(q, fill, sizeof(*q));
		for (size_t i = 0; i <= QUOTA_KEYS; i++) {
			struct quota_row row;

			assert_true(quota_get(q, i, &row));
			assert_int_equal(
				strspn(row.tag, "0123456789abcdefothr"),
				strlen(row.tag));
			for (size_t k = 0; k < QUOTA_CLASSES; k++) {
				const struct quota_seen *const s = &row.seen[k];

				assert_true(s->first_wall_s >= 0 &&
					s->last_wall_s >= 0 &&
					s->said.reset_wall_s >= 0);
				assert_true(s->said.unit < QUOTA_UNITS &&
					s->said.code <= QUOTA_CODE_MAX);
				quota_window_text(&s->said, text);
				assert_true(strlen(text) < sizeof(text));
			}
		}
	}
	free(q);
}

static void
test_window_text(void **state)
{
	static const struct {
		struct quota_said said;
		const char *text;
	} rows[] = {
		{ { .unit = QUOTA_NO_WINDOW }, "" },
		{ { .unit = QUOTA_HOURS, .units = 5 }, "5 hours" },
		{ { .unit = QUOTA_WEEKS, .units = 1 }, "1 week" },
		{ { .unit = QUOTA_MINUTES, .units = 255 }, "255 minutes" },
	};

	char text[QUOTA_WINDOW_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		quota_window_text(&rows[i].said, text);
		assert_string_equal(text, rows[i].text);
	}
}

static void
test_words(void **state)
{
	(void)state;
	assert_string_equal(quota_word(QUOTA_RATE), "rate");
	assert_string_equal(quota_word(QUOTA_FAIR_USE), "fair_use");
	for (size_t i = 0; i < QUOTA_CLASSES; i++)
		assert_true(strlen(quota_meaning((enum quota_class)i)) > 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_counts_by_key_and_class),
		cmocka_unit_test(test_last_is_the_latest),
		cmocka_unit_test(test_out_of_range_is_left_out),
		cmocka_unit_test(test_rows_run_out),
		cmocka_unit_test(test_nonsense_in_memory),
		cmocka_unit_test(test_window_text),
		cmocka_unit_test(test_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
