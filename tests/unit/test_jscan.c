/* SPDX-License-Identifier: MIT */
/* test_jscan.c - what is JSON and what is not, however it is cut. */
#include "tests/lib/t.h"

#include <stdio.h>
#include <stdlib.h>

#include "shared/json/jscan.h"
#include "tests/lib/cut.h"

#define EUR   "\xe2\x82\xac"
#define SMILE "\xf0\x9f\x98\x80"

static const struct {
	struct span text;
	uint32_t tokens;
} valid[] = {
	{ SPAN_INIT("true"), 1 },
	{ SPAN_INIT(" false "), 1 },
	{ SPAN_INIT("\t\r\n null\n"), 1 },
	{ SPAN_INIT("0"), 1 },
	{ SPAN_INIT("-0"), 1 },
	{ SPAN_INIT("-0.0e-0"), 1 },
	{ SPAN_INIT("1234567890"), 1 },
	{ SPAN_INIT("1E400"), 1 },
	{ SPAN_INIT("0.5E+07"), 1 },
	{ SPAN_INIT("\"\""), 1 },
	{ SPAN_INIT("\"plain text that is longer than two words\""), 1 },
	{ SPAN_INIT("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0aF9\""), 1 },
	{ SPAN_INIT("\"\\ud83d\\ude00\""), 1 },
	/* Lone surrogates are text by RFC 8259, section 8.2. */
	{ SPAN_INIT("\"\\ud800\""), 1 },
	{ SPAN_INIT("\"\\ude00\\ud83d\""), 1 },
	{ SPAN_INIT("\"\xc2\x80 \xdf\xbf \xe0\xa0\x80 \xed\x9f\xbf\""), 1 },
	{ SPAN_INIT("\"" EUR SMILE "\xf4\x8f\xbf\xbf\x7f\""), 1 },
	{ SPAN_INIT("[]"), 1 },
	{ SPAN_INIT("[ ]"), 1 },
	{ SPAN_INIT("{}"), 1 },
	{ SPAN_INIT("{ }"), 1 },
	{ SPAN_INIT("[1,2]"), 3 },
	{ SPAN_INIT("{\"a\":1}"), 3 },
	{ SPAN_INIT(" { \"a\" : [ 1 , { } , \"b\" ] , \"c\" : null } "), 8 },
	{ SPAN_INIT("[[[[]]],[]]"), 5 },
	{ SPAN_INIT("{\"a\":{\"a\":{\"a\":{}}}}"), 7 },
	{ SPAN_INIT("[-1,0,1.5,2e3,true,false,null,\"\",[],{}]"), 11 },
	{ SPAN_INIT("{\"\":\"\",\"\":\"\"}"), 5 },
};

/* at: the offset that the message names. */
static const struct {
	struct span text;
	size_t at;
	const char *why;
} invalid[] = {
	{ SPAN_INIT(""), 0, "too early" },
	{ SPAN_INIT("  "), 2, "too early" },
	/* What jsmn lets pass in strict mode. */
	{ SPAN_INIT("{\"a\" \"b\"}"), 5, "colon" },
	{ SPAN_INIT("[1 2]"), 3, "comma" },
	{ SPAN_INIT("{\"a\":1,}"), 7, "key" },
	{ SPAN_INIT("[1,,2]"), 3, "value" },
	{ SPAN_INIT("[tru]"), 4, "true, false" },
	{ SPAN_INIT("[01]"), 2, "number" },
	{ SPAN_INIT("[1.2.3]"), 4, "comma" },
	{ SPAN_INIT("{\"a\":}"), 5, "value" },
	{ SPAN_INIT("[\"a\":1]"), 4, "comma" },
	{ SPAN_INIT("\"\x01\""), 1, "control" },
	{ SPAN_INIT("\"\xff\""), 1, "UTF-8" },
	/* structure */
	{ SPAN_INIT("]"), 0, "value" },
	{ SPAN_INIT("}"), 0, "value" },
	{ SPAN_INIT("[}"), 1, "value" },
	{ SPAN_INIT("{]"), 1, "key" },
	{ SPAN_INIT("[1}"), 2, "comma" },
	{ SPAN_INIT("{\"a\":1]"), 6, "comma" },
	{ SPAN_INIT("[1,]"), 3, "value" },
	{ SPAN_INIT("[,1]"), 1, "value" },
	{ SPAN_INIT("{,}"), 1, "key" },
	{ SPAN_INIT("{1:2}"), 1, "key" },
	{ SPAN_INIT("{a:2}"), 1, "key" },
	{ SPAN_INIT("{'a':2}"), 1, "key" },
	{ SPAN_INIT("{\"a\":1 \"b\":2}"), 7, "comma" },
	{ SPAN_INIT("{\"a\"}"), 4, "colon" },
	{ SPAN_INIT("{\"a\"::1}"), 5, "value" },
	{ SPAN_INIT("[1] x"), 4, "more text" },
	{ SPAN_INIT("{}{}"), 2, "more text" },
	{ SPAN_INIT("1 2"), 2, "more text" },
	{ SPAN_INIT("1]"), 1, "more text" },
	{ SPAN_INIT("1,"), 1, "more text" },
	{ SPAN_INIT("["), 1, "too early" },
	{ SPAN_INIT("[1"), 2, "too early" },
	{ SPAN_INIT("{\"a\":"), 5, "too early" },
	{ SPAN_INIT("{\"a\""), 4, "too early" },
	{ SPAN_INIT("{\"a"), 3, "too early" },
	/* blanks: only four of them, and no byte order mark */
	{ SPAN_INIT("\xef\xbb\xbf{}"), 0, "value" },
	{ SPAN_INIT("\f1"), 0, "value" },
	{ SPAN_INIT("\v1"), 0, "value" },
	{ SPAN_INIT("[1\xc2\xa0]"), 2, "comma" },
	{ SPAN_INIT("1\0"), 1, "more text" },
	{ SPAN_INIT("\0"), 0, "value" },
	{ SPAN_INIT("/**/1"), 0, "value" },
	/* literals */
	{ SPAN_INIT("True"), 0, "value" },
	{ SPAN_INIT("nul"), 3, "too early" },
	{ SPAN_INIT("nulL"), 3, "true, false" },
	{ SPAN_INIT("truex"), 4, "more text" },
	{ SPAN_INIT("NaN"), 0, "value" },
	{ SPAN_INIT("Infinity"), 0, "value" },
	/* numbers */
	{ SPAN_INIT("-"), 1, "too early" },
	{ SPAN_INIT("-a"), 1, "number" },
	{ SPAN_INIT("--1"), 1, "number" },
	{ SPAN_INIT("+1"), 0, "value" },
	{ SPAN_INIT(".5"), 0, "value" },
	{ SPAN_INIT("-.5"), 1, "number" },
	{ SPAN_INIT("5."), 2, "too early" },
	{ SPAN_INIT("5.e1"), 2, "number" },
	{ SPAN_INIT("5e"), 2, "too early" },
	{ SPAN_INIT("5e+"), 3, "too early" },
	{ SPAN_INIT("5e+-1"), 3, "number" },
	{ SPAN_INIT("5ee1"), 2, "number" },
	{ SPAN_INIT("5e1.5"), 3, "more text" },
	{ SPAN_INIT("00"), 1, "number" },
	{ SPAN_INIT("-01"), 2, "number" },
	{ SPAN_INIT("0x10"), 1, "more text" },
	{ SPAN_INIT("1_000"), 1, "more text" },
	/* strings */
	{ SPAN_INIT("\"abc"), 4, "too early" },
	{ SPAN_INIT("\"abc\\\""), 6, "too early" },
	{ SPAN_INIT("\"\n\""), 1, "control" },
	{ SPAN_INIT("\"12345678\x1f\""), 9, "control" },
	{ SPAN_INIT("\"\0\""), 1, "control" },
	{ SPAN_INIT("\"\\a\""), 2, "escape" },
	{ SPAN_INIT("\"\\'\""), 2, "escape" },
	{ SPAN_INIT("\"\\U0000\""), 2, "escape" },
	{ SPAN_INIT("\"\\\n\""), 2, "escape" },
	{ SPAN_INIT("\"\\u123\""), 6, "escape" },
	{ SPAN_INIT("\"\\u123g\""), 6, "escape" },
	{ SPAN_INIT("\"\\u@123\""), 3, "escape" },
	{ SPAN_INIT("\"\\u123`\""), 6, "escape" },
	{ SPAN_INIT("\"\\u12"), 5, "too early" },
	{ SPAN_INIT("\"\\"), 2, "too early" },
	/* every class of bad UTF-8 */
	{ SPAN_INIT("\"a\x80\""), 2, "UTF-8" },
	{ SPAN_INIT("\"a\xbf\""), 2, "UTF-8" },
	{ SPAN_INIT("\"a\xc0\x80\""), 2, "UTF-8" },
	{ SPAN_INIT("\"a\xc1\xbf\""), 2, "UTF-8" },
	{ SPAN_INIT("\"a\xe0\x9f\xbf\""), 3, "UTF-8" },
	{ SPAN_INIT("\"a\xf0\x8f\xbf\xbf\""), 3, "UTF-8" },
	{ SPAN_INIT("\"a\xed\xa0\x80\""), 3, "UTF-8" },
	{ SPAN_INIT("\"a\xed\xbf\xbf\""), 3, "UTF-8" },
	{ SPAN_INIT("\"a\xf4\x90\x80\x80\""), 3, "UTF-8" },
	{ SPAN_INIT("\"a\xf5\x80\x80\x80\""), 2, "UTF-8" },
	{ SPAN_INIT("\"a\xfe\""), 2, "UTF-8" },
	{ SPAN_INIT("\"a\xc3\""), 3, "UTF-8" },
	{ SPAN_INIT("\"a\xe2\x82\""), 4, "UTF-8" },
	{ SPAN_INIT("\"a\xf0\x9f\x98\""), 5, "UTF-8" },
	{ SPAN_INIT("\"a\xe2(\x82\""), 3, "UTF-8" },
	{ SPAN_INIT("\"a\xe2\x82"), 4, "too early" },
	{ SPAN_INIT("{\"\xff\":1}"), 2, "UTF-8" },
};

struct outcome {
	enum gp_code code;
	size_t offset;
	uint32_t tokens;
	char text[GP_ERROR_TEXT_MAX];
};

static struct outcome
run(const struct span *pieces, size_t n)
{
	struct gp_error err = { 0 };
	struct outcome o = { 0 };
	struct jscan s;

	jscan_init(&s);
	for (size_t i = 0; i < n && o.code == GP_OK; i++)
		o.code = jscan_feed(&s, pieces[i], &err);
	if (o.code == GP_OK)
		o.code = jscan_end(&s, &err);
	o.offset = s.offset;
	o.tokens = s.tokens;
	memcpy(o.text, err.text, sizeof(o.text));
	return o;
}

static void
same_outcome(void *ctx, const struct span *pieces, size_t n)
{
	const struct outcome *const want = ctx;
	const struct outcome got = run(pieces, n);

	assert_int_equal(got.code, want->code);
	assert_int_equal(got.offset, want->offset);
	assert_int_equal(got.tokens, want->tokens);
	assert_string_equal(got.text, want->text);
}

static void
test_valid(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(valid); i++) {
		struct outcome o = run(&valid[i].text, 1);

		assert_string_equal(o.text, "");
		assert_int_equal(o.code, GP_OK);
		assert_int_equal(o.offset, valid[i].text.n);
		assert_int_equal(o.tokens, valid[i].tokens);
		cut_every(valid[i].text, same_outcome, &o);
		cut_pairs(valid[i].text, same_outcome, &o);
	}
}

static void
test_invalid(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(invalid); i++) {
		struct outcome o = run(&invalid[i].text, 1);
		char at[40];

		(void)snprintf(at, sizeof(at), "byte %zu: ", invalid[i].at);
		if (o.code != GP_E_SYNTAX || o.offset != invalid[i].at ||
			strstr(o.text, at) == NULL ||
			strstr(o.text, invalid[i].why) == NULL)
			fail_msg("%s: byte %zu: %s", invalid[i].text.p,
				o.offset, o.text);
		cut_every(invalid[i].text, same_outcome, &o);
		cut_pairs(invalid[i].text, same_outcome, &o);
	}
}

/* No prefix of a valid text is valid, except of numbers and before blanks; and
 * the scanner knows it. */
static void
test_is_complete(void **state)
{
	const struct span text = SPAN(" {\"a\":[1,\"x\",{}]} ");
	struct jscan s;

	(void)state;
	jscan_init(&s);
	assert_false(jscan_is_complete(&s));
	for (size_t i = 0; i < text.n; i++) {
		assert_ok(jscan_feed(&s, span_of(text.p + i, 1), NULL), NULL);
		assert_int_equal(jscan_is_complete(&s), i >= text.n - 2);
	}

	jscan_init(&s);
	assert_ok(jscan_feed(&s, SPAN("12"), NULL), NULL);
	assert_true(jscan_is_complete(&s));
	assert_ok(jscan_feed(&s, SPAN(".5"), NULL), NULL);
	assert_true(jscan_is_complete(&s));
	assert_ok(jscan_feed(&s, SPAN("e"), NULL), NULL);
	assert_false(jscan_is_complete(&s));
}

static void
test_spent_after_failure(void **state)
{
	struct gp_error err;
	struct jscan s;

	(void)state;
	jscan_init(&s);
	assert_fails(
		jscan_feed(&s, SPAN("[x"), &err), GP_E_SYNTAX, &err, "byte 1:");
	assert_fails(
		jscan_feed(&s, SPAN("1]"), &err), GP_E_SYNTAX, &err, "byte 1:");
	assert_fails(jscan_end(&s, &err), GP_E_SYNTAX, &err, "byte 1:");
	assert_false(jscan_is_complete(&s));
	assert_int_equal(s.offset, 1);
}

/* Depth d of arrays and objects in turn. */
static struct span
nest(size_t d, char *out)
{
	size_t n = 0;

	for (size_t i = 0; i < d; i++) {
		const struct span open =
			i % 3 == 0 ? SPAN("{\"a\":") : SPAN("[");

		memcpy(out + n, open.p, open.n);
		n += open.n;
	}
	out[n++] = '0';
	for (size_t i = d; i-- > 0;)
		out[n++] = i % 3 == 0 ? '}' : ']';
	return span_of(out, n);
}

static void
test_depth(void **state)
{
	static char text[8 * JSCAN_DEPTH_MAX];
	struct gp_error err;
	char *deep;
	struct jscan s;

	(void)state;
	for (size_t d = 0; d <= JSCAN_DEPTH_MAX; d++)
		assert_ok(jscan_text(nest(d, text), NULL, &err), &err);
	assert_fails(jscan_text(nest(JSCAN_DEPTH_MAX + 1, text), NULL, &err),
		GP_E_LIMIT, &err, "too deep");

	/* Refused at once, not after 200 kB. */
	deep = t_repeat("[", 200000);
	jscan_init(&s);
	assert_fails(jscan_feed(&s, span_of(deep, 200000), &err), GP_E_LIMIT,
		&err, "byte 512:");
	assert_int_equal(s.offset, JSCAN_DEPTH_MAX);
	free(deep);
}

/* [x,x,...,x] with n nests of the given depth. Returns how many bytes the
 * scanner took. */
static size_t
scan_nests(size_t depth, size_t n, enum gp_code want)
{
	char nest[2 * JSCAN_DEPTH_MAX + 1];
	struct gp_error err = { 0 };
	enum gp_code rc = GP_OK;
	struct jscan s;

	memset(nest, '[', depth);
	memset(nest + depth, ']', depth);
	nest[2 * depth] = ',';
	jscan_init(&s);
	rc = jscan_feed(&s, SPAN("["), &err);
	for (size_t i = 0; i < n && rc == GP_OK; i++)
		rc = jscan_feed(&s, span_of(nest, 2 * depth + 1), &err);
	if (want == GP_OK)
		assert_ok(rc, &err);
	else
		assert_fails(rc, want, &err, "too deep");
	return s.offset;
}

/* What jsmn would need half a second for. */
static void
test_climbing(void **state)
{
	const size_t depth = JSCAN_DEPTH_MAX - 1;
	/* From the innermost token: 0 + 1 + 2 + ... */
	const size_t one = depth * (depth - 1) / 2;
	const size_t fit = JSCAN_CLIMB_MAX / one;

	(void)state;
	(void)scan_nests(depth, fit, GP_OK);
	assert_in_range(scan_nests(depth, fit + 1, GP_E_LIMIT),
		fit * (2 * depth + 1), (fit + 1) * (2 * depth + 1));
	/* Deeper than any request, and as many as tokens allow. */
	(void)scan_nests(32, (JSCAN_TOKENS_MAX - 1) / 32, GP_OK);
	/* Wide is not deep. */
	(void)scan_nests(1, JSCAN_TOKENS_MAX - 1, GP_OK);
}

/* The outcome of an array of n numbers. */
static enum gp_code
scan_numbers(size_t n, uint32_t *tokens, struct gp_error *err)
{
	char *const text = t_repeat("0,", n);
	struct jscan s;
	enum gp_code rc;

	jscan_init(&s);
	rc = jscan_feed(&s, SPAN("["), err);
	if (rc == GP_OK)
		rc = jscan_feed(&s, span_of(text, 2 * n - 1), err);
	if (rc == GP_OK)
		rc = jscan_feed(&s, SPAN("]"), err);
	if (rc == GP_OK)
		rc = jscan_end(&s, err);
	*tokens = s.tokens;
	free(text);
	return rc;
}

static void
test_tokens(void **state)
{
	struct gp_error err;
	uint32_t tokens = 0;

	(void)state;
	assert_ok(scan_numbers(JSCAN_TOKENS_MAX - 1, &tokens, &err), &err);
	assert_int_equal(tokens, JSCAN_TOKENS_MAX);
	assert_fails(scan_numbers(JSCAN_TOKENS_MAX, &tokens, &err), GP_E_LIMIT,
		&err, "byte 1999999: too many");
}

/* Keys count as well as values. */
static void
test_tokens_in_object(void **state)
{
	char *const text = t_repeat("\"\":0,", JSCAN_TOKENS_MAX / 2);
	struct gp_error err;
	struct jscan s;

	(void)state;
	jscan_init(&s);
	assert_ok(jscan_feed(&s, SPAN("{"), &err), &err);
	assert_fails(jscan_feed(&s, span_cstr(text), &err), GP_E_LIMIT, &err,
		"too many");
	assert_int_equal(s.tokens, JSCAN_TOKENS_MAX);
	/* The last value is the one too many. */
	assert_int_equal(s.offset, 5 * (JSCAN_TOKENS_MAX / 2) - 1);
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_valid),
		cmocka_unit_test(test_invalid),
		cmocka_unit_test(test_is_complete),
		cmocka_unit_test(test_spent_after_failure),
		cmocka_unit_test(test_depth),
		cmocka_unit_test(test_climbing),
		cmocka_unit_test(test_tokens),
		cmocka_unit_test(test_tokens_in_object),
	};

	return cmocka_run_group_tests_name("jscan", tests, NULL, NULL);
}
