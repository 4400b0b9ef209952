/* SPDX-License-Identifier: MIT */
/*
 * query.h - the query of a URL ("a=1&b=x%20y"), taken strictly. Pure.
 *
 * Every parameter has a name and a "=", none comes twice, escapes are whole,
 * and what they mean is UTF-8 without control characters; "+" is a blank. What
 * is not so is refused with a sentence that says what to change. The typed
 * getters take a parameter that is absent as its default.
 */
#ifndef ADMIN_QUERY_H
#define ADMIN_QUERY_H

#include "shared/base/err.h"
#include "shared/base/span.h"

#define QUERY_PARAMS_MAX 20
#define QUERY_BYTES_MAX  4096 /* of the whole query, as written */

struct query_param {
	struct span name, value; /* decoded, in room */
};

struct query {
	struct query_param params[QUERY_PARAMS_MAX];
	size_t n;
	char room[QUERY_BYTES_MAX];
};

/* text: behind the '?'; an empty one has no parameters. The spans point into
 * *out. Errors: GP_E_SYNTAX. */
enum gp_code query_parse(
	struct query *out, struct span text, struct gp_error *err) GP_WUR;

/* GP_E_SCHEMA if there is a parameter that is not among names, which are parted
 * by blanks. */
enum gp_code query_check(
	const struct query *q, const char *names, struct gp_error *err) GP_WUR;

/* The value of a parameter; false if it is absent. */
bool query_get(const struct query *q, const char *name, struct span *value);

/* A text of at most `most` bytes; *out is left alone if it is absent. */
enum gp_code query_text(const struct query *q, const char *name, size_t most,
	struct span *out, struct gp_error *err) GP_WUR;

/* A decimal number, maybe with a minus. */
enum gp_code query_number(const struct query *q, const char *name,
	int64_t least, int64_t most, int64_t *out, struct gp_error *err) GP_WUR;

/* One of `words`, which are parted by blanks: its position. */
enum gp_code query_word(const struct query *q, const char *name,
	const char *words, int *out, struct gp_error *err) GP_WUR;

#endif
