/* SPDX-License-Identifier: MIT */
/* sampler.c - rates and latencies of the last seconds. */
#include "admin/sampler.h"

#include <stddef.h>

/* A sample may come a little late. */
#define SLACK_MS (SAMPLER_MS / 2)

/* --- sums ----------------------------------------------------------------- */

static uint64_t
errors_of(const struct metrics *m)
{
	uint64_t n = 0;

#define FAIL(name, status, retryable) n += metrics_get(&m->failures_##name);
#include "shared/translate/failure.def"
#undef FAIL
	return n;
}

static void
add_times(const struct metrics_times *t, struct sampler_times *out)
{
	for (size_t i = 0; i < METRICS_BUCKETS; i++)
		out->n[i] += metrics_get(&t->buckets[i]);
}

void
sampler_sums_of(const struct metrics *m, struct sampler_sums *out)
{
	*out = (struct sampler_sums){
		.requests = metrics_get(&m->requests_chat) +
			metrics_get(&m->requests_count),
		.errors = errors_of(m),
		.cancelled = metrics_get(&m->cancelled),
		.input_tokens = metrics_get(&m->tokens_in),
		.cached_tokens = metrics_get(&m->tokens_cached),
		.output_tokens = metrics_get(&m->tokens_out),
		.retries = metrics_get(&m->upstream_retries),
		.rate = metrics_get(&m->failures_RATE),
		.quota = metrics_get(&m->failures_QUOTA),
		.fair_use = metrics_get(&m->failures_FAIR_USE),
		.overloaded = metrics_get(&m->failures_OVERLOADED),
	};
	add_times(&m->first_chat_stream, &out->first);
	add_times(&m->first_chat_body, &out->first);
	add_times(&m->total_chat_stream, &out->total);
	add_times(&m->total_chat_body, &out->total);
}

/* Counters may begin anew. */
static uint64_t
minus(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

static void
subtract(const struct sampler_sums *now, const struct sampler_sums *then,
	struct sampler_sums *out)
{
#define X(name) out->name = minus(now->name, then->name);
	SAMPLER_COUNTS(X)
#undef X
	for (size_t i = 0; i < METRICS_BUCKETS; i++) {
		out->first.n[i] = minus(now->first.n[i], then->first.n[i]);
		out->total.n[i] = minus(now->total.n[i], then->total.n[i]);
	}
}

/* --- samples -------------------------------------------------------------- */

static size_t
at_of(const struct sampler *s, size_t back)
{
	return (s->next + SAMPLER_KEPT - 1 - back) % SAMPLER_KEPT;
}

bool
sampler_is_due(const struct sampler *s, int64_t now_ms)
{
	return s->n == 0 || now_ms - s->at_ms[at_of(s, 0)] >= SAMPLER_MS;
}

void
sampler_put(struct sampler *s, const struct sampler_sums *sums, int64_t now_ms)
{
	s->sums[s->next] = *sums;
	s->at_ms[s->next] = now_ms;
	s->next = (s->next + 1) % SAMPLER_KEPT;
	s->n = MIN(s->n + 1, SAMPLER_KEPT);
}

int64_t
sampler_since(const struct sampler *s, const struct sampler_sums *now,
	int64_t now_ms, int64_t window_ms, struct sampler_sums *out)
{
	size_t back = 0;

	*out = (struct sampler_sums){ 0 };
	if (s->n == 0)
		return 0;
	while (back + 1 < s->n &&
		now_ms - s->at_ms[at_of(s, back + 1)] <= window_ms + SLACK_MS)
		back++;
	subtract(now, &s->sums[at_of(s, back)], out);
	return MAX(now_ms - s->at_ms[at_of(s, back)], 0);
}

int64_t
sampler_per_s(uint64_t n, int64_t window_ms)
{
	if (window_ms <= 0)
		return 0;
	/* 1000 thousandths by 1000 ms. */
	return (int64_t)(MIN(n, INT64_MAX / 1000000) * 1000000 /
		(uint64_t)window_ms);
}

/* --- latencies ------------------------------------------------------------ */

uint64_t
sampler_times_count(const struct sampler_times *t)
{
	uint64_t n = 0;

	for (size_t i = 0; i < METRICS_BUCKETS; i++)
		n += t->n[i];
	return n;
}

int64_t
sampler_times_quantile(const struct sampler_times *t, unsigned permille)
{
	static const int64_t bounds_us[] = {
#define BUCKET(us, le) us,
#include "shared/sys/metrics.def"
	};
	const uint64_t count = sampler_times_count(t);
	/* So many are at most as slow, in thousandths of an answer. */
	const uint64_t wanted = MIN(count, UINT64_MAX / 1000) * permille;
	uint64_t before = 0;

	if (count == 0)
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(bounds_us); i++) {
		const int64_t low_us = i == 0 ? 0 : bounds_us[i - 1];
		const uint64_t inside = t->n[i] * 1000;

		if (inside > 0 && before + inside >= wanted)
			return low_us +
				(int64_t)((double)(bounds_us[i] - low_us) *
					(double)(wanted - before) /
					(double)inside);
		before += inside;
	}
	return bounds_us[ARRAY_LEN(bounds_us) - 1];
}
