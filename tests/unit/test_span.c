/* SPDX-License-Identifier: MIT */
/* test_span.c - views of bytes. */
#include "tests/lib/t.h"

#include <stdlib.h>

static void
test_compare(void **state)
{
	(void)state;
	assert_true(span_eq(SPAN("abc"), SPAN("abc")));
	assert_false(span_eq(SPAN("abc"), SPAN("abC")));
	assert_false(span_eq(SPAN("abc"), SPAN("ab")));
	assert_true(span_eq(SPAN_EMPTY, SPAN("")));
	assert_true(span_ieq(SPAN("Content-Type"), SPAN("cONTENT-tYPE")));
	assert_false(span_ieq(SPAN("a"), SPAN("ab")));
	/* '[' and '{' differ in the same bit as 'A' and 'a'. */
	assert_false(span_ieq(SPAN("["), SPAN("{")));
	assert_false(span_ieq(SPAN("@"), SPAN("`")));
	/* No folding outside ASCII. */
	assert_false(span_ieq(SPAN("\xc4"), SPAN("\xe4")));
}

static void
test_starts_and_ends(void **state)
{
	(void)state;
	assert_true(span_starts(SPAN("data: x"), SPAN("data:")));
	assert_true(span_starts(SPAN("data:"), SPAN("data:")));
	assert_true(span_starts(SPAN(""), SPAN("")));
	assert_false(span_starts(SPAN("dat"), SPAN("data")));
	assert_true(span_istarts(SPAN("Bearer x"), SPAN("bearer ")));
	assert_false(span_istarts(SPAN("Beare"), SPAN("bearer ")));
	assert_true(span_ends(SPAN("x.json"), SPAN(".json")));
	assert_true(span_ends(SPAN("x"), SPAN("")));
	assert_false(span_ends(SPAN("json"), SPAN(".json")));
}

static void
test_head_and_from(void **state)
{
	(void)state;
	assert_span_eq(span_head(SPAN("abc"), 2), "ab");
	assert_span_eq(span_head(SPAN("abc"), 9), "abc");
	assert_span_eq(span_from(SPAN("abc"), 2), "c");
	assert_span_eq(span_from(SPAN("abc"), 9), "");
	assert_non_null(span_of(NULL, 0).p);
}

static void
test_find(void **state)
{
	static const struct {
		struct span s, needle;
		size_t at, at_icase;
	} cases[] = {
		{ SPAN_INIT("hello world"), SPAN_INIT("world"), 6, 6 },
		{ SPAN_INIT("hello World"), SPAN_INIT("wORLD"), 11, 6 },
		{ SPAN_INIT("aaab"), SPAN_INIT("aab"), 1, 1 },
		{ SPAN_INIT("abab"), SPAN_INIT("abc"), 4, 4 },
		{ SPAN_INIT("ab"), SPAN_INIT("abc"), 2, 2 },
		{ SPAN_INIT("abc"), SPAN_INIT("c"), 2, 2 },
		{ SPAN_INIT("abc"), SPAN_INIT(""), 0, 0 },
		{ SPAN_INIT(""), SPAN_INIT(""), 0, 0 },
		{ SPAN_INIT(""), SPAN_INIT("a"), 0, 0 },
		{ SPAN_INIT("a\0b"), SPAN_INIT("\0b"), 1, 1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(
			span_find(cases[i].s, cases[i].needle), cases[i].at);
		assert_int_equal(span_ifind(cases[i].s, cases[i].needle),
			cases[i].at_icase);
	}
	assert_int_equal(span_find_char(SPAN("abc"), 'c'), 2);
	assert_int_equal(span_find_char(SPAN("abc"), 'd'), 3);
	assert_int_equal(span_find_char(SPAN("a\xff"), '\xff'), 1);
}

static void
test_find_reads_nothing_behind_the_end(void **state)
{
	char *const p = t_exact(SPAN("aaaa"));

	(void)state;
	assert_int_equal(span_find(span_of(p, 4), SPAN("aab")), 4);
	assert_int_equal(span_ifind(span_of(p, 4), SPAN("AAB")), 4);
	free(p);
}

static void
test_trim(void **state)
{
	(void)state;
	assert_span_eq(span_trim(SPAN(" \t\r\n a b \n")), "a b");
	assert_span_eq(span_trim(SPAN(" \t\r\n")), "");
	assert_span_eq(span_trim(SPAN("")), "");
	assert_span_eq(span_rtrim(SPAN(" a ")), " a");
	/* Vertical tab, form feed and NUL are no blanks. */
	assert_span_eq(span_trim(SPAN("\v\f\0")), "\v\f\0");
	assert_true(span_is_blank(SPAN(" \t\r\n")));
	assert_true(span_is_blank(SPAN("")));
	assert_false(span_is_blank(SPAN(" x ")));
}

static void
test_split(void **state)
{
	struct span rest = SPAN("a,,b");
	struct span field = SPAN("untouched");

	(void)state;
	assert_true(span_split(&rest, ',', &field));
	assert_span_eq(field, "a");
	assert_true(span_split(&rest, ',', &field));
	assert_span_eq(field, "");
	assert_true(span_split(&rest, ',', &field));
	assert_span_eq(field, "b");
	assert_int_equal(rest.n, 0);
	assert_non_null(rest.p);
	assert_false(span_split(&rest, ',', &field));
	assert_span_eq(field, "b");

	/* An end that is also a separator leaves nothing to come. */
	rest = SPAN("a,");
	assert_true(span_split(&rest, ',', &field));
	assert_span_eq(field, "a");
	assert_false(span_split(&rest, ',', &field));
}

static void
test_u64(void **state)
{
	static const struct {
		struct span s;
		bool ok;
		uint64_t v;
	} cases[] = {
		{ SPAN_INIT("0"), true, 0 },
		{ SPAN_INIT("007"), true, 7 },
		{ SPAN_INIT("18446744073709551615"), true, UINT64_MAX },
		{ SPAN_INIT("18446744073709551616"), false, 0 },
		{ SPAN_INIT("99999999999999999999"), false, 0 },
		{ SPAN_INIT(""), false, 0 },
		{ SPAN_INIT("+1"), false, 0 },
		{ SPAN_INIT("-1"), false, 0 },
		{ SPAN_INIT(" 1"), false, 0 },
		{ SPAN_INIT("1x"), false, 0 },
		{ SPAN_INIT("0x1"), false, 0 },
		{ SPAN_INIT("1\0"), false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint64_t v = 42;

		assert_int_equal(span_u64(cases[i].s, &v), cases[i].ok);
		assert_true(v == (cases[i].ok ? cases[i].v : 42));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_compare),
		cmocka_unit_test(test_starts_and_ends),
		cmocka_unit_test(test_head_and_from),
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_find_reads_nothing_behind_the_end),
		cmocka_unit_test(test_trim),
		cmocka_unit_test(test_split),
		cmocka_unit_test(test_u64),
	};

	return cmocka_run_group_tests_name("span", tests, NULL, NULL);
}
