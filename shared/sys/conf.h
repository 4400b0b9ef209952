/* SPDX-License-Identifier: MIT */
/*
 * conf.h - the configuration: conf.def's keys, read, checked and printed.
 *
 * Order: built-in, file, environment (prefixed over bare), command line. A
 * configuration is read once by the master before it forks; children see it
 * read-only. Texts live in the conf's arena and are NUL-terminated behind their
 * end. What needs a URL or JSON parser is checked by the caller: see
 * conf_reject.
 *
 * Environment names that begin with GLMPROXY__ are the program's own and not
 * looked at.
 */
#ifndef SYS_CONF_H
#define SYS_CONF_H

#include "shared/base/arena.h"
#include "shared/base/buf.h"
#include "shared/base/err.h"
#include "shared/base/vec.h"
#include "shared/sys/secret.h"

/* Enumerations hold the position of the choice in conf.def's list. */
enum conf_preference {
	PREFER_AUTO,
	PREFER_ANTHROPIC,
	PREFER_OPENAI,
	PREFER_CLIENT
};

enum conf_thinking {
	THINKING_CLIENT,
	THINKING_TRUE,
	THINKING_FALSE
};

enum conf_images {
	IMAGES_ANY,
	IMAGES_LAST_USER_TURN
};

enum conf_tool_json {
	TOOL_JSON_OFF,
	TOOL_JSON_BUFFER
};

enum conf_tool_markup {
	TOOL_MARKUP_OFF,
	TOOL_MARKUP_RECOVER,
	TOOL_MARKUP_STRIP
};

enum conf_origin {
	CONF_BUILTIN,
	CONF_FILE,
	CONF_BARE_ENV,
	CONF_ENV,
	CONF_COMMAND_LINE
};

/* model.NAME.* keys: a value of -1 was not given. */
struct conf_model {
	struct span name;        /* in lower case, as routing compares it */
	enum conf_origin origin; /* of the last key given */
	int64_t context_tokens;
	int64_t max_output_tokens;
	int vision; /* 0, 1 */
	int64_t stall_ms;
};

#define CONF_MODELS_MAX      256
#define CONF_CLIENT_KEYS_MAX 10000
#define CONF_FILE_MAX        (1u << 20) /* bytes of a file that is read */

/* One line of client_keys_file. */
struct conf_client_key {
	struct span name;
	unsigned char hash[32];
};

#define CONF_FIELD_BOOL    bool
#define CONF_FIELD_INT     int64_t
#define CONF_FIELD_SECONDS int64_t
#define CONF_FIELD_MIB     int64_t
#define CONF_FIELD_TEXT    struct span
#define CONF_FIELD_ENUM    int

/* In conf.def's order; there is one a process. */
struct conf { /* NOLINT(clang-analyzer-optin.performance.Padding) */
#define CONF(type, field, key, bare, dflt, min, max, flags, help)              \
	CONF_FIELD_##type field;
#include "shared/sys/conf.def"
#undef CONF
	struct arena arena;
	struct span file; /* path that was read, empty if none */
	VEC_OF(struct conf_model) models;
	VEC_OF(struct conf_client_key) client_keys;
	/* From server_api_key (whose own field stays empty, so that the key is
	 * nowhere else) or its file, whichever origin is the stronger. */
	struct secret server_key;
	/* The key that came by the environment, none if none did: the next
	 * load's env_key, because this one has wiped it there. */
	struct secret env_key;
	struct secret admin_token;
	VEC_OF(const char *) warnings; /* bad bare environment names, ... */
	/* One a row of conf.def: enum conf_origin; line in the file, or 0. */
	unsigned char *origins;
	unsigned *lines;
};

struct conf_source {
	const char *file;           /* NULL: none */
	char *const *environ;       /* NULL: none */
	const char *const *options; /* -o key=value, NULL-terminated; or NULL */
	/* The server key that an earlier load found in the environment; NULL or
	 * none when there was none. Used when environ has no key. */
	const struct secret *env_key;
};

/*
 * Read and check everything, files with keys included.
 *
 * Returns NULL with *err naming file, line, key and, for an unknown key, the
 * nearest known one. Warnings (which do not stop a start) are in ->warnings.
 * A server key, once read, is wiped from the environment block (bytes
 * overwritten, name unset).
 */
struct conf *conf_load(
	const struct conf_source *src, struct gp_error *err) GP_WUR;
void conf_free(struct conf **c);

/*
 * A caller's check found the value of `key` bad (a URL, JSON); `why` is the
 * rest of the sentence. GP_OK if it came by a bare environment name: the key
 * has its default again and a warning is noted. Otherwise GP_E_SCHEMA with
 * *err naming file, line and key. For TEXT keys.
 */
enum gp_code conf_reject(struct conf *c, const char *key, const char *why,
	struct gp_error *err) GP_WUR;

/* The rules for a listener that other hosts can reach (conf_load asks for the
 * configured ones; the caller does for sockets that systemd handed over).
 * address: for the message. */
enum gp_code conf_allow_open(const struct conf *c, bool is_admin,
	struct span address, struct gp_error *err) GP_WUR;

/* unix_mode as a number. */
unsigned conf_unix_mode(const struct conf *c);

/* The text of choice v of an ENUM key's list, "" past its end. */
struct span conf_enum_text(const char *choices, int v);

/* One effective value, for people. Valid during the call. */
struct conf_shown {
	struct span key, value; /* any bytes; a secret is masked */
	struct span origin;     /* as of conf_print */
	bool is_secret;
};

typedef void conf_show_fn(void *ctx, const struct conf_shown *shown);
void conf_each(const struct conf *c, conf_show_fn *fn, void *ctx);

/* Every effective value, one `key = value  # origin` line each, secrets
 * masked. origin: built-in, file, environment NAME or command line. */
void conf_print(const struct conf *c, struct buf *out);

/* Keys that differ and need a restart, as a comma list; empty if a reload can
 * take all of `next`. */
void conf_diff_restart(
	const struct conf *now, const struct conf *next, struct buf *out);

#endif
