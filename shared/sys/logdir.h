/* SPDX-License-Identifier: MIT */
/*
 * logdir.h - the directory of the log files: what is in it, what is to go.
 *
 * The admin process and `glmproxy logs` both tidy up; whoever renames,
 * compresses or removes holds the lock, which is on the directory itself and
 * ends with the process.
 */
#ifndef SYS_LOGDIR_H
#define SYS_LOGDIR_H

#include <stddef.h>

#include "shared/base/err.h"
#include "shared/sys/logname.h"

#define LOGDIR_FILES_MAX 65536

enum logdir_fate {
	LOGDIR_KEEP,
	LOGDIR_COMPRESS,
	LOGDIR_TOO_OLD,  /* to be removed, as all below */
	LOGDIR_TOO_MANY, /* of its log */
	LOGDIR_LEFTOVER, /* of a compression that was broken off or done */
};

struct logdir_file {
	char name[LOGNAME_MAX];
	struct logname is;
	int64_t bytes;
	int64_t modified_wall_s;
	enum logdir_fate fate;
};

/* Log by log; of each the current file, then the rotated ones from the newest
 * to the oldest, of the same time the compressed one first. */
struct logdir_list {
	struct logdir_file *v;
	size_t n;
};

struct logdir_rules {
	bool compresses;
	int64_t settle_s;     /* younger files of others are not compressed */
	int64_t retention_s;  /* rotated longer ago: removed; 0: no limit */
	int64_t backup_count; /* rotated files kept of each log; 0: all */
};

/* A descriptor; -1 with *err. */
int logdir_open(const char *path, struct gp_error *err) GP_WUR;
/* False if another process has it. Ends when fd is closed. */
bool logdir_try_lock(int fd) GP_WUR;
void logdir_unlock(int fd);

/* All of our files; what is no regular file is not looked at. To be freed, also
 * after a failure. All are to be kept. */
enum gp_code logdir_scan(
	int fd, struct logdir_list *out, struct gp_error *err) GP_WUR;
void logdir_list_free(struct logdir_list *l);

/* Decide about each. Does nothing to them. Files whose names lie more than a
 * day in the future count as the oldest. */
void logdir_judge(struct logdir_list *l, const struct logdir_rules *rules,
	int64_t now_wall_s);

static inline bool
logdir_is_doomed(const struct logdir_file *f)
{
	return f->fate >= LOGDIR_TOO_OLD;
}

/* "older than it may be" */
const char *logdir_fate_text(enum logdir_fate fate);

/* Remove it; that it is not there any more is no failure. */
enum gp_code logdir_remove(
	int fd, const struct logdir_file *f, struct gp_error *err) GP_WUR;

#endif
