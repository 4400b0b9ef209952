/* SPDX-License-Identifier: MIT */
/*
 * log.h - one line per event, to stderr.
 *
 *	2026-11-01T12:00:00.123Z warn worker[812] req=5f3a: connect: refused
 *
 * or the same as a JSON object. log_warn and log_err append the text of errno,
 * the x forms do not; errno is kept. No bodies, no keys: struct secret has no
 * formatter. Control characters are replaced by '?'. A line is written by one
 * write(2) and cut at LOG_LINE_MAX.
 */
#ifndef SYS_LOG_H
#define SYS_LOG_H

#include <stdbool.h>

#include "shared/base/defs.h"

#define LOG_LINE_MAX 2048

enum log_level {
	LOG_LEVEL_ERR,
	LOG_LEVEL_WARN,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG
};

/* What the lines of this process begin with, e.g. "worker". The name is not
 * copied. */
void log_open(const char *process, enum log_level level, bool as_json);
void log_set_level(enum log_level level, bool as_json);
bool log_is_debug(void);

/* Context of the lines that follow, e.g. "req=5f3a"; NULL for none. Not
 * copied: set it at the start of a callback and clear it at its end. */
void log_context(const char *context);

void log_debug(const char *fmt, ...) GP_PRINTF(1, 2);
void log_info(const char *fmt, ...) GP_PRINTF(1, 2);
void log_warn(const char *fmt, ...) GP_PRINTF(1, 2);
void log_warnx(const char *fmt, ...) GP_PRINTF(1, 2);
void log_err(const char *fmt, ...) GP_PRINTF(1, 2);
void log_errx(const char *fmt, ...) GP_PRINTF(1, 2);

/* The environment makes going on impossible: log, then exit(code). Exit code
 * LOG_EXIT_BARRED tells the master never to start this child again. */
#define LOG_EXIT_BARRED 2
_Noreturn void fatal(int code, const char *fmt, ...) GP_PRINTF(2, 3);
_Noreturn void fatalx(int code, const char *fmt, ...) GP_PRINTF(2, 3);

#endif
