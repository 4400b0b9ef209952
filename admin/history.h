/* SPDX-License-Identifier: MIT */
/*
 * history.h - brings the workers' records into the history.
 *
 *	rings -> (loop) -> spool -> (storage thread) -> sums and rows -> SQLite
 *
 * The loop empties the rings and never waits for a disk. The storage thread
 * adds up what is in the spool and writes it once a second, one transaction.
 * While that fails, sums and rows wait in memory, within limits; what has no
 * room is counted as lost. Only one process writes the database: the one that
 * holds the lock on history.lock; and only the oldest admin process empties the
 * rings.
 */
#ifndef ADMIN_HISTORY_H
#define ADMIN_HISTORY_H

#include "shared/sys/ev.h"
#include "shared/sys/link.h"

struct history;
struct logs;

/* Databases that were set aside and are kept. */
#define HISTORY_ASIDE 2
extern const char *const history_aside_names[HISTORY_ASIDE];

struct history_state {
	bool is_on;          /* by configuration */
	bool is_written;     /* the last attempt went well, or there was none */
	char why[256];       /* the trouble, if there is one */
	uint64_t rows, lost; /* ever: in the database, missing there */
	bool aside[HISTORY_ASIDE]; /* files that are there */
};

/* Begin to empty the rings; starts the thread. The log files get the same. */
struct history *history_start(
	struct ev *ev, const struct link *link, struct logs *logs);

/* Empty the rings once more, write what is there, stop. Takes at most about a
 * second; false if the thread hangs, and then the process should end without
 * tidying up. */
bool history_stop(struct history **h) GP_WUR;

void history_get_state(struct history *h, struct history_state *out);

#endif
