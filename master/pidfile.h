/* SPDX-License-Identifier: MIT */
/*
 * pidfile.h - who runs: the pid file and the lock on the state directory.
 *
 * The master holds a lock on its pid file for as long as it lives, so a file
 * left behind by a crash is told from a living service without trusting pids,
 * which are used again.
 */
#ifndef MASTER_PIDFILE_H
#define MASTER_PIDFILE_H

#include <stdbool.h>
#include <sys/types.h>

#include "shared/base/err.h"

/* Lock the directory for this instance. The descriptor (close-on-exec; keep it
 * open), or -1 with *err: GP_E_STATE when another instance has it. */
int pidfile_lock_dir(const char *dir, struct gp_error *err) GP_WUR;

/* Write the file (a new one is renamed over it) and hold its lock. The
 * descriptor, or -1 with *err: GP_E_STATE when a living service owns it. */
int pidfile_write(const char *path, struct gp_error *err) GP_WUR;

/* Remove it if it is still the one that fd holds. */
void pidfile_remove(const char *path, int fd);
/* True if fd is the file at path. */
bool pidfile_is_at(int fd, const char *path);

/* Say by a second lock on the file that the service is drained, so that
 * everybody who may read the file can see it, and nothing is left of it when
 * the process is gone. fd is that of pidfile_write; false with errno. */
bool pidfile_set_drained(int fd, bool is_drained) GP_WUR;
bool pidfile_is_drained(const char *path);

enum pidfile_state {
	PIDFILE_NONE,
	PIDFILE_STALE,
	PIDFILE_ALIVE,
	PIDFILE_BAD
};

/* Who owns the file; *pid is set for STALE and ALIVE. BAD: unreadable, *err
 * says why. */
enum pidfile_state pidfile_read(
	const char *path, pid_t *pid, struct gp_error *err);

#endif
