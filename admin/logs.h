/* SPDX-License-Identifier: MIT */
/*
 * logs.h - writes the log files of JSON lines, from the workers' records.
 *
 *	rings -> (loop, history.c) -> spool -> (log thread) -> lines -> files
 *
 * The thread also rotates, compresses and removes files, and watches the size
 * of server.log. Lines wait in memory while they cannot be written, within
 * limits; what has no room is counted as lost.
 */
#ifndef ADMIN_LOGS_H
#define ADMIN_LOGS_H

#include "shared/base/span.h"
#include "shared/sys/link.h"

struct logs;

struct logs_state {
	bool is_on;      /* by configuration */
	bool is_written; /* the last attempt went well, or there was none */
	char why[256];   /* the trouble, if there is one */
	uint64_t lost;   /* lines, ever */
};

/* Starts the thread, which does nothing before logs_take_turn. */
struct logs *logs_start(const struct link *link);
/* The rings, and with them the files, are this process's from now on. */
void logs_take_turn(struct logs *l);

/* Entries of one ring, between begin and end; the thread has to wait for so
 * long. */
void logs_begin(struct logs *l);
void logs_put(struct logs *l, int slot, struct span entry);
void logs_end(struct logs *l);

void logs_get_state(struct logs *l, struct logs_state *out);

/* Write what is there, stop. False if the thread hangs: then the process should
 * end without tidying up. */
bool logs_stop(struct logs **l) GP_WUR;

#endif
