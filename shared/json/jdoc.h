/* SPDX-License-Identifier: MIT */
/*
 * jdoc.h - a parsed JSON text: jsmn's tokens behind a typed, indexed view.
 *
 *	JDOC_EACH(d, jdoc_get(d, jdoc_root(d), SPAN("messages")), m) {
 *		struct jesc role = jdoc_str(d, jdoc_get(d, m, SPAN("role")));
 *		...
 *	}
 *
 * References are numbers, JREF_NONE is "not there", and every reader accepts
 * JREF_NONE, so look-ups chain without checks. All views point into the text,
 * which must outlive the document.
 */
#ifndef JSON_JDOC_H
#define JSON_JDOC_H

#include "shared/base/err.h"
#include "shared/json/jbones.h"
#include "shared/json/jtext.h"

typedef uint32_t jref;

#define JREF_NONE UINT32_MAX

enum jtype {
	J_NONE,
	J_NULL,
	J_BOOL,
	J_NUM,
	J_STR,
	J_ARR,
	J_OBJ
};

struct jdoc_token; /* jsmn's token; its parent link becomes the index behind
		      its subtree */

struct jdoc {
	struct span text;
	struct jdoc_token *tok;
	uint32_t n, cap;
	struct jbones bones;
};

/* Reusable: jdoc_parse keeps the token memory of the previous text, trimmed to
 * JDOC_KEEP_TOKENS. */
#define JDOC_KEEP_TOKENS 65536u
void jdoc_init(struct jdoc *d);
void jdoc_fini(struct jdoc *d);

/*
 * Parse one JSON text into a reusable document.
 *
 * text   must outlive the document, which points into it
 * err    on failure: code and byte offset; may be NULL
 *
 * Returns GP_OK; GP_E_SYNTAX; GP_E_LIMIT past the limits of jscan.h.
 * Cost: three linear passes, two of them over the bones only; no allocation
 * once the memory is there.
 * spec: RFC 8259
 */
enum gp_code jdoc_parse(
	struct jdoc *d, struct span text, struct gp_error *err) GP_WUR;

/* GP_E_SCHEMA, naming the key, if a key stands twice in object obj. Parsers
 * disagree on which of the two wins, so a request could be routed by one and
 * served by the other. Linear for the usual handful of keys, n log n at worst.
 */
enum gp_code jdoc_refuse_duplicates(
	const struct jdoc *d, jref obj, struct gp_error *err) GP_WUR;

/* The outermost value; always there after a successful parse. */
jref jdoc_root(const struct jdoc *d);

enum jtype jdoc_type(const struct jdoc *d, jref r);
/* "null", "a string", ... for messages. */
const char *jdoc_type_name(enum jtype t);

/* Value of the first member of obj with this key (compared after unescaping);
 * JREF_NONE if obj is not an object or has none. Linear in the members. */
jref jdoc_get(const struct jdoc *d, jref obj, struct span key);
/* jdoc_get, but a null member counts as absent. */
jref jdoc_get_set(const struct jdoc *d, jref obj, struct span key);
/* The element at position i, or JREF_NONE. Linear in i. */
jref jdoc_at(const struct jdoc *d, jref arr, size_t i);
/* Number of elements or members; 0 for everything else. */
size_t jdoc_count(const struct jdoc *d, jref r);

/* The value as it stands in the text; JRAW_NONE for JREF_NONE. */
struct jraw jdoc_raw(const struct jdoc *d, jref r);
/* Inside of a string; JESC_EMPTY for anything else. */
struct jesc jdoc_str(const struct jdoc *d, jref r);
/* True if r is a string that means exactly text. */
bool jdoc_is(const struct jdoc *d, jref r, struct span text);
/* True for the literal true; `otherwise` for anything but true and false. */
bool jdoc_bool(const struct jdoc *d, jref r, bool otherwise);
/* An integral number written in any form (100, 1e2, 100.0). False, with *out
 * untouched, if r is not a number, not integral, or outside int64. Exact: no
 * floating point is involved. */
bool jdoc_int(const struct jdoc *d, jref r, int64_t *out) GP_WUR;
/* A number, for comparing with a range only (never for copying): the last bits
 * may differ from strtod's, and what no double can hold becomes infinite. */
bool jdoc_double(const struct jdoc *d, jref r, double *out) GP_WUR;

/* Iteration over the elements of an array: `it` is the element. */
jref jdoc_first(const struct jdoc *d, jref container);
jref jdoc_next(const struct jdoc *d, jref container, jref it);
#define JDOC_EACH(d, arr, it)                                                  \
	for (jref it = jdoc_first((d), (arr)); it != JREF_NONE;                \
		it = jdoc_next((d), (arr), it))

/* Iteration over the members of an object: `it` is the key; key and value: */
#define JDOC_EACH_MEMBER(d, obj, it) JDOC_EACH (d, obj, it)
struct jesc jdoc_key(const struct jdoc *d, jref it);
jref jdoc_value(const struct jdoc *d, jref it);

#endif
