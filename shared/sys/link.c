/* SPDX-License-Identifier: MIT */
/* link.c - the child's half of the protocol with the master. */
#include "shared/sys/link.h"

#include <errno.h>
#include <unistd.h>

#include "shared/sys/clock.h"
#include "shared/sys/log.h"

static bool
tell(const struct link *link, enum link_order order)
{
	const char byte = (char)order;
	ssize_t n;

	do
		n = write(link->ready_fd, &byte, 1);
	while (n < 0 && errno == EINTR);
	return n == 1;
}

void
link_ready(const struct link *link)
{
	struct shm_slot *const slot = link_slot(link);

	link_beat(link, clock_mono_ms());
	atomic_store(&slot->state, SHM_READY);
	/* No reader: the master is gone, which the dead pipe tells. */
	if (!tell(link, LINK_READY))
		log_warn("ready byte");
}

bool
link_order(const struct link *link, enum link_order order)
{
	return tell(link, order);
}

void
link_beat(const struct link *link, int64_t now_ms)
{
	atomic_store_explicit(
		&link_slot(link)->heartbeat_ms, now_ms, memory_order_relaxed);
}
