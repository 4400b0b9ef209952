/* SPDX-License-Identifier: MIT */
/* conf_set.c - give one key a value, wherever it comes from. */
#include <stdarg.h>
#include <stdio.h>

#include "shared/sys/conf_own.h"

#define MODEL_NAME_MAX 128

void
conf_where(const struct conf_loader *l, char out[CONF_PLACE_MAX])
{
	switch (l->origin) {
	case CONF_FILE:
		(void)snprintf(out, CONF_PLACE_MAX, "%.256s:%u", l->src->file,
			l->line);
		break;
	case CONF_BARE_ENV:
	case CONF_ENV:
		(void)snprintf(out, CONF_PLACE_MAX, "environment %.*s",
			SPAN_ARG(span_head(l->env_name, CONF_KEY_SHOWN_MAX)));
		break;
	case CONF_COMMAND_LINE:
		(void)snprintf(out, CONF_PLACE_MAX, "command line");
		break;
	case CONF_BUILTIN:
		(void)snprintf(out, CONF_PLACE_MAX, "built-in");
		break;
	}
}

/* "FILE:LINE: KEY: sentence" */
enum gp_code
conf_bad_key(const struct conf_loader *l, struct span key, struct gp_error *err,
	const char *fmt, ...)
{
	char place[CONF_PLACE_MAX];
	char why[256];
	va_list ap;

	conf_where(l, place);
	va_start(ap, fmt);
	if (vsnprintf(why, sizeof(why), fmt, ap) < 0)
		why[0] = '\0';
	va_end(ap);
	return gp_fail(err, GP_E_SCHEMA, "%s: %.*s: %s", place,
		SPAN_ARG(span_head(key, CONF_KEY_SHOWN_MAX)), why);
}

static enum gp_code
set_secret(struct conf_loader *l, const struct conf_row *row, struct span text,
	struct gp_error *err)
{
	struct conf *const c = l->c;

	if (l->origin == CONF_COMMAND_LINE)
		return conf_bad_key(l, span_cstr(row->key), err,
			"not taken from the command line, which everybody can"
			" see; use server_api_key_file");
	secret_wipe(&c->server_key);
	if (text.n > 0 && !secret_set(&c->server_key, text))
		return conf_bad_key(l, span_cstr(row->key), err,
			"a key has 1 to %d bytes, no blanks and no control"
			" characters",
			SECRET_MAX);
	if (l->origin == CONF_ENV || l->origin == CONF_BARE_ENV)
		c->env_key = c->server_key;
	return GP_OK;
}

static void
warn_quotes(const struct conf_loader *l, const struct conf_row *row,
	struct span text)
{
	char place[CONF_PLACE_MAX];

	if (row->type != CONF_TEXT || text.n < 2 ||
		text.p[0] != text.p[text.n - 1] ||
		(text.p[0] != '"' && text.p[0] != '\''))
		return;
	conf_where(l, place);
	conf_warn(l->c,
		"%s: %s: values are unquoted: the quotes are part of it", place,
		row->key);
}

enum gp_code
conf_set_row(struct conf_loader *l, const struct conf_row *row,
	struct span text, struct gp_error *err)
{
	const size_t at = (size_t)(row - conf_rows);
	struct gp_error why;
	struct conf_value v;

	if (conf_value(row, text, &v, &why) != GP_OK)
		return conf_bad_key(
			l, span_cstr(row->key), err, "%s", why.text);
	if (row->flags & SECRET) {
		const enum gp_code rc = set_secret(l, row, text, err);

		if (rc != GP_OK)
			return rc;
	} else {
		conf_store(l->c, l->c, row, &v);
	}
	l->c->origins[at] = (unsigned char)l->origin;
	l->c->lines[at] = l->line;
	warn_quotes(l, row, text);
	return GP_OK;
}

static bool
is_model_name(struct span name)
{
	if (name.n > MODEL_NAME_MAX)
		return false;
	for (size_t i = 0; i < name.n; i++)
		if ((unsigned char)name.p[i] <= ' ' || name.p[i] == 0x7f)
			return false;
	return true;
}

/* The model of this name, made if there is none; NULL if there are too many.
 */
static struct conf_model *
model_named(struct conf *c, struct span name)
{
	struct conf_model *m;
	char lower[MODEL_NAME_MAX];

	for (size_t i = 0; i < name.n; i++) {
		const char ch = name.p[i];

		lower[i] = ch >= 'A' && ch <= 'Z' ? (char)(ch | 0x20) : ch;
	}
	for (size_t i = 0; i < c->models.n; i++)
		if (span_eq(c->models.v[i].name, span_of(lower, name.n)))
			return &c->models.v[i];
	if (c->models.n == CONF_MODELS_MAX)
		return NULL;
	m = VEC_PUSH(&c->arena, &c->models);
	*m = (struct conf_model){ .context_tokens = -1,
		.max_output_tokens = -1,
		.vision = -1,
		.stall_ms = -1,
		.name = arena_dup(&c->arena, span_of(lower, name.n)) };
	return m;
}

static const struct conf_row *
find_model_row(struct span last)
{
	for (size_t i = 0; i < CONF_MODEL_ROWS; i++)
		if (span_eq(last, span_cstr(conf_model_rows[i].key)))
			return &conf_model_rows[i];
	return NULL;
}

static enum gp_code
set_model(struct conf_loader *l, struct span key, struct span name,
	struct span last, struct span text, struct gp_error *err)
{
	const struct conf_row *const row = find_model_row(last);
	struct conf_value v;
	struct conf_model *m;
	struct gp_error why;
	unsigned *line;

	if (row == NULL)
		return conf_bad_key(l, key, err,
			"no such key; the nearest is model.%.*s.%s",
			SPAN_ARG(span_head(name, CONF_KEY_SHOWN_MAX)),
			conf_nearest(conf_model_rows, CONF_MODEL_ROWS, last)
				->key);
	if (!is_model_name(name))
		return conf_bad_key(l, key, err, "not a model's name");
	if (conf_value(row, text, &v, &why) != GP_OK)
		return conf_bad_key(l, key, err, "%s", why.text);
	m = model_named(l->c, name);
	if (m == NULL)
		return conf_bad_key(
			l, key, err, "more than %d models", CONF_MODELS_MAX);
	line = &l->model_lines[m - l->c->models.v][row - conf_model_rows];
	if (l->origin == CONF_FILE && *line != 0)
		return conf_bad_key(
			l, key, err, "given before, in line %u", *line);
	*line = l->line;
	m->origin = l->origin;
	/* An int with a third state, where conf.def's BOOL has two. */
	if (row->type == CONF_BOOL)
		m->vision = (int)v.number;
	else
		conf_store(l->c, m, row, &v);
	return GP_OK;
}

enum gp_code
conf_set_key(struct conf_loader *l, struct span key, struct span text,
	struct gp_error *err)
{
	const struct conf_row *const row = conf_find(key);
	struct span name;
	struct span last;
	unsigned before;

	if (row != NULL) {
		before = l->c->lines[row - conf_rows];
		if (l->origin == CONF_FILE && before != 0)
			return conf_bad_key(l, key, err,
				"given before, in line %u", before);
		return conf_set_row(l, row, text, err);
	}
	if (conf_model_split(key, &name, &last))
		return set_model(l, key, name, last, text, err);
	return conf_bad_key(l, key, err, "no such key; the nearest is %s",
		conf_nearest(conf_rows, conf_nrows, key)->key);
}
