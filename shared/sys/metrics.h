/* SPDX-License-Identifier: MIT */
/* metrics.h - one process's figures in its shared-memory slot. One writer a
 * word, relaxed loads and stores: an addition costs about a nanosecond. */
#ifndef SYS_METRICS_H
#define SYS_METRICS_H

#include <stdatomic.h>
#include <stdint.h>

#include "shared/base/buf.h"

struct metrics {
#define METRIC(field, kind, name, labels, help) _Atomic uint64_t field;
#include "shared/sys/metrics.def"
#undef METRIC
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

/* Add the counters of `from` to `to`; gauges too if with_gauges. */
void metrics_sum(
	struct metrics *to, const struct metrics *from, bool with_gauges);

/* All figures to 0. */
void metrics_clear(struct metrics *m);

/* Prometheus text format, HELP and TYPE once a name. */
void metrics_print(const struct metrics *m, struct buf *out);

#endif
