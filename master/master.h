/* SPDX-License-Identifier: MIT */
/*
 * master.h - the process that starts the others and looks after them.
 *
 *	master.c   opening everything, the loop, signals, stopping
 *	reload.c   generations: bringing up, taking over, giving up
 *	upgrade.c  another image of the program in the same process
 *
 * It never reads a request. Everything is in one loop on one thread.
 */
#ifndef MASTER_MASTER_H
#define MASTER_MASTER_H

#include "master/children.h"
#include "master/handover.h"
#include "master/paths.h"
#include "shared/vocab_file.h"

struct master_options {
	struct sources *sources;
	struct handover *handover; /* NULL: a fresh start */
	const char *program;       /* path for an upgrade */
	int started_fd; /* gets a byte once the service is up; -1: none */
};

struct master {
	struct master_options options;
	char pid_file[PATH_MAX];
	char user[256], group[256];
	int shm_fd, lock_fd, pid_fd;
	struct shm *shm;
	struct vocab_file vocab;
	struct listeners listeners;
	struct children children;

	struct generation *live; /* whose places are kept filled */
	struct generation *next; /* being brought up by a reload, or NULL */
	bool is_up;              /* live has taken over */
	bool wants_reload, wants_upgrade;
	bool has_told_barred;
	uint32_t log_rotations; /* of shm, as seen last */

	pid_t upgrade_pid; /* the new program checking itself; 0: none */
	int64_t upgrade_until_ms;

	bool is_stopping;
	bool is_over;
	int exit_code;
	int64_t stop_until_ms;
};

/* The whole life; returns the exit code of commands.h. Logs its errors. */
int master_run(const struct master_options *options);

/* Signals of the commands `drain` and `undrain`. */
#define MASTER_SIGNAL_DRAIN   (SIGRTMIN + 1)
#define MASTER_SIGNAL_UNDRAIN (SIGRTMIN + 2)

/* The row of a role in the table of children. */
const struct child_row *master_row(enum shm_role role);

/* reload.c */

/* Start a generation of children for conf, which is taken, also on failure. */
struct generation *generation_start(struct master *m, struct conf *conf,
	int64_t now_ms, struct gp_error *err) GP_WUR;
void generation_free(struct generation **g);
/* Read the configuration again and bring up a generation for it. */
void reload_begin(struct master *m, int64_t now_ms);
/* Let a generation that is up take over; give up one that cannot come up. */
void reload_turn(struct master *m, int64_t now_ms);

/* upgrade.c */

/* Let the program file check the configuration; then become it. */
void upgrade_begin(struct master *m, int64_t now_ms);
/* The check has ended. Does not return if the upgrade goes on. */
void upgrade_checked(struct master *m, int status, int64_t now_ms);
/* Give up a check that takes too long. */
void upgrade_turn(struct master *m, int64_t now_ms);
/* Make the children and the rest of an earlier image ours. */
void upgrade_adopt(struct master *m, const struct handover *h);

#endif
