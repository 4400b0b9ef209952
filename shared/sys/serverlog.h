/* SPDX-License-Identifier: MIT */
/*
 * serverlog.h - stderr as a file: the log of a service that `start` began.
 *
 * All processes write to log_dir/server.log, which they have inherited. When it
 * has been rotated, be it by the admin process or by somebody else who sends
 * SIGUSR1, the master moves shm->log_epoch on and every process opens the file
 * by its name again.
 */
#ifndef SYS_SERVERLOG_H
#define SYS_SERVERLOG_H

#include "shared/base/err.h"
#include "shared/base/span.h"

/* Open the file for stderr; -1 with *err. */
int serverlog_open(
	const char *dir, char path[], size_t size, struct gp_error *err) GP_WUR;

/* Master, before it forks: is stderr that file of this directory, or was it
 * until it was rotated? Unless it is, all below do nothing. */
void serverlog_init(struct span dir, uint32_t epoch);
bool serverlog_is_on(void);
/* Open it again if the epoch is another one than when that last went well: what
 * stays in the rotated file is lost once that is compressed. */
void serverlog_follow(uint32_t epoch);

/* The bytes in the file; -1 if stderr is another one. */
int64_t serverlog_bytes(int dir_fd);
/* Make the file that stderr will be, as the present one is. Whoever renames it
 * does so, since others may not be allowed to open what root has made. */
enum gp_code serverlog_make(int dir_fd, struct gp_error *err) GP_WUR;

#endif
