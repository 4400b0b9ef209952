/* SPDX-License-Identifier: MIT */
/* test_jplain.c - blocks against bytes, in every place of a text. */
#include "tests/lib/t.h"

#include <stdlib.h>

#include "shared/base/span.h"
#include "shared/json/jplain.h"

#define LONGEST 200
#define TEXTS   4000

/* What the header says, byte by byte. */
static size_t
plain_bytes(struct span s)
{
	size_t i = 0;

	while (i < s.n) {
		const uint8_t c = (uint8_t)s.p[i];

		if (c == '"' || c < 0x20 || c > 0x7f)
			break;
		if (c == '\\' &&
			(i + 1 == s.n || s.p[i + 1] == '\0' ||
				strchr("\"\\/bfnrt", s.p[i + 1]) == NULL))
			break;
		i += c == '\\' ? 2 : 1;
	}
	return i;
}

/* In memory of exactly its size, so that a look behind the end shows. */
static void
check(struct span s)
{
	char *const p = malloc(s.n + 1);
	const char *stop;

	assert_non_null(p);
	memcpy(p + 1, s.p, s.n);
	for (size_t from = 0; from <= 1 && from <= s.n; from++) {
		const struct span rest = span_from(s, from);

		stop = jplain_skip(p + 1 + from, p + 1 + s.n);
		assert_int_equal(stop - (p + 1 + from), plain_bytes(rest));
	}
	free(p);
}

static void
test_every_byte_everywhere(void **state)
{
	char text[2 * 64 + 2];

	(void)state;
	for (size_t at = 0; at < sizeof(text); at++) {
		for (int c = 0; c < 256; c++) {
			memset(text, 'x', sizeof(text));
			text[at] = (char)c;
			check(span_of(text, sizeof(text)));
			if (at + 1 == sizeof(text))
				continue;
			text[at] = '\\';
			text[at + 1] = (char)c;
			check(span_of(text, sizeof(text)));
		}
	}
}

/* Rows of backslashes of every length, at every place. */
static void
test_rows(void **state)
{
	static const char after[] = "n\"u\x01x";
	char text[LONGEST];

	(void)state;
	for (size_t at = 0; at < 70; at++) {
		for (size_t n = 0; at + n < sizeof(text) - 1; n++) {
			memset(text, 'x', sizeof(text));
			memset(text + at, '\\', n);
			text[at + n] = after[n % (sizeof(after) - 1)];
			check(span_of(text, sizeof(text)));
			text[at + n] = after[n / 2 % (sizeof(after) - 1)];
			check(span_of(text, at + n + 1));
		}
	}
}

static void
test_random(void **state)
{
	static const struct span alphabets[] = {
		SPAN_INIT("abcxyz \\\\nt\""),
		SPAN_INIT("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\\n"),
		SPAN_INIT("\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\"nbfrt/"),
		SPAN_INIT("xx\\\\nn\\u\x1f\x7f\x80\xff\"{}"),
	};
	char text[LONGEST];
	uint32_t seed = 1;

	(void)state;
	for (size_t k = 0; k < TEXTS; k++) {
		const struct span a = alphabets[k % ARRAY_LEN(alphabets)];

		for (size_t i = 0; i < sizeof(text); i++) {
			seed = seed * 1664525 + 1013904223;
			text[i] = a.p[(seed >> 16) % a.n];
		}
		for (size_t n = 0; n <= sizeof(text); n += 1 + n / 8)
			check(span_of(text, n));
		check(span_of(text, sizeof(text)));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_byte_everywhere),
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
