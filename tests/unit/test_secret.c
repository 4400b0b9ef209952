/* SPDX-License-Identifier: MIT */
/* test_secret.c - keys. */
#include "tests/lib/t.h"

#include <stdlib.h>

#include "shared/sys/secret.h"

static void
test_what_is_a_key(void **state)
{
	static const struct {
		struct span text;
		bool is_key;
	} cases[] = {
		{ SPAN_INIT("sk-1.aB_~"), true },
		{ SPAN_INIT("\xc3\xa4"), true },
		{ SPAN_INIT(""), false },
		{ SPAN_INIT("a b"), false },
		{ SPAN_INIT("a\tb"), false },
		{ SPAN_INIT("ab\n"), false },
		{ SPAN_INIT("a\0b"), false },
		{ SPAN_INIT("a\x7f"), false },
	};

	char *const longest = t_repeat("k", SECRET_MAX + 1);
	struct secret k = { .n = 3 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(
			secret_set(&k, cases[i].text), cases[i].is_key);
		assert_int_equal(secret_is_none(&k), !cases[i].is_key);
	}
	assert_true(secret_set(&k, span_of(longest, SECRET_MAX)));
	assert_false(secret_set(&k, span_of(longest, SECRET_MAX + 1)));
	assert_true(secret_is_none(&k));
	free(longest);
}

static void
test_goes_out_by_put_only(void **state)
{
	struct secret k;
	struct buf b;

	(void)state;
	buf_init(&b, 64);
	assert_true(secret_set(&k, SPAN("sk-12")));
	buf_puts(&b, "Bearer ");
	secret_put(&k, &b);
	assert_buf_eq(&b, "Bearer sk-12");
	secret_wipe(&k);
	assert_true(secret_is_none(&k));
	for (size_t i = 0; i < sizeof(k.bytes); i++)
		assert_int_equal(k.bytes[i], 0);
	secret_put(&k, &b);
	assert_buf_eq(&b, "Bearer sk-12");
	buf_fini(&b);
}

/* spec: FIPS 180-2, appendix B.1 */
static void
test_hash_and_tag(void **state)
{
	static const unsigned char abc[32] = { 0xba, 0x78, 0x16, 0xbf, 0x8f,
		0x01, 0xcf, 0xea, 0x41, 0x41, 0x40, 0xde, 0x5d, 0xae, 0x22,
		0x23, 0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17, 0x7a, 0x9c, 0xb4,
		0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad };
	char tag[SECRET_TAG_LEN + 1];
	unsigned char hash[32];
	struct secret k;

	(void)state;
	assert_true(secret_set(&k, SPAN("abc")));
	secret_hash(&k, hash);
	assert_memory_equal(hash, abc, 32);
	assert_true(secret_hash_eq(hash, abc));
	for (size_t i = 0; i < 32; i++) {
		hash[i] ^= 0x80;
		assert_false(secret_hash_eq(hash, abc));
		hash[i] ^= 0x80;
	}
	secret_tag(&k, tag);
	assert_string_equal(tag, "ba7816bf");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_a_key),
		cmocka_unit_test(test_goes_out_by_put_only),
		cmocka_unit_test(test_hash_and_tag),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
