/* SPDX-License-Identifier: MIT */
/* test_metrics.c - sums and the Prometheus text. */
#include "tests/lib/t.h"

#include "shared/sys/metrics.h"

static void
test_one_word(void **state)
{
	struct metrics m;

	(void)state;
	metrics_clear(&m);
	metrics_add(&m.streams_live, 3);
	metrics_sub(&m.streams_live, 1);
	assert_int_equal(metrics_get(&m.streams_live), 2);
	metrics_clear(&m);
	assert_int_equal(metrics_get(&m.streams_live), 0);
}

static void
test_sums(void **state)
{
	struct metrics a;
	struct metrics b;

	(void)state;
	metrics_clear(&a);
	metrics_clear(&b);
	metrics_add(&a.cancelled, 5);
	metrics_add(&b.cancelled, 7);
	metrics_add(&a.upstream_live, 1);
	metrics_add(&b.exact_count_us, 9);
	metrics_add(&b.upstream_live, 2);
	metrics_sum(&a, &b, false);
	assert_int_equal(metrics_get(&a.cancelled), 12);
	assert_int_equal(metrics_get(&a.upstream_live), 1);
	assert_int_equal(metrics_get(&a.exact_count_us), 9);
	metrics_sum(&a, &b, true);
	assert_int_equal(metrics_get(&a.cancelled), 19);
	assert_int_equal(metrics_get(&a.upstream_live), 3);
	assert_int_equal(metrics_get(&b.cancelled), 7);
}

static size_t
count(struct span text, struct span word)
{
	size_t n = 0;

	for (;;) {
		const size_t at = span_find(text, word);

		if (at == text.n)
			return n;
		n++;
		text = span_from(text, at + word.n);
	}
}

static void
test_prints(void **state)
{
	static const char *const lines[] = {
		"# TYPE glmproxy_client_connections gauge\n",
		"\nglmproxy_client_connections 4\n",
		"# HELP glmproxy_requests_total Requests received\n"
		"# TYPE glmproxy_requests_total counter\n"
		"glmproxy_requests_total{route=\"chat\"} "
		"18446744073709551615\n"
		"glmproxy_requests_total{route=\"count_tokens\"} 0\n",
		"\nglmproxy_bytes_total{leg=\"client\",direction=\"out\"} 1\n",
		"\nglmproxy_exact_count_cpu_seconds_total 12.000345\n",
	};
	struct metrics m;
	struct buf b;

	(void)state;
	metrics_clear(&m);
	metrics_add(&m.connections_live, 4);
	metrics_add(&m.requests_chat, UINT64_MAX);
	metrics_add(&m.bytes_client_out, 1);
	metrics_add(&m.exact_count_us, 12000345);
	buf_init(&b, 65536);
	metrics_print(&m, &b);
	assert_false(b.bad);
	for (size_t i = 0; i < ARRAY_LEN(lines); i++)
		assert_int_equal(count(buf_span(&b), span_cstr(lines[i])), 1);
	buf_fini(&b);
}

/* Prometheus refuses a second HELP of one name, and so a table whose rows of
 * one name are torn apart. */
static void
test_each_name_is_introduced_once(void **state)
{
	static const char *const names[] = {
#define METRIC(field, kind, name, labels, help) name,
#include "shared/sys/metrics.def"
#undef METRIC
	};
	struct metrics m;
	struct buf b;

	(void)state;
	metrics_clear(&m);
	buf_init(&b, 65536);
	metrics_print(&m, &b);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct buf help;

		buf_init(&help, 256);
		buf_printf(&help, "# HELP %s ", names[i]);
		assert_int_equal(count(buf_span(&b), buf_span(&help)), 1);
		buf_fini(&help);
	}
	buf_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_word),
		cmocka_unit_test(test_sums),
		cmocka_unit_test(test_prints),
		cmocka_unit_test(test_each_name_is_introduced_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
