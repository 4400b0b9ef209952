/* SPDX-License-Identifier: MIT */
/* test_sha256.c - the vectors of FIPS 180-4 and every length of padding. */
#include "shared/base/sha256.h"

#include <stdlib.h>

#include "tests/lib/t.h"

static void
check(struct span text, struct span want)
{
	char hex[SHA256_HEX + 1];

	sha256_hex(text, hex, SHA256_HEX);
	assert_spans_eq(span_cstr(hex), want);
}

static void
test_vectors(void **state)
{
	static const struct {
		struct span text, hash;
	} rows[] = {
		{ SPAN_INIT(""),
			SPAN_INIT("e3b0c44298fc1c149afbf4c8996fb924"
				  "27ae41e4649b934ca495991b7852b855") },
		{ SPAN_INIT("abc"),
			SPAN_INIT("ba7816bf8f01cfea414140de5dae2223"
				  "b00361a396177a9cb410ff61f20015ad") },
		{ SPAN_INIT("abcdbcdecdefdefgefghfghighijhijk"
			    "ijkljklmklmnlmnomnopnopq"),
			SPAN_INIT("248d6a61d20638b8e5c026930c3e6039"
				  "a33ce45964ff2167f6ecedd419db06c1") },
		{ SPAN_INIT("abcdefghbcdefghicdefghijdefghijk"
			    "efghijklfghijklmghijklmnhijklmno"
			    "ijklmnopjklmnopqklmnopqrlmnopqrs"
			    "mnopqrstnopqrstu"),
			SPAN_INIT("cf5b16a778af8380036ce59e7b049237"
				  "0b249b11e8f07a51afac45037afee9d1") },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		check(rows[i].text, rows[i].hash);
}

static void
test_million(void **state)
{
	char *const text = t_repeat("a", 1000000);

	(void)state;
	check(span_of(text, 1000000),
		SPAN("cdc76e5c9914fb9281a1c7e284d73e67"
		     "f1809a48a497200e046d39ccc7112cd0"));
	free(text);
}

/* The hash over the hashes of texts of 0 to 200 bytes, in memory of exactly
 * their size: every way of padding. */
static void
test_lengths(void **state)
{
	uint8_t all[201 * SHA256_BYTES];
	char *const text = t_repeat("x", 200);

	(void)state;
	for (size_t n = 0; n <= 200; n++) {
		char *const exact = t_exact(span_of(text, n));

		sha256(span_of(exact, n), all + n * SHA256_BYTES);
		free(exact);
	}
	free(text);
	check(span_of((const char *)all, sizeof(all)),
		SPAN("2e9fcf76499976b60177466c31b8ab5c"
		     "aa7d4c6dd8dd97c8ce7b574af689ec94"));
}

static void
test_hex_cut(void **state)
{
	char hex[9];

	(void)state;
	sha256_hex(SPAN("abc"), hex, 8);
	assert_spans_eq(span_cstr(hex), SPAN("ba7816bf"));
	sha256_hex(SPAN("abc"), hex, 3);
	assert_spans_eq(span_cstr(hex), SPAN("ba7"));
	sha256_hex(SPAN("abc"), hex, 0);
	assert_spans_eq(span_cstr(hex), SPAN(""));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_million),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_hex_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
