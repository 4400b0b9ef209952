/* SPDX-License-Identifier: MIT */
/* conf.c - load the configuration: built-in values, file, environment, command
 * line, in this order. */
#include "shared/sys/conf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "shared/base/check.h"
#include "shared/sys/conf_own.h"
#include "shared/sys/log.h"

/* --- fields --------------------------------------------------------------- */

void
conf_warn(struct conf *c, const char *fmt, ...)
{
	char text[GP_ERROR_TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	if (vsnprintf(text, sizeof(text), fmt, ap) < 0)
		text[0] = '\0';
	va_end(ap);
	*VEC_PUSH(&c->arena, &c->warnings) =
		arena_dup(&c->arena, span_cstr(text)).p;
}

enum conf_origin
conf_origin(const struct conf *c, const char *key)
{
	return (enum conf_origin)c->origins[conf_index(key)];
}

struct conf_value
conf_field(const void *base, const struct conf_row *row)
{
	const char *const at = (const char *)base + row->offset;
	struct conf_value v = { .text = SPAN_EMPTY };
	bool b;
	int i;

	switch (row->type) {
	case CONF_BOOL:
		memcpy(&b, at, sizeof(b));
		v.number = b;
		break;
	case CONF_ENUM:
		memcpy(&i, at, sizeof(i));
		v.number = i;
		break;
	case CONF_TEXT:
		memcpy(&v.text, at, sizeof(v.text));
		break;
	case CONF_INT:
	case CONF_SECONDS:
	case CONF_MIB:
		memcpy(&v.number, at, sizeof(v.number));
		break;
	}
	return v;
}

void
conf_store(struct conf *c, void *base, const struct conf_row *row,
	const struct conf_value *v)
{
	char *const at = (char *)base + row->offset;
	const struct span text = arena_dup(&c->arena, v->text);
	const bool b = v->number != 0;
	const int i = (int)v->number;
	const int64_t n = v->number == CONF_AUTO ? conf_cpus() : v->number;

	switch (row->type) {
	case CONF_BOOL:
		memcpy(at, &b, sizeof(b));
		break;
	case CONF_ENUM:
		memcpy(at, &i, sizeof(i));
		break;
	case CONF_TEXT:
		memcpy(at, &text, sizeof(text));
		break;
	case CONF_INT:
	case CONF_SECONDS:
	case CONF_MIB:
		memcpy(at, &n, sizeof(n));
		break;
	}
}

static void
set_default(struct conf *c, const struct conf_row *row)
{
	struct conf_value v;

	/* A default that breaks its own row is a mistake in conf.def. */
	GP_ASSERT(conf_value(row, span_cstr(row->dflt), &v, NULL) == GP_OK);
	conf_store(c, c, row, &v);
	c->origins[row - conf_rows] = CONF_BUILTIN;
}

/* --- file and command line ------------------------------------------------ */

static enum gp_code
file_line(void *arg, unsigned line, struct span key, struct span value,
	struct gp_error *err)
{
	struct conf_loader *const l = arg;

	l->line = line;
	return conf_set_key(l, key, value, err);
}

static enum gp_code
load_file(struct conf_loader *l, struct gp_error *err)
{
	struct conf *const c = l->c;
	struct conf_file f;
	enum gp_code rc;

	if (l->src->file == NULL)
		return GP_OK;
	rc = conf_file_read(l->src->file, &f, err);
	if (rc != GP_OK)
		return rc;
	c->file = arena_dup(&c->arena, span_cstr(l->src->file));
	l->origin = CONF_FILE;
	rc = conf_lines(span_of(f.text, f.n), l->src->file, file_line, l, err);
	l->line = 0;
	if (rc == GP_OK && !secret_is_none(&c->server_key) &&
		(f.mode & 007) != 0)
		conf_warn(c,
			"%s holds server_api_key and is open to every user:"
			" chmod o= it",
			l->src->file);
	conf_file_free(&f);
	return rc;
}

static enum gp_code
load_options(struct conf_loader *l, struct gp_error *err)
{
	const char *const *o = l->src->options;

	l->origin = CONF_COMMAND_LINE;
	for (; o != NULL && *o != NULL; o++) {
		const struct span all = span_cstr(*o);
		const size_t equals = span_find_char(all, '=');
		const struct span key = span_trim(span_head(all, equals));
		enum gp_code rc;

		/* Not quoted: it may be a key that lost its name. */
		if (equals == all.n || key.n == 0)
			return gp_fail(err, GP_E_SYNTAX,
				"command line: -o takes key=value");
		rc = conf_set_key(
			l, key, span_trim(span_from(all, equals + 1)), err);
		if (rc != GP_OK)
			return rc;
	}
	return GP_OK;
}

/* --- the whole ------------------------------------------------------------ */

static enum gp_code
load_all(struct conf *c, const struct conf_source *src, struct gp_error *err)
{
	struct conf_loader l = { .c = c, .src = src };
	enum gp_code rc;

	rc = load_file(&l, err);
	if (rc == GP_OK)
		rc = conf_load_environment(&l, err);
	if (rc == GP_OK)
		rc = load_options(&l, err);
	if (rc != GP_OK)
		return rc;
	conf_default_places(c);
	rc = conf_keys_read(c, err);
	if (rc != GP_OK)
		return rc;
	return conf_check(c, err);
}

struct conf *
conf_load(const struct conf_source *src, struct gp_error *err)
{
	struct conf *c = calloc(1, sizeof(*c));

	if (c == NULL)
		fatal(1, "configuration");
	arena_init(&c->arena);
	c->file = SPAN_EMPTY;
	c->origins = arena_alloc(&c->arena, conf_nrows);
	c->lines = arena_array(&c->arena, conf_nrows, sizeof(*c->lines));
	for (size_t i = 0; i < conf_nrows; i++)
		set_default(c, &conf_rows[i]);
	if (load_all(c, src, err) != GP_OK)
		conf_free(&c);
	conf_wipe_environment(src->environ);
	return c;
}

enum gp_code
conf_reject(
	struct conf *c, const char *key, const char *why, struct gp_error *err)
{
	const size_t at = conf_index(key);
	const struct conf_row *const row = &conf_rows[at];
	const struct conf_source src = { .file = c->file.p };
	struct conf_loader l = { .c = c, .src = &src, .line = c->lines[at] };
	char name[CONF_ENV_NAME_MAX];

	l.origin = (enum conf_origin)c->origins[at];
	conf_env_name(row, name);
	l.env_name = span_cstr(name);
	if (l.origin != CONF_BARE_ENV)
		return conf_bad_key(&l, span_cstr(key), err, "%s", why);
	conf_warn(c, "environment %s: %s: %s; the default is used", row->bare,
		key, why);
	set_default(c, row);
	return GP_OK;
}

void
conf_free(struct conf **cp)
{
	struct conf *const c = *cp;

	if (c == NULL)
		return;
	*cp = NULL;
	secret_wipe(&c->server_key);
	secret_wipe(&c->env_key);
	secret_wipe(&c->admin_token);
	arena_fini(&c->arena);
	free(c);
}
