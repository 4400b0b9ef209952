/* SPDX-License-Identifier: MIT */
/* test_llm_image.c - image URLs, base64, types and sizes. */
#include "tests/lib/t.h"

#include <stdlib.h>

#include "shared/translate/llm_base64.h"
#include "shared/translate/llm_image_size.h"
#include "shared/translate/llm_req.h"

/* The first bytes of each kind. */
#define PNG64  "iVBORw0KGgoAAAANSUhEUgAAAAUAAAAF"
#define JPEG64 "/9j/4AAQSkZJRgABAQEA"
#define GIF64  "R0lGODlhAQABAIAAAAAAAP=="
#define WEBP64 "UklGRiQAAABXRUJQVlA4IBgAAAAw"

static struct arena arena;

static int
setup(void **state)
{
	(void)state;
	arena_init(&arena);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	arena_fini(&arena);
	return 0;
}

static void
test_base64(void **state)
{
	static const struct {
		const char *in, *want; /* NULL: refused */
	} cases[] = {
		{ "AAAA", "AAAA" },
		{ "AAA=", "AAA=" },
		{ "AA==", "AA==" },
		{ "AAA", "AAA=" },
		{ "AA", "AA==" },
		{ "AA=", "AA==" },
		{ "AAAA=", "AAAA" },
		{ "-_-_", "+/+/" },
		{ "+/-_", "+/+/" },
		{ " A\nA\r\nA\tA ", "AAAA" },
		{ "AA = =\n", "AA==" },
		{ "abcdefghijklmnopqrstuvwxyz0123456789",
			"abcdefghijklmnopqrstuvwxyz0123456789" },
		{ "ABCDEFGHIJKLMNOPQRSTUVWXYZ+/",
			"ABCDEFGHIJKLMNOPQRSTUVWXYZ+/" },
		{ "", NULL },
		{ " \n", NULL },
		{ "====", NULL },
		{ "=", NULL },
		{ "A", NULL },
		{ "AAAAA", NULL },
		{ "AA==AA==", NULL },
		{ "A=AA", NULL },
		{ "AA===", NULL },
		{ "AA.A", NULL },
		{ "AAA\x7f", NULL },
		{ "AAA\xc3", NULL },
		{ "AA%3D", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct span in = span_cstr(cases[i].in);
		struct span out;
		struct gp_error err;
		const enum gp_code rc =
			base64_normalise(&arena, in, &out, &err);

		if (cases[i].want == NULL) {
			assert_fails(rc, GP_E_SCHEMA, &err, "base64");
			continue;
		}
		assert_ok(rc, &err);
		assert_spans_eq(out, span_cstr(cases[i].want));
		if (strcmp(cases[i].in, cases[i].want) == 0)
			assert_ptr_equal(out.p, in.p);
	}
}

static void
test_base64_values(void **state)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "abcdefghijklmnopqrstuvwxyz0123456789+/";

	(void)state;
	/* Every byte: of the alphabet or refused. */
	for (unsigned c = 0; c < 256; c++) {
		const char in[4] = { (char)c, 'A', 'A', 'A' };
		const char *const at = memchr(digits, (int)c, 64);
		struct span out;
		uint8_t byte;

		if (base64_normalise(&arena, (struct span){ in, 4 }, &out,
			    NULL) != GP_OK) {
			assert_null(at);
			continue;
		}
		if (at == NULL) {
			assert_non_null(memchr("-_ \t\n\f\r", (int)c, 7));
			continue;
		}
		assert_int_equal(base64_read(out, 0, &byte, 1), 1);
		assert_int_equal(byte, (at - digits) << 2);
	}
}

static void
test_base64_read(void **state)
{
	/* The bytes 0 to 9. */
	const struct span s = SPAN("AAECAwQFBgcICQ==");
	uint8_t out[16];

	(void)state;
	assert_int_equal(base64_len(s), 10);
	for (size_t from = 0; from <= 12; from++) {
		for (size_t n = 0; n <= 12; n++) {
			const size_t have = from < 10 ? 10 - from : 0;

			memset(out, 0xee, sizeof(out));
			assert_int_equal(
				base64_read(s, from, out, n), MIN(n, have));
			for (size_t i = 0; i < MIN(n, have); i++)
				assert_int_equal(out[i], from + i);
			assert_int_equal(out[MIN(n, have)], 0xee);
		}
	}
}

static void
test_url(void **state)
{
	static const struct {
		const char *url, *type, *data; /* type NULL: refused */
	} cases[] = {
		{ "data:image/png;base64,AAA", "image/png", "AAA=" },
		{ "data:image/png;charset=x;base64,AAA", "image/png", "AAA=" },
		{ "DATA:image/PNG;BASE64,AAAA", "image/png", "AAAA" },
		{ " data:image\\/png;base64,\\/9j\\/\\n", "image/png", "/9j/" },
		{ "data:image/png;base64,A\\u0041AA", "image/png", "AAAA" },
		{ "data:;base64," PNG64, "image/png", PNG64 },
		{ "data:image/jpg;base64," JPEG64, "image/jpeg", JPEG64 },
		{ "data:application/octet-stream;base64," WEBP64, "image/webp",
			WEBP64 },
		{ "data:image/BMP;base64,Qk0=", "image/bmp", "Qk0=" },
		{ "http://example.com/a?b=c", "", "http://example.com/a?b=c" },
		{ "HTTPS://example.com/\\\"", "", "HTTPS://example.com/\\\"" },
		{ "https:\\/\\/example.com\\/a", "", "https://example.com/a" },
		{ "data:,x", NULL, NULL },
		{ "data:image/png,AAAA", NULL, NULL },
		{ "data:image/png;base64;x=y,AAAA", NULL, NULL },
		{ "data:image/png;base64", NULL, NULL },
		{ "data:image/png;base64,", NULL, NULL },
		{ "data:image/png;base64,A*AA", NULL, NULL },
		{ "data:text/plain;base64,AAAA", NULL, NULL },
		{ "data:image/a\\u0000b;base64,AAAA", NULL, NULL },
		{ "data:", NULL, NULL },
		{ "http://", NULL, NULL },
		{ "ftp://example.com/a.png", NULL, NULL },
		{ "/9j/4AAQ", NULL, NULL },
		{ "", NULL, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct jesc url = { span_cstr(cases[i].url) };
		struct llm_image img;
		struct gp_error err;
		const enum gp_code rc =
			llm_image_from_url(&arena, url, &img, &err);

		if (cases[i].type == NULL) {
			assert_fails(rc, GP_E_SCHEMA, &err, "");
			continue;
		}
		assert_ok(rc, &err);
		assert_int_equal(img.is_url, cases[i].type[0] == '\0');
		assert_spans_eq(img.media_type.s, span_cstr(cases[i].type));
		assert_spans_eq(img.data.s, span_cstr(cases[i].data));
	}
}

static void
test_types(void **state)
{
	static const struct {
		const char *type, *data, *want;
	} cases[] = {
		{ "", PNG64, "image/png" },
		{ "", JPEG64, "image/jpeg" },
		{ "", GIF64, "image/gif" },
		{ "", WEBP64, "image/webp" },
		{ "text/html", PNG64, "image/png" },
		{ " Image\\/Gif ", PNG64, "image/gif" },
		{ "image/x-thing+zip", "AAAA", "image/x-thing+zip" },
		{ "", "AAAA", NULL },
		{ "", "iVBO", NULL },
		{ "image/", "AAAA", NULL },
		{ "image/a b", "AAAA", NULL },
		{ "application/pdf", "JVBERi0x", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct llm_image img;
		struct gp_error err;
		const enum gp_code rc = llm_image_from_base64(&arena,
			(struct jesc){ span_cstr(cases[i].type) },
			(struct jesc){ span_cstr(cases[i].data) }, &img, &err);

		if (cases[i].want == NULL) {
			assert_fails(rc, GP_E_SCHEMA, &err, "neither PNG");
			continue;
		}
		assert_ok(rc, &err);
		assert_false(img.is_url);
		assert_spans_eq(img.media_type.s, span_cstr(cases[i].want));
		assert_spans_eq(img.data.s, span_cstr(cases[i].data));
	}
}

static void
test_clean_is_not_copied(void **state)
{
	const size_t n = 4u << 20;
	char *const data = malloc(n);
	struct llm_image img;
	struct gp_error err;
	size_t used;

	(void)state;
	assert_non_null(data);
	memset(data, 'A', n);
	used = arena.used_bytes;
	assert_ok(llm_image_from_base64(&arena, JESC("image/png"),
			  (struct jesc){ { data, n } }, &img, &err),
		&err);
	assert_ptr_equal(img.data.s.p, data);
	assert_true(arena.used_bytes - used < 1024);
	free(data);
}

/* Bytes as base64. */
static struct llm_image
image_of(struct span bytes)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "abcdefghijklmnopqrstuvwxyz0123456789+/";
	const size_t n = (bytes.n + 2) / 3 * 4;
	char *const out = arena_alloc(&arena, n + 4);
	struct llm_image img = { .media_type = JESC("image/png") };

	for (size_t i = 0; i < n; i++) {
		const size_t bit = i * 6, at = bit / 8;
		const unsigned hi = at < bytes.n ? (uint8_t)bytes.p[at] : 0;
		const unsigned lo =
			at + 1 < bytes.n ? (uint8_t)bytes.p[at + 1] : 0;

		out[i] = digits[(hi << 8 | lo) >> (10 - bit % 8) & 0x3f];
		if (bit / 8 >= bytes.n)
			out[i] = '=';
	}
	img.data.s = span_of(out, n);
	return img;
}

#define RIFF    "RIFF\x10\x00\x00\x00WEBP"
#define LOSSY   RIFF "VP8 \x18\x00\x00\x00\x30\x01\x00\x9d\x01\x2a"
#define LOSSLES RIFF "VP8L\x18\x00\x00\x00/"
#define LARGE   RIFF "VP8X\x0a\x00\x00\x00\x10\x00\x00\x00"
#define PNG     "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
#define APP0    "\xff\xe0\x00\x04xx"

static void
test_sizes(void **state)
{
	static const struct {
		struct span bytes;
		uint32_t w, h; /* 0: unknown */
	} cases[] = {
		{ SPAN_INIT(PNG "\x00\x00\x01\x00\x00\x00\x02\x03"), 256, 515 },
		{ SPAN_INIT(PNG "\x00\x00\xff\xff\x00\x00\x00\x01"), 65535, 1 },
		{ SPAN_INIT(PNG "\x00\x01\x00\x00\x00\x00\x00\x01"), 0, 0 },
		{ SPAN_INIT(PNG "\x00\x00\x00\x00\x00\x00\x00\x01"), 0, 0 },
		{ SPAN_INIT(PNG "\x00\x00\x00\x01\x00\x00\x00"), 0, 0 },
		{ SPAN_INIT("GIF89a\x01\x02\x03\x04"), 513, 1027 },
		{ SPAN_INIT("GIF87a\x01\x00\x01\x00"), 1, 1 },
		{ SPAN_INIT("GIF87a\x01\x00\x01"), 0, 0 },
		{ SPAN_INIT("\xff\xd8" APP0
			    "\xff\xc0\x00\x11\x08\x01\x02\x03\x04"),
			772, 258 },
		/* Filling, a table, then a progressive frame. */
		{ SPAN_INIT("\xff\xd8\xff" APP0
			    "\xff\xc4\x00\x03x\xff\xff\xc2\x00\x11\x08\x00\x10"
			    "\x00\x20"),
			32, 16 },
		{ SPAN_INIT("\xff\xd8" APP0 "\xff\xc0\x00\x11\x08\x01\x02\x03"),
			0, 0 },
		{ SPAN_INIT("\xff\xd8" APP0 "\x00\xc0\x00\x11\x08\x01\x02\x03"
			    "\x04"),
			0, 0 },
		/* A segment that points behind the end; one of no length. */
		{ SPAN_INIT("\xff\xd8\xff\xe0\xff\xff\x00\x11\x08\x01\x02\x03"
			    "\x04"),
			0, 0 },
		{ SPAN_INIT("\xff\xd8\xff\xe0\x00\x00\x00\x11\x08\x01\x02\x03"
			    "\x04"),
			0, 0 },
		{ SPAN_INIT(LOSSY "\x20\x43\x10\x80"), 800, 16 },
		{ SPAN_INIT(LOSSY "\x20\x43\x10"), 0, 0 },
		/* 14 bits each, less one: 0x123 and 0x45. */
		{ SPAN_INIT(LOSSLES "\x23\x41\x11\x00"
				    "\0\0\0\0\0"),
			0x124, 0x46 },
		{ SPAN_INIT(LARGE "\x00\x00\x00\x00\x00\x00"), 1, 1 },
		{ SPAN_INIT(LARGE "\xff\x03\x00\xff\x01\x00"), 1024, 512 },
		{ SPAN_INIT(LARGE "\xff\xff\xff\xff\x01\x00"), 0, 0 },
		{ SPAN_INIT(RIFF "VP8?\x18\x00\x00\x00\x30\x01\x00\x9d\x01\x2a"
				 "\x20\x43\x10\x80"),
			0, 0 },
		{ SPAN_INIT("nothing of the kind at all here"), 0, 0 },
		{ SPAN_INIT("x"), 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct llm_image img = image_of(cases[i].bytes);
		uint32_t w = 0, h = 0;

		if (llm_image_size(&img, &w, &h) != (cases[i].w > 0))
			fail_msg("case %zu: %u x %u", i, w, h);
		assert_int_equal(w, cases[i].w);
		assert_int_equal(h, cases[i].h);
		img.is_url = true;
		assert_false(llm_image_size(&img, &w, &h));
	}
}

/* A hostile JPEG costs no more than its segment heads. */
static void
test_endless_jpeg(void **state)
{
	char *const filling = t_repeat("\xff", 100000);
	const struct llm_image img =
		image_of(arena_printf(&arena, "\xff\xd8%s", filling));
	uint32_t w, h;

	(void)state;
	assert_false(llm_image_size(&img, &w, &h));
	free(filling);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_base64, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_base64_values, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_base64_read, setup, teardown),
		cmocka_unit_test_setup_teardown(test_url, setup, teardown),
		cmocka_unit_test_setup_teardown(test_types, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_clean_is_not_copied, setup, teardown),
		cmocka_unit_test_setup_teardown(test_sizes, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_endless_jpeg, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
