/* SPDX-License-Identifier: MIT */
/* test_logs.c - lines of the log files: fields, which lines, sums, bodies. */
#include <stdlib.h>

#include "admin/logs_bodies.h"
#include "admin/logs_lines.h"
#include "tests/lib/t.h"

#define TIME_US INT64_C(1793534400123456) /* 2026-11-01T12:00:00.123456Z */

static struct record
example(void)
{
	struct record r;

	record_init(&r);
	r.time_us = TIME_US;
	r.status = 200;
	r.streamed = 1;
	r.messages = 3;
	r.max_tokens = 100;
	r.thinking = 1;
	r.window = 128000;
	r.total_us = 2500999;
	r.first_us = 1001;
	r.input = 10;
	r.request = SPAN("req_1");
	r.client = SPAN("an\"n");
	r.dialect = SPAN("a");
	r.upstream = SPAN("b");
	r.asked = SPAN("x");
	r.model = SPAN("glm-4.6");
	return r;
}

static void
check_line(unsigned line, const struct record *r, const struct logs_body *body,
	const char *want)
{
	struct buf out;

	buf_init(&out, 65536);
	logs_put_line(&out, line, r, body);
	assert_spans_eq(buf_span(&out), span_cstr(want));
	buf_fini(&out);
}

#define HEAD(type, at)                                                         \
	"{\"timestamp\":\"2026-11-01T12:00:" at "Z\",\"type\":\"" type         \
	"\",\"req_id\":\"req_1\",\"client\":\"an\\\"n\",\"dialect\":\"a\","    \
	"\"upstream\":\"b\",\"endpoint_type\":\"text\",\"route\":\"chat\","    \
	"\"model_asked\":\"x\",\"model\":\"glm-4.6\","

static void
test_lines(void **state)
{
	const struct logs_body body = { true, SPAN("a\"b\n"), 7 };
	struct record r = example();

	(void)state;
	check_line(1u << LOG_REQUESTS, &r, &body,
		HEAD("upstream_request",
			"00.123456") "\"stream\":true,\"message_count\":3,"
				     "\"max_tokens\":100,"
				     "\"thinking\":true,\"request_bytes\":0,"
				     "\"payload_bytes\":0,"
				     "\"context_limit\":128000,\"retries\":0,"
				     "\"notices\":\"\","
				     "\"body\":\"a\\\"b\\n\",\"body_missing_"
				     "bytes\":7}\n");
	check_line(1u << LOG_RESPONSES, &r, NULL,
		HEAD("upstream_response",
			"02.624455") "\"success\":true,\"status_code\":200,"
				     "\"error\":null,"
				     "\"zai_code\":null,\"cancelled\":false,"
				     "\"broken\":false,"
				     "\"reused\":false,\"response_time_ms\":"
				     "2500.999,"
				     "\"first_byte_ms\":1.001,\"upstream_head_"
				     "ms\":null,"
				     "\"upstream_body_ms\":null,\"upstream_"
				     "bytes\":0,"
				     "\"content_length\":0,\"input_tokens\":10,"
				     "\"cached_tokens\":null,\"output_tokens\":"
				     "null,"
				     "\"shown_input_tokens\":null,\"shown_"
				     "cached_tokens\":null,"
				     "\"shown_output_tokens\":null}\n");
	r.error = SPAN("rate");
	r.status = 429;
	r.code = 1302;
	check_line(1u << LOG_ERRORS, &r, NULL,
		HEAD("error", "02.624455") "\"event\":\"request_failed\","
					   "\"error\":\"rate\","
					   "\"status_code\":429,\"zai_code\":"
					   "1302,\"broken\":false,"
					   "\"retries\":0,\"response_time_ms\":"
					   "2500.999}\n");
	r.removed = 5;
	r.original_tokens = 150000;
	check_line(LOGS_LINE_TRUNCATED, &r, NULL,
		HEAD("warning",
			"00.123456") "\"event\":\"context_truncation\","
				     "\"reason\":\"context_limit_exceeded\","
				     "\"context_limit\":128000,\"message_"
				     "count\":3,"
				     "\"messages_removed\":5,\"original_"
				     "tokens\":150000,"
				     "\"input_tokens\":10}\n");
}

static void
test_which_lines(void **state)
{
	const unsigned both = 1u << LOG_REQUESTS | 1u << LOG_RESPONSES;
	struct record r = example();

	(void)state;
	assert_int_equal(logs_lines_of(&r), both);
	r.error = SPAN("rate");
	assert_int_equal(logs_lines_of(&r), both | 1u << LOG_ERRORS);
	r.removed = 1;
	assert_int_equal(logs_count_lines(logs_lines_of(&r)), 4);
	/* Refused here: upstream has not heard of it. */
	r.upstream = SPAN_EMPTY;
	r.removed = 0;
	assert_int_equal(logs_lines_of(&r), 1u << LOG_ERRORS);
	r.error = SPAN_EMPTY;
	assert_int_equal(logs_count_lines(logs_lines_of(&r)), 0);
}

static void
test_sums(void **state)
{
	struct record r = example();
	struct logs_sums s;
	struct buf out;

	(void)state;
	logs_sums_begin(&s, 1000);
	assert_false(logs_sums_are_due(&s, 1000000));
	logs_sums_add(&s, &r);
	assert_false(logs_sums_are_due(&s, 60999));
	assert_true(logs_sums_are_due(&s, 61000));
	for (int i = 1; i < 99; i++)
		logs_sums_add(&s, &r);
	assert_false(logs_sums_are_due(&s, 2000));
	r.status = 429;
	r.first_us = r.input = -1;
	r.total_us = 3000000;
	logs_sums_add(&s, &r);
	assert_false(logs_sums_are_due(&s, 1999));
	assert_true(logs_sums_are_due(&s, 2000));
	buf_init(&out, 65536);
	logs_put_sums(&out, &s, 1234, 4000, TIME_US);
	assert_buf_eq(&out,
		"{\"timestamp\":\"2026-11-01T12:00:00.123456Z\","
		"\"type\":\"performance_metrics\",\"total_requests\":1234,"
		"\"avg_response_time_ms\":2505.989,"
		"\"requests_per_minute\":2000.0,\"period_ms\":3000,"
		"\"requests\":100,\"count_tokens\":0,\"failed\":1,"
		"\"cancelled\":0,\"streamed\":100,"
		"\"max_response_time_ms\":3000.000,"
		"\"avg_first_byte_ms\":1.001,\"input_tokens\":990,"
		"\"cached_tokens\":0,\"output_tokens\":0,\"request_bytes\":0,"
		"\"response_bytes\":0}\n");
	buf_fini(&out);
}

/* --- bodies --------------------------------------------------------------- */

static void
send(struct logs_bodies *b, unsigned slot, const struct bodypart *p)
{
	char bytes[BODYPART_MAX];
	struct bodypart got;
	const size_t n = bodypart_write(p, bytes);
	char *const exact = t_exact(span_of(bytes, n));

	assert_true(bodypart_is(span_of(exact, n)));
	assert_true(bodypart_read(&got, span_of(exact, n)));
	logs_bodies_take(b, slot, &got);
	free(exact);
}

static void
assert_body(struct logs_bodies *b, unsigned slot, enum bodypart_of of,
	struct span id, struct span text, int64_t missing)
{
	const struct logs_body got = logs_bodies_get(b, slot, of, id);

	assert_true(got.is_there);
	assert_spans_eq(got.text, text);
	assert_int_equal(got.missing_bytes, missing);
}

static void
test_bodies(void **state)
{
	struct logs_bodies *b = logs_bodies_new();
	struct bodypart p = { BODYPART_REQUEST, 0, 6, 3, SPAN("req_1"),
		SPAN("ab\xc3") };

	(void)state;
	send(b, 1, &p);
	assert_body(b, 1, BODYPART_REQUEST, SPAN("req_1"),
		SPAN("ab\xef\xbf\xbd"), 6);
	/* A character that was cut into two pieces, and of other slots. */
	p.offset = 3;
	p.text = SPAN("\xa9 d");
	send(b, 2, &p);
	send(b, 1, &p);
	assert_body(
		b, 1, BODYPART_REQUEST, SPAN("req_1"), SPAN("ab\xc3\xa9 d"), 3);
	assert_false(logs_bodies_get(b, 2, BODYPART_REQUEST, SPAN("req_1"))
			     .is_there);
	assert_false(
		logs_bodies_get(b, 1, BODYPART_ANSWER, SPAN("req_1")).is_there);
	assert_false(logs_bodies_get(b, 1, BODYPART_REQUEST, SPAN("req_2"))
			     .is_there);
	/* Its middle is lost. */
	p = (struct bodypart){ BODYPART_ANSWER, 0, 6, 0, SPAN("req_1"),
		SPAN("ab") };
	send(b, 1, &p);
	p.offset = 4;
	send(b, 1, &p);
	assert_body(b, 1, BODYPART_ANSWER, SPAN("req_1"), SPAN("ab"), 4);
	logs_bodies_drop(b, 1);
	assert_false(
		logs_bodies_get(b, 1, BODYPART_ANSWER, SPAN("req_1")).is_there);
	logs_bodies_free(&b);
	assert_null(b);
}

/* Whatever the bytes are, no piece reaches out of its body. */
static void
test_body_nonsense(void **state)
{
	const struct bodypart p = { BODYPART_ANSWER, 2, 6, 3, SPAN("req_1"),
		SPAN("abcd") };
	char bytes[BODYPART_MAX];
	const size_t n = bodypart_write(&p, bytes);

	(void)state;
	for (size_t i = 0; i < n; i++) {
		char *const cut = t_exact(span_of(bytes, i));
		struct bodypart got;

		if (bodypart_read(&got, span_of(cut, i)))
			assert_true(got.offset + got.text.n <= got.total);
		free(cut);
		for (int bit = 0; bit < 8; bit++) {
			char *const bent = t_exact(span_of(bytes, n));

			bent[i] = (char)(bent[i] ^ 1 << bit);
			if (bodypart_read(&got, span_of(bent, n)))
				assert_true(got.total <= BODYPART_BODY_MAX &&
					got.offset + got.text.n <= got.total &&
					got.id.n <= BODYPART_ID_MAX);
			free(bent);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_which_lines),
		cmocka_unit_test(test_sums),
		cmocka_unit_test(test_bodies),
		cmocka_unit_test(test_body_nonsense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
