/* SPDX-License-Identifier: MIT */
/* config.c - the checks of a configuration that need more than its text. */
#include "master/config.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "master/paths.h"
#include "shared/base/check.h"
#include "shared/http/url.h"
#include "shared/json/jdoc.h"
#include "shared/sys/conf_parse.h"
#include "shared/sys/log.h"

/* Judges a text; GP_OK or *err with the reason. */
typedef enum gp_code judge_fn(struct span text, struct gp_error *err);

/* --- addresses ------------------------------------------------------------ */

enum gp_code
config_each_address(struct span list, config_address_fn *fn, void *ctx,
	struct gp_error *err)
{
	struct span text;
	size_t n = 0;

	while (span_split(&list, ',', &text)) {
		struct span host;
		uint16_t port;
		bool is_unix;
		enum gp_code rc;

		text = span_trim(text);
		if (text.n == 0)
			continue;
		if (++n > LINK_LISTENERS_MAX)
			return gp_fail(err, GP_E_LIMIT,
				"There are more than %d addresses.",
				LINK_LISTENERS_MAX);
		rc = url_parse_listen(text, &host, &port, &is_unix, err);
		if (rc == GP_OK)
			rc = fn(ctx, text, host, port, is_unix, err);
		if (rc != GP_OK)
			return rc;
	}
	return GP_OK;
}

static enum gp_code
accept_address(void *ctx, struct span text, struct span host, uint16_t port,
	bool is_unix, struct gp_error *err)
{
	(void)ctx;
	(void)text;
	(void)host;
	(void)port;
	(void)is_unix;
	(void)err;
	return GP_OK;
}

static enum gp_code
check_addresses(struct span list, struct gp_error *err)
{
	return config_each_address(list, accept_address, NULL, err);
}

/* --- upstreams ------------------------------------------------------------ */

static enum gp_code
check_upstream(struct span text, struct gp_error *err)
{
	struct url url;

	return url_parse(text, &url, err);
}

static enum gp_code
check_upstream_proxy(struct span text, struct gp_error *err)
{
	struct url url;
	enum gp_code rc;

	if (text.n == 0)
		return GP_OK;
	rc = url_parse(text, &url, err);
	if (rc == GP_OK && (url.is_tls || url.path.n > 0))
		return gp_fail(
			err, GP_E_SCHEMA, "It must be http://host:port.");
	return rc;
}

size_t
config_hosts(const struct conf *c, struct span out[LINK_HOSTS_MAX])
{
	const struct span texts[] = { c->upstream_base, c->openai_upstream_base,
		c->upstream_proxy };
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct url url;

		if (texts[i].n > 0 && url_parse(texts[i], &url, NULL) == GP_OK)
			out[n++] = url.host;
	}
	return n;
}

/* --- keys that hold JSON -------------------------------------------------- */

static enum gp_code
check_map_doc(const struct jdoc *d, struct gp_error *err)
{
	const jref root = jdoc_root(d);

	if (jdoc_type(d, root) != J_OBJ)
		return gp_fail(err, GP_E_SCHEMA,
			"It must be a JSON object of names, not %s.",
			jdoc_type_name(jdoc_type(d, root)));
	JDOC_EACH_MEMBER (d, root, it) {
		if (jdoc_type(d, jdoc_value(d, it)) != J_STR)
			return gp_fail(err, GP_E_SCHEMA,
				"The value of \"%.*s\" must be a string.",
				SPAN_ARG(span_head(jdoc_key(d, it).s, 100)));
	}
	return jdoc_refuse_duplicates(d, root, err);
}

static enum gp_code
check_list_doc(const struct jdoc *d, struct gp_error *err)
{
	const jref root = jdoc_root(d);

	if (jdoc_type(d, root) != J_ARR)
		return gp_fail(err, GP_E_SCHEMA,
			"It must be a JSON array of names, not %s.",
			jdoc_type_name(jdoc_type(d, root)));
	JDOC_EACH (d, root, it) {
		const jref id = jdoc_type(d, it) == J_OBJ ?
			jdoc_get(d, it, SPAN("id")) :
			it;

		if (jdoc_type(d, id) != J_STR)
			return gp_fail(err, GP_E_SCHEMA,
				"Each element must be a string, or an object "
				"with a string \"id\".");
	}
	return GP_OK;
}

static enum gp_code
check_json(struct span text,
	enum gp_code (*check)(const struct jdoc *, struct gp_error *),
	struct gp_error *err)
{
	struct jdoc d;
	enum gp_code rc;

	if (text.n == 0)
		return GP_OK;
	jdoc_init(&d);
	rc = jdoc_parse(&d, text, err);
	if (rc == GP_OK)
		rc = check(&d, err);
	jdoc_fini(&d);
	return rc;
}

static enum gp_code
check_map(struct span text, struct gp_error *err)
{
	return check_json(text, check_map_doc, err);
}

static enum gp_code
check_list(struct span text, struct gp_error *err)
{
	return check_json(text, check_list_doc, err);
}

/* --- files that only children read ---------------------------------------- */

static enum gp_code
check_readable(struct span path, struct gp_error *err)
{
	char text[PATH_MAX];
	char room[128];

	paths_absolute(text, path);
	if (path.n == 0 || access(text, R_OK) == 0)
		return GP_OK;
	return gp_fail(err, GP_E_SCHEMA, "%.*s: %s",
		SPAN_ARG(span_head(path, 256)),
		strerror_r(errno, room, sizeof(room)));
}

/* --- users: they would only be missed when the first child starts --------- */

static enum gp_code
check_user(struct span text, struct gp_error *err)
{
	char name[256];

	(void)snprintf(name, sizeof(name), "%.*s", SPAN_ARG(text));
	if (name[0] == '\0' || geteuid() != 0 || getpwnam(name) != NULL)
		return GP_OK;
	return gp_fail(err, GP_E_SCHEMA, "There is no user %s.", name);
}

static enum gp_code
check_group(struct span text, struct gp_error *err)
{
	char name[256];

	(void)snprintf(name, sizeof(name), "%.*s", SPAN_ARG(text));
	if (name[0] == '\0' || geteuid() != 0 || getgrnam(name) != NULL)
		return GP_OK;
	return gp_fail(err, GP_E_SCHEMA, "There is no group %s.", name);
}

/* --- all ------------------------------------------------------------------ */

static const struct {
	const char *key;
	judge_fn *check;
} judges[] = {
	{ "listen", check_addresses },
	{ "admin_listen", check_addresses },
	{ "upstream_base", check_upstream },
	{ "openai_upstream_base", check_upstream },
	{ "upstream_proxy", check_upstream_proxy },
	{ "upstream_ca_file", check_readable },
	{ "model_map_json", check_map },
	{ "openai_models_list_json", check_list },
	{ "user", check_user },
	{ "group", check_group },
};

static const struct span *
text_at(const struct conf *c, const struct conf_row *row)
{
	const char *const at = (const char *)c + row->offset;

	GP_ASSERT(row->type == CONF_TEXT);
	return (const struct span *)(const void *)at;
}

static enum gp_code
check_all(struct conf *c, struct gp_error *err)
{
	for (size_t i = 0; i < ARRAY_LEN(judges); i++) {
		const char *const key = judges[i].key;
		const struct conf_row *const row = conf_find(span_cstr(key));
		struct gp_error why;
		enum gp_code rc = judges[i].check(*text_at(c, row), &why);

		if (rc != GP_OK)
			rc = conf_reject(c, key, why.text, err);
		if (rc != GP_OK)
			return rc;
	}
	return GP_OK;
}

enum gp_code
config_check_value(
	const struct conf_row *row, struct span text, struct gp_error *err)
{
	struct conf_value v;
	enum gp_code rc = conf_value(row, text, &v, err);

	if (rc != GP_OK)
		return rc;
	for (size_t i = 0; i < ARRAY_LEN(judges) && rc == GP_OK; i++)
		if (strcmp(judges[i].key, row->key) == 0)
			rc = judges[i].check(text, err);
	return rc;
}

struct conf *
config_load(struct sources *s, struct gp_error *err)
{
	struct conf *c = sources_load(s, err);

	if (c != NULL && check_all(c, err) != GP_OK)
		conf_free(&c);
	return c;
}

void
config_warn(const struct conf *c, bool to_log)
{
	for (size_t i = 0; i < c->warnings.n; i++) {
		if (to_log)
			log_warnx("%s", c->warnings.v[i]);
		else
			(void)fprintf(stderr, "glmproxy: warning: %s\n",
				c->warnings.v[i]);
	}
}

/* --- keys that need a restart --------------------------------------------- */

/* The text of a row; NULL for rows that a reload can change. Keys that need a
 * restart are addresses, names and paths, all of them texts. */
static const struct span *
restart_text(const struct conf *c, const struct conf_row *row)
{
	return (row->flags & RESTART) != 0 ? text_at(c, row) : NULL;
}

static void
keep(struct conf *next, const struct conf_row *row, struct span value)
{
	struct span *const text =
		(struct span *)(void *)((char *)next + row->offset);

	if (span_eq(*text, value))
		return;
	log_warnx("%s has changed, which needs a restart: the old value stays",
		row->key);
	*text = arena_dup(&next->arena, value);
}

void
config_keep_restart_keys(struct conf *next, const struct conf *now)
{
	for (size_t i = 0; i < conf_nrows; i++) {
		const struct span *const value =
			restart_text(now, &conf_rows[i]);

		if (value != NULL)
			keep(next, &conf_rows[i], *value);
	}
}

void
config_each_restart_key(const struct conf *c, config_entry_fn *fn, void *ctx)
{
	for (size_t i = 0; i < conf_nrows; i++) {
		const struct span *const value = restart_text(c, &conf_rows[i]);
		struct arena room;

		if (value == NULL)
			continue;
		arena_init(&room);
		fn(ctx,
			arena_printf(&room, "%s %.*s", conf_rows[i].key,
				SPAN_ARG(*value))
				.p);
		arena_fini(&room);
	}
}

void
config_keep_restart_entry(struct conf *next, struct span entry)
{
	struct span value = entry;
	struct span key = SPAN_EMPTY;
	const struct conf_row *row;

	(void)span_split(&value, ' ', &key);
	row = conf_find(key);
	if (row != NULL && restart_text(next, row) != NULL)
		keep(next, row, value);
}
