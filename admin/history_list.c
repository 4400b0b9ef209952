/* SPDX-License-Identifier: MIT */
/*
 * history_list.c - rows of the history.
 *
 * A page is made by going back through an index, row by row, and looking
 * whether each one is wanted: so a search for what is rare can stop when its
 * time is over and say how far it came.
 */
#include <sqlite3.h>

#include "admin/api_json.h"
#include "admin/history_view.h"
#include "shared/sys/record.h"

#define SQL_MAX 4096
/* Then a page is as long as it is. The rest is for the row that is looked for
 * at that moment. */
#define SCAN_MS     120
#define LOOK_EVERY  32 /* rows between two looks at the clock */
#define TEXT_MOST   4096
#define WEIGHT_MOST 1e12

/* --- one row as JSON ------------------------------------------------------ */

enum shape {
	SHAPE_INT,
	SHAPE_BOOL,
	SHAPE_REAL,
	SHAPE_TEXT
};

struct column {
	const char *name;
	enum shape shape;
};

#define SHAPE_OF(least, most)                                                  \
	((least) == 0 && (most) == 1 ? SHAPE_BOOL : SHAPE_INT)

/* clang-format off: it does not know tables made of tables */
static const struct column all_columns[] = {
	{ "id", SHAPE_INT },
	{ "weight", SHAPE_REAL },
#define NUMBER(name, least, most, meaning) { #name, SHAPE_OF(least, most) },
#define TEXT(name, bytes, meaning)         { #name, SHAPE_TEXT },
#include "shared/sys/record.def"
#undef NUMBER
#undef TEXT
};
/* clang-format on */

/* Those of a list, in their order above. */
static const char listed[] =
	"id weight time_us is_count streamed status code cancelled broken "
	"retries input cached output first_us total_us notice_count request "
	"client dialect upstream asked model error";

static bool
is_listed(const char *name)
{
	struct span rest = span_cstr(listed);
	struct span word;

	while (span_split(&rest, ' ', &word))
		if (span_eq(word, span_cstr(name)))
			return true;
	return false;
}

static void
put_value(struct jout *j, sqlite3_stmt *s, int at, enum shape shape)
{
	char text[32];

	if (sqlite3_column_type(s, at) == SQLITE_NULL) {
		jout_null(j);
		return;
	}
	switch (shape) {
	case SHAPE_INT:
		jout_int(j, sqlite3_column_int64(s, at));
		break;
	case SHAPE_BOOL:
		jout_bool(j, sqlite3_column_int64(s, at) != 0);
		break;
	case SHAPE_REAL:
		/* SQLite's own writing knows no infinity and no comma. */
		(void)sqlite3_snprintf(sizeof(text), text, "%.6g",
			MIN(MAX(sqlite3_column_double(s, at), 0), WEIGHT_MOST));
		jout_raw(j, (struct jraw){ span_cstr(text) });
		break;
	case SHAPE_TEXT:
		api_put_text(j, span_head(history_view_text(s, at), TEXT_MOST));
		break;
	}
}

/* The statement has the columns that are wanted and no others. */
static void
put_row(struct jout *j, sqlite3_stmt *s, bool is_list)
{
	int at = 0;

	jout_obj(j);
	for (size_t i = 0; i < ARRAY_LEN(all_columns); i++) {
		if (is_list && !is_listed(all_columns[i].name))
			continue;
		jout_key(j, all_columns[i].name);
		put_value(j, s, at++, all_columns[i].shape);
	}
	jout_obj_end(j);
}

static enum gp_code
prepare_row(struct history_view *v, const struct history_question *q,
	bool is_list, sqlite3_stmt **out, struct gp_error *err)
{
	const char *comma = "SELECT ";
	enum gp_code rc;
	struct buf sql;

	buf_init(&sql, SQL_MAX);
	for (size_t i = 0; i < ARRAY_LEN(all_columns); i++) {
		if (is_list && !is_listed(all_columns[i].name))
			continue;
		buf_printf(&sql, "%s%s", comma, all_columns[i].name);
		comma = ", ";
	}
	buf_puts(&sql, " FROM request WHERE id = :id");
	buf_putc(&sql, '\0');
	rc = history_view_prepare(v, sql.data, q, out, err);
	buf_fini(&sql);
	return rc;
}

enum gp_code
history_one_put(struct history_view *v, const struct history_question *q,
	struct buf *out, bool *found, struct gp_error *err)
{
	sqlite3_stmt *s = NULL;
	enum gp_code code = prepare_row(v, q, false, &s, err);
	struct jout j;
	int rc;

	*found = false;
	if (code != GP_OK)
		return code;
	rc = sqlite3_step(s);
	if (rc == SQLITE_ROW) {
		*found = true;
		jout_init(&j, out);
		put_row(&j, s, false);
		buf_putc(out, '\n');
	}
	code = rc == SQLITE_ROW || rc == SQLITE_DONE ?
		GP_OK :
		history_view_fail(v, rc, err);
	(void)sqlite3_finalize(s);
	return code;
}

/* --- going back ----------------------------------------------------------- */

static const char failed_sql[] = "(status >= 400 OR broken > 0)";

/* The index by which the fewest rows are looked at. A class of failure and an
 * error status mean a failure. */
static const char *
index_of(const struct history_question *q)
{
	if (q->failed == 1 || q->status_from >= 400 ||
		(q->error.is_set && q->error.n > 0))
		return "request_failed";
	if (q->client.is_set)
		return "request_client";
	if (q->model.is_set)
		return "request_model";
	return "request_time";
}

/* Columns: id, time, is it wanted. */
static void
put_scan(const struct history_question *q, struct buf *sql)
{
	const char *const index = index_of(q);

	buf_puts(sql, "SELECT id, time_us, ");
	history_view_put_filters(q, sql);
	if (q->streamed >= 0)
		buf_puts(sql, " AND streamed = :streamed");
	if (q->failed >= 0)
		buf_printf(sql, " AND %s = :failed", failed_sql);
	if (q->request.is_set)
		buf_puts(sql, " AND request = :request");
	buf_printf(sql, " FROM request INDEXED BY %s WHERE ", index);
	if (strcmp(index, "request_failed") == 0)
		buf_printf(sql, "%s AND ", failed_sql);
	else if (strcmp(index, "request_client") == 0)
		buf_puts(sql, "client = :client AND ");
	else if (strcmp(index, "request_model") == 0)
		buf_puts(sql, "model = :model AND ");
	buf_puts(sql, "time_us >= :from AND time_us < :to");
	if (q->cursor.is_set)
		buf_puts(sql, " AND (time_us < :cursor_us OR id < :cursor_id)");
	buf_puts(sql, " ORDER BY time_us DESC, id DESC");
	buf_putc(sql, '\0');
}

struct scan {
	struct history_view *v;
	const struct history_question *q;
	sqlite3_stmt *ids, *row;
	struct history_cursor last; /* that was looked at */
	int64_t n;                  /* rows of the page */
	bool is_over;               /* there is nothing behind it */
};

static int
put_id(struct scan *s, struct jout *j)
{
	int rc;

	(void)sqlite3_bind_int64(s->row,
		sqlite3_bind_parameter_index(s->row, ":id"), s->last.id);
	rc = sqlite3_step(s->row);
	/* It is there: both statements see the same transaction. */
	if (rc == SQLITE_ROW) {
		put_row(j, s->row, true);
		s->n++;
		rc = SQLITE_OK;
	} else if (rc == SQLITE_DONE) {
		rc = SQLITE_OK;
	}
	(void)sqlite3_reset(s->row);
	return rc;
}

static bool
is_time_over(const struct scan *s, unsigned looked)
{
	return looked % LOOK_EVERY == 0 &&
		history_view_elapsed_ms(s->v) >= SCAN_MS;
}

/* SQLITE_OK if the page can be shown. */
static int
scan(struct scan *s, struct jout *j)
{
	int rc = SQLITE_OK;

	for (unsigned looked = 1; rc == SQLITE_OK; looked++) {
		rc = sqlite3_step(s->ids);
		if (rc == SQLITE_DONE) {
			s->is_over = true;
			return SQLITE_OK;
		}
		/* What was looked at before is a page all the same. */
		if (rc == SQLITE_INTERRUPT && s->last.is_set)
			return SQLITE_OK;
		if (rc != SQLITE_ROW)
			return rc;
		rc = SQLITE_OK;
		if (s->n == s->q->limit)
			return SQLITE_OK;
		s->last = (struct history_cursor){ true,
			sqlite3_column_int64(s->ids, 1),
			sqlite3_column_int64(s->ids, 0) };
		if (sqlite3_column_int(s->ids, 2) != 0)
			rc = put_id(s, j);
		if (is_time_over(s, looked))
			return rc;
	}
	return rc;
}

static void
put_end(const struct scan *s, struct jout *j)
{
	char cursor[HISTORY_CURSOR_MAX];

	jout_key(j, "next");
	if (s->is_over || !s->last.is_set) {
		jout_null(j);
	} else {
		history_cursor_write(&s->last, cursor);
		jout_cstr(j, cursor);
	}
	jout_kv_int(j, "searched_to_us",
		s->is_over || !s->last.is_set ? s->q->from_us :
						s->last.time_us);
}

static enum gp_code
put_list(struct scan *s, struct buf *out, struct gp_error *err)
{
	struct jout j;
	int rc;

	jout_init(&j, out);
	jout_obj(&j);
	jout_kv_int(&j, "from_us", s->q->from_us);
	jout_kv_int(&j, "to_us", s->q->to_us);
	jout_key(&j, "requests");
	jout_arr(&j);
	rc = scan(s, &j);
	if (rc != SQLITE_OK)
		return history_view_fail(s->v, rc, err);
	jout_arr_end(&j);
	put_end(s, &j);
	jout_obj_end(&j);
	buf_putc(out, '\n');
	return GP_OK;
}

enum gp_code
history_list_put(struct history_view *v, const struct history_question *q,
	struct buf *out, struct gp_error *err)
{
	struct history_question bounded = *q;
	struct scan s = { .v = v, .q = q };
	enum gp_code rc;
	struct buf sql;

	/* An index takes one bound only. */
	if (q->cursor.is_set && q->cursor.time_us < q->to_us)
		bounded.to_us = q->cursor.time_us + 1;
	buf_init(&sql, SQL_MAX);
	put_scan(q, &sql);
	rc = history_view_prepare(v, sql.data, &bounded, &s.ids, err);
	buf_fini(&sql);
	if (rc == GP_OK)
		rc = prepare_row(v, q, true, &s.row, err);
	if (rc == GP_OK)
		rc = put_list(&s, out, err);
	(void)sqlite3_finalize(s.ids);
	(void)sqlite3_finalize(s.row);
	return rc;
}
