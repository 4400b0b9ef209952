/* SPDX-License-Identifier: MIT */
/*
 * calibration.h - keeps what has been learned of token counts in a file.
 *
 * The table is in shared memory (calib.h), which lives as long as the service.
 * The file, state_dir/calibration, brings it over a restart. A thread writes
 * it, so that no disk stops the loop. It is never more than a minute and a
 * write behind, and nothing depends on it: a file that cannot be read or
 * written is told of once.
 */
#ifndef ADMIN_CALIBRATION_H
#define ADMIN_CALIBRATION_H

#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>

#include "shared/sys/link.h"

#define CALIBRATION_SAVE_MS 60000

struct calibration {
	struct calib *table;
	char path[PATH_MAX];
	char fresh[PATH_MAX];    /* becomes the file once it is whole */
	struct buf saved;        /* what the file says: the thread's */
	_Atomic bool has_warned; /* the last attempt to write it has failed */
	pthread_t thread;
	pthread_mutex_t mutex; /* for what is below */
	pthread_cond_t wakes;
	bool stops;
};

/* Take over what the file says, where the memory says nothing yet, and save
 * from now on what changes, at most once in CALIBRATION_SAVE_MS. k stays where
 * it is. Cost: reads at most CALIB_FILE_MAX bytes. */
void calibration_open(struct calibration *k, const struct link *link);
/* Save once more. False if the disk hangs: then k is still in use, and the
 * process has to end. Waits a second at most. */
bool calibration_close(struct calibration *k) GP_WUR;

#endif
