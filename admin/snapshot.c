/* SPDX-License-Identifier: MIT */
/* snapshot.c - the state of all processes as the shared memory shows it. */
#include "admin/snapshot.h"

#include <string.h>

#include "admin/resolver.h"

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
		break;
	case SHM_DRAINING:
		f->workers_draining++;
		break;
	default:
		f->workers_starting++;
		break;
	}
}

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

void
snapshot_facts(const struct link *link, int64_t now_ms, uint32_t recent_deaths,
	struct health_facts *out)
{
	const struct shm *const m = link->shm;

	*out = (struct health_facts){
		.workers_expected = (unsigned)link->conf->workers,
		.recent_deaths = recent_deaths,
		.is_stopping = atomic_load(&m->draining) != 0,
	};
	for (size_t i = 0; i < SHM_SLOTS; i++)
		if (atomic_load(&m->slots[i].role) == SHM_WORKER)
			count_worker(&m->slots[i], now_ms, out);
	for (size_t i = resolver_first(link); i < link->nhosts; i++)
		add_host(&m->hosts[link->hosts[i]], now_ms, out);
}
