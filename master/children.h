/* SPDX-License-Identifier: MIT */
/*
 * children.h - the processes under the master: a table of places.
 *
 * What kinds there are is the caller's table of rows. Places belong to a
 * generation, i.e. to one reading of the configuration, and are refilled while
 * it lives. Places of older generations, and processes adopted from an earlier
 * image of the program, have none: they only ever empty.
 */
#ifndef MASTER_CHILDREN_H
#define MASTER_CHILDREN_H

#include <poll.h>
#include <sys/types.h>

#include "master/child_state.h"
#include "master/listen.h"
#include "master/sources.h"
#include "shared/sys/link.h"

/* Extra time for a child that ends by its own deadline. */
#define CHILDREN_GRACE_MS 1000

struct child_row {
	const char *name; /* in titles and log lines */
	enum shm_role role;
	enum listen_port port;
	bool is_numbered; /* "worker 3" */
	link_main_fn *main;
	bool gives_orders; /* its ready pipe is read on: link.h */
};

struct generation {
	uint32_t number;
	struct conf *conf;
	uint8_t hosts[LINK_HOSTS_MAX]; /* link.h */
	size_t nhosts;
};

struct child {
	const struct child_row *row;
	const struct generation *gen; /* NULL: not to be refilled */
	unsigned number;              /* from 0 */
	uint32_t hosts_used;          /* bit per entry of shm->hosts */
	pid_t pid;                    /* 0: none */
	int slot;                     /* in shm; -1: none */
	int ready_fd;                 /* -1: none */
	struct child_state state;
};

struct children {
	struct shm *shm;
	const struct listeners *listeners;
	const struct vocab *vocab; /* NULL: there is none */
	struct sources *sources;   /* wiped in children; may be NULL */
	const char *user, *group;
	int dead_pipe[2]; /* read end for children, write end is ours */
	struct child_limits limits;
	bool was_healthy; /* since when crashes do not throttle the service */
	int64_t last_turn_ms;
	int64_t beat_floor_ms; /* beats before this are not held against them */
	enum link_order order; /* LINK_DRAIN, LINK_UNDRAIN: to be followed */
	struct child v[SHM_SLOTS];
	size_t n;
};

/* Makes the dead pipe unless it has been set already. */
enum gp_code children_init(
	struct children *c, struct shm *shm, struct gp_error *err) GP_WUR;

/* `count` new places, to be filled at the next turn. False, and nothing done,
 * when there is no room. */
bool children_add(struct children *c, const struct generation *gen,
	const struct child_row *row, unsigned count, int64_t now_ms) GP_WUR;
/* A child of an earlier image of this program. kill_at_ms: 0, or it has been
 * told to leave and is killed then. */
void children_adopt(struct children *c, const struct child_row *row,
	unsigned number, pid_t pid, int slot, int64_t kill_at_ms);

/* Do what is due: start, abort, kill; drop empty places. Returns when to call
 * again at the latest. */
int64_t children_turn(struct children *c, int64_t now_ms);

/* Ready bytes and orders: descriptors to wait for (returns how many) and
 * reading them. The last order is left in c->order for the caller, who sets it
 * back to LINK_READY. */
size_t children_poll(const struct children *c, struct pollfd v[SHM_SLOTS]);
void children_read_ready(struct children *c, int64_t now_ms);

/* A pid that waitpid returned. False if it is none of ours. */
bool children_died(struct children *c, pid_t pid, int status, int64_t now_ms);

/* Send the signal and expect the child to leave until kill_at_ms. */
void children_tell(struct child *ch, int signal, int64_t kill_at_ms);

/* "worker 3" */
#define CHILD_NAME_MAX 32
void child_name(const struct child *ch, char out[CHILD_NAME_MAX]);

/* How a generation is doing. */
struct children_count {
	unsigned places, alive, ready, failed, barred;
};

/* Of this generation (NULL: of those without one) and role (SHM_FREE: all). */
struct children_count children_count(const struct children *c,
	const struct generation *gen, enum shm_role role);

/* child_start.c: fill the place. A failure to fork is a death. */
void child_start(struct children *c, struct child *ch, int64_t now_ms);

#endif
