/* SPDX-License-Identifier: MIT */
/* top_json.c - a sample as JSON, for scripts. */
#include "master/top_json.h"

#include <stdio.h>
#include <time.h>

#include "shared/json/jout.h"

#include "version.h"

/* Three digits; null below 0, where nothing is known. */
static void
kv_number(struct jout *j, const char *key, double n)
{
	char text[400];
	int length;

	if (n < 0) {
		jout_kv_null(j, key);
		return;
	}
	length = snprintf(text, sizeof(text), "%.3f", n);
	jout_kv_raw(j, key, (struct jraw){ span_of(text, (size_t)length) });
}

static void
kv_count(struct jout *j, const char *key, uint64_t n)
{
	jout_kv_int(j, key, (int64_t)MIN(n, (uint64_t)INT64_MAX));
}

static void
kv_time(struct jout *j, const char *key, int64_t wall_us)
{
	const time_t s = (time_t)(wall_us / 1000000);
	char text[64], all[80];
	struct tm tm;

	if (gmtime_r(&s, &tm) == NULL ||
		strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm) == 0) {
		jout_kv_null(j, key);
		return;
	}
	(void)snprintf(all, sizeof(all), "%s.%03dZ", text,
		(int)(wall_us / 1000 % 1000));
	jout_kv_cstr(j, key, all);
}

static void
put_times(struct jout *j, const char *key, const struct top_times *t)
{
	jout_key(j, key);
	jout_obj(j);
	kv_number(j, "p50", t->p50);
	kv_number(j, "p90", t->p90);
	kv_number(j, "p99", t->p99);
	jout_obj_end(j);
}

static void
put_rates(struct jout *j, const struct top_rates *r)
{
	jout_key(j, "per_s");
	jout_obj(j);
	kv_number(j, "requests", r->requests);
	kv_number(j, "chats", r->chats);
	kv_number(j, "errors", r->errors);
	kv_number(j, "cancelled", r->cancelled);
	kv_number(j, "tokens_in", r->tokens_in);
	kv_number(j, "tokens_cached", r->tokens_cached);
	kv_number(j, "tokens_out", r->tokens_out);
	kv_number(j, "lost", r->lost);
	jout_obj_end(j);
	kv_number(j, "cache_hit_percent", r->hit_percent);
	put_times(j, "first_byte_ms", &r->first);
	put_times(j, "total_ms", &r->total);
}

static void
put_totals(struct jout *j, const struct metrics *m)
{
	jout_key(j, "totals");
	jout_obj(j);
	kv_count(j, "requests", top_requests(m));
	kv_count(j, "chats", metrics_get(&m->requests_chat));
	kv_count(j, "errors", top_errors(m));
	kv_count(j, "cancelled", metrics_get(&m->cancelled));
	kv_count(j, "tokens_in", metrics_get(&m->tokens_in));
	kv_count(j, "tokens_cached", metrics_get(&m->tokens_cached));
	kv_count(j, "tokens_out", metrics_get(&m->tokens_out));
	kv_count(j, "lost", top_lost(m));
	jout_obj_end(j);
}

static void
put_now(struct jout *j, const struct top_sample *s)
{
	const struct metrics *const m = &s->totals;

	jout_key(j, "now");
	jout_obj(j);
	kv_count(j, "chats", s->nchats + s->nunlisted);
	for (enum live_phase p = 0; p < LIVE_PHASES; p++)
		kv_count(j, live_phase_word(p), s->phases[p]);
	kv_count(j, "unlisted", s->nunlisted);
	kv_count(j, "streams", metrics_get(&m->streams_live));
	kv_count(j, "client_connections", metrics_get(&m->connections_live));
	kv_count(j, "upstream_connections", metrics_get(&m->upstream_live));
	kv_count(j, "buffered_bytes", metrics_get(&m->buffered_bytes));
	jout_obj_end(j);
}

static void
put_workers(struct jout *j, const struct top_sample *s)
{
	jout_key(j, "workers");
	jout_arr(j);
	for (size_t i = 0; i < s->nworkers; i++) {
		const struct top_worker *const w = &s->workers[i];

		jout_obj(j);
		jout_kv_int(j, "pid", w->pid);
		jout_kv_int(j, "slot", w->slot);
		jout_kv_int(j, "generation", w->generation);
		jout_kv_cstr(j, "state",
			w->state == SHM_READY            ? "ready" :
				w->state == SHM_DRAINING ? "draining" :
							   "starting");
		jout_kv_int(j, "heartbeat_ms", w->silent_ms);
		jout_kv_int(j, "connections", w->connections);
		jout_kv_int(j, "chats", w->chats);
		kv_number(j, "requests_per_s", w->requests_per_s);
		kv_number(j, "cpu_percent", w->cpu_percent);
		jout_kv_int(j, "unread_bytes", w->ring_bytes);
		jout_obj_end(j);
	}
	jout_arr_end(j);
}

static void
put_chats(struct jout *j, const struct top_sample *s)
{
	jout_key(j, "chats");
	jout_arr(j);
	for (size_t i = 0; i < s->nchats; i++) {
		const struct live_chat *const c = &s->chats[i];

		jout_obj(j);
		jout_kv_cstr(j, "request", c->names.request);
		jout_kv_cstr(j, "client", c->names.client);
		jout_kv_cstr(j, "model", c->names.model);
		jout_kv_cstr(j, "dialect", c->names.dialect);
		jout_kv_cstr(j, "upstream", c->names.upstream);
		jout_kv_bool(j, "stream", c->is_stream);
		jout_kv_cstr(j, "phase", live_phase_word(c->phase));
		kv_time(j, "begun", c->begun_wall_us);
		jout_kv_int(j, "age_ms", MAX(s->at_us - c->begun_us, 0) / 1000);
		kv_number(j, "first_byte_ms",
			c->first_us < 0 ? -1 : (double)c->first_us / 1000);
		jout_kv_int(j, "output_tokens", c->tokens);
		jout_kv_int(j, "bytes", c->bytes);
		jout_obj_end(j);
	}
	jout_arr_end(j);
}

void
top_json(const struct top_sample *s, const struct top_rates *r, long pid,
	struct buf *out)
{
	struct jout j;
	bool is_good;

	jout_init(&j, out);
	jout_obj(&j);
	jout_kv_cstr(&j, "version", GLMPROXY_VERSION);
	kv_time(&j, "time", s->at_wall_us);
	jout_kv_int(&j, "pid", pid);
	jout_kv_cstr(&j, "status", top_status(s, &is_good));
	jout_kv_bool(&j, "ok", is_good);
	kv_number(&j, "uptime_s",
		MAX((double)(s->at_wall_us - s->started_wall_us) / 1e6, 0));
	jout_kv_int(&j, "generation", s->generation);
	jout_kv_int(&j, "restarts", s->restarts);
	kv_number(&j, "interval_s", r->seconds);
	put_rates(&j, r);
	put_now(&j, s);
	put_totals(&j, &s->totals);
	put_workers(&j, s);
	put_chats(&j, s);
	jout_obj_end(&j);
	buf_putc(out, '\n');
}
