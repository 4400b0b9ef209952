/* SPDX-License-Identifier: MIT */
/* test_utf8.c - validity, repair and encoding. */
#include "tests/lib/t.h"

#include <stdlib.h>

#include "shared/base/utf8.h"

/* Every class of RFC 3629: text, valid prefix, what repair makes of it. */
static const struct {
	struct span s;
	size_t valid;
	struct span repaired;
} cases[] = {

#define FFFD "\xef\xbf\xbd"
	{ SPAN_INIT(""), 0, SPAN_INIT("") },
	{ SPAN_INIT("plain\0text"), 10, SPAN_INIT("plain\0text") },
	{ SPAN_INIT("\xc2\x80\xdf\xbf"), 4, SPAN_INIT("\xc2\x80\xdf\xbf") },
	{ SPAN_INIT("\xe0\xa0\x80\xef\xbf\xbf"), 6,
		SPAN_INIT("\xe0\xa0\x80\xef\xbf\xbf") },
	{ SPAN_INIT("\xed\x9f\xbf\xee\x80\x80"), 6,
		SPAN_INIT("\xed\x9f\xbf\xee\x80\x80") },
	{ SPAN_INIT("\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"), 8,
		SPAN_INIT("\xf0\x90\x80\x80\xf4\x8f\xbf\xbf") },
	/* a stray continuation byte */
	{ SPAN_INIT("a\x80z"), 1, SPAN_INIT("a" FFFD "z") },
	{ SPAN_INIT("a\xbf\xbfz"), 1, SPAN_INIT("a" FFFD FFFD "z") },
	/* overlong */
	{ SPAN_INIT("a\xc0\x80z"), 1, SPAN_INIT("a" FFFD FFFD "z") },
	{ SPAN_INIT("a\xc1\xbfz"), 1, SPAN_INIT("a" FFFD FFFD "z") },
	{ SPAN_INIT("a\xe0\x9f\xbfz"), 1, SPAN_INIT("a" FFFD FFFD FFFD "z") },
	{ SPAN_INIT("a\xf0\x8f\xbf\xbfz"), 1,
		SPAN_INIT("a" FFFD FFFD FFFD FFFD "z") },
	/* surrogates */
	{ SPAN_INIT("a\xed\xa0\x80z"), 1, SPAN_INIT("a" FFFD FFFD FFFD "z") },
	{ SPAN_INIT("a\xed\xbf\xbfz"), 1, SPAN_INIT("a" FFFD FFFD FFFD "z") },
	/* above U+10FFFF */
	{ SPAN_INIT("a\xf4\x90\x80\x80z"), 1,
		SPAN_INIT("a" FFFD FFFD FFFD FFFD "z") },
	{ SPAN_INIT("a\xf5z"), 1, SPAN_INIT("a" FFFD "z") },
	{ SPAN_INIT("a\xff\xfez"), 1, SPAN_INIT("a" FFFD FFFD "z") },
	/* cut sequences are one mistake each */
	{ SPAN_INIT("a\xc3z"), 1, SPAN_INIT("a" FFFD "z") },
	{ SPAN_INIT("a\xe2\x82z"), 1, SPAN_INIT("a" FFFD "z") },
	{ SPAN_INIT("a\xf0\x9f\x98z"), 1, SPAN_INIT("a" FFFD "z") },
	{ SPAN_INIT("a\xf0\x9f\x98"), 1, SPAN_INIT("a" FFFD) },
	{ SPAN_INIT("a\xe2\x82\xe2\x82\xac"), 1,
		SPAN_INIT("a" FFFD "\xe2\x82\xac") },
	{ SPAN_INIT("a\xf0\x9f\xf0\x9f"), 1, SPAN_INIT("a" FFFD FFFD) },
	/* the recommendation's own example, Unicode 15.0 table 3-8 */
	{ SPAN_INIT("a\xf1\x80\x80\xe1\x80\xc2"
		    "b\x80"
		    "c\x80\xbf"
		    "d"),
		1, SPAN_INIT("a" FFFD FFFD FFFD "b" FFFD "c" FFFD FFFD "d") },
};

static void
test_classes(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char *const p = t_exact(cases[i].s);
		const struct span s = { p, cases[i].s.n };
		struct buf out;

		assert_int_equal(utf8_valid_len(s), cases[i].valid);
		buf_init(&out, 100);
		utf8_repair(s, &out);
		assert_spans_eq(buf_span(&out), cases[i].repaired);
		buf_fini(&out);
		free(p);
	}
}

/* The words of eight bytes must not hide anything, at any position. */
static void
test_every_position(void **state)
{
	char text[41];

	(void)state;
	for (size_t at = 0; at < 40; at++) {
		memset(text, 'x', 40);
		text[at] = (char)0xff;
		assert_int_equal(utf8_valid_len(span_of(text, 40)), at);
		if (at + 2 > 40)
			continue;
		text[at] = (char)0xc3;
		text[at + 1] = (char)0xa4;
		assert_int_equal(utf8_valid_len(span_of(text, 40)), 40);
		/* Cut in the middle of the sequence. */
		assert_int_equal(utf8_valid_len(span_of(text, at + 1)), at);
	}
}

static void
test_put_and_back(void **state)
{
	static const uint32_t invalid[] = { 0xd800, 0xdbff, 0xdc00, 0xdfff,
		0x110000, UINT32_MAX };
	struct buf out;

	(void)state;
	buf_init(&out, 8);
	for (uint32_t c = 0; c <= 0x10ffff; c++) {
		const size_t want = c < 0x80 ? 1 :
			c < 0x800            ? 2 :
			c < 0x10000          ? 3 :
					       4;

		buf_reset(&out, SIZE_MAX);
		utf8_put(&out, c);
		if (buf_len(&out) != want ||
			utf8_valid_len(buf_span(&out)) != want)
			fail_msg("code point %x", c);
	}
	for (size_t i = 0; i < ARRAY_LEN(invalid); i++) {
		buf_reset(&out, SIZE_MAX);
		utf8_put(&out, invalid[i]);
		assert_buf_eq(&out, FFFD);
	}
	buf_fini(&out);
}

static void
test_put_bytes(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out, 100);
	utf8_put(&out, 'A');
	utf8_put(&out, 0xe4);
	utf8_put(&out, 0x20ac);
	utf8_put(&out, 0x1f600);
	assert_buf_eq(&out, "A\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80");
	buf_fini(&out);
}

/* By the table of RFC 3629, section 4. */
static unsigned
len_by_ranges(const uint8_t *p)
{
	static const struct {
		uint8_t first, last; /* of the lead byte */
		uint8_t low, high;   /* of the byte behind it */
		unsigned len;
	} rows[] = {
		{ 0xc2, 0xdf, 0x80, 0xbf, 2 },
		{ 0xe0, 0xe0, 0xa0, 0xbf, 3 },
		{ 0xe1, 0xec, 0x80, 0xbf, 3 },
		{ 0xed, 0xed, 0x80, 0x9f, 3 },
		{ 0xee, 0xef, 0x80, 0xbf, 3 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (p[0] < rows[i].first || p[0] > rows[i].last)
			continue;
		if (p[1] < rows[i].low || p[1] > rows[i].high)
			return 0;
		if (rows[i].len == 3 && (p[2] < 0x80 || p[2] > 0xbf))
			return 0;
		return rows[i].len;
	}
	return 0;
}

/* All three bytes there are, as a whole text and in front of more. */
static void
test_every_three_bytes(void **state)
{
	(void)state;
	for (uint32_t w = 0x800000; w <= 0xffffff; w++) {
		const uint8_t b[] = { (uint8_t)(w >> 16), (uint8_t)(w >> 8),
			(uint8_t)w };
		const char *const p = (const char *)b;
		const unsigned want = len_by_ranges(b);

		/* Two bytes alone take another way. */
		if (utf8_seq_len(p, p + 3) != want ||
			(want != 3 && utf8_seq_len(p, p + 2) != want))
			fail_msg("%06x", w);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_three_bytes),
		cmocka_unit_test(test_classes),
		cmocka_unit_test(test_every_position),
		cmocka_unit_test(test_put_and_back),
		cmocka_unit_test(test_put_bytes),
	};

	return cmocka_run_group_tests_name("utf8", tests, NULL, NULL);
}
