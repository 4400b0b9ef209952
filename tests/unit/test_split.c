/* SPDX-License-Identifier: MIT */
/* test_split.c - the pieces of text, in one go and cut everywhere. */
#include "shared/count/split.h"

#include <stdlib.h>

#include "shared/count/unicode_classes.h"
#include "tests/lib/t.h"

/* The pieces with bars between them. */
static const struct {
	struct span text;
	const char *want;
} cases[] = {
	{ SPAN_INIT(""), "" },
	{ SPAN_INIT("hello world"), "hello| world" },
	{ SPAN_INIT("Hello, World!"), "Hello|,| World|!" },
	{ SPAN_INIT("1234567 12"), "123|456|7| |12" },
	{ SPAN_INIT("a1b22"), "a|1|b|22" },
	{ SPAN_INIT("x = (a+b);\n\n  y"), "x| =| (|a|+b|);\n\n| | y" },
	{ SPAN_INIT("don't I'LL we'Ve 'd 'dx"),
		"don|'t| I|'LL| we|'Ve| '|d| '|dx" },
	{ SPAN_INIT("'s'S're'RE'm'l'q'"), "'s|'S|'re|'RE|'m|'l|'q|'" },
	{ SPAN_INIT("'\xc5\xbft"), "'\xc5\xbf|t" },
	{ SPAN_INIT("a  b"), "a| | b" },
	{ SPAN_INIT("a   "), "a|   " },
	{ SPAN_INIT("a \n b"), "a| \n| b" },
	{ SPAN_INIT(" \n \n \nb"), " \n \n \n|b" },
	{ SPAN_INIT(" \n  \t x"), " \n|  \t| x" },
	{ SPAN_INIT("\t\tx\t1"), "\t|\tx|\t|1" },
	{ SPAN_INIT("\r\n\r\na"), "\r\n\r\n|a" },
	{ SPAN_INIT("!!\r\n\r\n  a"), "!!\r\n\r\n| | a" },
	{ SPAN_INIT("  !"), " | !" },
	{ SPAN_INIT("\xe4\xb8\xad\xe6\x96\x87,\xe4\xb8\xad"),
		"\xe4\xb8\xad\xe6\x96\x87|,\xe4\xb8\xad" },
	/* Ideographic space, no-break space, next line. */
	{ SPAN_INIT("a\xe3\x80\x80\xe3\x80\x80"
		    "b\xc2\xa0.\xc2\x85\nc"),
		"a|\xe3\x80\x80|\xe3\x80\x80"
		"b|\xc2\xa0|.|\xc2\x85\n|c" },
	/* Roman numeral two, Devanagari three. */
	{ SPAN_INIT("\xe2\x85\xa1\xe0\xa5\xa9"), "\xe2\x85\xa1\xe0\xa5\xa9" },
	/* Combining accents are no letters. */
	{ SPAN_INIT("e\xcc\x81t"), "e|\xcc\x81t" },
	{ SPAN_INIT("\xf0\x9f\x98\x80\xf0\x9f\x98\x80 \xf0\x9f\x98\x80"),
		"\xf0\x9f\x98\x80\xf0\x9f\x98\x80| \xf0\x9f\x98\x80" },
	/* No UTF-8: a byte alone, a cut sequence, a surrogate, too long. */
	{ SPAN_INIT("a\xff"
		    "b"),
		"a|\xff"
		"b" },
	{ SPAN_INIT("a\xe4\xb8"), "a|\xe4\xb8" },
	{ SPAN_INIT("a\xed\xa0\x80 \xc0\x80"), "a|\xed\xa0\x80| \xc0\x80" },
	{ SPAN_INIT("\xf4\x90\x80\x80\n"), "\xf4\x90\x80\x80\n" },
};

static void
check(struct span text, const char *want, size_t max_bytes)
{
	char *const exact = t_exact(text);
	size_t calls = 0, sum = 0;
	struct span piece;
	struct split s;
	struct buf got;

	buf_init(&got, SIZE_MAX);
	split_init(&s, span_of(exact, text.n));
	while (!split_is_done(&s)) {
		assert_true(++calls <= 4 * text.n + 4);
		if (!split_next(&s, max_bytes, &piece))
			continue;
		assert_true(piece.n > 0);
		if (sum > 0)
			buf_putc(&got, '|');
		sum += piece.n;
		buf_put(&got, piece);
	}
	assert_int_equal(sum, text.n);
	assert_false(split_next(&s, max_bytes, &piece));
	assert_spans_eq(buf_span(&got), span_cstr(want));
	buf_fini(&got);
	free(exact);
}

static void
test_pieces(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		for (size_t max = 1; max <= cases[i].text.n + 1; max++)
			check(cases[i].text, cases[i].want, max);
}

/* Every call looks at about as many bytes as it may, whatever they are. */
static void
test_long_runs_in_small_steps(void **state)
{
	static const char *const runs[] = { "a", " ", "\n", "!", "\xe4\xb8\xad",
		"\xe3\x80\x80", "\xff", " \n" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(runs); i++) {
		char *const text = t_repeat(runs[i], 20000);
		struct span piece;
		struct split s;
		size_t calls = 0;

		split_init(&s, span_cstr(text));
		while (!split_is_done(&s)) {
			const size_t before = s.at;

			if (!split_next(&s, 100, &piece))
				assert_in_range(s.at - before, 1, 107);
			calls++;
		}
		assert_in_range(
			calls, strlen(text) / 110, strlen(text) / 90 + 4);
		free(text);
	}
}

static void
test_classes(void **state)
{
	static const struct {
		uint32_t first, last;
		enum unicode_class kind;
	} ranges[] = {
		{ 'a', 'z', UNICODE_LETTER },
		{ '0', '9', UNICODE_NUMBER },
		{ 0x9, 0xd, UNICODE_SPACE },
		{ 0x300, 0x36f, UNICODE_OTHER },
		{ 0x2000, 0x200a, UNICODE_SPACE },
		{ 0x200b, 0x200d, UNICODE_OTHER },
		{ 0x2160, 0x2182, UNICODE_NUMBER },
		{ 0x4e00, 0x9fff, UNICODE_LETTER },
		{ 0xac00, 0xd7a3, UNICODE_LETTER },
		{ 0xd800, 0xdfff, UNICODE_OTHER },
		{ 0x105c0, 0x105f3, UNICODE_LETTER }, /* of Unicode 16.0 */
		{ 0x1ccf0, 0x1ccf9, UNICODE_NUMBER },
		{ 0x2ebf0, 0x2ee5d, UNICODE_LETTER }, /* of 15.1 */
		{ 0x31350, 0x323af, UNICODE_LETTER },
		{ 0x323b0, 0x33000, UNICODE_OTHER },
		{ 0xe0000, 0x110000, UNICODE_OTHER },
		{ UINT32_MAX - 1, UINT32_MAX - 1, UNICODE_OTHER },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ranges); i++)
		for (uint32_t c = ranges[i].first; c <= ranges[i].last; c++)
			assert_int_equal(unicode_class(c), ranges[i].kind);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_long_runs_in_small_steps),
		cmocka_unit_test(test_classes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
