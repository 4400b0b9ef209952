/* SPDX-License-Identifier: MIT */
/*
 * turn.h - whose turn it is: requests in flight for a key, over all workers.
 *
 * With key_concurrency an upstream never has more requests of one key than
 * that, whichever workers they are at (permits.h). Who comes when it is reached
 * waits. The queue is one for all workers, in the order of arrival: a request
 * gets a ticket from a counter that they share, each worker shows the ticket of
 * its own first, and only who has the lowest of all may try. Not by client in
 * turn: clients open a connection for each request, and most have a key of
 * their own, so that the key is the client. A worker that has not shown for two
 * seconds that it is alive is passed over.
 *
 * A worker whose request ends gives the permit to its own first, if that is the
 * first of all; otherwise another worker has to notice: while anybody waits
 * here, it is looked every TURN_POLL_MS. Answers take seconds; waking each
 * other by descriptors would need one more for every worker, handed over at
 * every upgrade, to save two milliseconds of them.
 *
 * While workers of two program versions whose shared memory differs serve side
 * by side, after an upgrade, each version counts for itself.
 */
#ifndef WORKER_TURN_H
#define WORKER_TURN_H

#include "shared/base/list.h"
#include "shared/sys/ev.h"
#include "shared/sys/link.h"
#include "shared/sys/permits.h"

#define TURN_POLL_MS 4

struct turns; /* a worker's */

/* One request. Zero is none; embedded in its owner. */
struct turn {
	struct list link;
	struct permits_row *row; /* while it waits or holds */
	uint64_t ticket;         /* 0: it has never waited */
	void (*go)(struct turn *t);
};

enum turn_answer {
	TURN_GO,    /* it holds a permit */
	TURN_WAITS, /* go will be called, once, when it holds one */
	TURN_FULL   /* too many wait already */
};

struct turns *turns_new(struct ev *ev, const struct link *link);
/* Asserts that nobody waits or holds. */
void turns_free(struct turns **ts);

/* The hash by which a key is known: its first eight digits are the key's tag
 * (secret_tag). */
uint64_t turn_key_of(const struct secret *key);

/* Ask for a permit. go is called from the loop, never from within this. A
 * ticket that t has already is kept: it waits where it would have been. Cost: a
 * look at every worker's row of the key. */
enum turn_answer turn_ask(struct turns *ts, struct turn *t, uint64_t key,
	void (*go)(struct turn *t));
/* The same without waiting: nothing is taken unless there is one. */
bool turn_try(struct turns *ts, struct turn *t, uint64_t key);
/* It waits no longer, or gives its permit back. Nothing for one that does
 * neither. */
void turn_end(struct turns *ts, struct turn *t);
/* The permit passes to another holder. */
void turn_move(struct turn *to, struct turn *from);

#endif
