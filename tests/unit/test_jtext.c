/* SPDX-License-Identifier: MIT */
/* test_jtext.c - escapes there and back. */
#include "tests/lib/t.h"

#include <stdlib.h>

#include "shared/json/jscan.h"
#include "shared/json/jtext.h"

static const struct {
	struct span text, escaped;
} pairs[] = {
	{ SPAN_INIT(""), SPAN_INIT("") },
	{ SPAN_INIT("plain"), SPAN_INIT("plain") },
	{ SPAN_INIT("a\"b\\c/d"), SPAN_INIT("a\\\"b\\\\c/d") },
	{ SPAN_INIT("\b\f\n\r\t"), SPAN_INIT("\\b\\f\\n\\r\\t") },
	{ SPAN_INIT("\0\x01\x1f\x7f"), SPAN_INIT("\\u0000\\u0001\\u001f\x7f") },
	{ SPAN_INIT("0123456\n89abcde\"ghijklm\\"),
		SPAN_INIT("0123456\\n89abcde\\\"ghijklm\\\\") },
	{ SPAN_INIT("\xe2\x82\xac\n\xf0\x9f\x98\x80"),
		SPAN_INIT("\xe2\x82\xac\\n\xf0\x9f\x98\x80") },
	{ SPAN_INIT("\"\"\"\"\"\"\"\"\"\""),
		SPAN_INIT("\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"") },
};

/* Forms that jtext_escape does not choose. */
static const struct {
	struct span escaped, text;
} others[] = {

#define FFFD "\xef\xbf\xbd"
	{ SPAN_INIT("\\/\\u0041\\u00e9\\u20AC"),
		SPAN_INIT("/A\xc3\xa9\xe2\x82\xac") },
	{ SPAN_INIT("\\u0000x"), SPAN_INIT("\0x") },
	{ SPAN_INIT("\\ud83d\\ude00"), SPAN_INIT("\xf0\x9f\x98\x80") },
	{ SPAN_INIT("\\uDBFF\\uDFFF"), SPAN_INIT("\xf4\x8f\xbf\xbf") },
	{ SPAN_INIT("\\ud800\\udc00"), SPAN_INIT("\xf0\x90\x80\x80") },
	{ SPAN_INIT("\\ud83d"), SPAN_INIT(FFFD) },
	{ SPAN_INIT("\\ude00"), SPAN_INIT(FFFD) },
	{ SPAN_INIT("\\ude00\\ud83d"), SPAN_INIT(FFFD FFFD) },
	{ SPAN_INIT("\\ud83d\\ud83d\\ude00"),
		SPAN_INIT(FFFD "\xf0\x9f\x98\x80") },
	{ SPAN_INIT("\\ud83dx\\ude00"), SPAN_INIT(FFFD "x" FFFD) },
	{ SPAN_INIT("\\ud83d\\n"), SPAN_INIT(FFFD "\n") },
	{ SPAN_INIT("\\ud83d\\\\ude00"), SPAN_INIT(FFFD "\\ude00") },
	{ SPAN_INIT("\\ud83d\\u0041"), SPAN_INIT(FFFD "A") },
	{ SPAN_INIT("\\uffff"), SPAN_INIT("\xef\xbf\xbf") },
	{ SPAN_INIT("\\u07ff\\u0800"), SPAN_INIT("\xdf\xbf\xe0\xa0\x80") },
};

static void
check_unescape(struct span escaped, struct span text)
{
	char *const p = t_exact(escaped);
	const struct jesc e = { { p, escaped.n } };
	struct arena a;
	struct buf out;

	arena_init(&a);
	buf_init(&out, 100);
	jtext_unescape(e, &out);
	assert_spans_eq(buf_span(&out), text);
	assert_spans_eq(jtext_unescape_dup(&a, e), text);
	assert_int_equal(jesc_decoded_len(e), text.n);
	assert_true(jesc_eq(e, text));
	/* One byte less, one more, one changed. */
	buf_putc(&out, 'x');
	assert_false(jesc_eq(e, buf_span(&out)));
	if (text.n > 0) {
		assert_false(jesc_eq(e, span_head(text, text.n - 1)));
		out.data[text.n - 1] ^= 1;
		assert_false(jesc_eq(e, span_head(buf_span(&out), text.n)));
	}
	buf_fini(&out);
	arena_fini(&a);
	free(p);
}

static void
test_escape(void **state)
{
	struct arena a;
	struct buf out;

	(void)state;
	arena_init(&a);
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		char *const p = t_exact(pairs[i].text);
		const struct span text = { p, pairs[i].text.n };
		struct jesc e;

		buf_init(&out, 100);
		jtext_escape(text, &out);
		assert_spans_eq(buf_span(&out), pairs[i].escaped);
		e = jtext_escape_dup(&a, text);
		assert_spans_eq(e.s, pairs[i].escaped);
		/* No copy without need. */
		assert_int_equal(
			e.s.p == p, pairs[i].text.n == pairs[i].escaped.n);
		buf_fini(&out);
		free(p);
	}
	arena_fini(&a);
}

static void
test_unescape(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++)
		check_unescape(pairs[i].escaped, pairs[i].text);
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		check_unescape(others[i].escaped, others[i].text);
}

static void
test_unescape_shares_what_it_can(void **state)
{
	const struct jesc e = JESC("no escapes");
	struct arena a;

	(void)state;
	arena_init(&a);
	assert_ptr_equal(jtext_unescape_dup(&a, e).p, e.s.p);
	assert_int_equal(a.used_bytes, 0);
	arena_fini(&a);
}

/* Every byte below 0x80, at every position in the word, gives valid JSON that
 * means the same. */
static void
test_every_ascii_byte(void **state)
{
	struct buf json, back;

	(void)state;
	buf_init(&json, 1000);
	buf_init(&back, 1000);
	for (unsigned c = 0; c < 0x80; c++) {
		for (size_t at = 0; at < 20; at++) {
			char text[20];
			struct span inside;

			memset(text, 'x', sizeof(text));
			text[at] = (char)c;
			buf_reset(&json, SIZE_MAX);
			buf_reset(&back, SIZE_MAX);
			buf_putc(&json, '"');
			jtext_escape(span_of(text, sizeof(text)), &json);
			buf_putc(&json, '"');
			assert_ok(
				jscan_text(buf_span(&json), NULL, NULL), NULL);
			inside = span_of(json.data + 1, json.len - 2);
			jtext_unescape((struct jesc){ inside }, &back);
			assert_spans_eq(
				buf_span(&back), span_of(text, sizeof(text)));
		}
	}
	buf_fini(&json);
	buf_fini(&back);
}

static void
test_order(void **state)
{
	/* Ascending by what they mean. */
	static const struct span sorted[] = {
		SPAN_INIT(""),
		SPAN_INIT("\\u0000"),
		SPAN_INIT("\\n"),
		SPAN_INIT("a"),
		SPAN_INIT("\\u0061a"),
		SPAN_INIT("aa\\u0001"),
		SPAN_INIT("ab"),
		SPAN_INIT("\\u0062"),
		SPAN_INIT("\xc3\xa9"),
		SPAN_INIT("\\u20ac"),
		SPAN_INIT("\\ud83d\\ude00"),
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sorted); i++) {
		for (size_t k = 0; k < ARRAY_LEN(sorted); k++) {
			const int got = jesc_cmp((struct jesc){ sorted[i] },
				(struct jesc){ sorted[k] });

			assert_int_equal(
				(got > 0) - (got < 0), (i > k) - (i < k));
		}
	}
	assert_int_equal(jesc_cmp(JESC("a\\u0062"), JESC("\\u0061b")), 0);
}

static void
test_is_blank(void **state)
{
	(void)state;
	assert_true(jesc_is_blank(JESC_EMPTY));
	assert_true(jesc_is_blank(JESC(" \\t\\r\\n\\u0020\\u000A ")));
	assert_false(jesc_is_blank(JESC(" \\u00a0")));
	assert_false(jesc_is_blank(JESC(" \\f")));
	assert_false(jesc_is_blank(JESC(" x ")));
	assert_true(jesc_is_empty(JESC("")));
	assert_true(jraw_is_none(JRAW_NONE));
	assert_false(jraw_is_none(JRAW("0")));
}

static void
test_ends_in_high_surrogate(void **state)
{
	static const struct {
		struct span e;
		bool want;
	} cases[] = {
		{ SPAN_INIT("\\ud83d"), true },
		{ SPAN_INIT("text\\uD800"), true },
		{ SPAN_INIT("text\\uDbFf"), true },
		{ SPAN_INIT("\\\\\\ud83d"), true },
		{ SPAN_INIT("\\ud83d\\ud83d"), true },
		{ SPAN_INIT("\\ud83d\\ude00"), false },
		{ SPAN_INIT("\\ude00"), false },
		{ SPAN_INIT("\\\\ud83d"), false },
		{ SPAN_INIT("\\\\\\\\ud83d"), false },
		{ SPAN_INIT("\\ud83dx"), false },
		{ SPAN_INIT("\\ud7ff"), false },
		{ SPAN_INIT("\\ue000"), false },
		{ SPAN_INIT("ud83d"), false },
		{ SPAN_INIT("xud83d"), false },
		{ SPAN_INIT(""), false },
		{ SPAN_INIT("abcdef"), false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct jesc e = { cases[i].e };

		assert_int_equal(jesc_ends_in_high_surrogate(e), cases[i].want);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_escape),
		cmocka_unit_test(test_unescape),
		cmocka_unit_test(test_unescape_shares_what_it_can),
		cmocka_unit_test(test_every_ascii_byte),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_is_blank),
		cmocka_unit_test(test_ends_in_high_surrogate),
	};

	return cmocka_run_group_tests_name("jtext", tests, NULL, NULL);
}
