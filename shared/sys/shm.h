/* SPDX-License-Identifier: MIT */
/*
 * shm.h - the shared memory of all processes: a memfd that outlives re-exec
 *and, where the service manager keeps it, the service's processes.
 *
 *	header | hosts | calibration | usage | quota | retired | slot 0 | ...
 *	... | ring of slot 0 | ring of slot 1 | ...
 *	... | live chats of slot 0 | live chats of slot 1 | ...
 *	... | permits of slot 0 | permits of slot 1 | ...
 *
 * One writer per word: a worker its slot, admin the addresses, the master the
 * rest; only what has been learned of token counts (calib.h), what clients have
 * used (usage.h) and what upstreams said of limits (quota.h) is everybody's. A
 *slot belongs to one child from fork to reap; then the master adds its counters
 *to the retired totals and clears it, so nothing is lost or counted twice.
 *Readers treat everything as hostile: indices and lengths are checked at every
 *use. Slots are 128-byte aligned.
 *
 * Each slot has a ring (ring.h), written by the child whose slot it is and read
 * by the admin process. It stays as it is when the child is gone: what was not
 * read then is read later, also behind what the slot's next child has written.
 * The rings, the tables of live chats (live.h) and of permits (permits.h) are
 *no part of struct shm; what nobody has touched of them is no memory.
 */
#ifndef SYS_SHM_H
#define SYS_SHM_H

#include <sys/types.h>

#include "shared/base/err.h"
#include "shared/sys/calib.h"
#include "shared/sys/live.h"
#include "shared/sys/metrics.h"
#include "shared/sys/permits.h"
#include "shared/sys/quota.h"
#include "shared/sys/ring.h"
#include "shared/sys/sock.h"
#include "shared/sys/usage.h"

#define SHM_SLOTS     160 /* two generations of 64 workers, admins, spares */
#define SHM_HOSTS     8
#define SHM_ADDRS     8
#define SHM_PANIC_MAX 512

enum shm_role {
	SHM_FREE,
	SHM_WORKER,
	SHM_ADMIN
};

enum shm_state {
	SHM_STARTING,
	SHM_READY,
	SHM_DRAINING
};

struct shm_slot {
	_Atomic int32_t pid; /* written by the master */
	_Atomic uint32_t role;
	_Atomic uint32_t generation;
	_Atomic uint32_t state;       /* written by the child, as all below */
	_Atomic int64_t heartbeat_ms; /* clock_mono_ms */
	_Atomic uint32_t connections; /* for accept balance */
	_Atomic uint32_t has_permits; /* its table of them is used */
	struct metrics metrics;
	char panic[SHM_PANIC_MAX];
} __attribute__((aligned(128)));

/* Addresses of one upstream name; a seqlock (odd while being written). */
struct shm_host {
	_Atomic uint32_t version;
	_Atomic uint32_t count;
	_Atomic int64_t resolved_ms; /* 0: never */
	char name[256];
	struct sock_addr addrs[SHM_ADDRS]; /* port 0 */
} __attribute__((aligned(128)));

struct shm {
	uint64_t magic;
	uint64_t layout;                 /* hash of sizes and of metrics.def */
	_Atomic uint32_t generation;     /* newest */
	_Atomic uint32_t restarts;       /* children that died unasked */
	_Atomic int64_t started_wall_us; /* the service */
	_Atomic int64_t counted_wall_us; /* since when figures count */
	_Atomic uint32_t draining;       /* 1: the service is stopping */
	_Atomic uint64_t retirement;     /* see shm.c */
	_Atomic uint32_t slots_used; /* the first so many were ever claimed */
	_Atomic uint32_t drained;    /* 1: load balancers are to send nothing */
	/* Another number: stderr, if it is a file of ours, is to be opened
	 * anew. */
	_Atomic uint32_t log_epoch;
	/* Admin: how often it has rotated that file. */
	_Atomic uint32_t log_rotations;
	_Atomic uint64_t tickets; /* of requests that wait: everybody's */
	/* Masters that have begun with it and not been up since: shm_succeed.
	 */
	_Atomic uint32_t heirs;
	struct shm_host hosts[SHM_HOSTS];
	struct calib calib __attribute__((aligned(128)));
	struct usage usage __attribute__((aligned(128)));
	struct quota quota __attribute__((aligned(128)));
	struct metrics retired[2] __attribute__((aligned(128)));
	struct shm_slot slots[SHM_SLOTS];
};

/* A fresh mapping; *fd is its memfd (close-on-exec). NULL with *err. */
struct shm *shm_create(int *fd, struct gp_error *err) GP_WUR;
/* Map what a previous program image left. NULL with *err when it is not ours
 * or its layout differs (then a fresh one is made and figures start anew). */
struct shm *shm_attach(int fd, struct gp_error *err) GP_WUR;
/* Master: the same with what a dead master left, whose children are dead, too.
 * Their figures go to the retired totals; what is in the rings stays. Also NULL
 * when the last few masters who began with it never came to be up: it may be
 * what they died of. */
struct shm *shm_succeed(int fd, struct gp_error *err) GP_WUR;
/* As shm_attach, read-only, for lookers-on. */
const struct shm *shm_peek(int fd, struct gp_error *err) GP_WUR;
void shm_detach(const struct shm *m);

/* Master: claim a free slot for a child / give its figures to the retired
 * totals and free it. claim returns the index, or -1 when all are taken; the
 * caller stores the pid after its fork. Slots whose ring has been read to its
 * end come first. retire wipes the panic text too. */
int shm_claim(struct shm *m, enum shm_role role, uint32_t generation) GP_WUR;
void shm_retire(struct shm *m, int slot);

/* The ring of a slot. m must be of shm_create or shm_attach. */
struct ring *shm_ring(struct shm *m, int slot);
/* The live chats of a slot; they mean something while its role is a worker's.
 * The second is for the worker itself, as above. */
const struct live *shm_live(const struct shm *m, int slot);
struct live *shm_live_mut(struct shm *m, int slot);
/* The permits of a slot, nothing in them unless its has_permits is 1. */
const struct permits *shm_permits(const struct shm *m, int slot);
struct permits *shm_permits_mut(struct shm *m, int slot);

/* All counters ever, gauges of the living. Cost: one pass over the slots. */
void shm_totals(const struct shm *m, struct metrics *out);

/* Admin: names to be resolved are put here by the master before it forks
 * (which entry is whose: link.h). Publish addresses: */
void shm_host_set(struct shm_host *h, const struct sock_addr *addrs, size_t n,
	int64_t now_ms);
/* Anyone: a consistent copy; returns the number of addresses (0: not yet
 * resolved). Never waits: after a few failed tries answers 0. */
size_t shm_host_get(const struct shm_host *h, struct sock_addr out[SHM_ADDRS]);

/* Install check.h's hook so that last words land in the slot. */
void shm_catch_panic(struct shm_slot *slot);

#endif
