/* SPDX-License-Identifier: MIT */
/* conf_env.c - the environment: prefixed names, those of the original, and the
 * removal of keys from it. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "shared/sys/conf_own.h"

/* Handed from one image of the program to the next, not by people. */
#define OWN_PREFIX CONF_ENV_PREFIX "_"

void
conf_env_name(const struct conf_row *row, char out[CONF_ENV_NAME_MAX])
{
	size_t n = sizeof(CONF_ENV_PREFIX) - 1;

	memcpy(out, CONF_ENV_PREFIX, n);
	for (const char *k = row->key; *k != '\0' && n < CONF_ENV_NAME_MAX - 1;
		k++)
		out[n++] = *k >= 'a' && *k <= 'z' ? (char)(*k - 0x20) : *k;
	out[n] = '\0';
}

static enum gp_code
unknown_env(const struct conf_loader *l, struct span key, struct gp_error *err)
{
	char lower[CONF_KEY_SHOWN_MAX];
	char nearest[CONF_ENV_NAME_MAX];
	char place[CONF_PLACE_MAX];

	key = span_head(key, sizeof(lower));
	for (size_t i = 0; i < key.n; i++) {
		const char c = key.p[i];

		lower[i] = c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
	}
	conf_env_name(
		conf_nearest(conf_rows, conf_nrows, span_of(lower, key.n)),
		nearest);
	conf_where(l, place);
	return gp_fail(err, GP_E_SCHEMA, "%s: no such key; the nearest is %s",
		place, nearest);
}

static enum gp_code
prefixed_env(struct conf_loader *l, struct span name, struct span value,
	struct gp_error *err)
{
	const struct span prefix = SPAN(CONF_ENV_PREFIX);
	char expected[CONF_ENV_NAME_MAX];

	if (!span_starts(name, prefix) || span_starts(name, SPAN(OWN_PREFIX)))
		return GP_OK;
	l->origin = CONF_ENV;
	l->env_name = name;
	for (size_t i = 0; i < conf_nrows; i++) {
		conf_env_name(&conf_rows[i], expected);
		if (span_eq(name, span_cstr(expected)))
			return conf_set_row(l, &conf_rows[i], value, err);
	}
	return unknown_env(l, span_from(name, prefix.n), err);
}

/* The original's switch for what is a level here. */
static enum gp_code
debug_env(struct conf_loader *l, struct span value, struct gp_error *err)
{
	const struct conf_row flag = { .type = CONF_BOOL, .dflt = "" };
	const struct conf_row *const level = conf_find(SPAN("log_level"));
	struct gp_error why;
	struct conf_value v;

	if (conf_value(&flag, value, &v, &why) != GP_OK)
		return gp_fail(
			err, GP_E_SCHEMA, "environment DEBUG: %s", why.text);
	return v.number ? conf_set_row(l, level, SPAN("debug"), err) : GP_OK;
}

/* The original's names. They may be meant for something else, or be leftovers,
 * so a bad one never stops a start, and an empty one is none. */
static enum gp_code
bare_env(struct conf_loader *l, struct span name, struct span value,
	struct gp_error *err)
{
	enum gp_code rc = GP_OK;

	if (value.n == 0)
		return GP_OK;
	l->origin = CONF_BARE_ENV;
	l->env_name = name;
	if (span_eq(name, SPAN("DEBUG")))
		rc = debug_env(l, value, err);
	for (size_t i = 0; i < conf_nrows; i++)
		if (conf_rows[i].bare[0] != '\0' &&
			span_eq(name, span_cstr(conf_rows[i].bare)))
			rc = conf_set_row(l, &conf_rows[i], value, err);
	if (rc != GP_OK)
		conf_warn(l->c, "%s; ignored", err->text);
	return GP_OK;
}

typedef enum gp_code env_fn(struct conf_loader *l, struct span name,
	struct span value, struct gp_error *err);

static enum gp_code
each_env(struct conf_loader *l, env_fn *fn, struct gp_error *err)
{
	char *const *e = l->src->environ;

	for (; e != NULL && *e != NULL; e++) {
		const struct span all = span_cstr(*e);
		const size_t equals = span_find_char(all, '=');
		enum gp_code rc;

		if (equals == all.n)
			continue;
		rc = fn(l, span_head(all, equals),
			span_trim(span_from(all, equals + 1)), err);
		if (rc != GP_OK)
			return rc;
	}
	return GP_OK;
}

enum gp_code
conf_load_environment(struct conf_loader *l, struct gp_error *err)
{
	struct conf *const c = l->c;
	const struct secret *const kept = l->src->env_key;
	struct gp_error local;
	enum gp_code rc;

	/* First, so that what the environment says now is the stronger. As the
	 * weaker of its two origins: had it met a prefixed
	 * server_api_key_file, the first load would have decided so. */
	if (kept != NULL && !secret_is_none(kept)) {
		c->server_key = *kept;
		c->env_key = *kept;
		c->origins[conf_index("server_api_key")] = CONF_BARE_ENV;
	}
	rc = each_env(l, bare_env, &local);
	return rc == GP_OK ? each_env(l, prefixed_env, err) : rc;
}

/* --- removal -------------------------------------------------------------- */

static void
wipe_name(char *const *env, const char *name)
{
	const size_t n = strlen(name);
	bool is_there = false;

	for (char *const *e = env; e != NULL && *e != NULL; e++)
		if (strncmp(*e, name, n) == 0 && (*e)[n] == '=') {
			explicit_bzero(*e + n + 1, strlen(*e + n + 1));
			is_there = true;
		}
	/* The master has one thread. */
	if (is_there && env == environ)
		(void)unsetenv(name); /* NOLINT(concurrency-mt-unsafe) */
}

void
conf_wipe_environment(char *const *env)
{
	char name[CONF_ENV_NAME_MAX];

	for (size_t i = 0; i < conf_nrows; i++) {
		if (!(conf_rows[i].flags & SECRET))
			continue;
		conf_env_name(&conf_rows[i], name);
		wipe_name(env, name);
		if (conf_rows[i].bare[0] != '\0')
			wipe_name(env, conf_rows[i].bare);
	}
}
