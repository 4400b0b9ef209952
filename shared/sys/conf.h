/* SPDX-License-Identifier: MIT */
/*
 * conf.h - the configuration: conf.def's keys, read, checked and printed.
 *
 * Order: built-in, file, environment (prefixed over bare), command line. A
 * configuration is read once by the master before it forks; children see it
 * read-only. Texts live in the conf's arena.
 */
#ifndef SYS_CONF_H
#define SYS_CONF_H

#include "shared/base/arena.h"
#include "shared/base/buf.h"
#include "shared/base/err.h"
#include "shared/base/vec.h"
#include "shared/sys/secret.h"

/* Enumerations hold the position of the choice in conf.def's list. */
enum conf_preference { PREFER_AUTO, PREFER_ANTHROPIC, PREFER_OPENAI, PREFER_CLIENT };
enum conf_thinking { THINKING_CLIENT, THINKING_TRUE, THINKING_FALSE };

enum conf_origin { CONF_BUILTIN, CONF_FILE, CONF_BARE_ENV, CONF_ENV, CONF_COMMAND_LINE };

/* model.NAME.* keys: a value of -1 was not given. */
struct conf_model {
	struct span name;
	int64_t context_tokens;
	int64_t max_output_tokens;
	int vision; /* 0, 1 */
	int64_t stall_ms;
};

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

struct conf {
#define CONF(type, field, key, bare, dflt, min, max, flags, help) \
	CONF_FIELD_##type field;
#include "shared/sys/conf.def"
#undef CONF
	struct arena arena;
	struct span file; /* path that was read, empty if none */
	VEC_OF(struct conf_model) models;
	VEC_OF(struct conf_client_key) client_keys;
	struct secret server_key; /* from server_api_key or its file */
	struct secret admin_token;
	VEC_OF(char *) warnings; /* bad bare environment names, ... */
	unsigned char *origins; /* enum conf_origin, one a row of conf.def */
};

struct conf_source {
	const char *file; /* NULL: none */
	char *const *environ; /* NULL: none */
	const char *const *options; /* -o key=value, NULL-terminated; or NULL */
};

/*
 * Read and check everything, files with keys included.
 *
 * Returns NULL with *err naming file, line, key and, for an unknown key, the
 * nearest known one. Warnings (which do not stop a start) are in ->warnings.
 * A server key, once read, is wiped from the environment block.
 */
struct conf *conf_load(const struct conf_source *src, struct gp_error *err)
	GP_WUR;
void conf_free(struct conf **c);

/* True if value `v` of an ENUM key spells this choice; for messages. */
struct span conf_enum_text(const char *choices, int v);

/* Every effective value, one `key = value  # origin` line each, secrets
 * masked. */
void conf_print(const struct conf *c, struct buf *out);

/* Keys that differ and need a restart, as a comma list; empty if a reload can
 * take all of `next`. */
void conf_diff_restart(const struct conf *now, const struct conf *next,
	struct buf *out);

#endif
