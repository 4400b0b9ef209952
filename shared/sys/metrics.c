/* SPDX-License-Identifier: MIT */
/* metrics.c - sums and the Prometheus text of metrics.def's figures. */
#include "shared/sys/metrics.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>

enum kind {
	COUNTER,
	COUNTER_US,
	GAUGE
};

static const struct {
	enum kind kind;
	const char *name, *labels, *help;
	size_t offset;
} rows[] = {

#define METRIC(field, kind, name, labels, help)                                \
	{ kind, name, labels, help, offsetof(struct metrics, field) },
#include "shared/sys/metrics.def"
#undef METRIC
};

static const _Atomic uint64_t *
word(const struct metrics *m, size_t row)
{
	const char *const at = (const char *)m + rows[row].offset;

	return (const _Atomic uint64_t *)(const void *)at;
}

static _Atomic uint64_t *
word_mut(struct metrics *m, size_t row)
{
	char *const at = (char *)m + rows[row].offset;

	return (_Atomic uint64_t *)(void *)at;
}

void
metrics_sum(struct metrics *to, const struct metrics *from, bool with_gauges)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (with_gauges || rows[i].kind != GAUGE)
			metrics_add(
				word_mut(to, i), metrics_get(word(from, i)));
}

void
metrics_clear(struct metrics *m)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		atomic_store_explicit(word_mut(m, i), 0, memory_order_relaxed);
}

static void
put_value(struct buf *out, enum kind kind, uint64_t v)
{
	if (kind == COUNTER_US)
		buf_printf(out, "%" PRIu64 ".%06" PRIu64, v / 1000000,
			v % 1000000);
	else
		buf_put_u64(out, v);
}

void
metrics_print(const struct metrics *m, struct buf *out)
{
	const char *last = "";

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (strcmp(last, rows[i].name) != 0)
			buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n",
				rows[i].name, rows[i].help, rows[i].name,
				rows[i].kind == GAUGE ? "gauge" : "counter");
		last = rows[i].name;
		buf_puts(out, rows[i].name);
		if (rows[i].labels[0] != '\0')
			buf_printf(out, "{%s}", rows[i].labels);
		buf_putc(out, ' ');
		put_value(out, rows[i].kind, metrics_get(word(m, i)));
		buf_putc(out, '\n');
	}
}
