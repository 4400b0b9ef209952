/* SPDX-License-Identifier: MIT */
/* snapshot.h - the state of all processes as the shared memory shows it. */
#ifndef ADMIN_SNAPSHOT_H
#define ADMIN_SNAPSHOT_H

#include "admin/health.h"
#include "shared/sys/link.h"

/* What watch_take wants: the counters and clocks of this moment. */
void snapshot_sample(
	const struct link *link, int64_t now_ms, struct watch_sample *out);

/* Processes, names, upstreams and the clock. Names are views into link->shm's
 * hosts, which belong to this generation for as long as this process lives, and
 * into the configuration. */
void snapshot_facts(const struct link *link, const struct watch *w,
	int64_t now_ms, struct health_facts *out);

#endif
