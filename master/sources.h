/* SPDX-License-Identifier: MIT */
/* sources.h - where the configuration comes from, kept for every re-reading. */
#ifndef MASTER_SOURCES_H
#define MASTER_SOURCES_H

#include "shared/sys/conf.h"

struct sources {
	char *file;     /* absolute; NULL: none */
	char **options; /* -o key=value, NULL-terminated */
	size_t noptions;
	/* The server key that the environment held: loading takes it out of
	 * there, since /proc shows it. */
	struct secret env_key;
};

void sources_init(struct sources *s);
/* Frees the texts and wipes the key. */
void sources_fini(struct sources *s);

/* file: relative to the current directory, or NULL for the packaged one if it
 * is there. */
void sources_set_file(struct sources *s, const char *file);
/* The text is copied. */
void sources_add_option(struct sources *s, const char *option);

/* conf_load from these places; keeps a key from the environment. */
struct conf *sources_load(struct sources *s, struct gp_error *err) GP_WUR;

#endif
