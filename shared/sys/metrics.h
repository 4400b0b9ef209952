/* SPDX-License-Identifier: MIT */
/* metrics.h - one process's figures in its shared-memory slot. One writer a
 * word, relaxed loads and stores: an addition costs about a nanosecond, an
 * observed time a few. */
#ifndef SYS_METRICS_H
#define SYS_METRICS_H

#include <stdatomic.h>
#include <stdint.h>

#include "shared/base/buf.h"

/* Rows for dialects, by their position in dialects.def; a few are spare. */
#define METRICS_DIALECTS 4

/* Statuses that have a figure of their own. */
enum metrics_status {
#define STATUS(code) METRICS_STATUS_##code,
#include "shared/sys/metrics.def"
	METRICS_STATUS_OTHER,
	METRICS_STATUSES
};

enum metrics_bucket {
#define BUCKET(us, le) METRICS_BUCKET_##us,
#include "shared/sys/metrics.def"
	METRICS_BUCKET_INF,
	METRICS_BUCKETS
};

/* Times. Not cumulative: each observation is in one bucket. */
struct metrics_times {
	_Atomic uint64_t buckets[METRICS_BUCKETS];
	_Atomic uint64_t sum_us;
};

struct metrics {
#define METRIC(field, kind, name, labels, help) _Atomic uint64_t field;
#define BY_STATUS(field, name, help)            _Atomic uint64_t field[METRICS_STATUSES];
#define BY_DIALECT(field, name, help)           _Atomic uint64_t field[METRICS_DIALECTS];
#define BY_PAIR(field, name, help)                                             \
	_Atomic uint64_t field[METRICS_DIALECTS][METRICS_DIALECTS];
#define BY_UPSTREAM(field, name, labels, help)                                 \
	_Atomic uint64_t field[METRICS_DIALECTS];
#define HISTOGRAM(field, name, labels, help) struct metrics_times field;
#include "shared/sys/metrics.def"
};

/* Only the owner of the slot may call these. */
static inline void
metrics_add(_Atomic uint64_t *m, uint64_t n)
{
	atomic_store_explicit(m,
		atomic_load_explicit(m, memory_order_relaxed) + n,
		memory_order_relaxed);
}

static inline void
metrics_sub(_Atomic uint64_t *m, uint64_t n)
{
	metrics_add(m, (uint64_t)0 - n);
}

static inline uint64_t
metrics_get(const _Atomic uint64_t *m)
{
	return atomic_load_explicit(m, memory_order_relaxed);
}

/* One more answer of this status; by: a BY_STATUS field. */
void metrics_add_status(_Atomic uint64_t by[METRICS_STATUSES], unsigned status);

/* One more time; below 0 counts as 0. At most 50 ns, usually 5. */
void metrics_observe(struct metrics_times *t, int64_t us);

/* Add the counters of `from` to `to`; gauges too if with_gauges. Loads acquire
 * and metrics_clear's stores release, so that a version that is looked at
 * before and after (shm_totals) tells whether they have been cleared meanwhile.
 */
void metrics_sum(
	struct metrics *to, const struct metrics *from, bool with_gauges);

/*
 * The time in us that so many thousandths of the observations do not pass,
 * taken from buckets as metrics_times has them, evenly spread in each; the
 * highest bound for those above it, -1 if there are none.
 */
int64_t metrics_quantile_us(
	const uint64_t buckets[METRICS_BUCKETS], unsigned permille);

/* All figures to 0. */
void metrics_clear(struct metrics *m);

/* Names of dialects, as many as there are, at most METRICS_DIALECTS. */
struct metrics_dialects {
	const char *names[METRICS_DIALECTS];
	size_t n;
};

/* Prometheus text format, HELP and TYPE once a name. */
void metrics_print(const struct metrics *m, const struct metrics_dialects *d,
	struct buf *out);

#endif
