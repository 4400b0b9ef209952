/* SPDX-License-Identifier: MIT */
/* datafile.h - files that belong to the program, mapped and read-only. */
#ifndef SYS_DATAFILE_H
#define SYS_DATAFILE_H

#include <limits.h>

#include "shared/base/err.h"
#include "shared/base/span.h"

/* Where installed files are, beside the places next to the program. */
#define DATAFILE_DIR "/usr/share/glmproxy"

struct datafile {
	struct span bytes; /* empty: not mapped */
	char path[PATH_MAX];
};

/*
 * Map the file of that name from the first place that has one: the program's
 * own folder, ../share/glmproxy from there, DATAFILE_DIR. All processes share
 * the pages. GP_E_SYSTEM when there is none or the system refuses, GP_E_LIMIT
 * when it is over max_bytes or empty; f->path is then the last place tried.
 *
 * The bytes can change while they are mapped if somebody writes to the file, so
 * they are not to be trusted more than once; a file cut short under the program
 * ends it (SIGBUS). Who installs, puts a new file in the place of the old one.
 */
enum gp_code datafile_map(struct datafile *f, const char *name,
	size_t max_bytes, struct gp_error *err) GP_WUR;

/* Let go of the pages in memory; they come back when they are read. */
void datafile_rest(const struct datafile *f);

/* Does nothing when not mapped. */
void datafile_unmap(struct datafile *f);

#endif
