/* SPDX-License-Identifier: MIT */
/*
 * env_file.h - the syntax of systemd's EnvironmentFile=. No IO.
 *
 * As systemd 252 reads it (systemd.exec(5) and what it really does): blanks
 * around the name and the value go; '#' and ';' begin a comment only at the
 * start of a line; single quotes keep everything; in double quotes a backslash
 * keeps its meaning only before '"', '\', '`' and '$'; outside of quotes it
 * takes the next character as it is. A backslash at the end of a line joins the
 * next one, even to a comment (not so since systemd 254). Nothing is expanded.
 */
#ifndef SYS_ENV_FILE_H
#define SYS_ENV_FILE_H

#include "shared/base/err.h"
#include "shared/base/span.h"

enum env_kind {
	ENV_SET,       /* NAME=value */
	ENV_NO_EQUALS, /* no assignment; name and value are empty */
	ENV_BAD_NAME,  /* what systemd takes for no name */
	ENV_BAD_VALUE, /* no UTF-8, or a NUL */
	ENV_SWALLOWED  /* this line belongs to the comment above it */
};

struct env_entry {
	enum env_kind kind;
	unsigned line; /* where it begins */
	struct span name, value;
	bool is_quoted; /* quotes were taken off */
	bool is_open;   /* a quote is never closed: it reaches to the end */
};

/* The views hold during the call. Not GP_OK stops the reading. */
typedef enum gp_code env_file_fn(
	void *arg, const struct env_entry *e, struct gp_error *err);

/* Call fn for everything that is no comment and no blank line. GP_OK, or what
 * fn said. Cost: linear. */
enum gp_code env_file_each(struct span text, env_file_fn *fn, void *arg,
	struct gp_error *err) GP_WUR;

#endif
