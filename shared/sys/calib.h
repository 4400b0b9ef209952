/* SPDX-License-Identifier: MIT */
/*
 * calib.h - how far local token counts are from upstream's, learned.
 *
 * A row in shared memory for each model of an upstream, for two ways of
 * counting: the quick estimate from bytes, and exact counting by a vocabulary
 * that is close to the model's own. All workers learn into the same word and
 * read it without a lock: ratio and number of samples change in one exchange.
 */
#ifndef SYS_CALIB_H
#define SYS_CALIB_H

#include <stdatomic.h>

#include "shared/base/span.h"

#define CALIB_ROWS     64
#define CALIB_NAME_MAX 64 /* with its NUL */
#define CALIB_ONE      65536u
/* Ratios are kept between these. */
#define CALIB_MIN 16384u  /* a quarter */
#define CALIB_MAX 262144u /* four times */
/* Counts below it say more of the upstream's own preamble than of the text. */
#define CALIB_TOKENS_MIN 256
/* From so many samples on a ratio is to be trusted. */
#define CALIB_SURE 8

enum calib_way {
	CALIB_QUICK,
	CALIB_EXACT,
	CALIB_WAYS
};

/* What files and labels call the ways: "quick", "exact". */
extern const char *const calib_way_names[CALIB_WAYS];

struct calib_row {
	_Atomic uint64_t key;      /* hash of the name; 0: free */
	_Atomic uint32_t is_named; /* name is complete */
	char name[CALIB_NAME_MAX];
	/* Upper half: samples. Lower half: upstream's count / ours, CALIB_ONE
	 * is 1. 0: nothing learned. */
	_Atomic uint64_t ratio[CALIB_WAYS];
	_Atomic uint32_t steady; /* calib_steady; 0: none yet */
};

struct calib {
	struct calib_row rows[CALIB_ROWS];
};

/* What was learned; a copy. */
struct calib_ratio {
	uint32_t ratio; /* CALIB_ONE when there are no samples */
	uint32_t samples;
};

/* The row of a name ("upstream/model"), made if there is none; NULL when all
 * are taken, and for names that do not fit. Cost: one hash, mostly one look. */
struct calib_row *calib_row(struct calib *c, struct span name);
/* The same, but none is made: NULL if there is none. */
struct calib_row *calib_find(struct calib *c, struct span name);

/* A name that can stand in a file and on a page: it fits, and is valid UTF-8
 * without control characters. */
bool calib_is_name(struct span name);

/* The row's name, a view; false if it has none, or not one that calib_is_name
 * and that leads to this row, so that names are never found twice. */
bool calib_name(const struct calib_row *row, struct span *name);

/* Upstream counted `theirs` where we counted `ours`. Small counts are left
 * out; once a ratio is known, one sample moves it by a 16th of a quarter at
 * most. row may be NULL. */
void calib_learn(struct calib_row *row, enum calib_way way, int64_t ours,
	int64_t theirs);

struct calib_ratio calib_get(const struct calib_row *row, enum calib_way way);

/* A ratio (CALIB_ONE is 1) near this one that is the same from one request to
 * the next while this one moves a little: for what must not change with it.
 * The first one that is asked for, a little rounded up, becomes the row's; one
 * that is an eighth away from it is only rounded. */
uint32_t calib_steady(struct calib_row *row, uint32_t ratio);

/* ours by the ratio, rounded to the nearest. */
int64_t calib_apply(struct calib_ratio r, int64_t ours);

/* Put back what an earlier run has learned, unless the row has samples already;
 * out-of-range values are ignored. */
void calib_restore(
	struct calib_row *row, enum calib_way way, struct calib_ratio r);

#endif
