/* SPDX-License-Identifier: MIT */
/*
 * handover.h - what one image of the program leaves to the next in the same
 * process: descriptors, children, kept settings and secrets.
 *
 * Written as text into a sealed memfd, whose number is in one environment
 * variable together with the pid that it is meant for. The reader closes the
 * memfd and removes the variable. Entries that it does not know are skipped, so
 * that versions can differ.
 */
#ifndef MASTER_HANDOVER_H
#define MASTER_HANDOVER_H

#include <sys/types.h>

#include "master/listen.h"
#include "master/sources.h"
#include "shared/sys/shm.h"

#define HANDOVER_VARIABLE "GLMPROXY__HANDOVER"
#define HANDOVER_KEPT_MAX 32

struct handover_child {
	enum shm_role role;
	unsigned number;
	pid_t pid;
	int slot;           /* in shm; -1: none */
	int64_t kill_at_ms; /* 0: it was not told to leave */
};

struct handover {
	int shm_fd, lock_fd, pid_fd; /* -1: none */
	int dead_pipe[2];
	struct listeners listeners;
	struct handover_child children[SHM_SLOTS];
	size_t nchildren;
	char *kept[HANDOVER_KEPT_MAX]; /* config_keep_restart_entry */
	size_t nkept;
	bool is_drained; /* load balancers are to send nothing */
};

void handover_init(struct handover *h);
/* Frees memory; the descriptors are the caller's. */
void handover_fini(struct handover *h);

/* A sealed memfd (close-on-exec) that holds h and the key of s; h may be NULL
 * (the key only). -1 with *err. */
int handover_save(const struct handover *h, const struct sources *s,
	struct gp_error *err) GP_WUR;
/* Name the memfd in the environment, for process pid. */
enum gp_code handover_announce(int fd, pid_t pid, struct gp_error *err) GP_WUR;

/*
 * Take what the environment announces: a key goes to s, the rest to h.
 *
 * False, with h empty, when nothing was left to this process. True with
 * h->shm_fd == -1 when at most a key was.
 */
bool handover_take(struct handover *h, struct sources *s);

#endif
