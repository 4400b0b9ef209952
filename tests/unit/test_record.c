/* SPDX-License-Identifier: MIT */
/* test_record.c - records of requests: round trips, cuts, nonsense. */
#include "shared/sys/record.h"

#include <stdlib.h>

#include "shared/base/utf8.h"
#include "shared/sys/ring.h"
#include "tests/lib/t.h"

_Static_assert(
	(int)RECORD_MAX <= RING_ENTRY_MAX, "no record is cut by the ring");

static struct record
example(void)
{
	struct record r;

	record_init(&r);
	r.time_us = 1700000000123456;
	r.status = 200;
	r.input = 1000;
	r.cached = 400;
	r.total_us = 123;
	r.notice_count = UINT32_MAX;
	r.original_tokens = 7;
	r.request = SPAN("req_0123456789");
	r.client = SPAN("ann");
	r.model = SPAN("glm-4.6");
	r.notices = SPAN("dropped:seed");
	return r;
}

static void
test_round_trip(void **state)
{
	const struct record in = example();
	char bytes[RECORD_MAX];
	struct record out;
	const size_t n = record_write(&in, bytes);

	(void)state;
	assert_true(record_read(&out, bytes, n));
#define NUMBER(name, least, most, meaning) assert_int_equal(out.name, in.name);
#define TEXT(name, bytes, meaning)         assert_spans_eq(out.name, in.name);
#include "shared/sys/record.def"
#undef NUMBER
#undef TEXT
	assert_int_equal(out.output, -1);
	assert_int_equal(out.head_us, -1);
	assert_int_equal(out.retries, 0);
	assert_span_eq(out.error, "");
}

static void
test_texts_are_cut(void **state)
{
	char *const all = t_repeat("\xf0\x9f\x98\x80", 500);
	char bytes[RECORD_MAX];
	struct record in = example();
	struct record out;
	size_t n;

	(void)state;
	for (size_t from = 0; from < 4; from++) {
		/* The cut meets every byte of a character. */
		char wide[4 + 2000] = "xxxx";

		memcpy(wide + from, all, 2000);
		in.notices = in.model = in.asked = in.client = in.dialect =
			in.upstream = in.error = in.request =
				span_of(wide, 2000 + from);
		n = record_write(&in, bytes);
		assert_true(n <= RECORD_MAX);
		assert_true(record_read(&out, bytes, n));
		assert_true(out.notices.n > 1024 - 4 && out.notices.n <= 1024);
		assert_int_equal(utf8_valid_len(out.notices), out.notices.n);
		assert_int_equal(out.client.n, from == 0 ? 64 : 60 + from);
		assert_spans_eq(out.client, span_head(in.client, out.client.n));
	}
	free(all);
}

static void
test_every_length(void **state)
{
	const struct record in = example();
	char bytes[RECORD_MAX + 1] = "";
	struct record out;
	const size_t n = record_write(&in, bytes);

	(void)state;
	for (size_t k = 0; k <= n + 1; k++) {
		char *const copy = t_exact(span_of(bytes, k));

		assert_int_equal(record_read(&out, copy, k), k == n);
		free(copy);
	}
}

static void
test_nonsense(void **state)
{
	const struct record in = example();
	char bytes[RECORD_MAX];
	struct record out;
	struct record odd = in;
	size_t n;

	(void)state;
	odd.status = 12345;
	odd.input = INT64_MIN;
	odd.output = INT64_MAX;
	odd.time_us = -5;
	odd.cancelled = 7;
	odd.model = SPAN("a\nb\x80"
			 "c\xc3\xa4\x7f\xc3");
	n = record_write(&odd, bytes);
	assert_true(record_read(&out, bytes, n));
	assert_int_equal(out.status, 999);
	assert_int_equal(out.input, -1);
	assert_int_equal(out.output, RECORD_TOKENS_MAX);
	assert_int_equal(out.time_us, 0);
	assert_int_equal(out.cancelled, 1);
	assert_span_eq(out.model, "a?b?c\xc3\xa4??");
	/* What terminals take for the begin of an order, and what they do not.
	 */
	odd.model = SPAN("\xc2\x9b"
			 "2J\xc2\x80\xc2\xa0\xc3\x9b");
	n = record_write(&odd, bytes);
	assert_true(record_read(&out, bytes, n));
	assert_span_eq(out.model, "??2J??\xc2\xa0\xc3\x9b");
	/* Another version, something else. */
	for (size_t i = 0; i < 8; i++) {
		n = record_write(&in, bytes);
		bytes[i] ^= 1;
		assert_false(record_read(&out, bytes, n));
	}
	/* A text that is longer than its kind, within the bytes. */
	n = record_write(&in, bytes);
	bytes[8 + 8 * RECORD_NUMBERS] = 41;
	assert_false(record_read(&out, bytes, n));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_texts_are_cut),
		cmocka_unit_test(test_every_length),
		cmocka_unit_test(test_nonsense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
