/* SPDX-License-Identifier: MIT */
/* test_http_date.c - times in header fields. */
#include "tests/lib/t.h"

#include <time.h>

#include "shared/http/date.h"

#define UNTOUCHED (-7)

static void
test_dates(void **state)
{
	static const struct {
		const char *text;
		int64_t wall_s; /* UNTOUCHED: refused */
	} rows[] = {
		{ "Thu, 01 Jan 1970 00:00:00 GMT", 0 },
		{ "Sun, 06 Nov 1994 08:49:37 GMT", 784111777 },
		{ " Sun, 06 Nov 1994 08:49:37 GMT ", 784111777 },
		{ "Tue, 29 Feb 2000 23:59:59 GMT", 951868799 },
		{ "Wed, 01 Mar 2000 00:00:00 GMT", 951868800 },
		{ "Wed, 21 Oct 2026 07:28:00 GMT", 1792567680 },
		{ "Fri, 31 Dec 9999 23:59:60 GMT", 253402300800 },
		{ "Wed, 31 Dec 1969 23:59:59 GMT", UNTOUCHED },
		{ "Sunday, 06-Nov-94 08:49:37 GMT", UNTOUCHED },
		{ "Sun Nov  6 08:49:37 1994", UNTOUCHED },
		{ "Sun, 06 Nov 1994 08:49:37 UTC", UNTOUCHED },
		{ "Sun, 6 Nov 1994 08:49:37 GMT", UNTOUCHED },
		{ "Sun, 06 nov 1994 08:49:37 GMT", UNTOUCHED },
		{ "Sun, 06 Noo 1994 08:49:37 GMT", UNTOUCHED },
		{ "Sun, 00 Nov 1994 08:49:37 GMT", UNTOUCHED },
		{ "Sun, 32 Nov 1994 08:49:37 GMT", UNTOUCHED },
		{ "Sun, 06 Nov 1994 24:49:37 GMT", UNTOUCHED },
		{ "Sun, 06 Nov 1994 08:60:37 GMT", UNTOUCHED },
		{ "Sun, 06 Nov 1994 08:49:61 GMT", UNTOUCHED },
		{ "Sun, 06 Nov 1994 08:49:37 GMTx", UNTOUCHED },
		{ "Sun, 06 Nov 1994 08:49:37 GM", UNTOUCHED },
		{ "1S, 06 Nov 1994 08:49:37 GMT", UNTOUCHED },
		{ "120", UNTOUCHED },
		{ "", UNTOUCHED },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int64_t wall_s = UNTOUCHED;
		const bool is_date =
			http_date(span_cstr(rows[i].text), &wall_s);

		if (wall_s != rows[i].wall_s ||
			is_date != (rows[i].wall_s != UNTOUCHED))
			fail_msg("%s: %lld", rows[i].text, (long long)wall_s);
	}
}

/* Every day of 150 years, as the C library writes it. */
static void
test_all_days(void **state)
{
	(void)state;
	for (time_t t = 12345; t < (time_t)86400 * 366 * 150; t += 86400) {
		int64_t wall_s = UNTOUCHED;
		char text[64];
		struct tm tm;

		assert_non_null(gmtime_r(&t, &tm));
		assert_true(strftime(text, sizeof(text),
				    "%a, %d %b %Y %H:%M:%S GMT", &tm) > 0);
		assert_true(http_date(span_cstr(text), &wall_s));
		assert_int_equal(wall_s, t);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dates),
		cmocka_unit_test(test_all_days),
	};

	return cmocka_run_group_tests_name("http_date", tests, NULL, NULL);
}
