/* SPDX-License-Identifier: MIT */
/* test_http_limits.c - how much an HTTP message may hold, at several cuts. */
#include "tests/lib/t.h"

#include <malloc.h>

#include "shared/http/msg.h"

#define CRLF "\r\n"
#define GET  "GET / HTTP/1.1" CRLF "host: h" CRLF
#define CHUNKED                                                                \
	"POST / HTTP/1.1" CRLF "host: h" CRLF                                  \
	"transfer-encoding: chunked" CRLF CRLF

/* The verdict on a text in pieces of `step` bytes. */
static enum gp_code
verdict(enum http_kind kind, struct span text, size_t step)
{
	struct http_msg *m = http_msg_new(kind);
	struct gp_error err = { .code = GP_OK };
	enum http_step got = HTTP_MORE;
	size_t used;

	while (text.n > 0 && got != HTTP_FAIL && got != HTTP_DONE) {
		struct span piece = span_head(text, step);

		do {
			got = http_msg_feed(m, piece, &used, &err);
			piece = span_from(piece, used);
			text = span_from(text, used);
		} while (got == HTTP_HEAD || got == HTTP_BODY);
	}
	http_msg_free(&m);
	return got == HTTP_DONE ? GP_OK : err.code;
}

static void
check_limit(enum http_kind kind, const struct buf *text, enum gp_code want)
{
	static const size_t steps[] = { 1, 2, 3, 7, 100, 4096, 65535, 65536,
		65537, SIZE_MAX };

	for (size_t i = 0; i < ARRAY_LEN(steps); i++)
		assert_string_equal(
			gp_code_name(verdict(kind, buf_span(text), steps[i])),
			gp_code_name(want));
}

static void
put_filler(struct buf *b, size_t n)
{
	while (n-- > 0)
		buf_putc(b, 'a');
}

static void
test_head_limit(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 1u << 20);
	for (size_t over = 0; over < 2; over++) {
		/* In a value, in the target, in a name, before it begins. */
		buf_reset(&b, 0);
		buf_puts(&b, GET "a: ");
		put_filler(&b, HTTP_HEAD_MAX - buf_len(&b) - 4 + over);
		buf_puts(&b, CRLF CRLF);
		check_limit(HTTP_REQUEST, &b, over ? GP_E_LIMIT : GP_OK);

		buf_reset(&b, 0);
		buf_puts(&b, "GET /");
		put_filler(&b, HTTP_HEAD_MAX - 26 + over);
		buf_puts(&b, " HTTP/1.1" CRLF "host:h" CRLF CRLF);
		assert_int_equal(buf_len(&b), HTTP_HEAD_MAX + over);
		check_limit(HTTP_REQUEST, &b, over ? GP_E_LIMIT : GP_OK);

		buf_reset(&b, 0);
		buf_puts(&b, GET);
		put_filler(&b, HTTP_HEAD_MAX - buf_len(&b) - 5 + over);
		buf_puts(&b, ":" CRLF CRLF);
		check_limit(HTTP_REQUEST, &b, over ? GP_E_LIMIT : GP_OK);
	}
	buf_reset(&b, 0);
	for (size_t i = 0; i < HTTP_HEAD_MAX; i += 2)
		buf_puts(&b, CRLF);
	check_limit(HTTP_REQUEST, &b, GP_E_LIMIT);
	buf_fini(&b);
}

static void
test_trailer_limit(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 1u << 20);
	for (size_t over = 0; over < 2; over++) {
		/* Together with the head, of which the body is no part. */
		buf_reset(&b, 0);
		buf_puts(&b, CHUNKED "1" CRLF "a" CRLF "0" CRLF "t: ");
		put_filler(&b, HTTP_HEAD_MAX + 9 - buf_len(&b) - 4 + over);
		buf_puts(&b, CRLF CRLF);
		check_limit(HTTP_REQUEST, &b, over ? GP_E_LIMIT : GP_OK);
	}
	buf_fini(&b);
}

static void
test_field_limit(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 1u << 20);
	for (size_t n = HTTP_FIELDS_MAX; n <= HTTP_FIELDS_MAX + 1; n++) {
		enum gp_code want = n > HTTP_FIELDS_MAX ? GP_E_LIMIT : GP_OK;

		buf_reset(&b, 0);
		buf_puts(&b, GET);
		for (size_t i = 1; i < n; i++)
			buf_printf(&b, "a%zu: b" CRLF, i);
		buf_puts(&b, CRLF);
		check_limit(HTTP_REQUEST, &b, want);

		/* Trailers and interim answers count too. */
		buf_reset(&b, 0);
		buf_puts(&b, CHUNKED "0" CRLF);
		for (size_t i = 2; i < n; i++)
			buf_printf(&b, "a%zu: b" CRLF, i);
		buf_puts(&b, CRLF);
		check_limit(HTTP_REQUEST, &b, want);

		buf_reset(&b, 0);
		buf_puts(&b,
			"HTTP/1.1 103 -" CRLF "link: x" CRLF CRLF
			"HTTP/1.1 204 -" CRLF);
		for (size_t i = 1; i < n; i++)
			buf_printf(&b, "a%zu: b" CRLF, i);
		buf_puts(&b, CRLF);
		check_limit(HTTP_RESPONSE, &b, want);
	}
	buf_fini(&b);
}

static void
test_interim_limit(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 1u << 20);
	for (size_t n = 16; n <= 17; n++) {
		buf_reset(&b, 0);
		for (size_t i = 0; i < n; i++)
			buf_puts(&b, "HTTP/1.1 102 -" CRLF CRLF);
		buf_puts(&b, "HTTP/1.1 204 -" CRLF CRLF);
		check_limit(HTTP_RESPONSE, &b, n > 16 ? GP_E_LIMIT : GP_OK);
	}
	buf_fini(&b);
}

static void
test_chunk_extension_limit(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 1u << 20);
	/* Per chunk: many short ones are no matter. */
	buf_puts(&b, CHUNKED);
	for (size_t i = 0; i < 1000; i++)
		buf_puts(&b, "1;signature=0123456789" CRLF "x" CRLF);
	buf_puts(&b, "0" CRLF CRLF);
	check_limit(HTTP_REQUEST, &b, GP_OK);
	buf_reset(&b, 0);
	buf_puts(&b, CHUNKED "1;");
	put_filler(&b, 5000);
	buf_puts(&b, CRLF "x" CRLF "0" CRLF CRLF);
	check_limit(HTTP_REQUEST, &b, GP_E_SYNTAX);
	buf_fini(&b);
}

/* The memory of the first message serves the later ones. The head is so large
 * that the allocator would count its memory as free. */
static void
test_memory_is_kept(void **state)
{
	struct http_msg *m = http_msg_new(HTTP_REQUEST);
	struct buf in;
	size_t used;

	(void)state;
	buf_init(&in, 1u << 16);
	buf_puts(&in, GET "a: ");
	put_filler(&in, 20000);
	buf_puts(&in, CRLF CRLF);
	for (int i = 0; i < 3; i++) {
		size_t in_use;

		assert_int_equal(http_msg_feed(m, buf_span(&in), &used, NULL),
			HTTP_HEAD);
		assert_int_equal(used, buf_len(&in));
		assert_int_equal(
			http_msg_feed(m, SPAN_EMPTY, &used, NULL), HTTP_DONE);
		assert_int_equal(http_msg_eof(m, NULL), HTTP_MORE);
		in_use = mallinfo2().uordblks;
		http_msg_next(m);
		assert_int_equal(mallinfo2().uordblks, in_use);
		assert_int_equal(http_msg_head(m)->nfields, 0);
	}
	http_msg_free(&m);
	http_msg_free(&m);
	buf_fini(&in);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_head_limit),
		cmocka_unit_test(test_trailer_limit),
		cmocka_unit_test(test_field_limit),
		cmocka_unit_test(test_interim_limit),
		cmocka_unit_test(test_chunk_extension_limit),
		cmocka_unit_test(test_memory_is_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
