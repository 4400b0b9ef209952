/* SPDX-License-Identifier: MIT */
/*
 * link.h - what a child gets from the master and owes to it.
 *
 *   ready pipe  child writes one byte when it serves; none within
 *               LINK_READY_MS is a failed start. Later the admin process may
 *               write what an operator has asked it for: enum link_order
 *   dead pipe   the master holds the only write end: EOF there means the
 *               master is gone, and the child leaves
 *   heartbeat   the child's slot, at least every LINK_BEAT_MS; a worker silent
 *               for LINK_STUCK_MS is killed
 *   signals     TERM: drain within stop_timeout_s and exit 0; QUIT: exit now;
 *               WINCH: drain within drain_timeout_s (an old generation)
 *   exit code   LOG_EXIT_BARRED: do not start me again
 */
#ifndef SYS_LINK_H
#define SYS_LINK_H

#include "shared/sys/conf.h"
#include "shared/sys/shm.h"

#define LINK_READY_MS      30000
#define LINK_BEAT_MS       1000
#define LINK_STUCK_MS      30000

#define LINK_LISTENERS_MAX 16
#define LINK_HOSTS_MAX     3

struct vocab;

struct link {
	const struct conf *conf;
	struct shm *shm;
	int slot; /* own slot in shm */
	int ready_fd, dead_fd;
	int listeners[LINK_LISTENERS_MAX]; /* of the child's own port */
	size_t nlisteners;
	/* Index in shm->hosts of upstream_base, openai_upstream_base and, if
	 * set, upstream_proxy. It is the position until a reload changes a
	 * name while processes of the older generation still use the entry. */
	uint8_t hosts[LINK_HOSTS_MAX];
	size_t nhosts;
	const struct vocab *vocab; /* for exact counts; NULL: there is none */
};

/* Entry points of the children: never return. Defined in worker/worker.c and
 * admin/admin.c; named only in the master's table. */
typedef void link_main_fn(const struct link *link);
_Noreturn void worker_main(const struct link *link);
_Noreturn void admin_main(const struct link *link);

/* Bytes on the ready pipe. The orders are the admin process's alone: the master
 * reads no others'. */
enum link_order {
	LINK_READY = 'R',
	LINK_DRAIN = 'D',
	LINK_UNDRAIN = 'U'
};

/* Write the ready byte and set the slot's state. */
void link_ready(const struct link *link);
/* Pass an order on to the master, which follows it within its next turn; false
 * if there is none that reads it (while the program is being replaced). */
bool link_order(const struct link *link, enum link_order order) GP_WUR;
/* Store the heartbeat. */
void link_beat(const struct link *link, int64_t now_ms);

static inline struct shm_slot *
link_slot(const struct link *link)
{
	return &link->shm->slots[link->slot];
}

#endif
