/* SPDX-License-Identifier: MIT */
/* test_usage.c - tokens by client and model. */
#include "shared/sys/usage.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/lib/t.h"

static struct usage *
new_table(void)
{
	struct usage *const u =
		aligned_alloc(_Alignof(struct usage), sizeof(*u));

	assert_non_null(u);
	memset(u, 0, sizeof(*u));
	return u;
}

static void
add(struct usage *u, const char *client, const char *model, uint64_t input)
{
	const struct usage_sums one = { { 1, input, input / 2, 7 } };

	usage_add(usage_row(u, span_cstr(client), span_cstr(model)), &one);
}

/* The sums of the one row with these names; fails unless there is one. */
static struct usage_sums
sums_of(const struct usage *u, struct span client, struct span model)
{
	struct usage_sums found = { { 0 } };
	size_t n = 0;

	for (size_t i = 0; i <= USAGE_ROWS; i++) {
		struct usage_names names;
		struct usage_sums s;

		if (!usage_get(u, i, &names, &s) ||
			!span_eq(span_cstr(names.client), client) ||
			!span_eq(span_cstr(names.model), model))
			continue;
		found = s;
		n++;
	}
	assert_int_equal(n, 1);
	return found;
}

static size_t
rows_used(const struct usage *u)
{
	size_t n = 0;

	for (size_t i = 0; i <= USAGE_ROWS; i++) {
		struct usage_names names;
		struct usage_sums s;

		n += usage_get(u, i, &names, &s);
	}
	return n;
}

static void
test_adds_up(void **state)
{
	struct usage *const u = new_table();
	struct usage_sums s;

	(void)state;
	assert_int_equal(rows_used(u), 0);
	add(u, "ann", "glm-4.6", 100);
	add(u, "ann", "glm-4.6", 50);
	add(u, "ann", "glm-4.5", 1000);
	add(u, "bob", "glm-4.6", UINT64_C(1) << 40);
	assert_int_equal(rows_used(u), 3);
	s = sums_of(u, SPAN("ann"), SPAN("glm-4.6"));
	assert_int_equal(s.n[USAGE_REQUESTS], 2);
	assert_int_equal(s.n[USAGE_INPUT_TOKENS], 150);
	assert_int_equal(s.n[USAGE_CACHED_TOKENS], 75);
	assert_int_equal(s.n[USAGE_OUTPUT_TOKENS], 14);
	s = sums_of(u, SPAN("bob"), SPAN("glm-4.6"));
	assert_int_equal(s.n[USAGE_INPUT_TOKENS], UINT64_C(1) << 40);
	free(u);
}

/* Where one name ends and the other begins counts. */
static void
test_names_are_kept_apart(void **state)
{
	struct usage *const u = new_table();

	(void)state;
	add(u, "ab", "c", 1);
	add(u, "a", "bc", 2);
	add(u, "", "abc", 3);
	add(u, "abc", "", 4);
	assert_int_equal(rows_used(u), 4);
	assert_int_equal(sums_of(u, SPAN("a"), SPAN("bc")).n[1], 2);
	assert_int_equal(sums_of(u, SPAN("-"), SPAN("abc")).n[1], 3);
	assert_int_equal(sums_of(u, SPAN("abc"), SPAN("-")).n[1], 4);
	free(u);
}

static void
test_hostile_names(void **state)
{
	static const struct {
		struct span name, shown;
	} rows[] = {
		{ SPAN_INIT("a\nb\r\t\x7f"), SPAN_INIT("a?b???") },
		{ SPAN_INIT("nul\0l"), SPAN_INIT("nul?l") },
		{ SPAN_INIT("\"\\<&>{}"), SPAN_INIT("\"\\<&>{}") },
		{ SPAN_INIT("gr\xc3\xbcn \xe4\xb8\xad \xf0\x9f\x98\x80"),
			SPAN_INIT("gr\xc3\xbcn \xe4\xb8\xad "
				  "\xf0\x9f\x98\x80") },
		{ SPAN_INIT("cut \xe4\xb8"), SPAN_INIT("cut ??") },
		{ SPAN_INIT("\xff\xc0\xaf\xed\xa0\x80"), SPAN_INIT("??????") },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct usage *const u = new_table();
		char *const text = t_exact(rows[i].name);
		const struct span name = span_of(text, rows[i].name.n);
		const struct usage_sums one = { { 1, 0, 0, 0 } };

		usage_add(usage_row(u, name, name), &one);
		/* What looks the same is the same. */
		usage_add(usage_row(u, rows[i].shown, rows[i].shown), &one);
		assert_int_equal(
			sums_of(u, rows[i].shown, rows[i].shown).n[0], 2);
		free(text);
		free(u);
	}
}

static void
test_long_names(void **state)
{
	struct usage *const u = new_table();
	char *const fits = t_repeat("x", USAGE_NAME_MAX - 1);
	char *const one_more = t_repeat("x", USAGE_NAME_MAX);
	char *const huge = t_repeat("y", 1000000);

	(void)state;
	add(u, "ann", fits, 1);
	add(u, "ann", one_more, 2);
	add(u, "ann", huge, 4);
	assert_int_equal(rows_used(u), 2);
	assert_int_equal(sums_of(u, SPAN("ann"), span_cstr(fits)).n[1], 1);
	assert_int_equal(sums_of(u, SPAN("ann"), SPAN("other")).n[1], 6);
	free(fits);
	free(one_more);
	free(huge);
	free(u);
}

static void
test_rows_run_out(void **state)
{
	struct usage *const u = new_table();
	char name[16];

	(void)state;
	for (int i = 0; i < USAGE_ROWS + 44; i++) {
		(void)snprintf(name, sizeof(name), "m%d", i);
		add(u, "ann", name, 10);
	}
	assert_int_equal(rows_used(u), USAGE_ROWS + 1);
	assert_int_equal(
		sums_of(u, SPAN("other"), SPAN("other")).n[USAGE_REQUESTS], 44);
	/* Whoever has a row keeps it. */
	add(u, "ann", "m0", 10);
	assert_int_equal(sums_of(u, SPAN("ann"), SPAN("m0")).n[1], 20);
	free(u);
}

static void
name_row(struct usage_row *row, const struct usage_names *names)
{
	uint64_t words[USAGE_WORDS];

	memcpy(words, names, sizeof(words));
	for (size_t i = 0; i < USAGE_WORDS; i++)
		atomic_store(&row->names[i], words[i]);
}

/* Two names with one hash, which a peer may look for. */
static void
test_same_hash(void **state)
{
	static const struct usage_names bob = { "bob", "m" };
	struct usage *const u = new_table();
	struct usage_row *const ann = usage_row(u, SPAN("ann"), SPAN("m"));
	struct usage_row *again;

	(void)state;
	name_row(ann, &bob);
	again = usage_row(u, SPAN("ann"), SPAN("m"));
	assert_ptr_not_equal(again, ann);
	assert_int_equal(atomic_load(&u->keys[again - u->rows]),
		atomic_load(&u->keys[ann - u->rows]));
	assert_ptr_equal(usage_row(u, SPAN("ann"), SPAN("m")), again);
	free(u);
}

/* A worker that died between taking a row and naming it. */
static void
test_no_names(void **state)
{
	static const struct usage_names none = { "", "" };
	struct usage *const u = new_table();
	struct usage_row *const row = usage_row(u, SPAN("ann"), SPAN("m"));

	(void)state;
	atomic_store(&row->is_named, 0);
	name_row(row, &none);
	add(u, "ann", "m", 5);
	assert_int_equal(rows_used(u), 1);
	assert_int_equal(sums_of(u, SPAN("ann"), SPAN("m")).n[1], 5);
	free(u);
}

/* What stands in the memory may be anything. */
static void
test_nonsense_in_memory(void **state)
{
	struct usage *const u = new_table();
	struct usage_names names = { "ann", "a" };
	struct usage_row *row;

	(void)state;
	add(u, "ann", "a", 1);
	row = usage_row(u, SPAN("ann"), SPAN("a"));
	memset(names.client, 'x', sizeof(names.client));
	name_row(row, &names);
	assert_int_equal(sums_of(u, SPAN("other"), SPAN("a")).n[1], 1);
	memcpy(names.model, "a\nb", 4);
	name_row(row, &names);
	assert_int_equal(sums_of(u, SPAN("other"), SPAN("other")).n[1], 1);
	memcpy(names.model, "\xff", 2);
	name_row(row, &names);
	assert_int_equal(sums_of(u, SPAN("other"), SPAN("other")).n[1], 1);
	free(u);
}

static void
test_hit_rate(void **state)
{
	static const struct {
		uint64_t input, cached;
		unsigned permille;
	} rows[] = {
		{ 0, 0, 0 },
		{ 0, 5, 0 },
		{ 1000, 0, 0 },
		{ 1000, 875, 875 },
		{ 3, 2, 667 },
		{ 10, 10, 1000 },
		{ 10, 11, 1000 },
		{ UINT64_MAX, UINT64_MAX, 1000 },
		{ UINT64_MAX, UINT64_MAX / 2, 500 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct usage_sums s = { { 1, rows[i].input,
			rows[i].cached, 0 } };

		assert_int_equal(usage_hit_permille(&s), rows[i].permille);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_adds_up),
		cmocka_unit_test(test_names_are_kept_apart),
		cmocka_unit_test(test_hostile_names),
		cmocka_unit_test(test_long_names),
		cmocka_unit_test(test_rows_run_out),
		cmocka_unit_test(test_same_hash),
		cmocka_unit_test(test_no_names),
		cmocka_unit_test(test_nonsense_in_memory),
		cmocka_unit_test(test_hit_rate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
