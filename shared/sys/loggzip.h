/* SPDX-License-Identifier: MIT */
/*
 * loggzip.h - compresses a rotated log file, a piece at a time.
 *
 *	x.json -> x.json.gz.tmp -> (fsync, rename) x.json.gz -> x.json removed
 *
 * Whenever it is broken off, be it by a crash, either x.json is there as it was
 * or x.json.gz is there whole; logdir_judge knows what is left over then. The
 * caller holds the directory's lock from begin to end.
 */
#ifndef SYS_LOGGZIP_H
#define SYS_LOGGZIP_H

#include <zlib.h>

#include "shared/base/err.h"
#include "shared/sys/logname.h"

#define LOGGZIP_ROOM 65536

struct loggzip {
	int dir_fd;
	int from_fd, to_fd; /* -1: nothing is under way */
	char from[LOGNAME_MAX], temporary[LOGNAME_MAX], to[LOGNAME_MAX];
	z_stream z;
	unsigned char *room; /* twice LOGGZIP_ROOM */
	int64_t read_bytes, written_bytes;
};

enum loggzip_result {
	LOGGZIP_MORE,
	LOGGZIP_DONE,
	LOGGZIP_FAILED
};

/* z need not be initialised. The file keeps its mode, owner and time. */
enum gp_code loggzip_begin(struct loggzip *z, int dir_fd,
	const struct logname *from, struct gp_error *err) GP_WUR;
/* About so many bytes more; not negative. Anything but LOGGZIP_MORE is the end,
 * after which z holds nothing. */
enum loggzip_result loggzip_step(
	struct loggzip *z, int64_t bytes, struct gp_error *err) GP_WUR;
/* Give up: what was written so far is removed. */
void loggzip_cancel(struct loggzip *z);

#endif
