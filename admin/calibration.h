/* SPDX-License-Identifier: MIT */
/*
 * calibration.h - keeps what has been learned of token counts in a file.
 *
 * The table is in shared memory (calib.h), which lives as long as the service.
 * The file, state_dir/calibration, brings it over a restart. It is never more
 * than a minute and a write behind, and nothing depends on it: a file that
 * cannot be read or written is told of once.
 */
#ifndef ADMIN_CALIBRATION_H
#define ADMIN_CALIBRATION_H

#include <limits.h>

#include "shared/sys/link.h"

#define CALIBRATION_SAVE_MS 60000

struct calibration {
	struct calib *table;
	char path[PATH_MAX];
	char fresh[PATH_MAX]; /* becomes the file once it is whole */
	struct buf saved;     /* what the file says */
	int64_t due_ms;       /* not before */
	bool has_warned;
};

/* Take over what the file says, where the memory says nothing yet. Cost: reads
 * at most CALIB_FILE_MAX bytes. */
void calibration_open(struct calibration *k, const struct link *link);
void calibration_close(struct calibration *k);

/* Save if something has changed: at most once in CALIBRATION_SAVE_MS / now.
 * Writes a few kilobytes and waits for the disk. */
void calibration_turn(struct calibration *k, int64_t now_ms);
void calibration_save(struct calibration *k);

#endif
