/* SPDX-License-Identifier: MIT */
/*
 * permits.h - how many requests each worker has in flight for a key, and who
 * waits.
 *
 * A table a worker in shared memory, written by that worker alone: a row for
 * each key of an upstream that it has requests of, in flight or waiting. How
 * many are in flight in all is the sum over the tables of all workers. So there
 * is no sum that could be wrong after a death: what a worker held is in its own
 * table, and the master's clearing of that table gives all of it back, at
 * whatever instruction the worker died.
 *
 * Taking one: add to the own row, then add up all. Both are sequentially
 * consistent, so of two workers that take the last one at the same time at
 * least one sees the other; it gives back what it took (worker/turn.h). There
 * are never more than the limit, and nobody waits for anybody's store.
 *
 * Keys are known by a hash. Nothing that stands in another's table is believed:
 * figures are brought into their range.
 */
#ifndef SYS_PERMITS_H
#define SYS_PERMITS_H

#include <stdatomic.h>
#include <stdint.h>

#include "shared/base/defs.h"
#include "shared/base/span.h"

/* A key is looked for at so many places behind the one that its hash names; a
 * worker that finds all of them taken by other keys refuses the request. */
#define PERMITS_PLACES 1024 /* a power of two */
#define PERMITS_PROBES 16
#define PERMITS_ROWS   (PERMITS_PLACES + PERMITS_PROBES)
/* More than that of a key no worker can have. */
#define PERMITS_MAX 1000000

struct permits_row {
	_Atomic uint64_t key;   /* 0: free */
	_Atomic uint64_t first; /* ticket of who waits longest; 0: nobody */
	_Atomic uint32_t held;  /* in flight */
	_Atomic uint32_t waiting;
};

struct permits {
	struct permits_row rows[PERMITS_ROWS];
};

/* What a table says of a key. */
struct permits_seen {
	uint32_t held, waiting;
	uint64_t first;
};

/* The row of a key in one's own table, made if there is none; NULL if there is
 * no place. key is not 0. */
struct permits_row *permits_row(struct permits *own, uint64_t key);
/* The row is free again if nothing is in it. */
void permits_leave(struct permits_row *row);

/* Anybody's table: nothing of the key is { 0 }. */
struct permits_seen permits_look(const struct permits *t, uint64_t key);
/* The same by place, below PERMITS_ROWS; false if it is free. */
bool permits_at(const struct permits *t, size_t at, uint64_t *key,
	struct permits_seen *out) GP_WUR;

/* Master: the worker is dead. */
void permits_clear(struct permits *t);

#endif
