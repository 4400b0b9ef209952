/* SPDX-License-Identifier: MIT */
/*
 * history_view.h - reading the history: a connection of its own, which cannot
 * write, with a limit on the time that a question may take. For one thread.
 *
 * The database may be locked, spoilt, not there yet, or another file than a
 * moment ago: that is an error with a reason, and the next question looks
 * again.
 */
#ifndef ADMIN_HISTORY_VIEW_H
#define ADMIN_HISTORY_VIEW_H

#include <limits.h>

#include "admin/history_question.h"
#include "shared/json/jout.h"

#define HISTORY_VIEW_MS 200 /* that a question may take */

struct sqlite3;
struct sqlite3_stmt;

struct history_view {
	char path[PATH_MAX];
	struct sqlite3 *db; /* NULL: closed */
	int64_t begun_ms;   /* clock_mono_ms, of the question */
	bool is_late;       /* the limit has ended a statement */
};

/* dir: where history.db is. */
void history_view_init(struct history_view *v, struct span dir);
void history_view_close(struct history_view *v);

/* A question begins: its time runs from here, and all its statements see the
 * same. Errors: GP_E_SYSTEM. */
enum gp_code history_view_begin(
	struct history_view *v, struct gp_error *err) GP_WUR;
/* It is over, or was never begun. */
void history_view_end(struct history_view *v);
int64_t history_view_elapsed_ms(const struct history_view *v);

/* Why SQLite did not do it: GP_E_TIMEOUT (the limit), GP_E_SYSTEM. May close
 * the connection; its statements are to be finalized all the same. */
enum gp_code history_view_fail(
	struct history_view *v, int rc, struct gp_error *err);

/* sql: ended by NUL. Bind what the question says to the parameters of these
 * names, as far as the statement has them: :from :to (microseconds), :from_s
 * :to_s, :is_count :streamed :failed :status_from :status_to :client :model
 * :dialect :upstream :error :request :cursor_us :cursor_id :id. */
enum gp_code history_view_prepare(struct history_view *v, const char *sql,
	const struct history_question *q, struct sqlite3_stmt **out,
	struct gp_error *err) GP_WUR;

/* "client = :client AND ..." for what the question has of what roll-ups know
 * too; "1" if that is nothing. */
void history_view_put_filters(
	const struct history_question *q, struct buf *sql);

/* A text column: whatever bytes are in the file. */
struct span history_view_text(struct sqlite3_stmt *s, int column);

/* The answers, as JSON. Errors: as of history_view_fail. */
enum gp_code history_list_put(struct history_view *v,
	const struct history_question *q, struct buf *out,
	struct gp_error *err) GP_WUR;
/* *found: false, and nothing is written, if there is no such row. */
enum gp_code history_one_put(struct history_view *v,
	const struct history_question *q, struct buf *out, bool *found,
	struct gp_error *err) GP_WUR;
enum gp_code history_series_put(struct history_view *v,
	const struct history_question *q, struct buf *out,
	struct gp_error *err) GP_WUR;
enum gp_code history_totals_put(struct history_view *v,
	const struct history_question *q, struct buf *out,
	struct gp_error *err) GP_WUR;

#endif
