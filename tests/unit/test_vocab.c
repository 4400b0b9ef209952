/* SPDX-License-Identifier: MIT */
/* test_vocab.c - the vocabulary file: finding tokens, refusing false files. */
#include "shared/count/vocab.h"

#include <stdlib.h>

#include "shared/base/buf.h"
#include "tests/lib/t.h"
#include "tests/lib/vocab_make.h"

#define TOKENS  300
#define AT_SUM  24
#define AT_REST 32

static struct buf file;

static int
setup(void **state)
{
	(void)state;
	buf_init(&file, SIZE_MAX);
	vocab_make_learned(&file, 7, SPAN("abcdefgh"), TOKENS);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	buf_fini(&file);
	return 0;
}

static void
test_finds_each_token(void **state)
{
	struct gp_error err;
	struct vocab v;

	(void)state;
	assert_ok(vocab_open(&v, buf_span(&file), &err), &err);
	assert_int_equal(v.tokens, 256 + TOKENS);
	assert_string_equal(v.name, "made for tests");
	for (uint32_t id = 0; id < v.tokens; id++)
		assert_int_equal(vocab_find(&v, vocab_bytes(&v, id)), id);
	assert_int_equal(vocab_bytes(&v, v.tokens).n, 0);
	assert_int_equal(vocab_find(&v, SPAN("xyz")), VOCAB_NONE);
	assert_int_equal(vocab_find(&v, SPAN_EMPTY), VOCAB_NONE);
	/* Longer than any token, in memory of just that size. */
	for (size_t n = 1; n < 3 * VOCAB_TOKEN_MAX; n++) {
		char *const text = t_repeat("z", n);
		char *const exact = t_exact(span_of(text, n));

		assert_int_equal(vocab_find(&v, span_of(exact, n)),
			n == 1 ? 'z' : VOCAB_NONE);
		free(exact);
		free(text);
	}
}

static void
test_refuses_what_is_cut_off(void **state)
{
	struct gp_error err;
	struct vocab v;

	(void)state;
	for (size_t n = 0; n < buf_len(&file); n += n < 200 ? 1 : 61) {
		char *const exact = t_exact(span_head(buf_span(&file), n));

		assert_int_equal(
			vocab_open(&v, span_of(exact, n), &err), GP_E_SYNTAX);
		free(exact);
	}
}

static void
test_refuses_a_changed_byte(void **state)
{
	struct gp_error err;
	struct vocab v;

	(void)state;
	for (size_t i = 0; i < file.len; i += i < 80 ? 1 : 37) {
		file.data[i] ^= 0x11;
		assert_int_equal(
			vocab_open(&v, buf_span(&file), &err), GP_E_SYNTAX);
		file.data[i] ^= 0x11;
	}
	assert_ok(vocab_open(&v, buf_span(&file), &err), &err);
}

static void
test_refuses_with_reasons(void **state)
{
	static const struct {
		size_t at;
		char byte;
		const char *reason;
	} cases[] = {
		{ 0, 'g', "not a vocabulary file" },
		{ 8, 2, "another version" },
		{ 14, 2, "impossible sizes" },    /* tokens */
		{ 16, 1, "impossible sizes" },    /* no power of two */
		{ 19, 0x7f, "impossible sizes" }, /* slots */
		{ 23, 0x7f, "cut off" },          /* bytes */
		{ 40, 'x', "damaged" },
	};
	struct gp_error err;
	struct vocab v;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char was = file.data[cases[i].at];

		file.data[cases[i].at] = cases[i].byte;
		assert_int_equal(
			vocab_open(&v, buf_span(&file), &err), GP_E_SYNTAX);
		assert_non_null(strstr(err.text, cases[i].reason));
		file.data[cases[i].at] = was;
	}
}

static void
test_needs_all_bytes(void **state)
{
	const struct span few[] = { SPAN("a"), SPAN("b"), SPAN("ab") };
	struct gp_error err;
	struct buf small;
	struct vocab v;

	(void)state;
	buf_init(&small, SIZE_MAX);
	vocab_make(&small, few, ARRAY_LEN(few));
	assert_fails(vocab_open(&v, buf_span(&small), &err), GP_E_SYNTAX, &err,
		"lacks the byte 0x00");
	buf_fini(&small);
}

/* A file that was made to be false, with the right checksum: whatever it says,
 * only its own bytes are read. */
static void
test_survives_false_tables(void **state)
{
	struct vocab v;

	(void)state;
	for (unsigned i = 0; i < 3000; i++) {
		const size_t at = AT_REST + 32 +
			(size_t)i * 2654435761u % (file.len - AT_REST - 32);
		const char was = file.data[at];
		char *exact;

		file.data[at] = (char)(i % 3 == 0 ? 0xff : i % 3 == 1 ? 0 : i);
		vocab_seal(&file);
		exact = t_exact(buf_span(&file));
		if (vocab_open(&v, span_of(exact, file.len), NULL) == GP_OK) {
			for (uint32_t id = 0; id < v.tokens; id++)
				(void)vocab_find(&v, vocab_bytes(&v, id));
		}
		free(exact);
		file.data[at] = was;
	}
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_finds_each_token),
		TEST(test_refuses_what_is_cut_off),
		TEST(test_refuses_a_changed_byte),
		TEST(test_refuses_with_reasons),
		TEST(test_needs_all_bytes),
		TEST(test_survives_false_tables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
