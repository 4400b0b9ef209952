/* SPDX-License-Identifier: MIT */
/* paths.h - the places of the pid file, of the state and of the logs, and the
 * user that they belong to. */
#ifndef MASTER_PATHS_H
#define MASTER_PATHS_H

#include <limits.h>

#include "shared/sys/conf.h"

/* The path, absolute: relative ones start at the current directory. */
void paths_absolute(char out[PATH_MAX], struct span path);

/* Make dir and its parents. The last part gets the mode and, if it is new, this
 * is root and user is not "", that owner. */
enum gp_code paths_make_dir(const char *dir, unsigned mode, const char *user,
	struct gp_error *err) GP_WUR;
/* The same for the directory of a file; stays ours. */
enum gp_code paths_make_parent(const char *file, struct gp_error *err) GP_WUR;

/* Whether the user (this process's own for "" or when not root) may make files
 * in a directory; GP_E_SYSTEM *err names both. A disk that is mounted read-only
 * is let pass. Forks. */
enum gp_code paths_may_write(const char *dir, const char *user,
	const char *group, struct gp_error *err) GP_WUR;

/* Give a path to user and group (names, "" for none). Does nothing unless this
 * is root and there is a user. */
enum gp_code paths_give(const char *path, const char *user, const char *group,
	struct gp_error *err) GP_WUR;

#endif
