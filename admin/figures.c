/* SPDX-License-Identifier: MIT */
/* figures.c - tokens by client and model, and what has been learned of counts.
 */
#include "admin/figures.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "shared/sys/calib_file.h"

/* --- rows ----------------------------------------------------------------- */

static int
by_names(const void *a, const void *b)
{
	const struct figures_row *const x = a;
	const struct figures_row *const y = b;
	const int order = strcmp(x->names.model, y->names.model);

	return order != 0 ? order : strcmp(x->names.client, y->names.client);
}

static int
by_input(const void *a, const void *b)
{
	const struct figures_row *const x = a;
	const struct figures_row *const y = b;
	const uint64_t m = x->sums.n[USAGE_INPUT_TOKENS];
	const uint64_t n = y->sums.n[USAGE_INPUT_TOKENS];

	return m != n ? (m < n) - (m > n) : by_names(a, b);
}

static void
load(const struct usage *u, struct figures *out)
{
	out->n = 0;
	for (size_t i = 0; i <= USAGE_ROWS; i++) {
		struct figures_row *const row = &out->rows[out->n];

		out->n += usage_get(u, i, &row->names, &row->sums);
	}
}

/* Add up neighbours of the same names: a peer may call itself as the rest is
 * called, and Prometheus takes no name twice. */
static void
merge(struct figures *f)
{
	size_t n = 0;

	for (size_t i = 0; i < f->n; i++) {
		if (n == 0 || by_names(&f->rows[n - 1], &f->rows[i]) != 0) {
			f->rows[n++] = f->rows[i];
			continue;
		}
		for (size_t k = 0; k < USAGE_FIGURES; k++)
			f->rows[n - 1].sums.n[k] += f->rows[i].sums.n[k];
	}
	f->n = n;
}

void
figures_take(const struct usage *u, struct figures *out)
{
	load(u, out);
	qsort(out->rows, out->n, sizeof(out->rows[0]), by_names);
	merge(out);
	qsort(out->rows, out->n, sizeof(out->rows[0]), by_input);
}

void
figures_take_models(const struct usage *u, struct figures *out)
{
	load(u, out);
	for (size_t i = 0; i < out->n; i++)
		out->rows[i].names.client[0] = '\0';
	qsort(out->rows, out->n, sizeof(out->rows[0]), by_names);
	merge(out);
}

/* --- Prometheus ----------------------------------------------------------- */

/* spec: Prometheus text format 0.0.4: the three escapes of label values */
static void
put_label(struct buf *out, const char *name, struct span value)
{
	buf_printf(out, "%s=\"", name);
	for (size_t i = 0; i < value.n; i++) {
		if (value.p[i] == '\\' || value.p[i] == '"')
			buf_putc(out, '\\');
		if (value.p[i] == '\n')
			buf_puts(out, "\\n");
		else
			buf_putc(out, value.p[i]);
	}
	buf_putc(out, '"');
}

static void
put_intro(struct buf *out, const char *name, const char *kind, const char *help)
{
	buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind);
}

static void
put_models(const struct usage *u, struct buf *out)
{
	static const char *const names[USAGE_FIGURES][2] = {
		[USAGE_REQUESTS] = { "glmproxy_model_requests_total",
			"Chats that upstream answered, by its name of the "
			"model" },
		[USAGE_INPUT_TOKENS] = { "glmproxy_model_input_tokens_total",
			"Input tokens as upstream reported them, cached ones "
			"included" },
		[USAGE_CACHED_TOKENS] = { "glmproxy_model_cached_tokens_total",
			"Input tokens that came from upstream's prompt "
			"cache" },
		[USAGE_OUTPUT_TOKENS] = { "glmproxy_model_output_tokens_total",
			"Output tokens as upstream reported them" },
	};
	struct figures f;

	figures_take_models(u, &f);
	for (size_t k = 0; k < USAGE_FIGURES; k++) {
		put_intro(out, names[k][0], "counter", names[k][1]);
		for (size_t i = 0; i < f.n; i++) {
			buf_printf(out, "%s{", names[k][0]);
			put_label(
				out, "model", span_cstr(f.rows[i].names.model));
			buf_printf(out, "} %" PRIu64 "\n", f.rows[i].sums.n[k]);
		}
	}
}

static void
put_ratio(struct buf *out, struct calib_ratio r)
{
	calib_file_put_ratio(out, r.ratio);
}

static void
put_samples(struct buf *out, struct calib_ratio r)
{
	buf_put_u64(out, r.samples);
}

static void
put_calibration(const struct calib *c, const char *metric,
	void (*put)(struct buf *out, struct calib_ratio r), struct buf *out)
{
	for (size_t i = 0; i < CALIB_ROWS; i++) {
		const struct calib_row *const row = &c->rows[i];
		struct span name;

		if (!calib_name(row, &name))
			continue;
		for (enum calib_way way = 0; way < CALIB_WAYS; way++) {
			const struct calib_ratio r = calib_get(row, way);

			if (r.samples == 0)
				continue;
			buf_printf(out, "%s{", metric);
			put_label(out, "model", name);
			buf_printf(out, ",way=\"%s\"} ", calib_way_names[way]);
			put(out, r);
			buf_putc(out, '\n');
		}
	}
}

void
figures_put_metrics(const struct shm *m, struct buf *out)
{
	static const char ratio[] = "glmproxy_calibration_ratio";
	static const char samples[] = "glmproxy_calibration_samples";

	put_models(&m->usage, out);
	put_intro(out, ratio, "gauge",
		"Upstream's count of tokens divided by ours, as learned");
	put_calibration(&m->calib, ratio, put_ratio, out);
	put_intro(out, samples, "gauge",
		"Answers that the ratio has been learned from");
	put_calibration(&m->calib, samples, put_samples, out);
}

/* --- pages ---------------------------------------------------------------- */

/* "87.5" */
static void
put_percent(struct buf *out, const struct usage_sums *s)
{
	const unsigned permille = usage_hit_permille(s);

	buf_printf(out, "%u.%u", permille / 10, permille % 10);
}

void
figures_put_json(const struct figures *f, struct jout *j)
{
	static const char *const keys[USAGE_FIGURES] = { "requests",
		"input_tokens", "cached_tokens", "output_tokens" };
	struct buf percent;

	buf_init(&percent, 16);
	jout_arr(j);
	for (size_t i = 0; i < f->n; i++) {
		const struct figures_row *const row = &f->rows[i];

		jout_obj(j);
		jout_kv_cstr(j, "client", row->names.client);
		jout_kv_cstr(j, "model", row->names.model);
		for (size_t k = 0; k < USAGE_FIGURES; k++)
			jout_kv_int(j, keys[k],
				(int64_t)MIN(row->sums.n[k], INT64_MAX));
		buf_reset(&percent, 16);
		put_percent(&percent, &row->sums);
		jout_kv_raw(j, "cache_hit_percent",
			(struct jraw){ buf_span(&percent) });
		jout_obj_end(j);
	}
	jout_arr_end(j);
	buf_fini(&percent);
}
