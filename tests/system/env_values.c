/* SPDX-License-Identifier: MIT */
/* env_values.c - what env_file.c makes of standard input: NAME=value, each with
 * a NUL behind it, as env(1) -0 prints an environment. */
#include <stdio.h>
#include <stdlib.h>

#include "shared/sys/env_file.h"

#define FILE_MAX (64u << 10)

static enum gp_code
print(void *arg, const struct env_entry *e, struct gp_error *err)
{
	(void)arg;
	(void)err;
	if (e->kind == ENV_SET)
		(void)printf("%.*s=%.*s%c", SPAN_ARG(e->name),
			SPAN_ARG(e->value), '\0');
	return GP_OK;
}

int
main(void)
{
	static char text[FILE_MAX];
	const size_t n = fread(text, 1, sizeof(text), stdin);
	struct gp_error err;

	return env_file_each(span_of(text, n), print, NULL, &err) == GP_OK ? 0 :
									     1;
}
