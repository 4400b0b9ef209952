/* SPDX-License-Identifier: MIT */
/* test_jout.c - writing JSON. */
#include "tests/lib/t.h"

#include <stdlib.h>

#include "shared/json/jout.h"
#include "shared/json/jscan.h"

#define NEL "\xc2\x85"
#define LS  "\xe2\x80\xa8"
#define PS  "\xe2\x80\xa9"

struct fixture {
	struct buf b;
	struct jout j;
};

static int
setup(void **state)
{
	static struct fixture f;

	buf_init(&f.b, 1 << 20);
	jout_init(&f.j, &f.b);
	*state = &f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *const f = *state;

	buf_fini(&f->b);
	return 0;
}

static void
test_all_kinds(void **state)
{
	struct fixture *const f = *state;
	struct jout *const j = &f->j;

	jout_obj(j);
	jout_kv_jesc(j, "jesc", JESC("a\\nb"));
	jout_kv_raw(j, "raw", JRAW("{\"x\": 1.50}"));
	jout_kv_span(j, "span", SPAN("a\n\"b"));
	jout_kv_cstr(j, "cstr", "\\");
	jout_kv_int(j, "max", INT64_MAX);
	jout_kv_int(j, "min", INT64_MIN);
	jout_kv_int(j, "zero", 0);
	jout_kv_bool(j, "yes", true);
	jout_kv_bool(j, "no", false);
	jout_kv_null(j, "null");
	jout_key_jesc(j, JESC("k\\u0000"));
	jout_arr(j);
	jout_arr_end(j);
	jout_key(j, "list");
	jout_arr(j);
	jout_int(j, -1);
	jout_cstr(j, "");
	jout_obj(j);
	jout_obj_end(j);
	jout_obj(j);
	jout_kv_null(j, "a");
	jout_obj_end(j);
	jout_null(j);
	jout_arr_end(j);
	jout_obj_end(j);
	assert_buf_eq(&f->b,
		"{\"jesc\":\"a\\nb\",\"raw\":{\"x\": 1.50},"
		"\"span\":\"a\\n\\\"b\",\"cstr\":\"\\\\\","
		"\"max\":9223372036854775807,"
		"\"min\":-9223372036854775808,\"zero\":0,"
		"\"yes\":true,\"no\":false,\"null\":null,"
		"\"k\\u0000\":[],"
		"\"list\":[-1,\"\",{},{\"a\":null},null]}");
	assert_ok(jscan_text(buf_span(&f->b), NULL, NULL), NULL);
}

static void
test_root_keys(void **state)
{
	struct fixture *const f = *state;
	struct jout *const j = &f->j;
	struct buf keys;

	buf_init(&keys, 8);
	j->root_keys = &keys;
	jout_obj(j);
	jout_kv_int(j, "a", 1);
	jout_key_jesc(j, JESC("b\\n"));
	jout_obj(j);
	jout_kv_int(j, "c", 1);
	jout_obj_end(j);
	jout_kv_int(j, "d", 1);
	assert_spans_eq(buf_span(&keys), SPAN("a,b\\n,d"));
	/* What is too long for them harms nothing else. */
	jout_kv_int(j, "eeeeeeeee", 1);
	jout_obj_end(j);
	assert_spans_eq(buf_span(&f->b),
		SPAN("{\"a\":1,\"b\\n\":{\"c\":1},\"d\":1,\"eeeeeeeee\":1}"));
	buf_fini(&keys);
}

static void
test_string_in_pieces(void **state)
{
	struct fixture *const f = *state;
	struct jout *const j = &f->j;

	jout_arr(j);
	jout_str_begin(j);
	jout_str_end(j);
	jout_str_begin(j);
	jout_str_jesc(j, JESC("\\ud83d"));
	jout_str_jesc(j, JESC("\\ude00"));
	jout_str_span(j, SPAN("\t"));
	jout_str_raw(j, JRAW("{\"a\\n\": \"\\\\\",\n\"b\":[]}"));
	jout_str_end(j);
	jout_bool(j, true);
	jout_arr_end(j);
	assert_buf_eq(&f->b,
		"[\"\",\"\\ud83d\\ude00\\t"
		"{\\\"a\\\\n\\\": \\\"\\\\\\\\\\\",\\n"
		"\\\"b\\\":[]}\",true]");
}

/* Nothing that somebody's line splitter could take for a line end. */
static void
test_no_line_ends(void **state)
{
	static const struct {
		struct span in, out;
	} cases[] = {
		{ SPAN_INIT(NEL), SPAN_INIT("\\u0085") },
		{ SPAN_INIT(LS), SPAN_INIT("\\u2028") },
		{ SPAN_INIT(PS), SPAN_INIT("\\u2029") },
		{ SPAN_INIT("a" LS "b"), SPAN_INIT("a\\u2028b") },
		{ SPAN_INIT(LS PS NEL LS),
			SPAN_INIT("\\u2028\\u2029\\u0085\\u2028") },
		{ SPAN_INIT("0123456789" LS "0123456789" NEL "0123456"),
			SPAN_INIT(
				"0123456789\\u20280123456789\\u00850123456") },
		/* neighbours */
		{ SPAN_INIT("\xc2\x84\xc2\x86\xc3\x85"),
			SPAN_INIT("\xc2\x84\xc2\x86\xc3\x85") },
		{ SPAN_INIT("\xe2\x80\xa7\xe2\x80\xaf\xe2\x82\xa8\xe3\x80\xa8"),
			SPAN_INIT("\xe2\x80\xa7\xe2\x80\xaf\xe2\x82\xa8"
				  "\xe3\x80\xa8") },
		{ SPAN_INIT("\xe2\x80\x99s \xe2\x80\x93 \xe2\x82\xac " LS),
			SPAN_INIT("\xe2\x80\x99s \xe2\x80\x93 \xe2\x82\xac "
				  "\\u2028") },
	};
	struct fixture *const f = *state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char *const p = t_exact(cases[i].in);
		const struct span in = { p, cases[i].in.n };

		buf_reset(&f->b, SIZE_MAX);
		jout_str_begin(&f->j);
		buf_reset(&f->b, SIZE_MAX);
		jout_str_jesc(&f->j, (struct jesc){ in });
		assert_spans_eq(buf_span(&f->b), cases[i].out);
		buf_reset(&f->b, SIZE_MAX);
		jout_str_span(&f->j, in);
		assert_spans_eq(buf_span(&f->b), cases[i].out);
		buf_reset(&f->b, SIZE_MAX);
		jout_str_raw(&f->j, (struct jraw){ in });
		assert_spans_eq(buf_span(&f->b), cases[i].out);
		jout_str_end(&f->j);
		free(p);
	}
}

static void
test_no_line_ends_in_raw(void **state)
{
	struct fixture *const f = *state;
	struct jout *const j = &f->j;

	jout_obj(j);
	jout_key_jesc(j, JESC("k" LS));
	jout_raw(j,
		JRAW("{\r\n  \"a" LS "\": [\n1,\r2\n],\n\"b\":\"\\n" NEL
		     "\"\n}"));
	jout_obj_end(j);
	assert_buf_eq(&f->b,
		"{\"k\\u2028\":{  \"a\\u2028\": [1,2],"
		"\"b\":\"\\n\\u0085\"}}");
}

/* At every position in the words of eight bytes. */
static void
test_line_ends_at_every_position(void **state)
{
	struct fixture *const f = *state;

	for (size_t at = 0; at < 30; at++) {
		char text[33], want[36];

		memset(text, 'x', sizeof(text));
		memset(want, 'x', sizeof(want));
		for (size_t i = 0; i < 3; i++)
			text[at + i] = LS[i];
		for (size_t i = 0; i < 6; i++)
			want[at + i] = "\\u2028"[i];
		buf_reset(&f->b, SIZE_MAX);
		jout_jesc(&f->j, (struct jesc){ span_of(text, 33) });
		assert_int_equal(buf_len(&f->b), 38);
		assert_memory_equal(f->b.data + 1, want, 36);
		buf_reset(&f->b, SIZE_MAX);
		jout_span(&f->j, span_of(text, 33));
		assert_memory_equal(f->b.data + 1, want, 36);
	}
}

static void
test_depth(void **state)
{
	struct fixture *const f = *state;
	struct jout *const j = &f->j;

	for (int turn = 0; turn < 2; turn++) {
		for (int i = 0; i < JOUT_DEPTH_MAX; i++)
			jout_arr(j);
		jout_int(j, 1);
		jout_int(j, 2);
		assert_dies(jout_arr(j));
		for (int i = 0; i < JOUT_DEPTH_MAX; i++)
			jout_arr_end(j);
	}
	assert_dies(jout_arr_end(j));
	assert_int_equal(buf_len(&f->b), 2 * (2 * JOUT_DEPTH_MAX + 3));
}

static void
test_wrong_order_at_top_dies(void **state)
{
	struct fixture *const f = *state;
	struct jout *const j = &f->j;

	assert_dies(jout_key(j, "a"));
	assert_dies(jout_str_end(j));
	assert_dies(jout_str_span(j, SPAN("a")));
}

static void
test_wrong_order_in_object_dies(void **state)
{
	struct fixture *const f = *state;
	struct jout *const j = &f->j;

	jout_obj(j);
	assert_dies(jout_int(j, 1));
	assert_dies(jout_arr(j));
	assert_dies(jout_arr_end(j));
	jout_key(j, "a");
	assert_dies(jout_key(j, "b"));
	assert_dies(jout_obj_end(j));
	assert_dies(jout_raw(j, JRAW_NONE));
	jout_arr(j);
	assert_dies(jout_key(j, "b"));
	assert_dies(jout_obj_end(j));
}

static void
test_wrong_order_in_string_dies(void **state)
{
	struct fixture *const f = *state;
	struct jout *const j = &f->j;

	jout_obj(j);
	jout_key(j, "a");
	jout_str_begin(j);
	assert_dies(jout_null(j));
	assert_dies(jout_key(j, "b"));
	assert_dies(jout_obj_end(j));
	assert_dies(jout_str_begin(j));
}

static void
test_failure_is_the_bufs(void **state)
{
	struct buf b;
	struct jout j;

	(void)state;
	buf_init(&b, 10);
	jout_init(&j, &b);
	jout_arr(&j);
	jout_cstr(&j, "12345678");
	jout_int(&j, 1);
	jout_arr_end(&j);
	assert_int_equal(buf_check(&b, NULL), GP_E_LIMIT);
	buf_fini(&b);
}

static void
test_whole_keeps_line_separators(void **state)
{
	struct buf b;
	struct jout j;

	(void)state;
	buf_init(&b, 4096);
	jout_init_whole(&j, &b);
	jout_arr(&j);
	jout_jesc(&j, JESC("a\xe2\x80\xa8z"));
	jout_span(&j, SPAN("\xc2\x85\n"));
	jout_raw(&j, JRAW("[1,\n2]"));
	jout_arr_end(&j);
	assert_true(span_eq(buf_span(&b),
		SPAN("[\"a\xe2\x80\xa8z\",\"\xc2\x85\\n\",[1,\n2]]")));
	buf_fini(&b);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_all_kinds),
		T(test_root_keys),
		T(test_string_in_pieces),
		T(test_no_line_ends),
		T(test_no_line_ends_in_raw),
		T(test_line_ends_at_every_position),
		T(test_whole_keeps_line_separators),
		T(test_depth),
		T(test_wrong_order_at_top_dies),
		T(test_wrong_order_in_object_dies),
		T(test_wrong_order_in_string_dies),
		T(test_failure_is_the_bufs),
	};

	return cmocka_run_group_tests_name("jout", tests, NULL, NULL);
}
