/* SPDX-License-Identifier: MIT */
/* snapshot.h - the state of all processes as the shared memory shows it. */
#ifndef ADMIN_SNAPSHOT_H
#define ADMIN_SNAPSHOT_H

#include "admin/health.h"
#include "shared/sys/link.h"

/* Names are views into link->shm's hosts, which belong to this generation for
 * as long as this process lives. recent_deaths is the caller's. */
void snapshot_facts(const struct link *link, int64_t now_ms,
	uint32_t recent_deaths, struct health_facts *out);

#endif
