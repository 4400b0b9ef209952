/* SPDX-License-Identifier: MIT */
/*
 * history_series.c - sums of the history, by time and by name.
 *
 * A group of a series must be known before its first number is told: its names
 * are added up and ranked in a first pass, its numbers in a second one.
 */
#include <sqlite3.h>
#include <stdlib.h>

#include "admin/api_json.h"
#include "admin/history_groups.h"
#include "admin/history_view.h"
#include "shared/base/check.h"

#define SQL_MAX 4096
#define HOUR_S  INT64_C(3600)
#define DAY_S   (24 * HOUR_S)
/* Up to here totals are added up by the minute, then by the hour: the finer,
 * the dearer. */
#define TOTALS_MINUTES_S (6 * HOUR_S)
#define TOTALS_HOURS_S   (8 * DAY_S)

/* --- reading sums --------------------------------------------------------- */

enum {
	COLUMN_TIME,
	COLUMN_NAME,
	COLUMN_FIGURES
};

/* all_figures: or requests only. */
static void
put_sql(const struct history_question *q, const char *table, bool all_figures,
	struct buf *sql)
{
	static const char *const figures[] = {
#define X(key, sql) sql,
		HISTORY_FIGURES(X)
#undef X
	};

	buf_printf(sql, "SELECT time_s, %s",
		q->by == HISTORY_BY_NONE ? "''" : history_question_by(q));
	for (size_t i = 0; i < (all_figures ? ARRAY_LEN(figures) : 1); i++)
		buf_printf(sql, ", %s", figures[i]);
	buf_printf(sql,
		" FROM %s WHERE time_s >= :from_s AND time_s < :to_s"
		" AND ",
		table);
	history_view_put_filters(q, sql);
	buf_putc(sql, '\0');
}

typedef void take_fn(void *ctx, int64_t time_s, struct span name,
	const struct history_figures *f);

static enum gp_code
read_sums(struct history_view *v, const struct history_question *q,
	const char *table, bool all_figures, take_fn *take, void *ctx,
	struct gp_error *err)
{
	const int n = all_figures ? HISTORY_FIGURES_N : 1;
	struct history_figures f = { { 0 } };
	sqlite3_stmt *s = NULL;
	enum gp_code rc;
	struct buf sql;
	int step;

	buf_init(&sql, SQL_MAX);
	put_sql(q, table, all_figures, &sql);
	rc = history_view_prepare(v, sql.data, q, &s, err);
	buf_fini(&sql);
	if (rc != GP_OK)
		return rc;
	while ((step = sqlite3_step(s)) == SQLITE_ROW) {
		for (int i = 0; i < n; i++)
			f.n[i] = sqlite3_column_int64(s, COLUMN_FIGURES + i);
		take(ctx, sqlite3_column_int64(s, COLUMN_TIME),
			history_view_text(s, COLUMN_NAME), &f);
	}
	if (step != SQLITE_DONE)
		rc = history_view_fail(v, step, err);
	(void)sqlite3_finalize(s);
	return rc;
}

/* --- totals --------------------------------------------------------------- */

struct totals {
	struct history_groups *groups;
	struct history_figures all;
};

static void
take_total(void *ctx, int64_t time_s, struct span name,
	const struct history_figures *f)
{
	struct totals *const t = ctx;

	(void)time_s;
	history_figures_add(&t->all, f);
	history_groups_add(t->groups, name, f);
}

static void
put_figures(const struct history_figures *f, struct jout *j)
{
	for (size_t i = 0; i < HISTORY_TOLD_N; i++) {
		jout_key(j, history_figures_key(i));
		history_figures_put(f, i, j);
	}
}

/* at: n is the rest. */
static void
put_group_name(const struct history_groups *g, size_t at, struct jout *j)
{
	jout_key(j, "name");
	if (at < g->n)
		api_put_text(j, span_of(g->rows[at].name, g->rows[at].n));
	else
		jout_cstr(j, "other");
	jout_kv_bool(j, "is_rest", at == g->n);
}

static void
put_total(const struct history_groups *g, size_t at, struct jout *j)
{
	jout_obj(j);
	put_group_name(g, at, j);
	put_figures(at < g->n ? &g->rows[at].figures : &g->rest, j);
	jout_obj_end(j);
}

static void
put_frame(const struct history_question *q, const char *table, struct jout *j)
{
	jout_kv_cstr(j, "kind", history_question_kind(q));
	jout_kv_cstr(j, "group", history_question_by(q));
	jout_kv_cstr(j, "source", table);
}

static const char *
table_of(int64_t step_s)
{
	return step_s < HOUR_S ? "minute" : step_s < DAY_S ? "hour" : "day";
}

/* Outwards, to whole steps. */
static struct history_question
aligned(const struct history_question *q, int64_t step_s)
{
	const int64_t step_us = step_s * HISTORY_US;
	struct history_question a = *q;

	a.from_us = q->from_us / step_us * step_us;
	a.to_us = (q->to_us + step_us - 1) / step_us * step_us;
	return a;
}

static int64_t
totals_step_s(const struct history_question *q)
{
	const int64_t range_s = (q->to_us - q->from_us) / HISTORY_US;

	if (range_s <= TOTALS_MINUTES_S)
		return 60;
	return range_s <= TOTALS_HOURS_S ? HOUR_S : DAY_S;
}

enum gp_code
history_totals_put(struct history_view *v, const struct history_question *q,
	struct buf *out, struct gp_error *err)
{
	const int64_t step_s = totals_step_s(q);
	const char *const table = table_of(step_s);
	const struct history_question whole = aligned(q, step_s);
	struct totals t = { .groups = history_groups_new() };
	const enum gp_code rc =
		read_sums(v, &whole, table, true, take_total, &t, err);
	struct jout j;

	if (rc == GP_OK) {
		const bool has_rest =
			history_groups_rank(t.groups, (size_t)whole.limit);

		jout_init(&j, out);
		jout_obj(&j);
		jout_kv_int(&j, "from_s", whole.from_us / HISTORY_US);
		jout_kv_int(&j, "to_s", whole.to_us / HISTORY_US);
		put_frame(&whole, table, &j);
		jout_key(&j, "all");
		jout_obj(&j);
		put_figures(&t.all, &j);
		jout_obj_end(&j);
		jout_key(&j, "groups");
		jout_arr(&j);
		for (size_t i = 0; whole.by != HISTORY_BY_NONE &&
			i < t.groups->n + has_rest;
			i++)
			put_total(t.groups, i, &j);
		jout_arr_end(&j);
		jout_obj_end(&j);
		buf_putc(out, '\n');
	}
	history_groups_free(&t.groups);
	return rc;
}

/* --- series --------------------------------------------------------------- */

struct series {
	struct history_question q;
	struct history_groups *groups;
	bool has_rest;
	size_t nbuckets;
	struct history_figures *lines; /* nbuckets for each group, the rest */
};

static void
take_name(void *ctx, int64_t time_s, struct span name,
	const struct history_figures *f)
{
	struct series *const s = ctx;

	(void)time_s;
	history_groups_add(s->groups, name, f);
}

static void
take_number(void *ctx, int64_t time_s, struct span name,
	const struct history_figures *f)
{
	struct series *const s = ctx;
	const size_t line = history_groups_find(s->groups, name);
	const int64_t bucket =
		(time_s - s->q.from_us / HISTORY_US) / s->q.step_s;

	if (bucket >= 0 && bucket < (int64_t)s->nbuckets)
		history_figures_add(
			&s->lines[line * s->nbuckets + (size_t)bucket], f);
}

static void
put_line(const struct series *s, size_t line, struct jout *j)
{
	const struct history_figures *const f = &s->lines[line * s->nbuckets];

	jout_obj(j);
	put_group_name(s->groups, line, j);
	for (size_t i = 0; i < HISTORY_TOLD_N; i++) {
		jout_key(j, history_figures_key(i));
		jout_arr(j);
		for (size_t b = 0; b < s->nbuckets; b++)
			history_figures_put(&f[b], i, j);
		jout_arr_end(j);
	}
	jout_obj_end(j);
}

static void
put_series(const struct series *s, const char *table, struct buf *out)
{
	const int64_t from_s = s->q.from_us / HISTORY_US;
	struct jout j;

	jout_init(&j, out);
	jout_obj(&j);
	jout_kv_int(&j, "from_s", from_s);
	jout_kv_int(&j, "to_s", s->q.to_us / HISTORY_US);
	jout_kv_int(&j, "step_s", s->q.step_s);
	put_frame(&s->q, table, &j);
	jout_key(&j, "time_s");
	jout_arr(&j);
	for (size_t b = 0; b < s->nbuckets; b++)
		jout_int(&j, from_s + (int64_t)b * s->q.step_s);
	jout_arr_end(&j);
	jout_key(&j, "series");
	jout_arr(&j);
	for (size_t i = 0; i < s->groups->n + s->has_rest; i++)
		put_line(s, i, &j);
	jout_arr_end(&j);
	jout_obj_end(&j);
	buf_putc(out, '\n');
}

enum gp_code
history_series_put(struct history_view *v, const struct history_question *q,
	struct buf *out, struct gp_error *err)
{
	struct series s = { .q = aligned(q, q->step_s) };
	const char *const table = table_of(q->step_s);
	enum gp_code rc = GP_OK;

	s.groups = history_groups_new();
	s.nbuckets =
		(size_t)((s.q.to_us - s.q.from_us) / HISTORY_US / s.q.step_s);
	if (q->by == HISTORY_BY_NONE)
		/* One line, also where nothing was. */
		history_groups_add(s.groups, SPAN_EMPTY,
			&(struct history_figures){ { 0 } });
	else
		rc = read_sums(v, &s.q, table, false, take_name, &s, err);
	if (rc == GP_OK) {
		s.has_rest = history_groups_rank(s.groups, (size_t)q->limit);
		s.lines = calloc(
			(s.groups->n + 1) * s.nbuckets, sizeof(s.lines[0]));
		if (s.lines == NULL)
			GP_NOMEM();
		rc = read_sums(v, &s.q, table, true, take_number, &s, err);
	}
	if (rc == GP_OK)
		put_series(&s, table, out);
	free(s.lines);
	history_groups_free(&s.groups);
	return rc;
}
