/* SPDX-License-Identifier: MIT */
/* env_explain.h - what becomes of each line of an environment file. */
#ifndef MASTER_ENV_EXPLAIN_H
#define MASTER_ENV_EXPLAIN_H

#include "shared/base/arena.h"
#include "shared/base/buf.h"
#include "shared/base/err.h"
#include "shared/base/vec.h"
#include "shared/sys/env_file.h"

#define ENV_ENTRIES_MAX 1000

/* Entries in the order of the file; views into the arena. */
struct env_lines {
	struct arena arena;
	VEC_OF(struct env_entry) v;
};

struct env_counts {
	unsigned taken;   /* set a key */
	unsigned changed; /* of these: not quite as before */
	unsigned ignored;
	unsigned bad; /* no assignment, or a bad value: the default counts */
};

/* GP_E_LIMIT for more than ENV_ENTRIES_MAX. The arena is to be ended, also
 * after a failure; it holds secrets. */
enum gp_code env_lines_read(struct env_lines *l, struct span text,
	const char *file, struct gp_error *err) GP_WUR;

/* What is assigned, as environ(7): the last of each name. Lives as long as l.
 */
char **env_lines_environ(struct env_lines *l);

/* A line for each entry, "FILE:LINE: NAME = VALUE: what becomes of it". Secrets
 * are masked, values of other programs' names not shown. */
void env_explain(const struct env_lines *l, const char *file, struct buf *out,
	struct env_counts *counts);

#endif
