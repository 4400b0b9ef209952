/* SPDX-License-Identifier: MIT */
/* test_inflate.c - content codings at every cut, and what must be refused. */
#include "tests/lib/t.h"

#include <stdlib.h>
#define ZLIB_CONST
#include <zlib.h>

#include "worker/inflate.h"

#define ZLIB_FORMAT MAX_WBITS
#define GZIP_FORMAT (MAX_WBITS + 16)
#define RAW_FORMAT  (-MAX_WBITS)

/* `text` in a format of zlib's; the buffer is the caller's. */
static struct buf
deflated(struct span text, int format)
{
	z_stream z = { 0 };
	struct buf out;
	char *to;

	buf_init(&out, 1u << 27);
	assert_int_equal(
		deflateInit2(&z, 9, Z_DEFLATED, format, 9, Z_DEFAULT_STRATEGY),
		Z_OK);
	z.next_in = (const Bytef *)text.p;
	z.avail_in = (uInt)text.n;
	to = buf_reserve(&out, deflateBound(&z, text.n));
	assert_non_null(to);
	z.next_out = (Bytef *)to;
	z.avail_out = (uInt)deflateBound(&z, text.n);
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	buf_commit(&out, z.total_out);
	deflateEnd(&z);
	return out;
}

static void
test_codings(void **state)
{
	static const struct {
		const char *name;
		bool is_known;
	} cases[] = {
		{ "gzip", true },
		{ "GZip", true },
		{ "x-gzip", true },
		{ "deflate", true },
		{ "  gzip ", true },
		{ "br", false },
		{ "zstd", false },
		{ "identity", false },
		{ "", false },
		{ "gzip, gzip", false },
		{ "gzipx", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct inflate *z = inflate_new(span_cstr(cases[i].name));

		assert_int_equal(z != NULL, cases[i].is_known);
		inflate_free(&z);
		assert_null(z);
	}
}

/* One cut at every place, and byte by byte. */
static void
check_cuts(struct span coded, struct span text)
{
	struct gp_error err;

	for (size_t at = 0; at <= coded.n + 1; at++) {
		struct inflate *z = inflate_new(SPAN("gzip"));
		size_t step = at > coded.n ? 1 : MAX(at, 1);
		struct buf out;

		buf_init(&out, text.n);
		for (struct span rest = coded; rest.n > 0;
			rest = span_from(rest, step)) {
			assert_false(inflate_is_done(z));
			assert_int_equal(inflate_feed(z, span_head(rest, step),
						 &out, &err),
				GP_OK);
		}
		assert_true(inflate_is_done(z));
		assert_spans_eq(buf_span(&out), text);
		buf_fini(&out);
		inflate_free(&z);
	}
}

static void
test_cuts(void **state)
{
	struct span texts[] = {
		SPAN("x"),
		SPAN("{\"model\":\"glm\",\"messages\":[{\"role\":\"user\"}]}"),
		SPAN(""),
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct buf a = deflated(texts[i], GZIP_FORMAT);
		struct buf b = deflated(texts[i], ZLIB_FORMAT);

		check_cuts(buf_span(&a), texts[i]);
		check_cuts(buf_span(&b), texts[i]);
		buf_fini(&a);
		buf_fini(&b);
	}
}

/* A body of n zeros, decoded into a buffer of at most max bytes. */
static enum gp_code
decode_zeros(size_t n, size_t max, size_t *got)
{
	struct inflate *z = inflate_new(SPAN("gzip"));
	char *zeros = calloc(n, 1);
	struct gp_error err;
	struct buf coded, out;
	enum gp_code rc;

	assert_non_null(zeros);
	coded = deflated(span_of(zeros, n), GZIP_FORMAT);
	buf_init(&out, max);
	rc = inflate_feed(z, buf_span(&coded), &out, &err);
	*got = buf_len(&out);
	assert_int_equal(rc == GP_OK, inflate_is_done(z) && !out.bad);
	assert_true(out.cap <= 2 * max);
	buf_fini(&coded);
	buf_fini(&out);
	inflate_free(&z);
	free(zeros);
	return rc;
}

/* The limit is exact, whatever the sizes of pieces inside. */
static void
test_limit(void **state)
{
	static const size_t sizes[] = { 1, 2, 1000, 65535, 65536, 65537, 131072,
		200000 };
	size_t got;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		assert_int_equal(decode_zeros(sizes[i], sizes[i], &got), GP_OK);
		assert_int_equal(got, sizes[i]);
		assert_int_equal(
			decode_zeros(sizes[i], sizes[i] - 1, &got), GP_E_LIMIT);
		assert_true(got <= sizes[i] - 1);
	}
	assert_int_equal(decode_zeros(1u << 26, 100000, &got), GP_E_LIMIT);
}

static void
test_refused(void **state)
{
	struct span text = SPAN("some text, some text, some text");
	struct buf good = deflated(text, GZIP_FORMAT);
	struct buf raw = deflated(text, RAW_FORMAT);
	struct buf longer, wrong;
	struct gp_error err;
	struct span cases[4];

	(void)state;
	buf_init(&longer, 1000);
	buf_put(&longer, buf_span(&good));
	buf_putc(&longer, 'x');
	buf_init(&wrong, 1000);
	buf_put(&wrong, buf_span(&good));
	wrong.data[buf_len(&wrong) - 6] ^= 1; /* of the check sum */
	cases[0] = buf_span(&longer);
	cases[1] = buf_span(&wrong);
	cases[2] = buf_span(&raw);
	cases[3] = text;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct inflate *z = inflate_new(SPAN("gzip"));
		struct buf out;

		buf_init(&out, 1000);
		assert_int_equal(
			inflate_feed(z, cases[i], &out, &err), GP_E_PEER);
		assert_true(err.text[0] != '\0');
		buf_fini(&out);
		inflate_free(&z);
	}
	buf_fini(&good);
	buf_fini(&raw);
	buf_fini(&longer);
	buf_fini(&wrong);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_codings),
		cmocka_unit_test(test_cuts),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
