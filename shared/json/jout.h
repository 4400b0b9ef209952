/* SPDX-License-Identifier: MIT */
/*
 * jout.h - writes JSON without whitespace into a buf.
 *
 * Commas come by themselves; order and nesting are the caller's and asserted.
 * Failure is the buf's and sticky. Our own nesting is at most
 * JOUT_DEPTH_MAX; values copied whole (jout_raw) may nest deeper.
 *
 * Text is written so that it can stand inside an SSE `data:` line: U+0085,
 * U+2028 and U+2029 become escapes, since some clients split lines there, and
 * line ends between the tokens of a jout_raw value are left out.
 */
#ifndef JSON_JOUT_H
#define JSON_JOUT_H

#include "shared/json/jtext.h"

#define JOUT_DEPTH_MAX 32

struct jout {
	struct buf *out;
	uint32_t not_first; /* bit per level: a comma is due */
	uint32_t is_object; /* bit per level */
	uint8_t depth;
	bool after_key;
	bool in_string;
	bool keeps_lines;
	/* NULL, or where the keys of the outermost object go, as they are
	 * written, parted by commas. Set by the caller after init. */
	struct buf *root_keys;
};

void jout_init(struct jout *j, struct buf *out);
/* The same for text that will stand in no line, such as a request's body:
 * line separators are copied as they are, which saves looking for them. */
void jout_init_whole(struct jout *j, struct buf *out);

void jout_obj(struct jout *j);
void jout_obj_end(struct jout *j);
void jout_arr(struct jout *j);
void jout_arr_end(struct jout *j);

/* A key that needs no escaping; a key as it came from a peer. */
void jout_key(struct jout *j, const char *key);
void jout_key_jesc(struct jout *j, struct jesc key);

/* Values. */
void jout_jesc(struct jout *j, struct jesc s);
void jout_raw(struct jout *j, struct jraw v);
void jout_span(struct jout *j, struct span s); /* escapes */
void jout_cstr(struct jout *j, const char *s); /* escapes */
void jout_int(struct jout *j, int64_t v);
void jout_bool(struct jout *j, bool v);
void jout_null(struct jout *j);

/* A string value in pieces: nothing but jout_str_* between begin and end. */
void jout_str_begin(struct jout *j);
void jout_str_jesc(struct jout *j, struct jesc s);
void jout_str_span(struct jout *j, struct span s); /* escapes */
/* A JSON value as the text of the string (escapes it). */
void jout_str_raw(struct jout *j, struct jraw v);
void jout_str_end(struct jout *j);

/* key and value in one call. */
void jout_kv_jesc(struct jout *j, const char *key, struct jesc s);
void jout_kv_raw(struct jout *j, const char *key, struct jraw v);
void jout_kv_span(struct jout *j, const char *key, struct span s);
void jout_kv_cstr(struct jout *j, const char *key, const char *s);
void jout_kv_int(struct jout *j, const char *key, int64_t v);
void jout_kv_bool(struct jout *j, const char *key, bool v);
void jout_kv_null(struct jout *j, const char *key);

#endif
