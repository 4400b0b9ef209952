/* SPDX-License-Identifier: MIT */
/* page_health.c - /health: the state of the service, and what is wrong. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "admin/calibration.h"
#include "admin/disk.h"
#include "admin/history.h"
#include "admin/logs.h"
#include "admin/pages.h"
#include "admin/snapshot.h"
#include "shared/json/jout.h"
#include "shared/sys/clock.h"

#include "version.h"

int64_t
page_uptime_s(const struct shm *m)
{
	return (clock_wall_us() - atomic_load(&m->started_wall_us)) / 1000000;
}

/* --- what is known -------------------------------------------------------- */

static void
get_history(const struct pages *p, struct health_history *out)
{
	struct history_state s;

	history_get_state(p->history, &s);
	*out = (struct health_history){
		.is_on = s.is_on,
		.is_written = s.is_written,
		.lost = s.lost,
		.recent_lost =
			deaths_recent(&p->watch.losses, (uint32_t)s.lost),
	};
	_Static_assert(sizeof(out->why) == sizeof(s.why), "copied whole");
	memcpy(out->why, s.why, sizeof(out->why));
}

static void
get_logs(const struct pages *p, struct health_history *out)
{
	struct logs_state s;

	logs_get_state(p->logs, &s);
	*out = (struct health_history){
		.is_on = s.is_on,
		.is_written = s.is_written,
		.lost = s.lost,
		.recent_lost = deaths_recent(&p->watch.lines, (uint32_t)s.lost),
	};
	_Static_assert(sizeof(out->why) == sizeof(s.why), "copied whole");
	memcpy(out->why, s.why, sizeof(out->why));
}

static void
add_disk(enum disk_place place, const char *key, struct span path,
	int64_t now_ms, struct health_facts *f)
{
	struct health_disk *const d = &f->disks[f->ndisks++];
	char room[sizeof(d->error_text)];
	struct disk_room now;
	struct disk_room first;

	disk_get(place, &now);
	disk_get(DISK_STATE, &first);
	*d = (struct health_disk){
		.key = key,
		.path = path,
		.is_known = now.is_known,
		.is_repeated = place != DISK_STATE && first.is_known &&
			first.error == 0 && first.id == now.id,
		.error = now.error,
		.free_bytes = now.free_bytes,
		.total_bytes = now.total_bytes,
		.has_files = now.has_files,
		.waits_ms =
			now.asked_ms == 0 ? 0 : MAX(now_ms - now.asked_ms, 0),
	};
	if (now.error != 0)
		(void)snprintf(d->error_text, sizeof(d->error_text), "%s",
			strerror_r(now.error, room, sizeof(room)));
}

void
page_get_facts(const struct pages *p, struct health_facts *f)
{
	const struct conf *const conf = p->link->conf;
	const int64_t now_ms = clock_mono_ms();

	snapshot_facts(p->link, &p->watch, now_ms, f);
	get_history(p, &f->history);
	get_logs(p, &f->logs);
	add_disk(DISK_STATE, "state_dir", conf->state_dir, now_ms, f);
	add_disk(DISK_LOG, "log_dir", conf->log_dir, now_ms, f);
	f->is_calibration_unsaved = p->calibration->has_warned;
}

/* --- as JSON -------------------------------------------------------------- */

static void
put_workers(struct jout *j, const struct health_facts *f)
{
	jout_key(j, "workers");
	jout_obj(j);
	jout_kv_int(j, "expected", f->workers_expected);
	jout_kv_int(j, "ready", f->workers_ready);
	jout_kv_int(j, "silent", f->workers_silent);
	jout_kv_int(j, "starting", f->workers_starting);
	jout_kv_int(j, "draining", f->workers_draining);
	jout_kv_int(j, "oldest_heartbeat_ms", MAX(f->oldest_beat_ms, 0));
	jout_obj_end(j);
}

static void
put_hosts(struct jout *j, const struct health_facts *f)
{
	jout_key(j, "hosts");
	jout_arr(j);
	for (size_t i = 0; i < f->nhosts; i++) {
		const struct health_host *const h = &f->hosts[i];

		jout_obj(j);
		jout_kv_span(j, "name", h->name);
		jout_kv_int(j, "addresses", (int64_t)h->addresses);
		if (h->addresses > 0 && !h->is_constant)
			jout_kv_int(j, "resolved_s_ago", h->age_ms / 1000);
		jout_obj_end(j);
	}
	jout_arr_end(j);
}

static void
put_upstreams(struct jout *j, const struct health_facts *f)
{
	jout_key(j, "upstreams");
	jout_arr(j);
	for (size_t i = 0; i < f->nupstreams; i++) {
		const struct health_upstream *const u = &f->upstreams[i];

		jout_obj(j);
		jout_kv_cstr(j, "dialect", u->dialect);
		jout_kv_span(j, "base", u->base);
		jout_kv_int(j, "window_s", WATCH_WINDOW_MS / 1000);
		jout_kv_int(j, "answers", (int64_t)u->recent.answers);
		jout_kv_int(j, "errors", (int64_t)u->recent.refusals);
		jout_kv_int(j, "unanswered", (int64_t)u->recent.silences);
		if (u->answered_ago_ms >= 0)
			jout_kv_int(j, "last_answer_s_ago",
				u->answered_ago_ms / 1000);
		if (u->failed_ago_ms >= 0)
			jout_kv_int(j, "last_failure_s_ago",
				u->failed_ago_ms / 1000);
		jout_obj_end(j);
	}
	jout_arr_end(j);
}

static void
put_written(struct jout *j, const char *key, const struct health_history *s)
{
	jout_key(j, key);
	jout_obj(j);
	jout_kv_bool(j, "on", s->is_on);
	jout_kv_bool(j, "written", s->is_on && s->is_written);
	if (!s->is_written)
		jout_kv_cstr(j, "why", s->why);
	jout_kv_int(j, "lost", (int64_t)s->lost);
	jout_obj_end(j);
}

static void
put_disks(struct jout *j, const struct health_facts *f)
{
	jout_key(j, "disks");
	jout_arr(j);
	for (size_t i = 0; i < f->ndisks; i++) {
		const struct health_disk *const d = &f->disks[i];

		jout_obj(j);
		jout_kv_cstr(j, "key", d->key);
		jout_kv_span(j, "path", d->path);
		if (d->error != 0) {
			jout_kv_cstr(j, "error", d->error_text);
		} else if (d->is_known) {
			jout_kv_int(j, "free_bytes", (int64_t)d->free_bytes);
			jout_kv_int(j, "total_bytes", (int64_t)d->total_bytes);
		}
		if (d->waits_ms >= 1000)
			jout_kv_int(j, "no_answer_for_s", d->waits_ms / 1000);
		jout_obj_end(j);
	}
	jout_arr_end(j);
}

static void
put_clock(struct jout *j, const struct health_facts *f)
{
	jout_key(j, "clock");
	jout_obj(j);
	jout_kv_int(j, "now_s", f->wall_s);
	if (f->jump_us != 0) {
		jout_kv_int(j, "jumped_s", f->jump_us / 1000000);
		jout_kv_int(j, "jumped_s_ago", f->jumped_ago_ms / 1000);
	}
	jout_obj_end(j);
}

static void
put_verdict(struct jout *j, const struct health *h)
{
	jout_kv_cstr(j, "status", health_word(h->status));
	jout_key(j, "reasons");
	jout_arr(j);
	for (size_t i = 0; i < h->nreasons; i++)
		jout_cstr(j, h->reasons[i]);
	jout_arr_end(j);
}

/* Enough for load balancers, and no more. */
void
page_health_short(const struct pages *p, const struct http_request *request,
	struct http_answer *a)
{
	struct health_facts f;
	struct health h;
	struct jout j;

	(void)request;
	page_get_facts(p, &f);
	health_judge(&f, &h);
	a->status = health_http_status(h.status);
	jout_init(&j, &a->body);
	jout_obj(&j);
	jout_kv_cstr(&j, "status", health_word(h.status));
	jout_obj_end(&j);
	buf_putc(&a->body, '\n');
}

void
page_health(const struct pages *p, const struct http_request *request,
	struct http_answer *a)
{
	const struct shm *const m = p->link->shm;
	struct health_facts f;
	struct health h;
	struct jout j;

	(void)request;
	page_get_facts(p, &f);
	health_judge(&f, &h);
	a->status = health_http_status(h.status);
	jout_init(&j, &a->body);
	jout_obj(&j);
	put_verdict(&j, &h);
	jout_kv_cstr(&j, "version", GLMPROXY_VERSION);
	jout_kv_int(&j, "uptime_s", page_uptime_s(m));
	jout_kv_int(
		&j, "generation", atomic_load(&link_slot(p->link)->generation));
	jout_kv_bool(&j, "draining", f.is_stopping || f.is_drained);
	put_workers(&j, &f);
	jout_kv_int(&j, "restarts", atomic_load(&m->restarts));
	put_hosts(&j, &f);
	put_upstreams(&j, &f);
	put_written(&j, "history", &f.history);
	put_written(&j, "logs", &f.logs);
	put_disks(&j, &f);
	put_clock(&j, &f);
	jout_kv_bool(&j, "calibration_saved", !f.is_calibration_unsaved);
	jout_obj_end(&j);
	buf_putc(&a->body, '\n');
}
