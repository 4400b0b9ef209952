/* SPDX-License-Identifier: MIT */
/* exposition.h - all figures as Prometheus reads them. */
#ifndef ADMIN_EXPOSITION_H
#define ADMIN_EXPOSITION_H

#include "admin/health.h"
#include "shared/sys/link.h"

/* Text format 0.0.4: the sums of all processes that ever were, what is counted
 * by model, the state of the service, and for each worker that lives what it
 * does, labelled by its slot in the shared memory. Cost: one pass over the
 * slots. */
void exposition_put(const struct link *link, const struct health_facts *f,
	bool is_healthy, int64_t uptime_s, struct buf *out);

#endif
