/* SPDX-License-Identifier: MIT */
/* test_http_head.c - what a head tells when it is there, and when it is not. */
#include "tests/lib/t.h"

#include "shared/http/msg.h"

#define CRLF "\r\n"

static void
test_lookup(void **state)
{
	static const struct http_field fields[] = {
		{ SPAN_INIT("Accept"), SPAN_INIT("a/b;q=1,  C/D ,, e/f") },
		{ SPAN_INIT("X"), SPAN_INIT("1") },
		{ SPAN_INIT("x"), SPAN_INIT("2") },
		{ SPAN_INIT("ACCEPT"), SPAN_INIT("last") },
		{ SPAN_INIT("empty"), SPAN_INIT("") },
	};
	const struct http_head h = { .fields = fields,
		.nfields = ARRAY_LEN(fields) };

	(void)state;
	assert_span_eq(http_head_get(&h, SPAN("x")), "1");
	assert_span_eq(http_head_get(&h, SPAN("EMPTY")), "");
	assert_span_eq(http_head_get(&h, SPAN("y")), "");
	assert_true(http_head_has(&h, SPAN("Empty")));
	assert_false(http_head_has(&h, SPAN("empt")));
	assert_true(http_head_has_token(&h, SPAN("accept"), SPAN("c/d")));
	assert_true(http_head_has_token(&h, SPAN("accept"), SPAN("E/F")));
	assert_true(http_head_has_token(&h, SPAN("accept"), SPAN("last")));
	assert_false(http_head_has_token(&h, SPAN("accept"), SPAN("a/b")));
	assert_false(http_head_has_token(&h, SPAN("empty"), SPAN("x")));
}

/* Nothing of an earlier message shows in a head that never became whole. */
static void
test_unfinished_head(void **state)
{
	static const char *const second[] = {
		("GET / HTTP/1.1" CRLF "a: b" CRLF "c: d" CRLF "e"),
		("GET / HTTP/1.1" CRLF "a: b" CRLF "c: d" CRLF "broken" CRLF),
		("nonsense" CRLF),
	};
	struct span first = SPAN(
		"GET /x HTTP/1.1" CRLF "Host: h" CRLF "Origin: o" CRLF CRLF);
	struct gp_error err;
	size_t used;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(second); i++) {
		struct http_msg *m = http_msg_new(HTTP_REQUEST);
		const struct http_head *h = http_msg_head(m);

		assert_int_equal(
			http_msg_feed(m, first, &used, &err), HTTP_HEAD);
		assert_int_equal(
			http_msg_feed(m, SPAN_EMPTY, &used, &err), HTTP_DONE);
		assert_int_equal(h->nfields, 2);
		http_msg_next(m);
		assert_int_equal(h->nfields, 0);
		assert_int_not_equal(
			http_msg_feed(m, span_cstr(second[i]), &used, &err),
			HTTP_HEAD);
		assert_int_equal(h->nfields, 0);
		assert_int_equal(h->target.n, 0);
		http_msg_free(&m);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lookup),
		cmocka_unit_test(test_unfinished_head),
	};

	return cmocka_run_group_tests_name("http_head", tests, NULL, NULL);
}
