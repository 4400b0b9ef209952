/* SPDX-License-Identifier: MIT */
/* link.c - the child's half of the protocol with the master. */
#include "shared/sys/link.h"

#include <errno.h>
#include <unistd.h>

#include "shared/sys/clock.h"
#include "shared/sys/log.h"

void
link_ready(const struct link *link)
{
	struct shm_slot *const slot = link_slot(link);
	ssize_t n;

	link_beat(link, clock_mono_ms());
	atomic_store(&slot->state, SHM_READY);
	do
		n = write(link->ready_fd, "R", 1);
	while (n < 0 && errno == EINTR);
	/* No reader: the master is gone, which the dead pipe tells. */
	if (n != 1)
		log_warn("ready byte");
}

void
link_beat(const struct link *link, int64_t now_ms)
{
	atomic_store_explicit(
		&link_slot(link)->heartbeat_ms, now_ms, memory_order_relaxed);
}
