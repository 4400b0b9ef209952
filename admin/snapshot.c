/* SPDX-License-Identifier: MIT */
/* snapshot.c - the state of all processes as the shared memory shows it. */
#include "admin/snapshot.h"

#include <stddef.h>
#include <string.h>

#include "admin/resolver.h"
#include "shared/sys/clock.h"
#include "shared/translate/dialect.h"

/* --- samples -------------------------------------------------------------- */

void
snapshot_sample(
	const struct link *link, int64_t now_ms, struct watch_sample *out)
{
	static struct metrics all;

	shm_totals(link->shm, &all);
	*out = (struct watch_sample){
		.now_ms = now_ms,
		.wall_us = clock_wall_us(),
		.boot_us = clock_boot_us(),
		.deaths = atomic_load(&link->shm->restarts),
		.losses = (uint32_t)(metrics_get(&all.records_lost) +
			metrics_get(&all.history_lost_loop) +
			metrics_get(&all.history_lost_thread) +
			metrics_get(&all.history_lost_died) +
			metrics_get(&all.history_lost_spoilt)),
		.lines = (uint32_t)(metrics_get(&all.log_lost_loop) +
			metrics_get(&all.log_lost_disk) +
			metrics_get(&all.log_lost_died)),
	};
	for (size_t i = 0; i < METRICS_DIALECTS; i++)
		out->upstreams[i] = (struct watch_outcomes){
			.answers = metrics_get(&all.upstream_answers[i]),
			.refusals = metrics_get(&all.upstream_refusals[i]),
			.silences = metrics_get(&all.upstream_silences[i]),
		};
}

/* --- processes ------------------------------------------------------------ */

static void
count_worker(const struct shm_slot *s, int64_t now_ms, struct health_facts *f)
{
	const int64_t beat_ms = atomic_load(&s->heartbeat_ms);

	/* A child wrote the state: other values count as starting. */
	switch (atomic_load(&s->state)) {
	case SHM_READY:
		if (now_ms - beat_ms > HEALTH_SILENT_MS)
			f->workers_silent++;
		else
			f->workers_ready++;
		f->oldest_beat_ms = MAX(f->oldest_beat_ms, now_ms - beat_ms);
		break;
	case SHM_DRAINING:
		f->workers_draining++;
		break;
	default:
		f->workers_starting++;
		break;
	}
}

/* --- upstreams ------------------------------------------------------------ */

static void
add_host(const struct shm_host *h, int64_t now_ms, struct health_facts *f)
{
	struct sock_addr addrs[SHM_ADDRS];
	struct health_host *const host = &f->hosts[f->nhosts++];

	host->name = span_of(h->name, strnlen(h->name, sizeof(h->name)));
	host->addresses = shm_host_get(h, addrs);
	host->age_ms = MAX(now_ms - atomic_load(&h->resolved_ms), 0);
	host->is_constant = resolver_is_constant(host->name);
}

/* Where each dialect's upstream stands in struct conf. */
static const size_t bases[] = {
#define DIALECT(object, base, expected, overflow) offsetof(struct conf, base),
#include "shared/translate/dialects.def"
#undef DIALECT
};

static int64_t
ago_ms(int64_t then_ms, int64_t now_ms)
{
	return then_ms == 0 ? -1 : MAX(now_ms - then_ms, 0);
}

static void
add_upstream(const struct conf *conf, size_t i, const struct watch_upstream *w,
	int64_t now_ms, struct health_facts *f)
{
	const char *const at = (const char *)conf + bases[i];

	f->upstreams[f->nupstreams++] = (struct health_upstream){
		.dialect = dialects[i]->name,
		.base = *(const struct span *)(const void *)at,
		.recent = watch_recent(w),
		.answered_ago_ms = ago_ms(w->answered_ms, now_ms),
		.failed_ago_ms = ago_ms(w->failed_ms, now_ms),
	};
}

void
snapshot_facts(const struct link *link, const struct watch *w, int64_t now_ms,
	struct health_facts *out)
{
	const struct shm *const m = link->shm;

	*out = (struct health_facts){
		.workers_expected = (unsigned)link->conf->workers,
		.recent_deaths =
			deaths_recent(&w->deaths, atomic_load(&m->restarts)),
		.is_stopping = atomic_load(&m->draining) != 0,
		.is_drained = atomic_load(&m->drained) != 0,
		.wall_s = clock_wall_us() / 1000000,
		.jump_us = w->jump_us,
		.jumped_ago_ms = now_ms - w->jumped_ms,
	};
	for (size_t i = 0; i < SHM_SLOTS; i++)
		if (atomic_load(&m->slots[i].role) == SHM_WORKER)
			count_worker(&m->slots[i], now_ms, out);
	for (size_t i = resolver_first(link); i < link->nhosts; i++)
		add_host(&m->hosts[link->hosts[i]], now_ms, out);
	for (size_t i = 0; i < MIN(ndialects, METRICS_DIALECTS); i++)
		add_upstream(link->conf, i, &w->upstreams[i], now_ms, out);
}
