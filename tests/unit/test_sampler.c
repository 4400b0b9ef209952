/* SPDX-License-Identifier: MIT */
/* test_sampler.c - rates and latencies from samples of counters. */
#include "admin/sampler.h"

#include <stdio.h>

#include "admin/history_groups.h"
#include "tests/lib/t.h"

static struct sampler_times
times(uint64_t ms1, uint64_t ms25, uint64_t ms5, uint64_t last, uint64_t inf)
{
	struct sampler_times t = { { 0 } };

	t.n[METRICS_BUCKET_1000] = ms1;
	t.n[METRICS_BUCKET_2500] = ms25;
	t.n[METRICS_BUCKET_5000] = ms5;
	t.n[METRICS_BUCKET_600000000] = last;
	t.n[METRICS_BUCKET_INF] = inf;
	return t;
}

static void
test_quantiles(void **state)
{
	const struct {
		struct sampler_times t;
		unsigned permille;
		int64_t us;
	} rows[] = {
		{ times(0, 0, 0, 0, 0), 500, -1 },
		/* Within one bucket it goes from bound to bound. */
		{ times(10, 0, 0, 0, 0), 500, 500 },
		{ times(10, 0, 0, 0, 0), 1000, 1000 },
		{ times(0, 1, 0, 0, 0), 500, 1750 },
		{ times(0, 1, 0, 0, 0), 1000, 2500 },
		/* On a border it is the lower bucket's bound. */
		{ times(1, 0, 1, 0, 0), 500, 1000 },
		{ times(50, 45, 5, 0, 0), 950, 2500 },
		{ times(50, 45, 5, 0, 0), 990, 4500 },
		{ times(0, 0, 0, 1, 0), 1000, 600000000 },
		/* Nothing is known of what is longer. */
		{ times(0, 0, 0, 0, 3), 500, 600000000 },
		{ times(98, 0, 0, 0, 2), 990, 600000000 },
		{ times(99, 0, 0, 0, 1), 990, 1000 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const int64_t us =
			sampler_times_quantile(&rows[i].t, rows[i].permille);

		if (us != rows[i].us)
			fail_msg("row %zu: %lld", i, (long long)us);
	}
}

static void
test_rates(void **state)
{
	(void)state;
	assert_int_equal(sampler_per_s(10, 10000), 1000);
	assert_int_equal(sampler_per_s(1, 60000), 16);
	assert_int_equal(sampler_per_s(5, 0), 0);
	assert_int_equal(sampler_per_s(0, 1000), 0);
	assert_true(sampler_per_s(UINT64_MAX, 1) > 0);
}

/* A request a second, from second 0 on. */
static void
fill(struct sampler *s, int64_t seconds)
{
	*s = (struct sampler){ .n = 0 };
	for (int64_t i = 0; i <= seconds; i++) {
		struct sampler_sums sums = { .requests = (uint64_t)i };

		assert_true(sampler_is_due(s, i * 1000));
		sampler_put(s, &sums, i * 1000);
		assert_false(sampler_is_due(s, i * 1000 + SAMPLER_MS - 1));
	}
}

static void
test_windows(void **state)
{
	static const struct {
		int64_t seconds, now_ms, window_ms; /* given */
		int64_t in_ms;
		uint64_t requests;
	} rows[] = {
		{ 0, 300, 10000, 300, 0 },
		{ 5, 5000, 10000, 5000, 5 },
		{ 30, 30000, 10000, 10000, 10 },
		/* The sample nearest to the window's begin. */
		{ 30, 30400, 10000, 10400, 10 },
		{ 30, 30600, 10000, 9600, 9 },
		{ 200, 200000, 60000, 60000, 60 },
		/* What was not sampled for long: the newest there is. */
		{ 10, 500000, 10000, 490000, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct sampler s;
		struct sampler_sums out;
		struct sampler_sums now;

		fill(&s, rows[i].seconds);
		now = (struct sampler_sums){
			.requests = (uint64_t)rows[i].seconds
		};
		assert_int_equal(sampler_since(&s, &now, rows[i].now_ms,
					 rows[i].window_ms, &out),
			rows[i].in_ms);
		assert_int_equal(out.requests, rows[i].requests);
	}
}

static void
test_no_samples_and_new_counters(void **state)
{
	struct sampler s = { .n = 0 };
	struct sampler_sums now = { .requests = 3 };
	struct sampler_sums out = { .requests = 9 };

	(void)state;
	assert_int_equal(sampler_since(&s, &now, 5, 1000, &out), 0);
	assert_int_equal(out.requests, 0);
	fill(&s, 20);
	assert_int_equal(sampler_since(&s, &now, 20000, 10000, &out), 10000);
	assert_int_equal(out.requests, 0);
}

static void
test_sums_of_metrics(void **state)
{
	static struct metrics m;
	struct sampler_sums s;

	(void)state;
	metrics_add(&m.requests_chat, 2);
	metrics_add(&m.requests_count, 3);
	metrics_add(&m.requests_models, 50);
	metrics_add(&m.failures_RATE, 4);
	metrics_add(&m.failures_BAD_REQUEST, 5);
	metrics_observe(&m.first_chat_stream, 900);
	metrics_observe(&m.first_chat_body, 900);
	metrics_observe(&m.first_count, 900);
	metrics_observe(&m.total_chat_body, 700000000);
	sampler_sums_of(&m, &s);
	assert_int_equal(s.requests, 5);
	assert_int_equal(s.errors, 9);
	assert_int_equal(s.rate, 4);
	assert_int_equal(sampler_times_count(&s.first), 2);
	assert_int_equal(s.first.n[METRICS_BUCKET_1000], 2);
	assert_int_equal(s.total.n[METRICS_BUCKET_INF], 1);
}

/* --- groups of the history ------------------------------------------------ */

static void
add(struct history_groups *g, const char *name, int64_t requests,
	int64_t longest)
{
	struct history_figures f = { { 0 } };

	f.n[HISTORY_FIGURE_requests] = requests;
	f.n[HISTORY_FIGURE_longest_us] = longest;
	history_groups_add(g, span_cstr(name), &f);
}

static void
test_groups(void **state)
{
	struct history_groups *g = history_groups_new();

	(void)state;
	add(g, "b", 1, 10);
	add(g, "a", 2, 30);
	add(g, "b", 4, 20);
	add(g, "", 5, 1);
	add(g, "c", INT64_MAX, 1);
	add(g, "c", 1, 1);
	add(g, "d", 1, 7);
	assert_int_equal(g->n, 5);
	assert_true(history_groups_rank(g, 3));
	assert_int_equal(g->n, 3);
	/* As many requests: by name. */
	assert_int_equal(history_groups_find(g, SPAN("c")), 0);
	assert_int_equal(history_groups_find(g, SPAN("")), 1);
	assert_int_equal(history_groups_find(g, SPAN("b")), 2);
	assert_int_equal(history_groups_find(g, SPAN("a")), 3);
	assert_int_equal(history_groups_find(g, SPAN("none")), 3);
	assert_int_equal(
		g->rows[0].figures.n[HISTORY_FIGURE_requests], INT64_MAX);
	assert_int_equal(g->rows[2].figures.n[HISTORY_FIGURE_longest_us], 20);
	assert_int_equal(g->rest.n[HISTORY_FIGURE_requests], 3);
	assert_int_equal(g->rest.n[HISTORY_FIGURE_longest_us], 30);
	history_groups_free(&g);
	assert_null(g);
}

static void
test_many_groups(void **state)
{
	struct history_groups *g = history_groups_new();
	char name[HISTORY_NAME_MAX + 64];
	int64_t sum = 0;

	(void)state;
	for (int i = 0; i < HISTORY_GROUPS_KEPT + 100; i++) {
		(void)snprintf(name, sizeof(name), "name-%d", i);
		add(g, name, 1, 1);
	}
	assert_int_equal(g->n, HISTORY_GROUPS_KEPT);
	assert_int_equal(g->rest.n[HISTORY_FIGURE_requests], 100);
	/* Names that differ behind the end are one. */
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	add(g, name, 1, 1);
	assert_true(history_groups_rank(g, 500));
	for (size_t i = 0; i < g->n; i++)
		sum += g->rows[i].figures.n[HISTORY_FIGURE_requests];
	assert_int_equal(sum + g->rest.n[HISTORY_FIGURE_requests],
		HISTORY_GROUPS_KEPT + 101);
	history_groups_free(&g);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_quantiles),
		cmocka_unit_test(test_rates),
		cmocka_unit_test(test_windows),
		cmocka_unit_test(test_no_samples_and_new_counters),
		cmocka_unit_test(test_sums_of_metrics),
		cmocka_unit_test(test_groups),
		cmocka_unit_test(test_many_groups),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
