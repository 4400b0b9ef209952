/* SPDX-License-Identifier: MIT */
/* history_db.c - the database of the history. */
#include "admin/history_db.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/base/check.h"

#define BUSY_MS   100
#define FREE_MOST 64 /* pages that are given back at once */

/* clang-format off: it does not know lists of strings */
#define GROUP_COLUMNS                                                          \
	"time_s INTEGER NOT NULL, is_count INTEGER NOT NULL,"                  \
	" status INTEGER NOT NULL, client TEXT NOT NULL,"                      \
	" dialect TEXT NOT NULL, upstream TEXT NOT NULL,"                      \
	" model TEXT NOT NULL, error TEXT NOT NULL,"                           \
	" requests INTEGER NOT NULL, streamed INTEGER NOT NULL,"               \
	" cancelled INTEGER NOT NULL, broken INTEGER NOT NULL,"                \
	" retries INTEGER NOT NULL, input INTEGER NOT NULL,"                   \
	" cached INTEGER NOT NULL, output INTEGER NOT NULL,"                   \
	" shown_input INTEGER NOT NULL, shown_cached INTEGER NOT NULL,"        \
	" shown_output INTEGER NOT NULL, counted INTEGER NOT NULL,"            \
	" head_us INTEGER NOT NULL, heads INTEGER NOT NULL,"                   \
	" first_us INTEGER NOT NULL, firsts INTEGER NOT NULL,"                 \
	" total_us INTEGER NOT NULL, bytes_in INTEGER NOT NULL,"               \
	" bytes_sent INTEGER NOT NULL, bytes_received INTEGER NOT NULL,"       \
	" bytes_out INTEGER NOT NULL, notice_count INTEGER NOT NULL,"          \
	" truncated INTEGER NOT NULL, removed INTEGER NOT NULL,"               \
	" longest_us INTEGER NOT NULL,"                                        \
	" PRIMARY KEY (time_s, is_count, status, client, dialect, upstream,"   \
	" model, error)"

/* Databases of others have gone through these: only add to their end. */
static const char *const steps[] = {
	"CREATE TABLE request (id INTEGER PRIMARY KEY, weight REAL NOT NULL,"
	" time_us INTEGER NOT NULL, is_count INTEGER NOT NULL,"
	" streamed INTEGER NOT NULL, status INTEGER NOT NULL,"
	" code INTEGER NOT NULL, cancelled INTEGER NOT NULL,"
	" broken INTEGER NOT NULL, reused INTEGER NOT NULL,"
	" retries INTEGER NOT NULL, input INTEGER, cached INTEGER,"
	" output INTEGER, shown_input INTEGER, shown_cached INTEGER,"
	" shown_output INTEGER, head_us INTEGER, body_us INTEGER,"
	" first_us INTEGER, total_us INTEGER NOT NULL,"
	" bytes_in INTEGER NOT NULL, bytes_sent INTEGER NOT NULL,"
	" bytes_received INTEGER NOT NULL, bytes_out INTEGER NOT NULL,"
	" notice_count INTEGER NOT NULL, removed INTEGER NOT NULL,"
	" original_tokens INTEGER NOT NULL, request TEXT NOT NULL,"
	" client TEXT NOT NULL, dialect TEXT NOT NULL,"
	" upstream TEXT NOT NULL, asked TEXT NOT NULL,"
	" model TEXT NOT NULL, error TEXT NOT NULL, notices TEXT NOT NULL);"
	"CREATE INDEX request_time ON request (time_us);"
	"CREATE TABLE minute (" GROUP_COLUMNS ") WITHOUT ROWID;"
	"CREATE TABLE hour (" GROUP_COLUMNS ") WITHOUT ROWID;",
	"ALTER TABLE request ADD COLUMN messages INTEGER;"
	"ALTER TABLE request ADD COLUMN max_tokens INTEGER;"
	"ALTER TABLE request ADD COLUMN thinking INTEGER;"
	"ALTER TABLE request ADD COLUMN vision INTEGER;"
	"ALTER TABLE request ADD COLUMN window INTEGER;",
	/* For what pages filter by. Each is written at a few places only, since
	 * time goes on: a row costs some microseconds more. */
	"CREATE INDEX request_client ON request (client, time_us);"
	"CREATE INDEX request_model ON request (model, time_us);"
	"CREATE INDEX request_failed ON request (time_us)"
	" WHERE status >= 400 OR broken > 0;",
	/* Sums of a whole retention would otherwise be those of a great many
	 * hours. */
	"CREATE TABLE day (" GROUP_COLUMNS ") WITHOUT ROWID;"
	"INSERT INTO day SELECT time_s / 86400 * 86400, is_count, status,"
	" client, dialect, upstream, model, error, sum(requests),"
	" sum(streamed), sum(cancelled), sum(broken), sum(retries), sum(input),"
	" sum(cached), sum(output), sum(shown_input), sum(shown_cached),"
	" sum(shown_output), sum(counted), sum(head_us), sum(heads),"
	" sum(first_us), sum(firsts), sum(total_us), sum(bytes_in),"
	" sum(bytes_sent), sum(bytes_received), sum(bytes_out),"
	" sum(notice_count), sum(truncated), sum(removed), max(longest_us)"
	" FROM hour GROUP BY 1, 2, 3, 4, 5, 6, 7, 8;",
};
/* clang-format on */
_Static_assert(ARRAY_LEN(steps) == HISTORY_DB_VERSION, "a step is missing");

/* --- statements ----------------------------------------------------------- */

static const char row_sql[] = "INSERT INTO request (weight"
#define NUMBER(name, least, most, meaning) ", " #name
#define TEXT(name, bytes, meaning)         ", " #name
#include "shared/sys/record.def"
#undef NUMBER
#undef TEXT
			      ") VALUES (?"
#define NUMBER(name, least, most, meaning) ", ?"
#define TEXT(name, bytes, meaning)         ", ?"
#include "shared/sys/record.def"
#undef NUMBER
#undef TEXT
			      ")";

#define NAME_TEXT(name, bytes) ", " #name
#define NAME_SUM(name)         ", " #name
#define MARK_TEXT(name, bytes) ", ?"
#define MARK_SUM(name)         ", ?"
#define ADD_SUM(name)          ", " #name " = " #name " + excluded." #name
#define GROUP_SQL(table)                                                       \
	"INSERT INTO " table                                                   \
	" (time_s, is_count, status" HISTORY_TEXTS(NAME_TEXT) HISTORY_SUMS(    \
		NAME_SUM) ", longest_us) VALUES (?, ?, "                       \
			  "?" HISTORY_TEXTS(MARK_TEXT) HISTORY_SUMS(           \
				  MARK_SUM) ", ?)"                             \
					    " ON CONFLICT DO "                 \
					    "UPDATE SET "                      \
					    "longest_us = "                    \
					    "max(longest_us,"                  \
					    " excluded."                       \
					    "longest_"                         \
					    "us"                               \
					    ")" HISTORY_SUMS(ADD_SUM)

static const char minute_sql[] = GROUP_SQL("minute");
static const char hour_sql[] = GROUP_SQL("hour");
static const char day_sql[] = GROUP_SQL("day");

/* --- troubles ------------------------------------------------------------- */

void
history_db_close(struct history_db *d)
{
	(void)sqlite3_finalize(d->row);
	(void)sqlite3_finalize(d->minute);
	(void)sqlite3_finalize(d->hour);
	(void)sqlite3_finalize(d->day);
	d->row = d->minute = d->hour = d->day = NULL;
	(void)sqlite3_close(d->db);
	d->db = NULL;
}

/* A call has failed: what is to be made of it. */
static enum history_db_result
fail(struct history_db *d, int rc)
{
	const int kind = rc & 0xff;

	(void)snprintf(d->why, sizeof(d->why), "%s",
		d->db != NULL ? sqlite3_errmsg(d->db) : sqlite3_errstr(rc));
	if (kind == SQLITE_BUSY || kind == SQLITE_LOCKED) {
		if (sqlite3_get_autocommit(d->db) == 0)
			(void)sqlite3_exec(d->db, "ROLLBACK", NULL, NULL, NULL);
		return HISTORY_DB_BUSY;
	}
	history_db_close(d);
	return kind == SQLITE_CORRUPT || kind == SQLITE_NOTADB ?
		HISTORY_DB_SPOILT :
		HISTORY_DB_FAILED;
}

static int
run(struct history_db *d, const char *sql)
{
	return sqlite3_exec(d->db, sql, NULL, NULL, NULL);
}

/* The first column of the first row, as a number. */
static int
ask(struct history_db *d, const char *sql, int64_t *value)
{
	sqlite3_stmt *s = NULL;
	int rc = sqlite3_prepare_v2(d->db, sql, -1, &s, NULL);

	*value = 0;
	if (rc == SQLITE_OK)
		rc = sqlite3_step(s);
	if (rc == SQLITE_ROW) {
		*value = sqlite3_column_int64(s, 0);
		rc = SQLITE_OK;
	} else if (rc == SQLITE_DONE) {
		rc = SQLITE_OK;
	}
	(void)sqlite3_finalize(s);
	return rc;
}

/* --- opening -------------------------------------------------------------- */

void
history_db_init(struct history_db *d, struct span path)
{
	*d = (struct history_db){ .why = "" };
	/* A path that is cut cannot be opened, and the message names it. */
	(void)snprintf(d->path, sizeof(d->path), "%.*s", SPAN_ARG(path));
}

static int
take_step(struct history_db *d, size_t i)
{
	char version[64];
	int rc = run(d, "BEGIN IMMEDIATE");

	(void)snprintf(
		version, sizeof(version), "PRAGMA user_version = %zu", i + 1);
	if (rc == SQLITE_OK)
		rc = run(d, steps[i]);
	if (rc == SQLITE_OK)
		rc = run(d, version);
	if (rc == SQLITE_OK)
		rc = run(d, "COMMIT");
	return rc;
}

static enum history_db_result
migrate(struct history_db *d)
{
	int64_t version;
	int rc = ask(d, "PRAGMA user_version", &version);

	if (rc != SQLITE_OK)
		return fail(d, rc);
	if (version < 0 || version > (int64_t)ARRAY_LEN(steps)) {
		history_db_close(d);
		(void)snprintf(d->why, sizeof(d->why),
			"it was made by a later version of the program");
		return HISTORY_DB_FAILED;
	}
	for (size_t i = (size_t)version; i < ARRAY_LEN(steps); i++) {
		rc = take_step(d, i);
		if (rc != SQLITE_OK)
			return fail(d, rc);
	}
	return HISTORY_DB_DONE;
}

static int
prepare(struct history_db *d)
{
	static const unsigned flags = SQLITE_PREPARE_PERSISTENT;
	int rc = sqlite3_prepare_v3(d->db, row_sql, -1, flags, &d->row, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_prepare_v3(
			d->db, minute_sql, -1, flags, &d->minute, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_prepare_v3(
			d->db, hour_sql, -1, flags, &d->hour, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_prepare_v3(
			d->db, day_sql, -1, flags, &d->day, NULL);
	return rc;
}

/* Its companions get the mode of the database. */
static void
make_file(const struct history_db *d)
{
	/* One that exists must not be opened here: closing it would give up
	 * the locks that other connections of this process have on it. */
	const int fd =
		open(d->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640);

	if (fd >= 0)
		(void)close(fd);
}

enum history_db_result
history_db_open(struct history_db *d)
{
	enum history_db_result result;
	int rc;

	make_file(d);
	rc = sqlite3_open_v2(d->path, &d->db,
		SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE |
			SQLITE_OPEN_NOMUTEX,
		NULL);
	if (rc != SQLITE_OK)
		return fail(d, rc);
	(void)sqlite3_busy_timeout(d->db, BUSY_MS);
	/* Room can be given back in small steps only if the first page says so
	 * from the beginning. */
	rc = run(d,
		"PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL;"
		"PRAGMA synchronous = NORMAL; PRAGMA cache_size = -512;"
		"PRAGMA journal_size_limit = 4194304");
	if (rc != SQLITE_OK)
		result = fail(d, rc);
	else
		result = migrate(d);
	if (result == HISTORY_DB_DONE) {
		rc = prepare(d);
		if (rc != SQLITE_OK)
			result = fail(d, rc);
	}
	if (result != HISTORY_DB_DONE)
		history_db_close(d);
	return result;
}

bool
history_db_is_there(const struct history_db *d)
{
	char wal[PATH_MAX + 8];
	int has_moved = 0;

	(void)sqlite3_file_control(
		d->db, "main", SQLITE_FCNTL_HAS_MOVED, &has_moved);
	if (has_moved != 0)
		return false;
	(void)snprintf(wal, sizeof(wal), "%s-wal", d->path);
	return access(wal, F_OK) == 0 || errno != ENOENT;
}

/* --- adding --------------------------------------------------------------- */

struct row_head {
	double weight;
	uint32_t size;
	uint32_t unused;
};

void
history_rows_put(struct buf *rows, struct span record, double weight)
{
	const struct row_head head = { weight, (uint32_t)record.n, 0 };

	buf_put(rows, span_of((const char *)&head, sizeof(head)));
	buf_put(rows, record);
}

static void
bind_text(sqlite3_stmt *s, int *at, struct span text)
{
	(void)sqlite3_bind_text(
		s, (*at)++, text.p, (int)text.n, SQLITE_TRANSIENT);
}

/* What is not known is NULL, and so stays out of sums and means. */
static void
bind_number(sqlite3_stmt *s, int *at, int64_t n)
{
	if (n >= 0)
		(void)sqlite3_bind_int64(s, *at, n);
	else
		(void)sqlite3_bind_null(s, *at);
	(*at)++;
}

static int
finish(sqlite3_stmt *s)
{
	int rc = sqlite3_step(s);

	(void)sqlite3_reset(s);
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int
add_row(struct history_db *d, const struct record *r, double weight)
{
	int at = 1;

	(void)sqlite3_bind_double(d->row, at++, weight);
#define NUMBER(name, least, most, meaning) bind_number(d->row, &at, r->name);
#define TEXT(name, bytes, meaning)         bind_text(d->row, &at, r->name);
#include "shared/sys/record.def"
#undef NUMBER
#undef TEXT
	return finish(d->row);
}

static int
add_rows(struct history_db *d, struct span rows, size_t *nrows)
{
	char room[RECORD_MAX];
	struct row_head head;
	int rc = SQLITE_OK;

	while (rc == SQLITE_OK && rows.n > 0) {
		struct record r;

		GP_ASSERT(rows.n >= sizeof(head));
		memcpy(&head, rows.p, sizeof(head));
		rows = span_from(rows, sizeof(head));
		GP_ASSERT(head.size <= MIN(rows.n, sizeof(room)));
		memcpy(room, rows.p, head.size);
		rows = span_from(rows, head.size);
		/* It has been read once before. */
		GP_ASSERT(record_read(&r, room, head.size));
		rc = add_row(d, &r, head.weight);
		(*nrows)++;
	}
	return rc;
}

static int
add_group(sqlite3_stmt *s, const struct history_group *g, int64_t time_s)
{
	int at = 1;

	(void)sqlite3_bind_int64(s, at++, time_s);
	(void)sqlite3_bind_int64(s, at++, g->key.is_count);
	(void)sqlite3_bind_int64(s, at++, g->key.status);
#define TEXT(name, bytes) bind_text(s, &at, span_cstr(g->key.name));
	HISTORY_TEXTS(TEXT)
#undef TEXT
#define SUM(name) (void)sqlite3_bind_int64(s, at++, g->name);
	HISTORY_SUMS(SUM)
#undef SUM
	(void)sqlite3_bind_int64(s, at++, g->longest_us);
	return finish(s);
}

enum history_db_result
history_db_add(struct history_db *d, const struct history_sums *sums,
	struct span rows, size_t *nrows)
{
	int rc = run(d, "BEGIN IMMEDIATE");

	*nrows = 0;
	if (rc == SQLITE_OK)
		rc = add_rows(d, rows, nrows);
	for (size_t i = 0; rc == SQLITE_OK && i < sums->n; i++) {
		const struct history_group *const g = &sums->groups[i];

		rc = add_group(d->minute, g, g->key.time_s);
		if (rc == SQLITE_OK)
			rc = add_group(d->hour, g, g->key.time_s / 3600 * 3600);
		if (rc == SQLITE_OK)
			rc = add_group(
				d->day, g, g->key.time_s / 86400 * 86400);
	}
	if (rc == SQLITE_OK)
		rc = run(d, "COMMIT");
	return rc == SQLITE_OK ? HISTORY_DB_DONE : fail(d, rc);
}

/* --- upkeep --------------------------------------------------------------- */

enum history_db_result
history_db_prune(struct history_db *d, int64_t before_s, int64_t most)
{
	char sql[800];
	int64_t free_pages = 0;
	int rc;

	(void)snprintf(sql, sizeof(sql),
		"DELETE FROM request WHERE id IN (SELECT id FROM request WHERE"
		" time_us < %" PRId64 " ORDER BY time_us LIMIT %" PRId64 ");"
		"DELETE FROM minute WHERE time_s = (SELECT min(time_s) FROM"
		" minute) AND time_s < %" PRId64 ";"
		"DELETE FROM hour WHERE time_s = (SELECT min(time_s) FROM"
		" hour) AND time_s < %" PRId64 ";"
		"DELETE FROM day WHERE time_s = (SELECT min(time_s) FROM"
		" day) AND time_s < %" PRId64,
		before_s * 1000000, most, before_s, before_s - 3600,
		before_s - 86400);
	rc = run(d, sql);
	if (rc == SQLITE_OK)
		rc = ask(d, "PRAGMA freelist_count", &free_pages);
	(void)snprintf(
		sql, sizeof(sql), "PRAGMA incremental_vacuum(%d)", FREE_MOST);
	if (rc == SQLITE_OK && free_pages > FREE_MOST)
		rc = run(d, sql);
	return rc == SQLITE_OK ? HISTORY_DB_DONE : fail(d, rc);
}

/* "history.db" + "-corrupt-1" */
static void
name_aside(const struct history_db *d, int n, const char *more,
	char out[PATH_MAX + 32])
{
	(void)snprintf(out, PATH_MAX + 32, "%s-corrupt-%d%s", d->path, n, more);
}

static bool
move(const char *from, const char *to)
{
	return rename(from, to) == 0 || errno == ENOENT;
}

bool
history_db_set_aside(struct history_db *d)
{
	static const char *const parts[] = { "-wal", "" };
	char from[PATH_MAX + 32];
	char to[PATH_MAX + 32];
	char reason[128];
	bool ok = true;

	GP_ASSERT(d->db == NULL);
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		name_aside(d, 1, parts[i], from);
		name_aside(d, 2, parts[i], to);
		ok = ok && (unlink(to) == 0 || errno == ENOENT) &&
			move(from, to);
		(void)snprintf(from, sizeof(from), "%s%s", d->path, parts[i]);
		name_aside(d, 1, parts[i], to);
		ok = ok && move(from, to);
	}
	if (!ok)
		(void)snprintf(d->why, sizeof(d->why),
			"it cannot be moved out of the way: %s",
			strerror_r(errno, reason, sizeof(reason)));
	(void)snprintf(from, sizeof(from), "%s-shm", d->path);
	(void)unlink(from);
	return ok;
}
