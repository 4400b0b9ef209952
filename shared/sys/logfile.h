/* SPDX-License-Identifier: MIT */
/*
 * logfile.h - a log file of lines that one process writes, and its rotation.
 *
 * Lines are appended whole or not at all: what a full disk has cut is taken
 * back. A half line that a crash has left is removed when the file is opened.
 */
#ifndef SYS_LOGFILE_H
#define SYS_LOGFILE_H

#include "shared/base/err.h"
#include "shared/base/span.h"
#include "shared/sys/logname.h"

struct logfile {
	int dir_fd;
	enum logname_log log;
	unsigned mode; /* of files that are made */
	int fd;        /* -1: not open */
	int64_t bytes;
};

/* Opens nothing yet. */
void logfile_init(
	struct logfile *f, int dir_fd, enum logname_log log, unsigned mode);
void logfile_close(struct logfile *f);

/* Make or open the file by its name and put its end right; *repaired is how
 * many bytes of a half line were removed. Files that are there lose those
 * permissions that mode lacks, and gain none. */
enum gp_code logfile_open(
	struct logfile *f, int64_t *repaired, struct gp_error *err) GP_WUR;
/* False if somebody has moved it away or removed it. */
bool logfile_is_at_its_name(const struct logfile *f);

/* Append lines, of which the last is complete, too; all or none. */
enum gp_code logfile_put(
	struct logfile *f, struct span lines, struct gp_error *err) GP_WUR;

/* Give it the name of a rotated one, which nobody else has or has had within
 * the same second, and close it. The directory's lock is the caller's. */
enum gp_code logfile_rotate(struct logfile *f, int64_t now_wall_s,
	char name[LOGNAME_MAX], struct gp_error *err) GP_WUR;
/* The same for a file that others write. */
enum gp_code logfile_rename(int dir_fd, enum logname_log log,
	int64_t now_wall_s, char name[LOGNAME_MAX],
	struct gp_error *err) GP_WUR;
/* Undo it, unless there is another current file by now. */
void logfile_rename_back(int dir_fd, enum logname_log log, const char *name);

#endif
