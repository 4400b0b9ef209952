/* SPDX-License-Identifier: MIT */
/*
 * history_question.h - what is asked of the history, and how it is told in the
 * parameters of a URL. Pure.
 */
#ifndef ADMIN_HISTORY_QUESTION_H
#define ADMIN_HISTORY_QUESTION_H

#include "admin/query.h"

#define HISTORY_US        INT64_C(1000000)
#define HISTORY_LIST_MOST 500
#define HISTORY_BUCKETS   1500 /* of a series */
#define HISTORY_LINES     20   /* groups of a series that stand alone */
#define HISTORY_TOTALS    500  /* the same of totals */
/* Characters of a cursor. */
#define HISTORY_CURSOR_MAX 48

enum history_kind {
	HISTORY_ASK_LIST,
	HISTORY_ASK_ONE,
	HISTORY_ASK_SERIES,
	HISTORY_ASK_TOTALS,
};

enum history_by {
	HISTORY_BY_NONE,
	HISTORY_BY_MODEL,
	HISTORY_BY_CLIENT,
	HISTORY_BY_STATUS,
	HISTORY_BY_ERROR,
	HISTORY_BY_DIALECT,
	HISTORY_BY_UPSTREAM,
};

/* A text that a column must be equal to. */
struct history_match {
	bool is_set;
	uint8_t n;
	char text[128];
};

/* Behind the row (time_us, id), seen from the newest. */
struct history_cursor {
	bool is_set;
	int64_t time_us, id;
};

struct history_question {
	enum history_kind kind;
	int64_t id;             /* of the row; ONE only, nothing else is set */
	int64_t from_us, to_us; /* from <= time < to */
	struct history_match client, model, dialect, upstream, error, request;
	int status_from, status_to; /* from <= status < to; 0, 1000: any */
	int is_count;               /* 0, 1; -1: both */
	int streamed, failed;       /* the same */
	int64_t limit;
	struct history_cursor cursor;
	enum history_by by;
	int64_t step_s; /* SERIES: 60, 3600 or 86400 */
};

/* The parameters of a list, a series, totals. now_us: since 1970. GP_E_SYNTAX,
 * GP_E_SCHEMA with a sentence for whoever asked. */
enum gp_code history_question_read(struct history_question *out,
	enum history_kind kind, const struct query *q, int64_t now_us,
	struct gp_error *err) GP_WUR;

/* As in the parameters: "model"; "chat". */
const char *history_question_by(const struct history_question *q);
const char *history_question_kind(const struct history_question *q);

void history_cursor_write(
	const struct history_cursor *c, char out[HISTORY_CURSOR_MAX]);
/* False if the text was not written by history_cursor_write. */
bool history_cursor_read(struct history_cursor *out, struct span text) GP_WUR;

#endif
