/* SPDX-License-Identifier: MIT */
/* test_http_out.c - heads that cannot be split, and chunks. */
#include "tests/lib/t.h"

#include <stdlib.h>

#include "shared/http/msg.h"
#include "shared/http/out.h"

static void
test_start_lines(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 4096);
	http_out_status(&b, 200);
	http_out_status(&b, 429);
	http_out_status(&b, 599);
	http_out_request(&b, "POST", SPAN("/v1/x?y"));
	http_out_end(&b);
	assert_buf_eq(&b,
		"HTTP/1.1 200 OK\r\n"
		"HTTP/1.1 429 Too Many Requests\r\n"
		"HTTP/1.1 599 Unknown\r\n"
		"POST /v1/x?y HTTP/1.1\r\n\r\n");
	buf_fini(&b);
}

static void
test_reasons(void **state)
{
	static const unsigned answered[] = { 200, 204, 400, 401, 403, 404, 405,
		408, 413, 421, 429, 431, 500, 502, 503, 504, 529 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(answered); i++)
		assert_string_not_equal(http_reason(answered[i]), "Unknown");
	assert_string_equal(http_reason(503), "Service Unavailable");
	assert_string_equal(http_reason(0), "Unknown");
	assert_string_equal(http_reason(299), "Unknown");
}

static void
test_fields(void **state)
{
	static const struct {
		struct span value, want;
	} cases[] = {
		{ SPAN_INIT(""), SPAN_INIT("n: \r\n") },
		{ SPAN_INIT("a b\tc"), SPAN_INIT("n: a b\tc\r\n") },
		{ SPAN_INIT("a\r\nb: c"), SPAN_INIT("n: a??b: c\r\n") },
		{ SPAN_INIT("\n"), SPAN_INIT("n: ?\r\n") },
		{ SPAN_INIT("\r"), SPAN_INIT("n: ?\r\n") },
		{ SPAN_INIT("a\0b"), SPAN_INIT("n: a?b\r\n") },
		{ SPAN_INIT("\x01x\x1f\x7f"), SPAN_INIT("n: ?x??\r\n") },
		{ SPAN_INIT("\xc3\xa4\xff"), SPAN_INIT("n: \xc3\xa4\xff\r\n") },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf b;

		buf_init(&b, 4096);
		http_out_field(&b, "n", cases[i].value);
		assert_spans_eq(buf_span(&b), cases[i].want);
		buf_fini(&b);
	}
}

static void
test_field_kinds(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 4096);
	http_out_field_cstr(&b, "a", "x\ny");
	http_out_field_u64(&b, "b", 0);
	http_out_field_u64(&b, "c", UINT64_MAX);
	assert_buf_eq(&b, "a: x?y\r\nb: 0\r\nc: 18446744073709551615\r\n");
	buf_fini(&b);
}

static void
test_chunks(void **state)
{
	char *text = t_repeat("x", 0x1234);
	struct buf b;

	(void)state;
	buf_init(&b, 1u << 16);
	http_out_chunk(&b, SPAN_EMPTY);
	assert_buf_eq(&b, "");
	http_out_chunk(&b, SPAN("a"));
	http_out_chunk(&b, SPAN("0123456789abcdef"));
	http_out_last_chunk(&b);
	assert_buf_eq(&b, "1\r\na\r\n10\r\n0123456789abcdef\r\n0\r\n\r\n");
	buf_reset(&b, 0);
	http_out_chunk(&b, span_cstr(text));
	assert_spans_eq(span_head(buf_span(&b), 6), SPAN("1234\r\n"));
	assert_int_equal(buf_len(&b), 0x1234 + 8);
	buf_fini(&b);
	free(text);
}

static void
test_open_chunk(void **state)
{
	struct buf b;
	size_t at;

	(void)state;
	buf_init(&b, 4096);
	buf_puts(&b, "head");
	at = http_out_chunk_open(&b);
	assert_int_equal(buf_len(&b), 4 + HTTP_CHUNK_HEAD);
	buf_puts(&b, "0123456789");
	buf_puts(&b, "abcdefghijk");
	http_out_chunk_close(&b, at);
	assert_buf_eq(&b, "head00000015\r\n0123456789abcdefghijk\r\n");
	/* Without content nothing is left. */
	at = http_out_chunk_open(&b);
	http_out_chunk_close(&b, at);
	assert_buf_eq(&b, "head00000015\r\n0123456789abcdefghijk\r\n");
	buf_fini(&b);
}

/* The buffer moves its bytes while a chunk is open: behind a consumed part. */
static void
test_open_chunk_moves(void **state)
{
	char *text = t_repeat("y", 5000);
	struct buf b;
	size_t at;

	(void)state;
	buf_init(&b, 1u << 16);
	buf_put(&b, span_cstr(text));
	buf_consume(&b, 4990);
	at = http_out_chunk_open(&b);
	buf_put(&b, span_cstr(text));
	assert_int_equal(b.head, 0);
	http_out_chunk_close(&b, at);
	buf_consume(&b, 10);
	assert_spans_eq(span_head(buf_span(&b), 11), SPAN("00001388\r\ny"));
	assert_int_equal(buf_len(&b), HTTP_CHUNK_HEAD + 5000 + 2);
	buf_fini(&b);
	free(text);
}

/* A full buffer fails as a whole, wherever it becomes full. */
static void
test_full(void **state)
{
	(void)state;
	for (size_t max = 0; max < 23; max++) {
		struct gp_error err;
		struct buf b;
		size_t at;

		buf_init(&b, max);
		at = http_out_chunk_open(&b);
		buf_puts(&b, "0123456789");
		http_out_chunk_close(&b, at);
		assert_int_equal(
			buf_check(&b, &err), max < 22 ? GP_E_LIMIT : GP_OK);
		buf_fini(&b);
	}
}

/* What is written here is understood there. */
static void
test_round_trip(void **state)
{
	struct http_msg *m = http_msg_new(HTTP_RESPONSE);
	struct buf b;
	struct span in;
	size_t used;
	size_t at;

	(void)state;
	buf_init(&b, 4096);
	http_out_status(&b, 503);
	http_out_field_cstr(&b, "transfer-encoding", "chunked");
	http_out_field(&b, "x", SPAN("a\r\ncontent-length: 5"));
	http_out_end(&b);
	http_out_chunk(&b, SPAN("one"));
	at = http_out_chunk_open(&b);
	buf_puts(&b, "two");
	http_out_chunk_close(&b, at);
	http_out_last_chunk(&b);
	in = buf_span(&b);
	assert_int_equal(http_msg_feed(m, in, &used, NULL), HTTP_HEAD);
	assert_int_equal(http_msg_head(m)->status, 503);
	assert_int_equal(http_msg_head(m)->nfields, 2);
	in = span_from(in, used);
	assert_int_equal(http_msg_feed(m, in, &used, NULL), HTTP_BODY);
	assert_span_eq(http_msg_piece(m), "one");
	in = span_from(in, used);
	assert_int_equal(http_msg_feed(m, in, &used, NULL), HTTP_BODY);
	assert_span_eq(http_msg_piece(m), "two");
	in = span_from(in, used);
	assert_int_equal(http_msg_feed(m, in, &used, NULL), HTTP_DONE);
	assert_int_equal(used, in.n);
	http_msg_free(&m);
	buf_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_start_lines),
		cmocka_unit_test(test_reasons),
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_field_kinds),
		cmocka_unit_test(test_chunks),
		cmocka_unit_test(test_open_chunk),
		cmocka_unit_test(test_open_chunk_moves),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_round_trip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
