/* SPDX-License-Identifier: MIT */
/*
 * history_sums.h - records added up by minute and by what they have in common,
 * until they are in the database.
 *
 * Clients choose names of models. So that these cannot make the history grow,
 * only the first HISTORY_NAMES pairs of client and model of an hour stand for
 * themselves; the others are "other". The sums stay exact.
 */
#ifndef ADMIN_HISTORY_SUMS_H
#define ADMIN_HISTORY_SUMS_H

#include "shared/sys/record.h"

#define HISTORY_NAMES      512  /* pairs an hour */
#define HISTORY_GROUPS     4096 /* then groups without names, */
#define HISTORY_GROUPS_MAX 4608 /* up to so many */
#define HISTORY_OTHER      "other"

/* What groups are told apart by, beside the minute: in the order of the
 * columns. */
#define HISTORY_TEXTS(TEXT)                                                    \
	TEXT(client, 64)                                                       \
	TEXT(dialect, 16)                                                      \
	TEXT(upstream, 16)                                                     \
	TEXT(model, 128)                                                       \
	TEXT(error, 32)

/* Columns of sums, in their order. */
#define HISTORY_SUMS(SUM)                                                      \
	SUM(requests)                                                          \
	SUM(streamed)                                                          \
	SUM(cancelled)                                                         \
	SUM(broken)                                                            \
	SUM(retries)                                                           \
	SUM(input)                                                             \
	SUM(cached)                                                            \
	SUM(output)                                                            \
	SUM(shown_input)                                                       \
	SUM(shown_cached)                                                      \
	SUM(shown_output)                                                      \
	SUM(counted) /* requests whose tokens are known */                     \
	SUM(head_us) /* of those that had one */                               \
	SUM(heads)                                                             \
	SUM(first_us)                                                          \
	SUM(firsts)                                                            \
	SUM(total_us)                                                          \
	SUM(bytes_in)                                                          \
	SUM(bytes_sent)                                                        \
	SUM(bytes_received)                                                    \
	SUM(bytes_out)                                                         \
	SUM(notice_count)                                                      \
	SUM(truncated)                                                         \
	SUM(removed)

struct history_key {
	int64_t time_s; /* of the minute's begin */
	int64_t is_count, status;
	/* Padded with NUL, so that a key can be compared whole. */
#define TEXT(name, bytes) char name[(bytes) + 8];
	HISTORY_TEXTS(TEXT)
#undef TEXT
};

struct history_group {
	struct history_key key;
#define SUM(name) int64_t name;
	HISTORY_SUMS(SUM)
#undef SUM
	int64_t longest_us; /* the largest total_us */
};

struct history_sums {
	struct history_group *groups;
	size_t n, cap;
	uint16_t index[2 * 8192]; /* position of a group plus 1, by hash */
	uint64_t names[2 * HISTORY_NAMES]; /* hashes of this hour's pairs */
	size_t nnames;
	int64_t hour;
	uint64_t records; /* in the groups */
};

void history_sums_init(struct history_sums *s);
void history_sums_fini(struct history_sums *s);

/* False if there is no room left: the record is not in the sums. */
bool history_sums_add(struct history_sums *s, const struct record *r) GP_WUR;

/* They are in the database: forget them, but not which names are known. */
void history_sums_clear(struct history_sums *s);

#endif
