/* SPDX-License-Identifier: MIT */
/* logs_private.h - what the halves of the log files' writer share. */
#ifndef ADMIN_LOGS_PRIVATE_H
#define ADMIN_LOGS_PRIVATE_H

#include <limits.h>
#include <pthread.h>

#include "admin/logs.h"
#include "admin/logs_bodies.h"
#include "admin/logs_lines.h"
#include "shared/sys/logdir.h"
#include "shared/sys/logfile.h"
#include "shared/sys/loggzip.h"

#define LOGS_SPOOL_MAX (8u << 20)
#define LOGS_JSON      4 /* logs of JSON lines: the first of enum logname_log */

struct logs {
	const struct link *link;
	struct metrics *metrics; /* each word is one thread's */
	pthread_t thread;

	pthread_mutex_t mutex; /* held for a copy, for what is below */
	pthread_cond_t wakes;
	struct buf spool; /* struct logs_entry, its bytes, and so on */
	bool is_our_turn;
	bool stops;
	char why[256]; /* lines cannot be written; empty: they can */
};

struct logs_entry {
	uint16_t size;
	uint16_t slot;
};

/* One log and what waits for being written. */
struct logs_sink {
	struct logfile file;
	struct buf lines;
	_Atomic uint64_t *written; /* metric */
};

/* What a compression or a clean-up has still to do. */
enum logs_chore {
	LOGS_IDLE,
	LOGS_SWEEP,  /* after a rotation */
	LOGS_CLEANUP /* the same, and what is too old */
};

struct logs_keep {
	enum logs_chore chore;
	bool is_zipping;     /* and we hold the lock */
	bool has_complained; /* of a file that cannot be compressed */
	struct loggzip zip;
	int64_t cleanup_ms; /* when the next one is due */
	int64_t rotate_ms;  /* no rotation before: one has failed */
	int64_t settled_ms; /* when server.log may be compressed; 0: none */
};

/* The thread's. */
struct logs_store {
	struct logs *l;
	const struct conf *conf;
	char dir[PATH_MAX];
	int dir_fd; /* -1: not open */
	struct logs_sink sinks[LOGS_JSON];
	struct logs_sums sums;
	struct logs_keep keep;
	struct buf line; /* that is being made */
	struct logs_bodies *bodies;
	int64_t retry_ms;  /* no attempt before */
	unsigned failures; /* in a row */
	bool is_failing;   /* and that has been said */
};

/* Its argument is the struct logs. */
void *logs_thread(void *arg);

/* --- logs_keep.c --- */

void logs_keep_init(struct logs_store *s);
/* Give a full file another name. True if it is done; it cannot be while others
 * tidy up. */
bool logs_rotate(struct logs_store *s, struct logfile *f);
/* Do some of what there is to do; true if there is more. */
bool logs_keep_turn(struct logs_store *s);
void logs_keep_end(struct logs_store *s);

/* --- logs_thread.c --- */

/* dir_fd, unless it is open. */
bool logs_open_dir(struct logs_store *s, struct gp_error *err) GP_WUR;

#endif
