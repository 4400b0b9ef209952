/* SPDX-License-Identifier: MIT */
/* err.h - the one error type: a code for the program, a sentence for people. */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stdarg.h>
#include <stdint.h>

#include "shared/base/defs.h"

enum gp_code {
#define ERR(code, status, sentence) code,
#include "shared/base/err.def"
#undef ERR
	GP_CODE_COUNT
};

#define GP_ERROR_TEXT_MAX  512
#define GP_ERROR_PARAM_MAX 128

struct gp_error {
	enum gp_code code;
	/* Complete sentence or clause, NUL-terminated, cut at the size. May
	 * quote names that the peer chose, never values. Always valid UTF-8
	 * without bytes below 0x20 ('?' stands in their place). */
	char text[GP_ERROR_TEXT_MAX];
	/* Path of the offending request field, e.g. "messages[3].role"; "" if
	 * none. */
	char param[GP_ERROR_PARAM_MAX];
	/* A more precise machine-readable reason, e.g. "unsupported_value";
	 * static storage, NULL if none. */
	const char *reason;
};

/* Set *err (which may be NULL) and return code, for `return gp_fail(...)`.
 * Clears param and reason. */
enum gp_code gp_fail(struct gp_error *err, enum gp_code code, const char *fmt,
	...) GP_PRINTF(3, 4);

/* Name the request field that *err (which may be NULL) is about; cut at
 * GP_ERROR_PARAM_MAX. Returns err->code, or code when err is NULL. */
enum gp_code gp_fail_at(struct gp_error *err, enum gp_code code,
	const char *param_fmt, ...) GP_PRINTF(3, 4);

/* The status of err.def. */
unsigned gp_code_status(enum gp_code code);

/* The constant's own name, e.g. "GP_E_SYNTAX"; the default sentence. */
const char *gp_code_name(enum gp_code code);
const char *gp_code_sentence(enum gp_code code);

#endif
