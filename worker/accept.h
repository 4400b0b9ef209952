/* SPDX-License-Identifier: MIT */
/*
 * accept.h - taking connections from the listeners that all workers share.
 *
 * EPOLLEXCLUSIVE alone gives slowly arriving connections all to one worker, so
 * a worker that holds clearly more than the least loaded one looks away until
 * the others have caught up. It also looks away when it is full or out of
 * descriptors.
 */
#ifndef WORKER_ACCEPT_H
#define WORKER_ACCEPT_H

#include "worker/worker.h"

struct acceptor;

/* Begin to accept on all listeners of the link. */
struct acceptor *acceptor_new(struct worker *w);
/* Stop for good (draining). Does not close the descriptors. */
void acceptor_stop(struct acceptor *a);
void acceptor_free(struct acceptor **a);

#endif
