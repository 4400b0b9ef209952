/* SPDX-License-Identifier: MIT */
/*
 * disk.h - how much room there is where state and logs are written.
 *
 * A thread of its own asks every few seconds, since a disk that is gone lets
 * whoever asks wait; then the answer that is known grows old.
 */
#ifndef ADMIN_DISK_H
#define ADMIN_DISK_H

#include "shared/sys/conf.h"

enum disk_place {
	DISK_STATE,
	DISK_LOG,
	DISK_PLACES
};

struct disk_room {
	/* An errno; ENOENT: there is no such directory (yet). */
	int error;
	uint64_t free_bytes, total_bytes; /* free: for us */
	bool has_files;                   /* an entry is left, or not counted */
	uint64_t id;                      /* the same for the same disk */
	bool is_known;                    /* there has been an answer */
	int64_t asked_ms; /* clock_mono_ms of an open question; 0: none */
};

/* Start the thread. It lives as long as the process; conf must, too. */
void disk_start(const struct conf *conf);
/* The last answer. Never waits for a disk. */
void disk_get(enum disk_place place, struct disk_room *out);

#endif
