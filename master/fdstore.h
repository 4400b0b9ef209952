/* SPDX-License-Identifier: MIT */
/*
 * fdstore.h - descriptors that the service manager keeps for us: the listening
 * sockets and the shared memory.
 *
 * It hands them to the next process, after a restart and after a crash: so that
 * no connection is refused meanwhile, and no figure and no record is lost.
 * When the service is stopped it drops them. Sockets of a socket unit come the
 * same way. spec: sd_listen_fds(3), sd_pid_notify_with_fds(3)
 */
#ifndef MASTER_FDSTORE_H
#define MASTER_FDSTORE_H

#include "master/listen.h"

/* Take what was handed over to this process, and forget the variables that say
 * so. Sockets are added to l, stored ones with the address they are bound to as
 * text; *memory_fd (close-on-exec, the caller's) stays as it is when there is
 * no memory. Unusable ones are dropped. */
void fdstore_take(struct listeners *l, int *memory_fd);

/* Have these kept and nothing else. Not Unix sockets, nor those that the
 * manager has chosen itself. Does nothing without a manager. */
void fdstore_keep(const struct listeners *l, int memory_fd);

#endif
