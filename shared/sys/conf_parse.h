/* SPDX-License-Identifier: MIT */
/* conf_parse.h - for conf*.c, their tests and the master: the rows of conf.def,
 * the syntax of the file and the types of values. No IO. */
#ifndef SYS_CONF_PARSE_H
#define SYS_CONF_PARSE_H

#include "shared/sys/conf.h"

enum conf_type {
	CONF_BOOL,
	CONF_INT,
	CONF_SECONDS,
	CONF_MIB,
	CONF_TEXT,
	CONF_ENUM
};

/* Flags of conf.def. */
enum {
	RESTART = 1,
	SECRET = 2
};

struct conf_row {
	enum conf_type type;
	unsigned flags;
	const char *key;
	const char *bare; /* "": none */
	const char *dflt;
	const char *choices; /* of ENUM: "a|b" */
	int64_t min, max;    /* as stored: milliseconds, bytes */
	const char *help;
	size_t offset; /* in struct conf, or in struct conf_model */
};

extern const struct conf_row conf_rows[];
extern const size_t conf_nrows;
/* The model.NAME.* keys; `key` is what follows the name. */
#define CONF_MODEL_ROWS 4
extern const struct conf_row conf_model_rows[CONF_MODEL_ROWS];

/* NULL if there is none. */
const struct conf_row *conf_find(struct span key);
/* Position of a row that exists. */
size_t conf_index(const char *key);
/* The row whose key takes the fewest edits to get from `key`. Cost: a few
 * microseconds a row; only for messages. */
const struct conf_row *conf_nearest(
	const struct conf_row *rows, size_t n, struct span key);

/* Split "model.NAME.key" at its first and last dot. False if it is not of this
 * form. */
bool conf_model_split(struct span key, struct span *name, struct span *last);

/* What "auto" reads as. */
#define CONF_AUTO (-1)

struct conf_value {
	int64_t number;   /* BOOL, INT, SECONDS, MIB, ENUM */
	struct span text; /* TEXT: a view of the input */
};

/* Read a value of the row's type and check its range. *err holds the rest of a
 * sentence that begins with the key, and never the value. */
enum gp_code conf_value(const struct conf_row *row, struct span text,
	struct conf_value *out, struct gp_error *err) GP_WUR;

/* One line `key = value`, both trimmed, comment removed. */
typedef enum gp_code conf_line_fn(void *arg, unsigned line, struct span key,
	struct span value, struct gp_error *err);

/* Call fn for the lines of a file; stops at the first failure. `file` is for
 * messages. GP_E_SYNTAX when a line is neither blank, a comment nor key =
 * value. */
enum gp_code conf_lines(struct span text, const char *file, conf_line_fn *fn,
	void *arg, struct gp_error *err) GP_WUR;

#endif
