/* SPDX-License-Identifier: MIT */
/*
 * ring.h - a queue of entries of any length between two processes.
 *
 *	bytes   |........| mark entry | mark entry | mark entry |.......|
 *	                 ^ tail                                 ^ head
 *
 * One writer, one reader, no lock and no system call: head and tail count bytes
 * since the beginning and never go back. head is what commits: it is stored
 * when all of an entry is there, so that one which its writer did not finish is
 * never seen. A ring passes from a dead process to the next as it is, with what
 * was not read yet. Whenever it is empty, the writer goes on at the first byte:
 * only as much memory is ever touched as was waiting at once.
 *
 * Nothing that stands in it is believed: positions and lengths are checked, an
 * entry is copied before it is looked at, and its mark tells where it belongs.
 */
#ifndef SYS_RING_H
#define SYS_RING_H

#include <stdatomic.h>

#include "shared/base/span.h"

#define RING_BYTES     (4u << 20)
#define RING_ENTRY_MAX 4096 /* bytes; longer ones are cut */

struct ring {
	/* The writer's. */
	_Atomic uint64_t head;
	_Atomic uint64_t base; /* a position that is at the first byte */
	_Atomic uint64_t puts; /* entries ever */
	/* The reader's. */
	_Atomic uint64_t tail __attribute__((aligned(128)));
	_Atomic uint64_t gets;
	char bytes[RING_BYTES] __attribute__((aligned(4096)));
};

enum ring_put {
	RING_PUT,
	RING_CUT, /* put, but without its end */
	RING_FULL /* not put */
};

/* Writer: it begins. Puts right what its predecessor may have spoilt. */
void ring_resume(struct ring *r);

/* Writer: append an entry. Cost: a copy of it. */
enum ring_put ring_put(struct ring *r, struct span entry);

/* What a reader does at one go. */
struct ring_reader {
	struct ring *ring;
	uint64_t at, end; /* positions */
	uint64_t base;
	uint64_t ngot;
	/* Entries that were given up, since the ring is spoilt. */
	uint64_t nspoilt;
};

/* Reader: what is there now is to be read. */
void ring_begin(struct ring_reader *k, struct ring *r);
/* The next entry, a copy in `room`; false if there is none. */
bool ring_next(struct ring_reader *k, char room[RING_ENTRY_MAX],
	struct span *entry) GP_WUR;
/* The room of what was read is the writer's again. */
void ring_end(struct ring_reader *k);

/* Anyone: nothing is waiting. */
bool ring_is_empty(const struct ring *r);
/* Anyone: bytes that are waiting, at most RING_BYTES. */
uint32_t ring_waiting(const struct ring *r);

#endif
