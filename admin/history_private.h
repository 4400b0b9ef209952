/* SPDX-License-Identifier: MIT */
/* history_private.h - what the loop's half of the history and its thread share.
 */
#ifndef ADMIN_HISTORY_PRIVATE_H
#define ADMIN_HISTORY_PRIVATE_H

#include <pthread.h>

#include "admin/history.h"
#include "shared/base/buf.h"

#define HISTORY_SPOOL_MAX (8u << 20)

struct history {
	const struct link *link;
	struct metrics *metrics; /* each word is one thread's */
	struct logs *logs;
	struct ev_timer timer;
	bool is_our_turn; /* to empty the rings */
	pthread_t thread;

	pthread_mutex_t mutex; /* held for a copy, for what is below */
	pthread_cond_t wakes;
	struct buf spool; /* entries: uint16_t size, bytes */
	bool stops;
	bool is_written;
	char why[256];
	bool aside[HISTORY_ASIDE];

	/* The thread's alone. */
	int lock_fd;
};

/* Its argument is the history. */
void *history_thread(void *arg);

#endif
