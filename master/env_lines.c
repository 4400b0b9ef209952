/* SPDX-License-Identifier: MIT */
/* env_lines.c - the entries of an environment file, kept together. */
#include <string.h>

#include "master/env_explain.h"

static enum gp_code
add_entry(void *arg, const struct env_entry *e, struct gp_error *err)
{
	struct env_lines *const l = arg;
	struct env_entry *kept;

	if (l->v.n == ENV_ENTRIES_MAX)
		return gp_fail(err, GP_E_LIMIT, "more than %d settings",
			ENV_ENTRIES_MAX);
	kept = VEC_PUSH(&l->arena, &l->v);
	*kept = *e;
	kept->name = arena_dup(&l->arena, e->name);
	kept->value = arena_dup(&l->arena, e->value);
	return GP_OK;
}

enum gp_code
env_lines_read(struct env_lines *l, struct span text, const char *file,
	struct gp_error *err)
{
	struct gp_error why;
	enum gp_code rc;

	*l = (struct env_lines){ .v = { .n = 0 } };
	arena_init(&l->arena);
	rc = env_file_each(text, add_entry, l, &why);
	return rc == GP_OK ? rc : gp_fail(err, rc, "%s: %s", file, why.text);
}

static bool
is_last(const struct env_lines *l, size_t at)
{
	for (size_t i = at + 1; i < l->v.n; i++)
		if (l->v.v[i].kind == ENV_SET &&
			span_eq(l->v.v[i].name, l->v.v[at].name))
			return false;
	return true;
}

char **
env_lines_environ(struct env_lines *l)
{
	char **const env = arena_array(&l->arena, l->v.n + 1, sizeof(*env));
	size_t n = 0;

	for (size_t i = 0; i < l->v.n; i++) {
		const struct env_entry *const e = &l->v.v[i];
		char *text;

		if (e->kind != ENV_SET || !is_last(l, i))
			continue;
		text = arena_alloc(&l->arena, e->name.n + e->value.n + 2);
		memcpy(text, e->name.p, e->name.n);
		text[e->name.n] = '=';
		memcpy(text + e->name.n + 1, e->value.p, e->value.n);
		text[e->name.n + 1 + e->value.n] = '\0';
		env[n++] = text;
	}
	env[n] = NULL;
	return env;
}
