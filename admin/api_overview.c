/* SPDX-License-Identifier: MIT */
/* api_overview.c - /api/overview: everything at a glance. */
#include "admin/api_json.h"
#include "admin/history.h"
#include "admin/sampler.h"
#include "shared/sys/clock.h"

#include "version.h"

#define SHORT_MS 10000
#define LONG_MS  60000

struct view {
	struct metrics all;
	struct sampler_sums ever, last_10s, last_60s;
	int64_t in_10s_ms, in_60s_ms;
};

static void
look(const struct pages *p, struct view *v)
{
	const int64_t now_ms = clock_mono_ms();

	shm_totals(p->link->shm, &v->all);
	sampler_sums_of(&v->all, &v->ever);
	v->in_10s_ms = sampler_since(
		p->sampler, &v->ever, now_ms, SHORT_MS, &v->last_10s);
	v->in_60s_ms = sampler_since(
		p->sampler, &v->ever, now_ms, LONG_MS, &v->last_60s);
}

static void
put_count(struct jout *j, const char *key, uint64_t n)
{
	jout_kv_int(j, key, (int64_t)MIN(n, INT64_MAX));
}

/* --- parts ---------------------------------------------------------------- */

static void
put_state(const struct pages *p, struct jout *j)
{
	const struct shm *const m = p->link->shm;
	struct health_facts f;
	struct health h;

	page_get_facts(p, &f);
	health_judge(&f, &h);
	jout_kv_int(j, "now_us", clock_wall_us());
	jout_kv_cstr(j, "version", GLMPROXY_VERSION);
	jout_kv_int(j, "uptime_s", page_uptime_s(m));
	jout_kv_cstr(j, "status", health_word(h.status));
	jout_key(j, "reasons");
	jout_arr(j);
	for (size_t i = 0; i < h.nreasons; i++)
		jout_cstr(j, h.reasons[i]);
	jout_arr_end(j);
	jout_kv_bool(j, "draining", f.is_stopping || f.is_drained);
	jout_kv_int(
		j, "generation", atomic_load(&link_slot(p->link)->generation));
	jout_kv_int(j, "restarts", atomic_load(&m->restarts));
	jout_key(j, "workers");
	jout_obj(j);
	jout_kv_int(j, "expected", f.workers_expected);
	jout_kv_int(j, "ready", f.workers_ready);
	jout_kv_int(j, "silent", f.workers_silent);
	jout_kv_int(j, "starting", f.workers_starting);
	jout_kv_int(j, "draining", f.workers_draining);
	jout_obj_end(j);
}

static uint64_t
record_bytes(struct shm *m)
{
	const uint32_t used = MIN(atomic_load(&m->slots_used), SHM_SLOTS);
	uint64_t n = 0;

	for (uint32_t i = 0; i < used; i++)
		n += ring_waiting(shm_ring(m, (int)i));
	return n;
}

static void
put_live(const struct pages *p, const struct metrics *m, struct jout *j)
{
	struct api_phases phases;

	api_count_phases(p->link->shm, &phases);
	jout_key(j, "live");
	jout_obj(j);
	put_count(j, "streams", metrics_get(&m->streams_live));
	put_count(j, "client_connections", metrics_get(&m->connections_live));
	put_count(j, "upstream_connections", metrics_get(&m->upstream_live));
	put_count(j, "counts", metrics_get(&m->counts_live));
	put_count(j, "buffered_bytes", metrics_get(&m->buffered_bytes));
	jout_obj_end(j);
	jout_key(j, "queue");
	jout_obj(j);
	put_count(j, "queued", phases.n[LIVE_QUEUED]);
	put_count(j, "waiting", phases.n[LIVE_WAITING]);
	put_count(j, "record_bytes", record_bytes(p->link->shm));
	jout_obj_end(j);
}

static void
put_rates(struct jout *j, const char *key, const struct sampler_sums *s,
	int64_t in_ms)
{
	jout_key(j, key);
	jout_obj(j);
	api_put_milli(j, "window_s", in_ms);
	api_put_milli(j, "requests_per_s", sampler_per_s(s->requests, in_ms));
	api_put_milli(j, "errors_per_s", sampler_per_s(s->errors, in_ms));
	api_put_milli(
		j, "input_tokens_per_s", sampler_per_s(s->input_tokens, in_ms));
	api_put_milli(j, "cached_tokens_per_s",
		sampler_per_s(s->cached_tokens, in_ms));
	api_put_milli(j, "output_tokens_per_s",
		sampler_per_s(s->output_tokens, in_ms));
	jout_obj_end(j);
}

static void
put_times(struct jout *j, const char *key, const struct sampler_times *t)
{
	static const struct {
		const char *key;
		unsigned permille;
	} rows[] = { { "p50", 500 }, { "p95", 950 }, { "p99", 990 } };

	jout_key(j, key);
	jout_obj(j);
	put_count(j, "count", sampler_times_count(t));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const int64_t us = sampler_times_quantile(t, rows[i].permille);

		/* Thousandths of a millisecond. */
		if (us < 0)
			jout_kv_null(j, rows[i].key);
		else
			api_put_milli(j, rows[i].key, us);
	}
	jout_obj_end(j);
}

static void
put_totals(const struct view *v, struct jout *j)
{
	const struct sampler_sums *const s = &v->ever;

	jout_key(j, "totals");
	jout_obj(j);
	put_count(j, "requests", s->requests);
	put_count(j, "errors", s->errors);
	put_count(j, "cancelled", s->cancelled);
	put_count(j, "streams", metrics_get(&v->all.streams_total));
	put_count(j, "streams_broken", metrics_get(&v->all.streams_broken));
	put_count(j, "input_tokens", s->input_tokens);
	put_count(j, "cached_tokens", s->cached_tokens);
	put_count(j, "output_tokens", s->output_tokens);
	jout_obj_end(j);
}

static void
put_hits(struct jout *j, const char *key, const struct sampler_sums *s)
{
	/* To a tenth of a per cent, like other pages. */
	if (s->input_tokens == 0)
		jout_kv_null(j, key);
	else
		api_put_milli(j, key,
			(int64_t)((double)MIN(
					  s->cached_tokens, s->input_tokens) *
				1000 / (double)s->input_tokens) *
				100);
}

static void
put_throttling(struct jout *j, const char *key, const struct sampler_sums *s)
{
	jout_key(j, key);
	jout_obj(j);
	put_count(j, "rate", s->rate);
	put_count(j, "quota", s->quota);
	put_count(j, "fair_use", s->fair_use);
	put_count(j, "overloaded", s->overloaded);
	jout_obj_end(j);
}

static void
put_trouble(const struct view *v, struct jout *j)
{
	jout_key(j, "cache_hit_percent");
	jout_obj(j);
	put_hits(j, "last_60s", &v->last_60s);
	put_hits(j, "total", &v->ever);
	jout_obj_end(j);
	jout_key(j, "retries");
	jout_obj(j);
	put_count(j, "last_60s", v->last_60s.retries);
	put_count(j, "total", v->ever.retries);
	jout_obj_end(j);
	jout_key(j, "throttling");
	jout_obj(j);
	put_throttling(j, "last_60s", &v->last_60s);
	put_throttling(j, "total", &v->ever);
	jout_obj_end(j);
}

static void
put_history(const struct pages *p, const struct metrics *m, struct jout *j)
{
	struct history_state s;

	history_get_state(p->history, &s);
	jout_key(j, "history");
	jout_obj(j);
	jout_kv_bool(j, "on", s.is_on);
	jout_kv_bool(j, "written", s.is_written);
	jout_kv_cstr(j, "why", s.why);
	put_count(j, "rows", s.rows);
	put_count(j, "set_aside", metrics_get(&m->history_set_aside));
	jout_key(j, "files");
	jout_arr(j);
	for (size_t i = 0; i < HISTORY_ASIDE; i++)
		if (s.aside[i])
			jout_cstr(j, history_aside_names[i]);
	jout_arr_end(j);
	jout_obj_end(j);
	jout_key(j, "losses");
	jout_obj(j);
	put_count(j, "ring", metrics_get(&m->records_lost));
	put_count(j, "spool", metrics_get(&m->history_lost_loop));
	put_count(j, "database", metrics_get(&m->history_lost_thread));
	put_count(j, "admin", metrics_get(&m->history_lost_died));
	put_count(j, "worker", metrics_get(&m->history_lost_spoilt));
	put_count(j, "rows", metrics_get(&m->history_rows_lost));
	jout_obj_end(j);
}

/* --- the whole ------------------------------------------------------------ */

void
api_put_overview(const struct pages *p, struct jout *j)
{
	static struct view v;

	look(p, &v);
	jout_obj(j);
	put_state(p, j);
	put_live(p, &v.all, j);
	jout_key(j, "rates");
	jout_obj(j);
	put_rates(j, "last_10s", &v.last_10s, v.in_10s_ms);
	put_rates(j, "last_60s", &v.last_60s, v.in_60s_ms);
	jout_obj_end(j);
	put_times(j, "first_byte_ms", &v.last_60s.first);
	put_times(j, "total_ms", &v.last_60s.total);
	put_totals(&v, j);
	put_trouble(&v, j);
	put_history(p, &v.all, j);
	jout_obj_end(j);
}

void
api_overview(const struct pages *p, const struct http_request *request,
	struct http_answer *a)
{
	struct jout j;

	(void)request;
	jout_init(&j, &a->body);
	api_put_overview(p, &j);
	buf_putc(&a->body, '\n');
}
