/* SPDX-License-Identifier: MIT */
/* page_health.c - /health: the state of the processes. */
#include "admin/pages.h"
#include "admin/snapshot.h"
#include "shared/json/jout.h"
#include "shared/sys/clock.h"

int64_t
page_uptime_s(const struct shm *m)
{
	return (clock_wall_us() - atomic_load(&m->started_wall_us)) / 1000000;
}

void
page_get_facts(const struct pages *p, struct health_facts *f)
{
	const uint32_t restarts = atomic_load(&p->link->shm->restarts);

	snapshot_facts(p->link, clock_mono_ms(),
		deaths_recent(&p->deaths, restarts), f);
}

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
	jout_kv_cstr(&j, "status", health_word(h.status));
	jout_key(&j, "reasons");
	jout_arr(&j);
	for (size_t i = 0; i < h.nreasons; i++)
		jout_cstr(&j, h.reasons[i]);
	jout_arr_end(&j);
	jout_kv_cstr(&j, "version", GLMPROXY_VERSION);
	jout_kv_int(&j, "uptime_s", page_uptime_s(m));
	jout_kv_int(
		&j, "generation", atomic_load(&link_slot(p->link)->generation));
	jout_kv_bool(&j, "draining", f.is_stopping);
	put_workers(&j, &f);
	jout_kv_int(&j, "restarts", atomic_load(&m->restarts));
	put_hosts(&j, &f);
	jout_obj_end(&j);
	buf_putc(&a->body, '\n');
}
