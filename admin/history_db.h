/* SPDX-License-Identifier: MIT */
/*
 * history_db.h - the database of the history: its tables, its upkeep and its
 * troubles. For one thread.
 *
 *	request   a row for each request, or for a sample of them; found by
 *		  time, and by client, model or failure and then time
 *	minute    sums, by what history_sums.h tells apart
 *	hour      the same, by the hour
 *	day       the same, by the day of UTC
 *
 * user_version is the number of the last step of steps[] that was taken.
 */
#ifndef ADMIN_HISTORY_DB_H
#define ADMIN_HISTORY_DB_H

#include <limits.h>

#include "admin/history_sums.h"
#include "shared/base/buf.h"

/* Steps that a database of today has gone through. */
#define HISTORY_DB_VERSION 4

struct sqlite3;
struct sqlite3_stmt;

enum history_db_result {
	HISTORY_DB_DONE,
	HISTORY_DB_BUSY,   /* somebody else holds it for a moment */
	HISTORY_DB_FAILED, /* closed; open it again later */
	HISTORY_DB_SPOILT, /* closed; what is there is no database */
};

struct history_db {
	char path[PATH_MAX];
	char why[256];      /* the last trouble, a sentence without end */
	struct sqlite3 *db; /* NULL: closed */
	struct sqlite3_stmt *row, *minute, *hour, *day;
};

/* A row to be: what record_write has made of a request, and for how many
 * requests it stands. In a buf, one behind the other. */
void history_rows_put(struct buf *rows, struct span record, double weight);

void history_db_init(struct history_db *d, struct span path);
/* Make what is missing, take the steps that are missing. */
enum history_db_result history_db_open(struct history_db *d) GP_WUR;
void history_db_close(struct history_db *d);

/* Is the file that is open still the one that the path names? */
bool history_db_is_there(const struct history_db *d);

/* One transaction: all of it or nothing. *nrows: rows written. */
enum history_db_result history_db_add(struct history_db *d,
	const struct history_sums *sums, struct span rows,
	size_t *nrows) GP_WUR;

/* Remove some of what is older than before_s (since 1970), at most `most` rows
 * of requests, and give back some of the room. */
enum history_db_result history_db_prune(
	struct history_db *d, int64_t before_s, int64_t most) GP_WUR;

/* Move a file that is no database out of the way; two such are kept. False with
 * `why` if that fails. */
bool history_db_set_aside(struct history_db *d) GP_WUR;

#endif
