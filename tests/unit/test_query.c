/* SPDX-License-Identifier: MIT */
/* test_query.c - queries of URLs, and questions and cursors made of them. */
#include "admin/history_question.h"

#include <stdio.h>

#include "tests/lib/t.h"

#define NOW_US (INT64_C(1763786000) * HISTORY_US)

static enum gp_code
parse(struct query *q, const char *text, struct gp_error *err)
{
	return query_parse(q, span_cstr(text), err);
}

static void
test_good(void **state)
{
	struct query q;
	struct gp_error err;
	struct span v;

	(void)state;
	assert_int_equal(parse(&q, "", &err), GP_OK);
	assert_int_equal(q.n, 0);
	assert_false(query_get(&q, "a", &v));
	assert_int_equal(
		parse(&q, "a=1&b=&%63=x%20y+z%3D%26&d==%C3%A9", &err), GP_OK);
	assert_int_equal(q.n, 4);
	assert_true(query_get(&q, "a", &v));
	assert_span_eq(v, "1");
	assert_true(query_get(&q, "b", &v));
	assert_span_eq(v, "");
	assert_true(query_get(&q, "c", &v));
	assert_span_eq(v, "x y z=&");
	assert_true(query_get(&q, "d", &v));
	assert_span_eq(v, "=\xc3\xa9");
}

static void
test_bad(void **state)
{
	static const struct {
		const char *text, *why;
	} rows[] = {
		{ "a", "name=value" },
		{ "=1", "name=value" },
		{ "&", "name=value" },
		{ "a=1&", "name=value" },
		{ "&a=1", "name=value" },
		{ "a=1&&b=2", "name=value" },
		{ "a=1&a=2", "a is given twice" },
		{ "a=1&%61=2", "a is given twice" },
		{ "a=%", "two hexadecimal digits" },
		{ "a=%4", "two hexadecimal digits" },
		{ "a=%4g", "two hexadecimal digits" },
		{ "a=%g4", "two hexadecimal digits" },
		{ "a=%00", "control characters" },
		{ "a=%0a", "control characters" },
		{ "a=%7f", "control characters" },
		{ "a=%ff", "UTF-8" },
		{ "a=%c3", "UTF-8" },
		{ "a=%ed%a0%80", "UTF-8" },
		{ "%ff=1", "UTF-8" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct query q;
		struct gp_error err;

		if (parse(&q, rows[i].text, &err) != GP_E_SYNTAX ||
			strstr(err.text, rows[i].why) == NULL)
			fail_msg("%s", rows[i].text);
	}
}

static void
test_bounds(void **state)
{
	char text[QUERY_BYTES_MAX + 2];
	struct query q;
	struct gp_error err;
	size_t n = 0;

	(void)state;
	memset(text, 'x', sizeof(text));
	text[1] = '=';
	text[QUERY_BYTES_MAX] = '\0';
	assert_int_equal(parse(&q, text, &err), GP_OK);
	text[QUERY_BYTES_MAX] = 'x';
	assert_int_equal(
		query_parse(&q, span_of(text, QUERY_BYTES_MAX + 1), &err),
		GP_E_SYNTAX);
	for (int i = 0; i < QUERY_PARAMS_MAX; i++)
		n += (size_t)snprintf(
			text + n, 8, "%sa%d=", i > 0 ? "&" : "", i);
	assert_int_equal(query_parse(&q, span_of(text, n), &err), GP_OK);
	assert_int_equal(q.n, QUERY_PARAMS_MAX);
	n += (size_t)snprintf(text + n, 8, "&b=");
	assert_int_equal(query_parse(&q, span_of(text, n), &err), GP_E_SYNTAX);
}

static void
test_types(void **state)
{
	struct query q;
	struct gp_error err;
	struct span text = SPAN_EMPTY;
	int64_t n = 7;
	int word = 5;

	(void)state;
	assert_int_equal(
		parse(&q,
			"n=-12&w=two&t=abc&big=99999999999999999999"
			"&half=1.5&plus=%2B1&e=&m=-9223372036854775808",
			&err),
		GP_OK);
	assert_int_equal(query_number(&q, "none", 1, 9, &n, &err), GP_OK);
	assert_int_equal(n, 7);
	assert_int_equal(query_number(&q, "n", -12, 9, &n, &err), GP_OK);
	assert_int_equal(n, -12);
	assert_int_equal(query_number(&q, "n", -11, 9, &n, &err), GP_E_SCHEMA);
	assert_string_equal(err.text, "n takes a number from -11 to 9");
	assert_int_equal(
		query_number(&q, "big", 0, INT64_MAX, &n, &err), GP_E_SCHEMA);
	assert_int_equal(query_number(&q, "m", INT64_MIN, INT64_MAX, &n, &err),
		GP_E_SCHEMA);
	assert_int_equal(query_number(&q, "half", 0, 9, &n, &err), GP_E_SCHEMA);
	assert_int_equal(query_number(&q, "plus", 0, 9, &n, &err), GP_E_SCHEMA);
	assert_int_equal(query_number(&q, "e", 0, 9, &n, &err), GP_E_SCHEMA);
	assert_int_equal(n, -12);
	assert_int_equal(query_word(&q, "w", "one two", &word, &err), GP_OK);
	assert_int_equal(word, 1);
	assert_int_equal(query_word(&q, "none", "one", &word, &err), GP_OK);
	assert_int_equal(word, 1);
	assert_int_equal(
		query_word(&q, "w", "one twoo tw", &word, &err), GP_E_SCHEMA);
	assert_string_equal(err.text, "w is one of: one twoo tw");
	assert_int_equal(query_word(&q, "e", "one", &word, &err), GP_E_SCHEMA);
	assert_int_equal(query_text(&q, "t", 3, &text, &err), GP_OK);
	assert_span_eq(text, "abc");
	assert_int_equal(query_text(&q, "t", 2, &text, &err), GP_E_SCHEMA);
	assert_int_equal(
		query_check(&q, "n w t big half plus e m", &err), GP_OK);
	assert_int_equal(
		query_check(&q, "n w t big half plus m", &err), GP_E_SCHEMA);
	assert_non_null(strstr(err.text, "there is no parameter e here"));
	assert_int_equal(query_check(&q, "", &err), GP_E_SCHEMA);
}

/* --- questions ------------------------------------------------------------ */

static enum gp_code
question(struct history_question *out, enum history_kind kind, const char *text,
	struct gp_error *err)
{
	struct query q;
	const enum gp_code rc = parse(&q, text, err);

	return rc == GP_OK ? history_question_read(out, kind, &q, NOW_US, err) :
			     rc;
}

static void
test_list(void **state)
{
	struct history_question q;
	struct gp_error err;

	(void)state;
	assert_int_equal(question(&q, HISTORY_ASK_LIST, "", &err), GP_OK);
	assert_int_equal(q.from_us, 0);
	assert_int_equal(q.to_us, NOW_US + HISTORY_US);
	assert_int_equal(q.limit, 50);
	assert_int_equal(q.is_count, -1);
	assert_int_equal(q.streamed, -1);
	assert_int_equal(q.failed, -1);
	assert_int_equal(q.status_from, 0);
	assert_false(q.client.is_set || q.cursor.is_set);
	assert_int_equal(
		question(&q, HISTORY_ASK_LIST,
			"from=-3600&to=1763786000&client=&model=a%22b&kind="
			"count"
			"&stream=true&failed=false&status=4xx&error=rate&limit="
			"500&cursor=1.644285b8ef740.c822&request=r&upstream=u"
			"&dialect=d",
			&err),
		GP_OK);
	assert_int_equal(q.from_us, NOW_US - 3600 * HISTORY_US);
	assert_int_equal(q.to_us, NOW_US);
	assert_true(q.client.is_set);
	assert_int_equal(q.client.n, 0);
	assert_int_equal(q.model.n, 3);
	assert_memory_equal(q.model.text, "a\"b", 3);
	assert_int_equal(q.is_count, 1);
	assert_int_equal(q.streamed, 1);
	assert_int_equal(q.failed, 0);
	assert_int_equal(q.status_from, 400);
	assert_int_equal(q.status_to, 500);
	assert_int_equal(q.limit, 500);
	assert_true(q.cursor.is_set);
	assert_int_equal(q.cursor.id, 0xc822);
}

static void
test_refused(void **state)
{
	static const struct {
		enum history_kind kind;
		const char *text, *why;
	} rows[] = {
		{ HISTORY_ASK_LIST, "group=model", "no parameter group" },
		{ HISTORY_ASK_LIST, "limit=0", "from 1 to 500" },
		{ HISTORY_ASK_LIST, "limit=501", "from 1 to 500" },
		{ HISTORY_ASK_LIST, "from=yesterday", "from takes a number" },
		{ HISTORY_ASK_LIST, "to=1e9", "to takes a number" },
		{ HISTORY_ASK_LIST, "from=9999999999999", "from takes" },
		{ HISTORY_ASK_LIST, "from=100&to=100", "before to" },
		{ HISTORY_ASK_LIST, "from=-1&to=-2", "before to" },
		{ HISTORY_ASK_LIST, "status=42", "status takes" },
		{ HISTORY_ASK_LIST, "status=4x", "status takes" },
		{ HISTORY_ASK_LIST, "status=0xx", "status takes" },
		{ HISTORY_ASK_LIST, "status=1000", "status takes" },
		{ HISTORY_ASK_LIST, "kind=both", "kind is one of" },
		{ HISTORY_ASK_LIST, "stream=1", "stream is one of" },
		{ HISTORY_ASK_LIST, "failed=yes", "failed is one of" },
		{ HISTORY_ASK_LIST, "cursor=", "cursor takes" },
		{ HISTORY_ASK_LIST, "cursor=1.0.00", "cursor takes" },
		{ HISTORY_ASK_LIST, "cursor=1.A.1", "cursor takes" },
		{ HISTORY_ASK_LIST, "cursor=1.1", "cursor takes" },
		{ HISTORY_ASK_LIST, "cursor=2.1.1", "cursor takes" },
		{ HISTORY_ASK_LIST, "cursor=1.1.1.1", "cursor takes" },
		{ HISTORY_ASK_LIST, "cursor=1.ffffffffffffffff.1", "cursor" },
		{ HISTORY_ASK_LIST, "error=123456789012345678901234567890123",
			"at most 32 bytes" },
		{ HISTORY_ASK_SERIES, "step=second", "step is one of" },
		{ HISTORY_ASK_SERIES, "group=day", "group is one of" },
		{ HISTORY_ASK_SERIES, "limit=21", "from 1 to 20" },
		{ HISTORY_ASK_SERIES, "cursor=1.1.1", "no parameter cursor" },
		{ HISTORY_ASK_SERIES, "step=minute&from=-90000",
			"larger step" },
		{ HISTORY_ASK_SERIES, "from=0&step=hour", "larger step" },
		{ HISTORY_ASK_SERIES, "from=0", "larger step" },
		{ HISTORY_ASK_TOTALS, "step=day", "no parameter step" },
		{ HISTORY_ASK_TOTALS, "limit=501", "from 1 to 500" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct history_question q;
		struct gp_error err;

		if (question(&q, rows[i].kind, rows[i].text, &err) !=
				GP_E_SCHEMA ||
			strstr(err.text, rows[i].why) == NULL)
			fail_msg("%s", rows[i].text);
	}
}

static void
test_steps(void **state)
{
	static const struct {
		const char *text;
		int64_t step_s;
	} rows[] = {
		{ "from=-21600", 60 },
		{ "from=-21602", 3600 },
		{ "", 3600 },
		{ "from=-1209600", 3600 },
		{ "from=-1209602", 86400 },
		{ "from=-120000000", 86400 },
		{ "step=minute&from=-80000", 60 },
		{ "step=day&from=-60", 86400 },
		{ "step=hour&from=-5300000", 3600 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct history_question q;
		struct gp_error err;
		char text[64];

		(void)snprintf(text, sizeof(text), "to=1763786000%s%s",
			rows[i].text[0] != '\0' ? "&" : "", rows[i].text);
		if (question(&q, HISTORY_ASK_SERIES, text, &err) != GP_OK)
			fail_msg("%s: %s", text, err.text);
		assert_int_equal(q.step_s, rows[i].step_s);
		assert_int_equal(q.is_count, 0);
		assert_int_equal(q.limit, 10);
	}
}

static void
test_cursors(void **state)
{
	static const struct history_cursor rows[] = {
		{ true, 0, 0 },
		{ true, 1, INT64_MAX },
		{ true, INT64_MAX, 1 },
		{ true, NOW_US, 51234 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char text[HISTORY_CURSOR_MAX];
		struct history_cursor c = { .is_set = false };

		history_cursor_write(&rows[i], text);
		assert_true(history_cursor_read(&c, span_cstr(text)));
		assert_int_equal(c.time_us, rows[i].time_us);
		assert_int_equal(c.id, rows[i].id);
		/* Nothing shorter is a cursor of the same row. */
		for (size_t n = 0; n < strlen(text); n++)
			if (history_cursor_read(&c, span_of(text, n)))
				assert_true(c.time_us != rows[i].time_us ||
					c.id != rows[i].id);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_types),
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_steps),
		cmocka_unit_test(test_cursors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
