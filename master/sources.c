/* SPDX-License-Identifier: MIT */
/* sources.c - where the configuration comes from. */
#include "master/sources.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shared/sys/log.h"

#define PACKAGED_FILE "/etc/glmproxy/glmproxy.conf"

static void *
must(void *p)
{
	if (p == NULL)
		fatal(1, "memory");
	return p;
}

void
sources_init(struct sources *s)
{
	*s = (struct sources){ .options = must(calloc(1, sizeof(char *))) };
}

void
sources_fini(struct sources *s)
{
	free(s->file);
	for (size_t i = 0; i < s->noptions; i++)
		free(s->options[i]);
	free(s->options);
	secret_wipe(&s->env_key);
}

void
sources_set_file(struct sources *s, const char *file)
{
	char cwd[PATH_MAX];

	free(s->file);
	s->file = NULL;
	if (file == NULL && access(PACKAGED_FILE, F_OK) == 0)
		file = PACKAGED_FILE;
	if (file == NULL)
		return;
	/* Not realpath: a link may point elsewhere by the next reading. */
	if (file[0] == '/' || getcwd(cwd, sizeof(cwd)) == NULL)
		s->file = must(strdup(file));
	else if (asprintf(&s->file, "%s/%s", cwd, file) < 0)
		fatal(1, "memory");
}

void
sources_add_option(struct sources *s, const char *option)
{
	s->options = must(
		reallocarray(s->options, s->noptions + 2, sizeof(*s->options)));
	s->options[s->noptions++] = must(strdup(option));
	s->options[s->noptions] = NULL;
}

struct conf *
sources_load(struct sources *s, struct gp_error *err)
{
	const struct conf_source src = {
		.file = s->file,
		.environ = environ,
		.options = (const char *const *)s->options,
		.env_key = &s->env_key,
	};
	struct conf *const c = conf_load(&src, err);

	if (c != NULL && !secret_is_none(&c->env_key))
		s->env_key = c->env_key;
	return c;
}
