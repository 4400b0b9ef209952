/* SPDX-License-Identifier: MIT */
/* metrics.c - sums and the Prometheus text of metrics.def's figures. */
#include "shared/sys/metrics.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>

#include "shared/base/check.h"

enum kind {
	COUNTER,
	COUNTER_US,
	GAUGE
};

static const struct {
	enum kind kind;
	const char *name, *labels, *help;
} rows[] = {

#define METRIC(field, kind, name, labels, help) { kind, name, labels, help },
#include "shared/sys/metrics.def"
};

enum row {
#define METRIC(field, kind, name, labels, help) ROW_##field,
#include "shared/sys/metrics.def"
	ROWS
};

/* All of it is words, and the first ones are the rows. */
#define WORD  sizeof(_Atomic uint64_t)
#define WORDS (sizeof(struct metrics) / WORD)

#define METRIC(field, kind, name, labels, help)                                \
	_Static_assert(offsetof(struct metrics, field) == ROW_##field * WORD,  \
		"the rows of METRIC stand first");
#include "shared/sys/metrics.def"
_Static_assert(sizeof(struct metrics) % WORD == 0, "words only");

static const int64_t bounds_us[] = {
#define BUCKET(us, le) us,
#include "shared/sys/metrics.def"
};

static const char *const bounds[] = {
#define BUCKET(us, le) le,
#include "shared/sys/metrics.def"
	"+Inf"
};

static const char *const codes[] = {
#define STATUS(code) #code,
#include "shared/sys/metrics.def"
	"other"
};

/* --- counting ------------------------------------------------------------- */

static enum metrics_status
status_index(unsigned status)
{
	switch (status) {
#define STATUS(code)                                                           \
	case code:                                                             \
		return METRICS_STATUS_##code;
#include "shared/sys/metrics.def"
	default:
		return METRICS_STATUS_OTHER;
	}
}

void
metrics_add_status(_Atomic uint64_t by[METRICS_STATUSES], unsigned status)
{
	metrics_add(&by[status_index(status)], 1);
}

void
metrics_observe(struct metrics_times *t, int64_t us)
{
	size_t i = 0;

	us = MAX(us, 0);
	while (i < ARRAY_LEN(bounds_us) && us > bounds_us[i])
		i++;
	metrics_add(&t->buckets[i], 1);
	metrics_add(&t->sum_us, (uint64_t)us);
}

int64_t
metrics_quantile_us(const uint64_t buckets[METRICS_BUCKETS], unsigned permille)
{
	double all = 0, below = 0, rank;

	for (size_t i = 0; i < METRICS_BUCKETS; i++)
		all += (double)buckets[i];
	if (all <= 0)
		return -1;
	rank = all * MIN(permille, 1000) / 1000;
	for (size_t i = 0; i < ARRAY_LEN(bounds_us); i++) {
		const double in = (double)buckets[i];
		const int64_t low = i > 0 ? bounds_us[i - 1] : 0;

		if (in > 0 && below + in >= rank)
			return low +
				(int64_t)((double)(bounds_us[i] - low) *
					(rank - below) / in);
		below += in;
	}
	return bounds_us[ARRAY_LEN(bounds_us) - 1];
}

/* --- sums ----------------------------------------------------------------- */

static const _Atomic uint64_t *
words(const struct metrics *m)
{
	return (const _Atomic uint64_t *)(const void *)m;
}

static _Atomic uint64_t *
words_mut(struct metrics *m)
{
	return (_Atomic uint64_t *)(void *)m;
}

static bool
is_gauge(size_t word)
{
	return word < ROWS && rows[word].kind == GAUGE;
}

void
metrics_sum(struct metrics *to, const struct metrics *from, bool with_gauges)
{
	for (size_t i = 0; i < WORDS; i++)
		if (with_gauges || !is_gauge(i))
			metrics_add(&words_mut(to)[i],
				atomic_load_explicit(
					&words(from)[i], memory_order_acquire));
}

void
metrics_clear(struct metrics *m)
{
	for (size_t i = 0; i < WORDS; i++)
		atomic_store_explicit(
			&words_mut(m)[i], 0, memory_order_release);
}

/* --- text ----------------------------------------------------------------- */

struct printer {
	struct buf *out;
	const char *last; /* name that HELP and TYPE were written of */
};

static void
put_intro(
	struct printer *p, const char *name, const char *type, const char *help)
{
	if (strcmp(p->last, name) != 0)
		buf_printf(p->out, "# HELP %s %s\n# TYPE %s %s\n", name, help,
			name, type);
	p->last = name;
}

static void
put_seconds(struct buf *out, uint64_t us)
{
	buf_printf(out, "%" PRIu64 ".%06" PRIu64, us / 1000000, us % 1000000);
}

static void
put_row(struct printer *p, size_t i, uint64_t value)
{
	put_intro(p, rows[i].name, rows[i].kind == GAUGE ? "gauge" : "counter",
		rows[i].help);
	buf_puts(p->out, rows[i].name);
	if (rows[i].labels[0] != '\0')
		buf_printf(p->out, "{%s}", rows[i].labels);
	buf_putc(p->out, ' ');
	if (rows[i].kind == COUNTER_US)
		put_seconds(p->out, value);
	else
		buf_put_u64(p->out, value);
	buf_putc(p->out, '\n');
}

static void
put_statuses(struct printer *p, const _Atomic uint64_t by[METRICS_STATUSES],
	const char *name, const char *help)
{
	put_intro(p, name, "counter", help);
	for (size_t i = 0; i < METRICS_STATUSES; i++)
		buf_printf(p->out, "%s{code=\"%s\"} %" PRIu64 "\n", name,
			codes[i], metrics_get(&by[i]));
}

static void
put_dialects(struct printer *p, const struct metrics_dialects *d,
	const _Atomic uint64_t by[METRICS_DIALECTS], const char *name,
	const char *help)
{
	put_intro(p, name, "counter", help);
	for (size_t i = 0; i < d->n; i++)
		buf_printf(p->out, "%s{client=\"%s\"} %" PRIu64 "\n", name,
			d->names[i], metrics_get(&by[i]));
}

static void
put_pairs(struct printer *p, const struct metrics_dialects *d,
	const _Atomic uint64_t by[METRICS_DIALECTS][METRICS_DIALECTS],
	const char *name, const char *help)
{
	put_intro(p, name, "counter", help);
	for (size_t i = 0; i < d->n; i++)
		for (size_t k = 0; k < d->n; k++)
			buf_printf(p->out,
				"%s{client=\"%s\",upstream=\"%s\"} %" PRIu64
				"\n",
				name, d->names[i], d->names[k],
				metrics_get(&by[i][k]));
}

static void
put_upstreams(struct printer *p, const struct metrics_dialects *d,
	const _Atomic uint64_t by[METRICS_DIALECTS], const char *name,
	const char *labels, const char *help)
{
	put_intro(p, name, "counter", help);
	for (size_t i = 0; i < d->n; i++)
		buf_printf(p->out, "%s{%s,upstream=\"%s\"} %" PRIu64 "\n", name,
			labels, d->names[i], metrics_get(&by[i]));
}

/* spec: Prometheus text format 0.0.4: buckets are cumulative, the last one is
 * the count. */
static void
put_times(struct printer *p, const struct metrics_times *t, const char *name,
	const char *labels, const char *help)
{
	const char *const comma = labels[0] != '\0' ? "," : "";
	const char *const open = labels[0] != '\0' ? "{" : "";
	const char *const close = labels[0] != '\0' ? "}" : "";
	uint64_t sum = 0;

	put_intro(p, name, "histogram", help);
	for (size_t i = 0; i < METRICS_BUCKETS; i++) {
		sum += metrics_get(&t->buckets[i]);
		buf_printf(p->out, "%s_bucket{%s%sle=\"%s\"} %" PRIu64 "\n",
			name, labels, comma, bounds[i], sum);
	}
	buf_printf(p->out, "%s_sum%s%s%s ", name, open, labels, close);
	put_seconds(p->out, metrics_get(&t->sum_us));
	buf_printf(p->out, "\n%s_count%s%s%s %" PRIu64 "\n", name, open, labels,
		close, sum);
}

void
metrics_print(const struct metrics *m, const struct metrics_dialects *d,
	struct buf *out)
{
	struct printer p = { out, "" };

	GP_ASSERT(d->n <= METRICS_DIALECTS);
	for (size_t i = 0; i < ROWS; i++)
		put_row(&p, i, metrics_get(&words(m)[i]));
#define BY_STATUS(field, name, help)  put_statuses(&p, m->field, name, help);
#define BY_DIALECT(field, name, help) put_dialects(&p, d, m->field, name, help);
#define BY_PAIR(field, name, help)    put_pairs(&p, d, m->field, name, help);
#define BY_UPSTREAM(field, name, labels, help)                                 \
	put_upstreams(&p, d, m->field, name, labels, help);
#define HISTOGRAM(field, name, labels, help)                                   \
	put_times(&p, &m->field, name, labels, help);
#include "shared/sys/metrics.def"
}
