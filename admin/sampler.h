/* SPDX-License-Identifier: MIT */
/*
 * sampler.h - rates and latencies of the last seconds, from samples of
 * counters. Pure: the caller says what and when.
 */
#ifndef ADMIN_SAMPLER_H
#define ADMIN_SAMPLER_H

#include "shared/sys/metrics.h"

#define SAMPLER_MS   1000 /* between two samples, at least */
#define SAMPLER_KEPT 64

/* Counters; errors are failures of all classes. */
#define SAMPLER_COUNTS(X)                                                      \
	X(requests)                                                            \
	X(errors)                                                              \
	X(cancelled)                                                           \
	X(input_tokens)                                                        \
	X(cached_tokens)                                                       \
	X(output_tokens)                                                       \
	X(retries)                                                             \
	X(rate)                                                                \
	X(quota)                                                               \
	X(fair_use)                                                            \
	X(overloaded)

/* Answers of chats by time: a value a bucket of metrics.def. */
struct sampler_times {
	uint64_t n[METRICS_BUCKETS];
};

/* Totals at a moment, or what came between two moments. */
struct sampler_sums {
#define X(name) uint64_t name;
	SAMPLER_COUNTS(X)
#undef X
	struct sampler_times first, total;
};

struct sampler {
	struct sampler_sums sums[SAMPLER_KEPT]; /* a ring */
	int64_t at_ms[SAMPLER_KEPT];
	size_t next, n;
};

/* What of all figures is looked at. */
void sampler_sums_of(const struct metrics *m, struct sampler_sums *out);

/* Time for another sample? Then keep it. */
bool sampler_is_due(const struct sampler *s, int64_t now_ms);
void sampler_put(
	struct sampler *s, const struct sampler_sums *sums, int64_t now_ms);

/* What came within the last window_ms before now, as far as samples reach back;
 * returns the milliseconds that it came in, 0 if there are no samples. */
int64_t sampler_since(const struct sampler *s, const struct sampler_sums *now,
	int64_t now_ms, int64_t window_ms, struct sampler_sums *out);

/* Thousandths of one a second. */
int64_t sampler_per_s(uint64_t n, int64_t window_ms);

uint64_t sampler_times_count(const struct sampler_times *t);
/* The time that so many thousandths of the answers took at most, in
 * microseconds; between the bounds of a bucket it is interpolated, and over the
 * last bound it is that. -1 without answers. */
int64_t sampler_times_quantile(
	const struct sampler_times *t, unsigned permille);

#endif
