/* SPDX-License-Identifier: MIT */
/* test_jdoc.c - walking parsed JSON, and its numbers. */
#include "tests/lib/t.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "shared/json/jdoc.h"
#include "shared/json/jscan.h"

static void
parse(struct jdoc *d, struct span text)
{
	struct gp_error err = { 0 };

	assert_ok(jdoc_parse(d, text, &err), &err);
}

static struct span
raw(const struct jdoc *d, jref r)
{
	return jdoc_raw(d, r).s;
}

static void
test_walk(void **state)
{
	struct jdoc d;
	jref root, list;

	(void)state;
	jdoc_init(&d);
	assert_int_equal(jdoc_root(&d), JREF_NONE);
	parse(&d,
		SPAN(" {\"model\":\"glm\",\"list\":[1,{\"x\":[]},\"s\",[[2]]],"
		     "\"nul\":null,\"on\":true,\"\":-1.5e3} "));
	root = jdoc_root(&d);
	assert_int_equal(jdoc_type(&d, root), J_OBJ);
	assert_int_equal(jdoc_count(&d, root), 5);
	assert_span_eq(
		jdoc_str(&d, jdoc_get(&d, root, SPAN("model"))).s, "glm");
	assert_span_eq(raw(&d, jdoc_get(&d, root, SPAN("model"))), "\"glm\"");
	assert_span_eq(raw(&d, jdoc_get(&d, root, SPAN(""))), "-1.5e3");
	list = jdoc_get(&d, root, SPAN("list"));
	assert_int_equal(jdoc_type(&d, list), J_ARR);
	assert_int_equal(jdoc_count(&d, list), 4);
	assert_span_eq(raw(&d, list), "[1,{\"x\":[]},\"s\",[[2]]]");
	assert_span_eq(raw(&d, jdoc_at(&d, list, 0)), "1");
	assert_span_eq(raw(&d, jdoc_at(&d, list, 1)), "{\"x\":[]}");
	assert_span_eq(raw(&d, jdoc_at(&d, list, 2)), "\"s\"");
	assert_span_eq(raw(&d, jdoc_at(&d, list, 3)), "[[2]]");
	assert_int_equal(jdoc_at(&d, list, 4), JREF_NONE);
	assert_int_equal(jdoc_at(&d, root, 0), JREF_NONE);
	assert_int_equal(jdoc_get(&d, list, SPAN("x")), JREF_NONE);
	/* Only members of the object itself count, and only keys. */
	assert_int_equal(jdoc_get(&d, root, SPAN("x")), JREF_NONE);
	assert_int_equal(jdoc_get(&d, root, SPAN("glm")), JREF_NONE);

	assert_int_equal(
		jdoc_type(&d, jdoc_get(&d, root, SPAN("nul"))), J_NULL);
	assert_int_equal(jdoc_get_set(&d, root, SPAN("nul")), JREF_NONE);
	assert_int_not_equal(jdoc_get_set(&d, root, SPAN("on")), JREF_NONE);
	assert_true(jdoc_bool(&d, jdoc_get(&d, root, SPAN("on")), false));
	assert_true(jdoc_bool(&d, jdoc_get(&d, root, SPAN("nul")), true));
	assert_false(jdoc_bool(&d, jdoc_get(&d, root, SPAN("nul")), false));
	jdoc_fini(&d);
}

static void
test_each(void **state)
{
	static const char *const keys[] = { "a", "b", "c" };
	static const char *const values[] = { "[1,[2,3],{}]", "{\"z\":{}}",
		"\"a\"" };
	struct jdoc d;
	size_t n = 0;

	(void)state;
	jdoc_init(&d);
	parse(&d, SPAN("{\"a\":[1,[2,3],{}],\"b\":{\"z\":{}},\"c\":\"a\"}"));
	JDOC_EACH_MEMBER (&d, jdoc_root(&d), it) {
		assert_spans_eq(jdoc_key(&d, it).s, span_cstr(keys[n % 3]));
		assert_spans_eq(
			raw(&d, jdoc_value(&d, it)), span_cstr(values[n % 3]));
		n++;
	}
	assert_int_equal(n, 3);
	n = 0;
	JDOC_EACH (&d, jdoc_get(&d, jdoc_root(&d), SPAN("a")), it) {
		static const char *const items[] = { "1", "[2,3]", "{}" };

		assert_spans_eq(raw(&d, it), span_cstr(items[n++ % 3]));
		assert_int_equal(jdoc_value(&d, it), JREF_NONE);
	}
	assert_int_equal(n, 3);
	/* Nothing to iterate over; a key is no container. */
	JDOC_EACH (&d, jdoc_get(&d, jdoc_root(&d), SPAN("c")), it)
		fail();
	JDOC_EACH (&d, jdoc_first(&d, jdoc_root(&d)), it)
		fail();
	jdoc_fini(&d);
}

static void
test_nothing(void **state)
{
	struct jdoc d;
	int64_t i = 7;
	double x = 7;
	const jref none = JREF_NONE;

	(void)state;
	jdoc_init(&d);
	parse(&d, SPAN("{}"));
	assert_int_equal(jdoc_type(&d, none), J_NONE);
	assert_int_equal(jdoc_count(&d, none), 0);
	assert_int_equal(jdoc_get(&d, none, SPAN("a")), JREF_NONE);
	assert_int_equal(jdoc_get_set(&d, none, SPAN("a")), JREF_NONE);
	assert_int_equal(jdoc_at(&d, none, 0), JREF_NONE);
	assert_int_equal(jdoc_first(&d, none), JREF_NONE);
	assert_int_equal(jdoc_next(&d, none, none), JREF_NONE);
	assert_int_equal(jdoc_value(&d, none), JREF_NONE);
	assert_true(jraw_is_none(jdoc_raw(&d, none)));
	assert_true(jesc_is_empty(jdoc_str(&d, none)));
	assert_non_null(jdoc_str(&d, none).s.p);
	assert_false(jdoc_is(&d, none, SPAN("")));
	assert_true(jdoc_bool(&d, none, true));
	assert_false(jdoc_int(&d, none, &i));
	assert_false(jdoc_double(&d, none, &x));
	assert_int_equal(i, 7);
	assert_true(x > 6 && x < 8);
	jdoc_fini(&d);
}

static void
test_bare_roots(void **state)
{
	static const struct {
		struct span text, raw;
		enum jtype type;
	} cases[] = {
		{ SPAN_INIT("true"), SPAN_INIT("true"), J_BOOL },
		{ SPAN_INIT(" false\n"), SPAN_INIT("false"), J_BOOL },
		{ SPAN_INIT("null "), SPAN_INIT("null"), J_NULL },
		{ SPAN_INIT("-1.0e2"), SPAN_INIT("-1.0e2"), J_NUM },
		{ SPAN_INIT("\t0"), SPAN_INIT("0"), J_NUM },
		{ SPAN_INIT("\"\""), SPAN_INIT("\"\""), J_STR },
		{ SPAN_INIT(" \"a\\\"\" "), SPAN_INIT("\"a\\\"\""), J_STR },
		{ SPAN_INIT(" [ ] "), SPAN_INIT("[ ]"), J_ARR },
	};
	struct jdoc d;

	(void)state;
	jdoc_init(&d);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char *const p = t_exact(cases[i].text);

		parse(&d, span_of(p, cases[i].text.n));
		assert_int_equal(d.n, 1);
		assert_int_equal(jdoc_type(&d, 0), cases[i].type);
		assert_spans_eq(raw(&d, 0), cases[i].raw);
		assert_int_equal(jdoc_first(&d, 0), JREF_NONE);
		free(p);
	}
	jdoc_fini(&d);
}

static void
test_strings(void **state)
{
	struct jdoc d;
	jref root;

	(void)state;
	jdoc_init(&d);
	parse(&d,
		SPAN("{\"r\\u006fle\":\"us\\u0065r\",\"a\\\\b\":1,\"\\/\":2}"));
	root = jdoc_root(&d);
	assert_true(
		jdoc_is(&d, jdoc_get(&d, root, SPAN("role")), SPAN("user")));
	assert_false(
		jdoc_is(&d, jdoc_get(&d, root, SPAN("role")), SPAN("use")));
	assert_false(jdoc_is(&d, jdoc_get(&d, root, SPAN("a\\b")), SPAN("1")));
	assert_int_equal(jdoc_get(&d, root, SPAN("a\\\\b")), JREF_NONE);
	assert_span_eq(raw(&d, jdoc_get(&d, root, SPAN("/"))), "2");
	jdoc_fini(&d);
}

static void
test_int(void **state)
{
	static const struct {
		const char *text;
		bool ok;
		int64_t v;
	} cases[] = {
		{ "0", true, 0 },
		{ "-0", true, 0 },
		{ "-0.0e5", true, 0 },
		{ "0e999999999999999999999", true, 0 },
		{ "100", true, 100 },
		{ "1e2", true, 100 },
		{ "1E+2", true, 100 },
		{ "100.0", true, 100 },
		{ "0.1e1", true, 1 },
		{ "-12.50e1", true, -125 },
		{ "1000e-3", true, 1 },
		{ "0.000000000000000000000000000001e30", true, 1 },
		{ "100000000000000000000000000000e-29", true, 1 },
		{ "9223372036854775807", true, INT64_MAX },
		{ "9223372036854775807.000000", true, INT64_MAX },
		{ "9223372036854775808", false, 0 },
		{ "-9223372036854775808", true, INT64_MIN },
		{ "-9223372036854775809", false, 0 },
		{ "9.223372036854775807e18", true, INT64_MAX },
		{ "92233720368547758070e-1", true, INT64_MAX },
		{ "18446744073709551616", false, 0 },
		{ "10000000000000000000", false, 0 },
		{ "1e18", true, INT64_C(1000000000000000000) },
		{ "1e19", false, 0 },
		{ "1e400", false, 0 },
		{ "1e-400", false, 0 },
		{ "1e9223372036854775807", false, 0 },
		{ "1e-99999999999999999999", false, 0 },
		{ "100.5", false, 0 },
		{ "0.1", false, 0 },
		{ "15e-1", false, 0 },
		{ "1.0000000000000000000000000000001", false, 0 },
		{ "12345678901234567890123", false, 0 },
		{ "\"1\"", false, 0 },
		{ "true", false, 0 },
		{ "null", false, 0 },
		{ "[1]", false, 0 },
	};
	struct jdoc d;

	(void)state;
	jdoc_init(&d);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int64_t v = 42;
		bool ok;

		parse(&d, span_cstr(cases[i].text));
		ok = jdoc_int(&d, 0, &v);
		if (ok != cases[i].ok || v != (ok ? cases[i].v : 42))
			fail_msg(
				"%s: %d %lld", cases[i].text, ok, (long long)v);
	}
	jdoc_fini(&d);
}

static void
test_double(void **state)
{
	static const char *const cases[] = { "0", "-0.0", "1", "-1.5", "0.1",
		"0.7", "1e22", "123456789012345678", "0.30000000000000004",
		"1e-5", "2.5e-300", "1.7976931348623157e308", "5e-324",
		"2.2250738585072014e-308", "1e-400", "0.00000000001e11",
		"123456789012345678901234567890", "1e0000000001" };
	struct jdoc d;
	double x = 0;

	(void)state;
	jdoc_init(&d);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const double want = strtod(cases[i], NULL);

		parse(&d, span_cstr(cases[i]));
		assert_true(jdoc_double(&d, 0, &x));
		if (fabs(x - want) > fabs(want) * 1e-14)
			fail_msg("%s: %.17g", cases[i], x);
	}
	/* Exact where both parts are small. */
	parse(&d, SPAN("0.7"));
	assert_true(jdoc_double(&d, 0, &x));
	assert_memory_equal(&x, &(double){ 0.7 }, sizeof(x));
	parse(&d, SPAN("-1e400"));
	assert_true(jdoc_double(&d, 0, &x));
	assert_true(isinf(x) && x < 0);
	parse(&d, SPAN("\"1\""));
	assert_false(jdoc_double(&d, 0, &x));
	jdoc_fini(&d);
}

static void
test_failures(void **state)
{
	char *const deep = t_repeat("[", 100000);
	struct gp_error err;
	struct jdoc d;

	(void)state;
	jdoc_init(&d);
	parse(&d, SPAN("[1,2,3]"));
	assert_fails(jdoc_parse(&d, SPAN("[1,2,"), &err), GP_E_SYNTAX, &err,
		"bad JSON at byte 5: ");
	/* Nothing of the text before is left. */
	assert_int_equal(jdoc_root(&d), JREF_NONE);
	assert_int_equal(jdoc_type(&d, 0), J_NONE);
	assert_fails(jdoc_parse(&d, SPAN("{\"a\" \"b\"}"), &err), GP_E_SYNTAX,
		&err, "byte 5");
	assert_fails(jdoc_parse(&d, span_cstr(deep), &err), GP_E_LIMIT, &err,
		"byte 512");
	assert_int_equal(jdoc_parse(&d, SPAN(""), NULL), GP_E_SYNTAX);
	parse(&d, SPAN("[1]"));
	jdoc_fini(&d);
	free(deep);
}

static void
test_type_names(void **state)
{
	(void)state;
	assert_string_equal(jdoc_type_name(J_NULL), "null");
	assert_string_equal(jdoc_type_name(J_STR), "a string");
	assert_string_equal(jdoc_type_name(J_OBJ), "an object");
	for (int t = J_NONE; t <= J_OBJ; t++)
		assert_true(strlen(jdoc_type_name((enum jtype)t)) > 0);
}

/* {"k0":0,...}; the keys number `same` and n-1 are spelt apart, but mean the
 * same. same < 0: all differ. */
static char *
make_object(int n, int same)
{
	struct buf b;

	buf_init(&b, 1 << 20);
	buf_putc(&b, '{');
	for (int i = 0; i < n; i++) {
		if (i == n - 1 && same >= 0)
			buf_printf(&b, "\"\\u006b%d\":0", same);
		else
			buf_printf(&b, "\"k%d\":0,", i * 7919 % n);
	}
	if (b.data[b.len - 1] == ',')
		buf_truncate(&b, b.len - 1);
	buf_put(&b, SPAN("}\0"));
	return b.data;
}

static void
test_duplicates(void **state)
{
	static const int sizes[] = { 2, 3, 16, 17, 18, 100, 1000 };
	struct gp_error err;
	struct jdoc d;

	(void)state;
	jdoc_init(&d);
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		const int n = sizes[i];

		for (int same = -1; same < n - 1; same += 1 + n / 20) {
			char *const text = make_object(n, same);
			char part[40];

			parse(&d, span_cstr(text));
			if (same < 0 || same == (n - 1) * 7919 % n) {
				assert_ok(jdoc_refuse_duplicates(&d, 0, &err),
					&err);
			} else {
				assert_fails(
					jdoc_refuse_duplicates(&d, 0, &err),
					GP_E_SCHEMA, &err, "stands twice");
				(void)snprintf(part, sizeof(part), "%d", same);
				assert_non_null(strstr(err.text, part));
				assert_non_null(strstr(err.param, part));
			}
			free(text);
		}
	}
	/* Only the object itself; and only objects. */
	parse(&d, SPAN("{\"a\":{\"x\":1,\"x\":2},\"x\":1}"));
	assert_ok(jdoc_refuse_duplicates(&d, 0, &err), &err);
	assert_int_equal(
		jdoc_refuse_duplicates(&d, jdoc_get(&d, 0, SPAN("a")), NULL),
		GP_E_SCHEMA);
	parse(&d, SPAN("[1,1]"));
	assert_ok(jdoc_refuse_duplicates(&d, 0, &err), &err);
	assert_ok(jdoc_refuse_duplicates(&d, JREF_NONE, &err), &err);
	/* The first one wins in look-ups. */
	parse(&d, SPAN("{\"x\":1,\"x\":2}"));
	assert_span_eq(raw(&d, jdoc_get(&d, 0, SPAN("x"))), "1");
	jdoc_fini(&d);
}

static void
test_memory_is_kept_and_trimmed(void **state)
{
	char *const text = t_repeat("0,", (size_t)JDOC_KEEP_TOKENS * 2);
	const size_t n = 4 * (size_t)JDOC_KEEP_TOKENS - 1;
	const void *before;
	struct jdoc d;

	(void)state;
	jdoc_init(&d);
	parse(&d, SPAN("[1,2,3]"));
	before = d.tok;
	parse(&d, SPAN("[1,{\"a\":2},3]"));
	assert_ptr_equal(d.tok, before);

	text[0] = '[';
	text[1] = ' ';
	text[n] = ']';
	parse(&d, span_of(text, n + 1));
	assert_int_equal(jdoc_count(&d, 0), 2 * JDOC_KEEP_TOKENS - 1);
	assert_true(d.cap > JDOC_KEEP_TOKENS);
	parse(&d, SPAN("[]"));
	assert_true(d.cap <= JDOC_KEEP_TOKENS);
	jdoc_fini(&d);
	assert_int_equal(jdoc_root(&d), JREF_NONE);
	free(text);
}

/* A walk over siblings must step over what is inside of them. */
static void
test_deep_and_wide(void **state)
{
	enum {
		ROUNDS = 100,
		DEPTH = JSCAN_DEPTH_MAX - 1
	};
	struct jdoc d;
	struct buf b;
	size_t n = 0;
	jref r;

	(void)state;
	buf_init(&b, 1 << 20);
	for (int i = 0; i < ROUNDS; i++) {
		buf_putc(&b, i == 0 ? '[' : ',');
		for (int k = 0; k < DEPTH; k++)
			buf_putc(&b, '[');
		for (int k = 0; k < DEPTH; k++)
			buf_putc(&b, ']');
	}
	buf_putc(&b, ']');
	jdoc_init(&d);
	parse(&d, buf_span(&b));
	assert_int_equal(d.n, 1 + ROUNDS * DEPTH);
	JDOC_EACH (&d, 0, it) {
		assert_int_equal(raw(&d, it).n, 2 * DEPTH);
		n++;
	}
	assert_int_equal(n, ROUNDS);
	n = 0;
	for (r = 0; r != JREF_NONE; r = jdoc_first(&d, r))
		n++;
	assert_int_equal(n, DEPTH + 1);
	jdoc_fini(&d);
	buf_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_walk),
		cmocka_unit_test(test_each),
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_bare_roots),
		cmocka_unit_test(test_strings),
		cmocka_unit_test(test_int),
		cmocka_unit_test(test_double),
		cmocka_unit_test(test_failures),
		cmocka_unit_test(test_type_names),
		cmocka_unit_test(test_duplicates),
		cmocka_unit_test(test_memory_is_kept_and_trimmed),
		cmocka_unit_test(test_deep_and_wide),
	};

	return cmocka_run_group_tests_name("jdoc", tests, NULL, NULL);
}
