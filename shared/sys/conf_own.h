/* SPDX-License-Identifier: MIT */
/* conf_own.h - what the conf*.c files share and nobody else needs. */
#ifndef SYS_CONF_OWN_H
#define SYS_CONF_OWN_H

#include <sys/stat.h>

#include "shared/sys/conf_parse.h"

/* --- conf.c --------------------------------------------------------------- */

void conf_warn(struct conf *c, const char *fmt, ...) GP_PRINTF(2, 3);

/* The value of a row's field, in struct conf or in a struct conf_model. */
struct conf_value conf_field(const void *base, const struct conf_row *row);

void conf_store(struct conf *c, void *base, const struct conf_row *row,
	const struct conf_value *v);

enum conf_origin conf_origin(const struct conf *c, const char *key);

/* --- conf_set.c ----------------------------------------------------------- */

#define CONF_KEY_SHOWN_MAX 64
#define CONF_PLACE_MAX     320

/* A load under way. */
struct conf_loader {
	struct conf *c;
	const struct conf_source *src;
	enum conf_origin origin;
	/* Where the values come from at the moment, for messages. */
	unsigned line;
	struct span env_name;
	/* Lines of model.* keys in the file, by their place in c->models. */
	unsigned model_lines[CONF_MODELS_MAX][CONF_MODEL_ROWS];
};

/* "FILE:LINE", "environment NAME" or "command line". */
void conf_where(const struct conf_loader *l, char out[CONF_PLACE_MAX]);
/* GP_E_SCHEMA with "PLACE: KEY: sentence". */
enum gp_code conf_bad_key(const struct conf_loader *l, struct span key,
	struct gp_error *err, const char *fmt, ...) GP_PRINTF(4, 5);
enum gp_code conf_set_row(struct conf_loader *l, const struct conf_row *row,
	struct span text, struct gp_error *err) GP_WUR;
enum gp_code conf_set_key(struct conf_loader *l, struct span key,
	struct span text, struct gp_error *err) GP_WUR;

/* --- conf_env.c ----------------------------------------------------------- */

#define CONF_ENV_PREFIX   "GLMPROXY_"
#define CONF_ENV_NAME_MAX 128

/* The prefixed name of a row. */
void conf_env_name(const struct conf_row *row, char out[CONF_ENV_NAME_MAX]);
enum gp_code conf_load_environment(
	struct conf_loader *l, struct gp_error *err) GP_WUR;
/* Overwrite the values of SECRET keys and unset their names. */
void conf_wipe_environment(char *const *env);

/* --- conf_default.c: defaults that depend on the machine ------------------ */

/* Processors that this process may run on, 1 to 64. */
int64_t conf_cpus(void);
/* Fill in user, group, pid_file, state_dir and log_dir where empty. */
void conf_default_places(struct conf *c);

/* --- conf_keys.c: files that hold keys ------------------------------------ */

struct conf_file {
	char *text; /* NULL: not read */
	size_t n;
	mode_t mode;
};

/* At most CONF_FILE_MAX bytes. *err names the path. */
enum gp_code conf_file_read(
	const char *path, struct conf_file *f, struct gp_error *err) GP_WUR;
/* Wipes the text. */
void conf_file_free(struct conf_file *f);

/* Read server_api_key_file, client_keys_file and admin_token_file. */
enum gp_code conf_keys_read(struct conf *c, struct gp_error *err) GP_WUR;

/* --- conf_check.c --------------------------------------------------------- */

/* What single values cannot tell. */
enum gp_code conf_check(const struct conf *c, struct gp_error *err) GP_WUR;

#endif
