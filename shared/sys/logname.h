/* SPDX-License-Identifier: MIT */
/*
 * logname.h - names of the log files.
 *
 *	error_logs.json                          written now
 *	error_logs.20261101_120000.json          rotated at that time (UTC)
 *	error_logs.20261101_120000_01.json       another of the same second
 *	error_logs.20261101_120000.json.gz       the same, compressed
 *	error_logs.20261101_120000.json.gz.tmp   while it is being compressed
 *
 * Whatever else lies in the directory is not ours and is left alone.
 */
#ifndef SYS_LOGNAME_H
#define SYS_LOGNAME_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/base/defs.h"

#define LOGNAME_MAX       64 /* with the NUL */
#define LOGNAME_AGAIN_MAX 99 /* further rotations within a second */

enum logname_log {
	LOG_REQUESTS,
	LOG_RESPONSES,
	LOG_PERFORMANCE,
	LOG_ERRORS,
	LOG_SERVER, /* the log of a service that `start` began */
	LOG_COUNT
};

enum logname_state {
	LOG_CURRENT,
	LOG_ROTATED,
	LOG_COMPRESSED,
	LOG_PARTIAL
};

struct logname {
	enum logname_log log;
	enum logname_state state;
	int64_t rotated_wall_s; /* 0 of the current one */
	unsigned again;
};

/* "upstream_requests" */
const char *logname_stem(enum logname_log log);
/* "rotated" */
const char *logname_state_name(enum logname_state state);

/* False if the name is none of ours. What is read is written the same. */
bool logname_read(const char *name, struct logname *out) GP_WUR;
void logname_write(const struct logname *n, char out[LOGNAME_MAX]);

#endif
