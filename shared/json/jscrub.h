/* SPDX-License-Identifier: MIT */
/*
 * jscrub.h - text with keys and images cut out, as it may be logged.
 *
 * For JSON, event streams of JSON and JSON inside of JSON's strings, whole or
 * broken. It does not parse, so nothing can lead it astray for long, and it
 * rather cuts too much. Cut are:
 *
 *  - values of members whose names look like a key's ("authorization",
 *    "x-api-key", "...token", "...secret", "...key", ...), strings and lists of
 *    strings; "data"; data: URLs
 *  - words of more than JSCRUB_WORD_MAX bytes, as base64 is
 *  - words that contain one of the given secrets, look like a key, or follow
 *    "Bearer", "api_key=" and the like; at the very end their beginnings too
 *
 * A word is a run of letters, digits and what else keys are made of, slashes
 * also as JSON may escape them. A cut is marked: [cut], or [1234 bytes cut].
 */
#ifndef JSON_JSCRUB_H
#define JSON_JSCRUB_H

#include "shared/base/buf.h"

#define JSCRUB_WORD_MAX    256
#define JSCRUB_NAME_MAX    40
#define JSCRUB_SECRETS_MAX 4
/* Secrets that are shorter are none: they would be found everywhere. */
#define JSCRUB_SECRET_LEAST 8

enum jscrub_state {
	JSCRUB_TEXT,
	JSCRUB_NAMED, /* behind a name that looks like a key's */
	JSCRUB_VALUE, /* and its colon */
	JSCRUB_LIST,  /* in a list of such values */
	JSCRUB_CUT    /* in a string that is cut */
};

struct jscrub {
	enum jscrub_state state;
	unsigned backslashes; /* just before */
	unsigned level;       /* of the quote that ends the cut */
	bool in_list, is_bulk;
	uint64_t cut; /* bytes of the present cut */
	/* The string that the last quote began: its letters and digits, small,
	 * the newest in place of the oldest; how much of "data:" it began with,
	 * how much of "base64," it ends with. */
	char name[JSCRUB_NAME_MAX];
	uint64_t name_n;
	bool is_name; /* nothing in it that no name has */
	unsigned string_level;
	size_t url_at, base64_at;
	/* The present word. */
	char word[JSCRUB_WORD_MAX];
	uint64_t word_n; /* more than JSCRUB_WORD_MAX: it will be cut */
	unsigned held;   /* backslashes behind it */
	/* Between the last word and the present one. */
	bool after_name, after_scheme, has_sign;
	unsigned gap;
	bool is_word[256];
	struct span secrets[JSCRUB_SECRETS_MAX];
	size_t nsecrets;
};

/* The secrets' bytes must stay. */
void jscrub_init(struct jscrub *s, const struct span *secrets, size_t n);
/* Append what can be told of the bytes so far: some may be held back. */
void jscrub_feed(struct jscrub *s, struct span bytes, struct buf *out);
/* They were the last. */
void jscrub_end(struct jscrub *s, struct buf *out);

#endif
