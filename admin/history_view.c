/* SPDX-License-Identifier: MIT */
/* history_view.c - reading the history. */
#include "admin/history_view.h"

#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <time.h>

#include "admin/history_db.h"
#include "shared/sys/clock.h"

/* Steps of SQLite's machine between two looks at the clock: some 20 us, or so
 * many pages of a slow disk. */
#define LOOK_EVERY 200
/* What SQLite sleeps at most at once. */
#define NAP_US 1000
/* For a lock of the file. */
#define BUSY_NAPS 50
#define VFS       "glmproxy-history"

/* --- waiting for locks ---------------------------------------------------- */

/* Where others hold the locks of the log's index, SQLite tries a hundred times,
 * and sleeps longer and longer: ten seconds in all, and no limit of ours is
 * asked meanwhile. With naps that are all the same it is a tenth of one. */
static int
nap(sqlite3_vfs *vfs, int us)
{
	const struct timespec ts = { .tv_nsec = MIN(us, NAP_US) * 1000L };

	(void)vfs;
	(void)nanosleep(&ts, NULL);
	return us;
}

/* The system's own but for the naps. */
static void
register_vfs(void)
{
	static sqlite3_vfs vfs;
	const sqlite3_vfs *const system = sqlite3_vfs_find(NULL);

	if (system == NULL || sqlite3_vfs_find(VFS) != NULL)
		return;
	vfs = *system;
	vfs.zName = VFS;
	vfs.xSleep = nap;
	(void)sqlite3_vfs_register(&vfs, 0);
}

/* n: how often it was asked for this lock. SQLite's own adds up what it wanted
 * to sleep. */
static int
on_busy(void *ctx, int n)
{
	(void)ctx;
	if (n >= BUSY_NAPS)
		return 0;
	(void)nap(NULL, NAP_US);
	return 1;
}

/* --- opening -------------------------------------------------------------- */

void
history_view_init(struct history_view *v, struct span dir)
{
	*v = (struct history_view){ .path = "" };
	register_vfs();
	(void)snprintf(
		v->path, sizeof(v->path), "%.*s/history.db", SPAN_ARG(dir));
}

void
history_view_close(struct history_view *v)
{
	/* A connection that may not write leaves the files alone, also those
	 * that have come in their place since. */
	(void)sqlite3_close_v2(v->db);
	v->db = NULL;
}

int64_t
history_view_elapsed_ms(const struct history_view *v)
{
	return clock_mono_ms() - v->begun_ms;
}

/* Other than 0 ends the statement. */
static int
on_progress(void *ctx)
{
	struct history_view *const v = ctx;

	v->is_late = v->is_late || history_view_elapsed_ms(v) > HISTORY_VIEW_MS;
	return v->is_late;
}

enum gp_code
history_view_fail(struct history_view *v, int rc, struct gp_error *err)
{
	char why[256];

	(void)snprintf(why, sizeof(why), "%s",
		v->db != NULL ? sqlite3_errmsg(v->db) : sqlite3_errstr(rc));
	switch (rc & 0xff) {
	case SQLITE_INTERRUPT:
		return gp_fail(err, GP_E_TIMEOUT,
			"this takes longer than %d ms: narrow the range "
			"between from and to",
			HISTORY_VIEW_MS);
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
	case SQLITE_PROTOCOL:
		return gp_fail(err, GP_E_SYSTEM,
			"somebody else holds the history: try again");
	case SQLITE_CANTOPEN:
		history_view_close(v);
		return gp_fail(err, GP_E_SYSTEM,
			"there is no history to be read: %s", why);
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		history_view_close(v);
		return gp_fail(err, GP_E_SYSTEM,
			"the file of the history is spoilt: %s", why);
	default:
		history_view_close(v);
		return gp_fail(err, GP_E_SYSTEM,
			"the history cannot be read: %s", why);
	}
}

static bool
has_moved(const struct history_view *v)
{
	int moved = 0;

	(void)sqlite3_file_control(
		v->db, "main", SQLITE_FCNTL_HAS_MOVED, &moved);
	return moved != 0;
}

static enum gp_code
check_version(struct history_view *v, struct gp_error *err)
{
	sqlite3_stmt *s = NULL;
	int version = 0;
	int rc = sqlite3_prepare_v2(v->db, "PRAGMA user_version", -1, &s, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_step(s);
	if (rc == SQLITE_ROW) {
		version = sqlite3_column_int(s, 0);
		rc = SQLITE_OK;
	}
	(void)sqlite3_finalize(s);
	if (rc != SQLITE_OK)
		return history_view_fail(v, rc, err);
	if (version == HISTORY_DB_VERSION)
		return GP_OK;
	history_view_close(v);
	return gp_fail(err, GP_E_SYSTEM,
		version < HISTORY_DB_VERSION ?
			"the history is not ready yet: try again" :
			"the history was made by a later version of the "
			"program");
}

static enum gp_code
open_db(struct history_view *v, struct gp_error *err)
{
	const int rc = sqlite3_open_v2(v->path, &v->db,
		SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, VFS);

	if (rc != SQLITE_OK)
		return history_view_fail(v, rc, err);
	(void)sqlite3_busy_handler(v->db, on_busy, NULL);
	(void)sqlite3_exec(v->db,
		"PRAGMA query_only = 1; PRAGMA cache_size = -2048", NULL, NULL,
		NULL);
	sqlite3_progress_handler(v->db, LOOK_EVERY, on_progress, v);
	return check_version(v, err);
}

enum gp_code
history_view_begin(struct history_view *v, struct gp_error *err)
{
	enum gp_code rc = GP_OK;
	int step;

	v->begun_ms = clock_mono_ms();
	v->is_late = false;
	if (v->db != NULL && has_moved(v))
		history_view_close(v);
	if (v->db == NULL)
		rc = open_db(v, err);
	if (rc != GP_OK)
		return rc;
	step = sqlite3_exec(v->db, "BEGIN", NULL, NULL, NULL);
	return step == SQLITE_OK ? GP_OK : history_view_fail(v, step, err);
}

void
history_view_end(struct history_view *v)
{
	if (v->db == NULL || sqlite3_get_autocommit(v->db) != 0)
		return;
	/* The limit is not for this. */
	sqlite3_progress_handler(v->db, 0, NULL, NULL);
	(void)sqlite3_exec(v->db, "ROLLBACK", NULL, NULL, NULL);
	sqlite3_progress_handler(v->db, LOOK_EVERY, on_progress, v);
}

/* --- statements ----------------------------------------------------------- */

static void
bind_number(sqlite3_stmt *s, const char *name, int64_t n)
{
	const int at = sqlite3_bind_parameter_index(s, name);

	if (at > 0)
		(void)sqlite3_bind_int64(s, at, n);
}

static void
bind_match(sqlite3_stmt *s, const char *name, const struct history_match *m)
{
	const int at = sqlite3_bind_parameter_index(s, name);

	if (at > 0)
		(void)sqlite3_bind_text(s, at, m->text, m->n, SQLITE_TRANSIENT);
}

enum gp_code
history_view_prepare(struct history_view *v, const char *sql,
	const struct history_question *q, struct sqlite3_stmt **out,
	struct gp_error *err)
{
	const int rc = sqlite3_prepare_v2(v->db, sql, -1, out, NULL);
	sqlite3_stmt *const s = *out;

	if (rc != SQLITE_OK)
		return history_view_fail(v, rc, err);
	bind_number(s, ":from", q->from_us);
	bind_number(s, ":to", q->to_us);
	bind_number(s, ":from_s", q->from_us / HISTORY_US);
	bind_number(s, ":to_s", (q->to_us + HISTORY_US - 1) / HISTORY_US);
	bind_number(s, ":is_count", q->is_count);
	bind_number(s, ":streamed", q->streamed);
	bind_number(s, ":failed", q->failed);
	bind_number(s, ":status_from", q->status_from);
	bind_number(s, ":status_to", q->status_to);
	bind_number(s, ":cursor_us", q->cursor.time_us);
	bind_number(s, ":cursor_id", q->cursor.id);
	bind_number(s, ":id", q->id);
	bind_match(s, ":client", &q->client);
	bind_match(s, ":model", &q->model);
	bind_match(s, ":dialect", &q->dialect);
	bind_match(s, ":upstream", &q->upstream);
	bind_match(s, ":error", &q->error);
	bind_match(s, ":request", &q->request);
	return GP_OK;
}

void
history_view_put_filters(const struct history_question *q, struct buf *sql)
{
	buf_puts(sql, "1");
	if (q->is_count >= 0)
		buf_puts(sql, " AND is_count = :is_count");
	if (q->status_from > 0)
		buf_puts(sql,
			" AND status >= :status_from AND status < :status_to");
	if (q->client.is_set)
		buf_puts(sql, " AND client = :client");
	if (q->model.is_set)
		buf_puts(sql, " AND model = :model");
	if (q->dialect.is_set)
		buf_puts(sql, " AND dialect = :dialect");
	if (q->upstream.is_set)
		buf_puts(sql, " AND upstream = :upstream");
	if (q->error.is_set)
		buf_puts(sql, " AND error = :error");
}

struct span
history_view_text(struct sqlite3_stmt *s, int column)
{
	const void *const p = sqlite3_column_text(s, column);

	return p == NULL ? SPAN_EMPTY :
			   span_of(p, (size_t)sqlite3_column_bytes(s, column));
}
