/* SPDX-License-Identifier: MIT */
/*
 * quota.h - what upstreams have said about the limits of keys.
 *
 * A fixed table in shared memory: all workers write to it, nobody locks. A row
 * is a key of an upstream, known by its tag only (secret_tag); it takes one
 * when an upstream refuses it for the first time and keeps it for as long as
 * the memory lives. Keys that come when all are taken share the last row.
 *
 * No text of an upstream stands in it: a number, a window and a time. What was
 * said last is one word, so that a reader never sees half of it. Nothing that
 * stands in the memory is believed when it is read.
 */
#ifndef SYS_QUOTA_H
#define SYS_QUOTA_H

#include <stdatomic.h>

#include "shared/base/span.h"
#include "shared/sys/secret.h"

#define QUOTA_KEYS 64 /* and one for the rest */
/* What stands for the keys without a row. */
#define QUOTA_OTHER "other"
/* Numbers of vendors above it are not kept. */
#define QUOTA_CODE_MAX 65535
/* Windows are told in up to so many units. */
#define QUOTA_WINDOW_MAX 255
/* A limit that is said to renew later than that is not believed. */
#define QUOTA_RESET_MAX_S (INT64_C(400) * 86400)

enum quota_class {
#define QUOTA_CLASS(name, word, meaning) QUOTA_##name,
#include "shared/sys/quota.def"
#undef QUOTA_CLASS
	QUOTA_CLASSES
};

/* Units of windows; 0 is "not said". */
enum quota_unit {
	QUOTA_NO_WINDOW,
	QUOTA_MINUTES,
	QUOTA_HOURS,
	QUOTA_DAYS,
	QUOTA_WEEKS,
	QUOTA_MONTHS,
	QUOTA_UNITS
};

struct quota_cell {
	_Atomic uint64_t count;
	_Atomic uint64_t said; /* a struct quota_said */
	_Atomic int64_t first_wall_s, last_wall_s;
};

struct quota {
	_Atomic uint64_t tags[QUOTA_KEYS]; /* eight hex digits each; 0: free */
	struct quota_cell cells[QUOTA_KEYS + 1][QUOTA_CLASSES];
};

/* What an upstream said of a limit. */
struct quota_said {
	unsigned code;        /* the vendor's number; 0: none */
	enum quota_unit unit; /* of the window */
	unsigned units;       /* how many; 0 with QUOTA_NO_WINDOW */
	int64_t reset_wall_s; /* when it renews, since 1970; 0: not said */
};

/* An upstream has refused the key of this tag. What is out of range is left
 * out. Cost: a look at the tags, a few stores. */
void quota_note(struct quota *q, const char tag[SECRET_TAG_LEN + 1],
	enum quota_class class, const struct quota_said *said,
	int64_t now_wall_s);

struct quota_seen {
	uint64_t count; /* refusals; 0: the rest is 0 too */
	int64_t first_wall_s, last_wall_s;
	struct quota_said said; /* the last time */
};

struct quota_row {
	char tag[SECRET_TAG_LEN + 1]; /* or QUOTA_OTHER */
	struct quota_seen seen[QUOTA_CLASSES];
};

/* A copy of row `at` (up to QUOTA_KEYS, which is the rest); false if nothing
 * was refused there. Numbers are in their ranges. */
bool quota_get(const struct quota *q, size_t at, struct quota_row *out);

/* The word of a class, and what it means. */
const char *quota_word(enum quota_class class);
const char *quota_meaning(enum quota_class class);

/* "5 hours", or "" when no window was said. Cut to fit. */
#define QUOTA_WINDOW_TEXT_MAX 16
void quota_window_text(
	const struct quota_said *said, char out[QUOTA_WINDOW_TEXT_MAX]);

#endif
