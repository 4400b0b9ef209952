/* SPDX-License-Identifier: MIT */
/* test_llm_args.c - arguments of tool calls, text <-> object. */
#include "tests/lib/t.h"

#include <stdlib.h>

#include "shared/json/jscan.h"
#include "shared/translate/llm_req.h"

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

static struct llm_args
of_text(struct span text)
{
	return (struct llm_args){
		.text = { text },
		.has_text = true,
		.value = JRAW_NONE,
	};
}

static struct llm_args
of_value(struct span value)
{
	return (struct llm_args){ .text = JESC_EMPTY, .value = { value } };
}

static void
test_text_to_value(void **state)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "", "{}" },
		{ "  \\n\\t ", "{}" },
		{ "null", "{}" },
		{ " null ", "{}" },
		{ "{}", "{}" },
		{ "{\\\"a\\\":1}", "{\"a\":1}" },
		/* As it is written: spelling, order, duplicates, blanks. */
		{ "\\n {\\\"b\\\": 1.0, \\\"a\\\":1e400,\\\"b\\\":-0}\\n",
			"{\"b\": 1.0, \"a\":1e400,\"b\":-0}" },
		{ "{\\\"a\\\":\\\"\\\\ud83d\\\"}", "{\"a\":\"\\ud83d\"}" },
		{ "{\\\"a\\\":\\\"\\u00e9\\\"}", "{\"a\":\"\xc3\xa9\"}" },
		/* No objects. */
		{ "{\\\"a\\\":", "{\"__raw_arguments\":\"{\\\"a\\\":\"}" },
		{ "{\\\"a\\\":1,}",
			"{\"__raw_arguments\":\"{\\\"a\\\":1,}\"}" },
		{ "{} {}", "{\"__raw_arguments\":\"{} {}\"}" },
		{ "[1]", "{\"__raw_arguments\":\"[1]\"}" },
		{ "\\\"x\\\"", "{\"__raw_arguments\":\"\\\"x\\\"\"}" },
		{ "12", "{\"__raw_arguments\":\"12\"}" },
		{ "nullx", "{\"__raw_arguments\":\"nullx\"}" },
		{ "{\\\"a\\\":\\\"\\u0001\\\"}",
			"{\"__raw_arguments\":\"{\\\"a\\\":\\\"\\u0001\\\"}"
			"\"}" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct llm_args args = of_text(span_cstr(cases[i].text));
		const struct jraw got = llm_args_value(&arena, &args);

		assert_spans_eq(got.s, span_cstr(cases[i].want));
		assert_ok(jscan_text(got.s, NULL, NULL), NULL);
	}
}

static void
test_value_to_text(void **state)
{
	static const struct {
		const char *value, *want;
	} cases[] = {
		{ "", "{}" },
		{ "{}", "{}" },
		{ "{\"a\": 1.0}", "{\\\"a\\\": 1.0}" },
		{ "{\n\"a\":\"\\n\"}", "{\\n\\\"a\\\":\\\"\\\\n\\\"}" },
		{ "{\"__raw_arguments\":\"{\\\"a\\\":\"}", "{\\\"a\\\":" },
		{ " { \"__raw_arguments\" : \"\\\\\" } ", "\\\\" },
		{ "{\"__raw\\u005farguments\":\"[1]\"}", "[1]" },
		{ "{\"__raw_arguments\":\"\"}", "" },
		/* Almost. */
		{ "{\"__raw_arguments\":1}", "{\\\"__raw_arguments\\\":1}" },
		{ "{\"__raw_arguments\":\"a\",\"b\":1}",
			"{\\\"__raw_arguments\\\":\\\"a\\\",\\\"b\\\":1}" },
		{ "{\"b\":\"a\"}", "{\\\"b\\\":\\\"a\\\"}" },
		{ "{\"__raw_argument\":\"a\"}",
			"{\\\"__raw_argument\\\":\\\"a\\\"}" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct llm_args args =
			of_value(span_cstr(cases[i].value));

		assert_spans_eq(llm_args_text(&arena, &args).s,
			span_cstr(cases[i].want));
	}
}

static void
test_views(void **state)
{
	const struct span value = SPAN("{\"a\":1}"), text = SPAN("{}");
	const struct llm_args v = of_value(value), t = of_text(text);

	(void)state;
	assert_ptr_equal(llm_args_value(&arena, &v).s.p, value.p);
	assert_ptr_equal(llm_args_value(&arena, &t).s.p, text.p);
	assert_ptr_equal(llm_args_text(&arena, &t).s.p, text.p);
}

static void
test_blank_text_stays_an_object(void **state)
{
	struct llm_args args = of_text(SPAN(" \\n"));

	(void)state;
	assert_span_eq(llm_args_text(&arena, &args).s, "{}");
	args = of_text(SPAN("null"));
	assert_span_eq(llm_args_text(&arena, &args).s, "{}");
	args = of_text(SPAN("[1"));
	assert_span_eq(llm_args_text(&arena, &args).s, "[1");
}

/* Whatever a model wrote comes back as it was. */
static void
test_round_trip(void **state)
{
	static const char *const texts[] = { "{\\\"a\\\":", "x", "\\\"", "\\\\",
		"{\\\"__raw_arguments\\\":1}", "\\ud83d", "\\u0000", "[]",
		"[ " };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		const struct span text = span_cstr(texts[i]);
		struct llm_args args = of_text(text);

		args = of_value(llm_args_value(&arena, &args).s);
		assert_spans_eq(llm_args_text(&arena, &args).s, text);
	}
}

/* Valid, but deeper than any upstream would read. */
static void
test_too_deep(void **state)
{
	const size_t n = JSCAN_DEPTH_MAX;
	char *const open = t_repeat("{\\\"a\\\":", n);
	char *const close = t_repeat("}", n);

	(void)state;
	for (size_t depth = n; depth <= n + 1; depth++) {
		const struct span text = arena_printf(
			&arena, "%s%s%s", open, depth > n ? "{}" : "1", close);
		const struct llm_args args = of_text(text);
		const struct jraw got = llm_args_value(&arena, &args);

		assert_int_equal(
			span_starts(got.s, SPAN("{\"__raw_arguments\":")),
			depth > n);
	}
	free(open);
	free(close);
}

static void
test_t37_settle(void **state)
{
	static const struct {
		const char *text, *want_text, *want_value;
		bool is_wrapped;
	} cases[] = {
		{ "{\\\"a\\\": 1}", "{\\\"a\\\": 1}", "{\"a\": 1}", false },
		{ " {} ", " {} ", "{}", false },
		{ "", "{}", "{}", false },
		{ " null ", "{}", "{}", false },
		{ "[1", "{\\\"__raw_arguments\\\":\\\"[1\\\"}",
			"{\"__raw_arguments\":\"[1\"}", true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct llm_args args = of_text(span_cstr(cases[i].text));

		assert_int_equal(
			llm_args_settle(&arena, &args), cases[i].is_wrapped);
		assert_spans_eq(llm_args_text(&arena, &args).s,
			span_cstr(cases[i].want_text));
		assert_spans_eq(llm_args_value(&arena, &args).s,
			span_cstr(cases[i].want_value));
		/* It stays as it is. */
		assert_false(llm_args_settle(&arena, &args));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_text_to_value, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_value_to_text, setup, teardown),
		cmocka_unit_test_setup_teardown(test_views, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_blank_text_stays_an_object, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_round_trip, setup, teardown),
		cmocka_unit_test_setup_teardown(test_too_deep, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_t37_settle, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
