/* SPDX-License-Identifier: MIT */
/* test_metrics.c - sums and the Prometheus text. */
#include "tests/lib/t.h"

#include <limits.h>

#include "shared/sys/clock.h"
#include "shared/sys/metrics.h"

static const struct metrics_dialects two = { .names = { "red", "blue" },
	.n = 2 };

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
	metrics_observe(&a.upstream_first, 4);
	metrics_observe(&b.upstream_first, 5);
	metrics_add(&b.routed[METRICS_DIALECTS - 1][0], 3);
	metrics_add(&b.upstream_live, 2);
	metrics_sum(&a, &b, false);
	assert_int_equal(metrics_get(&a.cancelled), 12);
	assert_int_equal(metrics_get(&a.upstream_live), 1);
	assert_int_equal(metrics_get(&a.exact_count_us), 9);
	assert_int_equal(metrics_get(&a.upstream_first.buckets[0]), 2);
	assert_int_equal(metrics_get(&a.upstream_first.sum_us), 9);
	assert_int_equal(metrics_get(&a.routed[METRICS_DIALECTS - 1][0]), 3);
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
		"# TYPE glmproxy_response_codes_total counter\n",
		"\nglmproxy_response_codes_total{code=\"200\"} 2\n",
		"\nglmproxy_response_codes_total{code=\"other\"} 3\n",
		"\nglmproxy_dialect_requests_total{client=\"red\"} 0\n"
		"glmproxy_dialect_requests_total{client=\"blue\"} 6\n",
		"\nglmproxy_routed_requests_total{client=\"blue\",upstream="
		"\"red\"} 7\n",
		"# TYPE glmproxy_upstream_connect_seconds histogram\n"
		"glmproxy_upstream_connect_seconds_bucket{le=\"0.001\"} 3\n"
		"glmproxy_upstream_connect_seconds_bucket{le=\"0.0025\"} 4\n",
		"glmproxy_upstream_connect_seconds_bucket{le=\"600\"} 5\n"
		"glmproxy_upstream_connect_seconds_bucket{le=\"+Inf\"} 6\n"
		"glmproxy_upstream_connect_seconds_sum 1200.002003\n"
		"glmproxy_upstream_connect_seconds_count 6\n",
		"\nglmproxy_upstream_tls_seconds_bucket{resumed=\"yes\","
		"le=\"+Inf\"} 0\n"
		"glmproxy_upstream_tls_seconds_sum{resumed=\"yes\"} 0.000000\n"
		"glmproxy_upstream_tls_seconds_count{resumed=\"yes\"} 0\n",
	};
	static const int64_t times_us[] = { -5, 1, 1000, 1001, 600000000,
		600000001 };
	struct metrics m;
	struct buf b;

	(void)state;
	metrics_clear(&m);
	metrics_add(&m.connections_live, 4);
	metrics_add(&m.requests_chat, UINT64_MAX);
	metrics_add(&m.bytes_client_out, 1);
	metrics_add(&m.exact_count_us, 12000345);
	metrics_add_status(m.responses, 200);
	metrics_add_status(m.responses, 200);
	metrics_add_status(m.responses, 299);
	metrics_add_status(m.responses, 0);
	metrics_add_status(m.responses, UINT_MAX);
	metrics_add(&m.requests_from[1], 6);
	metrics_add(&m.routed[1][0], 7);
	for (size_t i = 0; i < ARRAY_LEN(times_us); i++)
		metrics_observe(&m.upstream_connect, times_us[i]);
	buf_init(&b, 65536);
	metrics_print(&m, &two, &b);
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
#define BY_STATUS(field, name, help)            name,
#define BY_DIALECT(field, name, help)           name,
#define BY_PAIR(field, name, help)              name,
#define BY_UPSTREAM(field, name, labels, help)  name,
#define HISTOGRAM(field, name, labels, help)    name,
#include "shared/sys/metrics.def"
	};
	struct metrics m;
	struct buf b;

	(void)state;
	metrics_clear(&m);
	buf_init(&b, 65536);
	metrics_print(&m, &two, &b);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct buf help;

		buf_init(&help, 256);
		buf_printf(&help, "# HELP %s ", names[i]);
		assert_int_equal(count(buf_span(&b), buf_span(&help)), 1);
		buf_fini(&help);
	}
	buf_fini(&b);
}

#if defined(__OPTIMIZE__) && !defined(__SANITIZE_ADDRESS__) &&                 \
	!defined(__SANITIZE_THREAD__) && !defined(__clang__)
#define ROUNDS  200
#define A_ROUND 10000

/* The best of many rounds: others may use the machine. */
static void
test_observing_is_cheap(void **state)
{
	int64_t best_us = INT64_MAX;
	struct metrics m;

	(void)state;
	metrics_clear(&m);
	for (size_t i = 0; i < ROUNDS; i++) {
		const int64_t begin_us = clock_mono_us();
		int64_t took_us;

		/* All buckets, the last ones most. */
		for (int64_t k = 0; k < A_ROUND; k++)
			metrics_observe(&m.upstream_first, k * 100000);
		took_us = clock_mono_us() - begin_us;
		best_us = MIN(best_us, took_us);
	}
	print_message(
		"%.1f ns an observation\n", (double)best_us * 1000 / A_ROUND);
	assert_true(best_us * 1000 <= 50 * A_ROUND);
}
#endif

/* Evenly spread in each bucket, as Prometheus does it. */
static void
test_quantiles(void **state)
{
	static const struct {
		uint64_t in[METRICS_BUCKETS];
		unsigned permille;
		int64_t us;
	} rows[] = {
		{ { 0 }, 500, -1 },
		{ { [METRICS_BUCKET_1000] = 10 }, 500, 500 },
		{ { [METRICS_BUCKET_1000] = 10 }, 1000, 1000 },
		{ { [METRICS_BUCKET_1000] = 10 }, 5000, 1000 },
		{ { [METRICS_BUCKET_1000] = 10 }, 0, 0 },
		{ { [METRICS_BUCKET_2500] = 4 }, 500, 1750 },
		{ { [METRICS_BUCKET_1000] = 50, [METRICS_BUCKET_2500] = 50 },
			750, 1750 },
		{ { [METRICS_BUCKET_1000] = 99, [METRICS_BUCKET_INF] = 1 }, 999,
			600000000 },
		{ { [METRICS_BUCKET_1000] = UINT64_MAX,
			  [METRICS_BUCKET_2500] = UINT64_MAX },
			250, 500 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(
			metrics_quantile_us(rows[i].in, rows[i].permille),
			rows[i].us);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_word),
		cmocka_unit_test(test_sums),
		cmocka_unit_test(test_quantiles),
		cmocka_unit_test(test_prints),
		cmocka_unit_test(test_each_name_is_introduced_once),
#ifdef ROUNDS
		cmocka_unit_test(test_observing_is_cheap),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
