/* SPDX-License-Identifier: MIT */
/* test_calib_file.c - learned ratios as a file's text, which may come from
 * anybody. */
#include "shared/sys/calib_file.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/lib/t.h"

#define HEAD "glmproxy-calibration 1\n"

static struct calib *
new_table(void)
{
	struct calib *const c = calloc(1, sizeof(*c));

	assert_non_null(c);
	return c;
}

static void
put(struct calib *c, const char *name, enum calib_way way, uint32_t ratio,
	uint32_t samples)
{
	calib_restore(calib_row(c, span_cstr(name)), way,
		(struct calib_ratio){ ratio, samples });
}

static void
check_ratio(struct calib *c, const char *name, enum calib_way way,
	uint32_t ratio, uint32_t samples)
{
	const struct calib_ratio r =
		calib_get(calib_row(c, span_cstr(name)), way);

	assert_int_equal(r.ratio, ratio);
	assert_int_equal(r.samples, samples);
}

static struct calib_file_report
restore(struct calib *c, struct span text)
{
	struct calib_file_report report;
	char *const copy = t_exact(text);

	calib_file_restore(c, span_of(copy, text.n), &report);
	free(copy);
	return report;
}

static void
test_prints(void **state)
{
	struct calib *const c = new_table();
	struct buf b;

	(void)state;
	buf_init(&b, CALIB_FILE_MAX);
	assert_false(calib_file_print(c, &b));
	assert_buf_eq(&b, HEAD);
	/* A row that was only looked for is not worth a line. */
	assert_non_null(calib_row(c, SPAN("quiet")));
	buf_reset(&b, 0);
	assert_false(calib_file_print(c, &b));
	put(c, "up/glm 4\xc3\xbc", CALIB_EXACT, 45876, 20);
	put(c, "up/glm 4\xc3\xbc", CALIB_QUICK, CALIB_MAX, UINT32_MAX);
	buf_reset(&b, 0);
	assert_true(calib_file_print(c, &b));
	assert_buf_eq(&b,
		HEAD "up/glm 4\xc3\xbc\tquick\t4.000000\t4294967295\n"
		     "up/glm 4\xc3\xbc\texact\t0.700012\t20\n");
	buf_fini(&b);
	free(c);
}

/* Every ratio comes back as it was. */
static void
test_round_trip_of_ratios(void **state)
{
	(void)state;
	for (uint32_t ratio = CALIB_MIN; ratio <= CALIB_MAX; ratio++) {
		struct calib c = { 0 };
		struct calib d = { 0 };
		struct calib_file_report report;
		struct buf b;

		buf_init(&b, CALIB_FILE_MAX);
		put(&c, "m", CALIB_QUICK, ratio, 1);
		assert_true(calib_file_print(&c, &b));
		calib_file_restore(&d, buf_span(&b), &report);
		check_ratio(&d, "m", CALIB_QUICK, ratio, 1);
		buf_fini(&b);
	}
}

static void
test_full_table(void **state)
{
	struct calib *const c = new_table();
	struct calib *const d = new_table();
	struct calib_file_report report;
	char name[CALIB_NAME_MAX];
	struct buf b;

	(void)state;
	for (int i = 0; i < CALIB_ROWS; i++) {
		(void)snprintf(
			name, sizeof(name), "%0*d", CALIB_NAME_MAX - 1, i);
		put(c, name, CALIB_QUICK, CALIB_ONE + (uint32_t)i, 1);
		put(c, name, CALIB_EXACT, CALIB_ONE - (uint32_t)i, 2);
	}
	buf_init(&b, CALIB_FILE_MAX);
	assert_true(calib_file_print(c, &b));
	assert_false(b.bad);
	report = restore(d, buf_span(&b));
	assert_int_equal(report.lines, CALIB_ROWS * CALIB_WAYS);
	assert_int_equal(report.ignored, 0);
	for (int i = 0; i < CALIB_ROWS; i++) {
		(void)snprintf(
			name, sizeof(name), "%0*d", CALIB_NAME_MAX - 1, i);
		check_ratio(d, name, CALIB_QUICK, CALIB_ONE + (uint32_t)i, 1);
		check_ratio(d, name, CALIB_EXACT, CALIB_ONE - (uint32_t)i, 2);
	}
	/* One name more than there are rows. */
	report = restore(d, SPAN(HEAD "more\tquick\t1.000000\t1\n"));
	assert_int_equal(report.lines, 0);
	assert_int_equal(report.ignored, 1);
	buf_fini(&b);
	free(c);
	free(d);
}

/* A bad line is left out; the one behind it is read. */
static void
test_bad_lines(void **state)
{
	static const struct span rows[] = {
		SPAN_INIT(""),
		SPAN_INIT("a"),
		SPAN_INIT("a\tquick"),
		SPAN_INIT("a\tquick\t1.000000"),
		SPAN_INIT("a\tquick\t1.000000\t"),
		SPAN_INIT("a\tquick\t1.000000\t0"),
		SPAN_INIT("a\tquick\t1.000000\t-1"),
		SPAN_INIT("a\tquick\t1.000000\t+1"),
		SPAN_INIT("a\tquick\t1.000000\t 1"),
		SPAN_INIT("a\tquick\t1.000000\t1\r"),
		SPAN_INIT("a\tquick\t1.000000\t1\t"),
		SPAN_INIT("a\tquick\t1.000000\t1\t1"),
		SPAN_INIT("a\tquick\t1.000000\t4294967296"),
		SPAN_INIT("a\tquick\t1.000000\t99999999999999999999999"),
		SPAN_INIT("a\tslow\t1.000000\t1"),
		SPAN_INIT("a\tQUICK\t1.000000\t1"),
		SPAN_INIT("a\t\t1.000000\t1"),
		SPAN_INIT("a quick 1.000000 1"),
		SPAN_INIT("a\tquick\t1\t1"),
		SPAN_INIT("a\tquick\t1.0\t1"),
		SPAN_INIT("a\tquick\t.000000\t1"),
		SPAN_INIT("a\tquick\t1.\t1"),
		SPAN_INIT("a\tquick\t\t1"),
		SPAN_INIT("a\tquick\t1.0000000\t1"),
		SPAN_INIT("a\tquick\t1.00000x\t1"),
		SPAN_INIT("a\tquick\t1e0.00000\t1"),
		SPAN_INIT("a\tquick\tnan\t1"),
		SPAN_INIT("a\tquick\t-1.000000\t1"),
		SPAN_INIT("a\tquick\t0.249990\t1"),
		SPAN_INIT("a\tquick\t4.000010\t1"),
		SPAN_INIT("a\tquick\t9999999999999999.000000\t1"),
		SPAN_INIT("\tquick\t1.000000\t1"),
		SPAN_INIT("a\x01\tquick\t1.000000\t1"),
		SPAN_INIT("a\x7f\tquick\t1.000000\t1"),
		SPAN_INIT("a\0b\tquick\t1.000000\t1"),
		SPAN_INIT("\0\tquick\t1.000000\t1"),
		SPAN_INIT("\xff\tquick\t1.000000\t1"),
		SPAN_INIT("\xed\xa0\x80\tquick\t1.000000\t1"),
		SPAN_INIT("0123456789012345678901234567890123456789"
			  "012345678901234567890123\tquick\t1.000000\t1"),
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct calib *const c = new_table();
		struct calib_file_report report;
		size_t nrows = 0;
		struct buf b;

		buf_init(&b, CALIB_FILE_MAX);
		buf_puts(&b, HEAD);
		buf_put(&b, rows[i]);
		buf_puts(&b, "\nm\texact\t0.500000\t7\n");
		report = restore(c, buf_span(&b));
		assert_int_equal(report.lines, 1);
		assert_int_equal(report.ignored, 1);
		assert_int_equal(report.first, 2);
		check_ratio(c, "m", CALIB_EXACT, CALIB_ONE / 2, 7);
		/* It took no row either. */
		for (size_t k = 0; k < CALIB_ROWS; k++)
			nrows += atomic_load(&c->rows[k].key) != 0;
		assert_int_equal(nrows, 1);
		buf_fini(&b);
		free(c);
	}
}

static void
test_bad_heads(void **state)
{
	static const struct span rows[] = {
		SPAN_INIT("glmproxy-calibration 2\nm\tquick\t1.000000\t1\n"),
		SPAN_INIT("glmproxy-calibration 1 \nm\tquick\t1.000000\t1\n"),
		SPAN_INIT("glmproxy-calibration 1\r\nm\tquick\t1.000000\t1\n"),
		SPAN_INIT("\nm\tquick\t1.000000\t1\n"),
		SPAN_INIT("m\tquick\t1.000000\t1\n" HEAD),
		SPAN_INIT("\0\0\0\0\n\0\0\0\0\n"),
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct calib *const c = new_table();
		const struct calib_file_report report = restore(c, rows[i]);

		assert_int_equal(report.lines, 0);
		assert_int_equal(report.ignored, 2);
		assert_int_equal(report.first, 1);
		free(c);
	}
}

/* Cut anywhere, every line that is left whole is read and no half of one is. */
static void
test_cut(void **state)
{
	static const struct span text =
		SPAN_INIT(HEAD "a\tquick\t1.250000\t123\n"
			       "b\texact\t0.750000\t456\n");
	const size_t first = sizeof(HEAD) - 1;
	const size_t second = first + sizeof("a\tquick\t1.250000\t123\n") - 1;

	(void)state;
	for (size_t n = 0; n <= text.n; n++) {
		struct calib *const c = new_table();
		const struct calib_file_report report =
			restore(c, span_head(text, n));
		const unsigned whole = n == text.n ? 2 : n >= second ? 1 : 0;
		const bool is_cut =
			n != 0 && n != first && n != second && n != text.n;

		assert_int_equal(report.lines, whole);
		assert_int_equal(report.ignored, is_cut);
		if (whole >= 1)
			check_ratio(
				c, "a", CALIB_QUICK, CALIB_ONE * 5 / 4, 123);
		if (whole == 2)
			check_ratio(
				c, "b", CALIB_EXACT, CALIB_ONE * 3 / 4, 456);
		free(c);
	}
}

/* What has been learned since counts more, and of two lines the first. */
static void
test_known_better(void **state)
{
	struct calib *const c = new_table();

	(void)state;
	put(c, "a", CALIB_QUICK, CALIB_ONE, 3);
	(void)restore(c,
		SPAN(HEAD "a\tquick\t2.000000\t9\na\texact\t2.000000\t9\n"
			  "a\texact\t3.000000\t9\n"));
	check_ratio(c, "a", CALIB_QUICK, CALIB_ONE, 3);
	check_ratio(c, "a", CALIB_EXACT, 2 * CALIB_ONE, 9);
	free(c);
}

/* Names that cannot be written are not, and none is written twice. */
static void
test_names_in_memory(void **state)
{
	static const struct span names[] = {
		SPAN_INIT("a\nb"),
		SPAN_INIT("tab\there"),
		SPAN_INIT("a\0b"),
		SPAN_INIT("a\0c"),
		SPAN_INIT("\xff"),
	};
	struct calib *const c = new_table();
	struct calib_row *row;
	struct span name;
	struct buf b;

	(void)state;
	buf_init(&b, CALIB_FILE_MAX);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		row = calib_row(c, names[i]);
		assert_non_null(row);
		calib_learn(row, CALIB_QUICK, 1000, 1000);
		assert_false(calib_name(row, &name));
	}
	assert_false(calib_file_print(c, &b));
	row = calib_row(c, SPAN("a"));
	calib_learn(row, CALIB_QUICK, 1000, 1000);
	assert_true(calib_name(row, &name));
	assert_span_eq(name, "a");
	/* Another process may have written anything there. */
	memset(row->name, 'a', sizeof(row->name));
	assert_false(calib_name(row, &name));
	atomic_store(&row->is_named, 0);
	assert_false(calib_name(row, &name));
	buf_fini(&b);
	free(c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_prints),
		cmocka_unit_test(test_round_trip_of_ratios),
		cmocka_unit_test(test_full_table),
		cmocka_unit_test(test_bad_lines),
		cmocka_unit_test(test_bad_heads),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_known_better),
		cmocka_unit_test(test_names_in_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
